//! CPU time of a planner's iterations and of their parts on one thread, as JSON.
//!
//! `cargo bench -p phalanx-tasks --bench safe_control -- [WORD]` measures what holds the word.
#![expect(clippy::print_stdout, reason = "a bench's result is what it prints")]
use std::hint::black_box;
use std::ops::ControlFlow;
use std::sync::Arc;

use phalanx_tasks::control::Matrix;
use phalanx_tasks::safe_control::barrier::{Barrier, Combination, Operator, SafetyEmbedded};
use phalanx_tasks::safe_control::dynamics::{Dynamics, Linearised};
use phalanx_tasks::safe_control::gp::{GpDynamics, Training};
use phalanx_tasks::safe_control::planner::{Planner, Quadratic, Settings, Weight};
use phalanx_tasks::safe_control::plant::{Euler, Linear, PlantEntry, named};

fn main() {
    for (name, first, rows) in [("dubins", 0.1, 150), ("quadrotor", 1.0, 400)] {
        let entry = named(name).expect("a listed plant");
        search(&format!("{name}, analytic"), entry, entry.dynamics(), first);
        parts(name, entry);
        let what = format!("{name}, gaussian process of {rows} rows");
        if is_wanted(&what) {
            let samples = entry.observe(1, rows).expect("there are rows");
            let model = Training::default().fit(&samples).expect("rows of the region");
            let dynamics = GpDynamics::new(Arc::new(model)).expect("a model of increments");
            search(&what, entry, Box::new(dynamics), first);
        }
    }
    unicycle();
    dense(13, 4, 300);
}

/// Whether the words of the command line leave this in.
fn is_wanted(what: &str) -> bool {
    let mut words = std::env::args().skip(1).filter(|word| !word.starts_with('-')).peekable();
    words.peek().is_none() || words.any(|word| what.contains(&word))
}

fn told(what: &str, mut nanoseconds: Vec<f64>) {
    nanoseconds.sort_by(f64::total_cmp);
    let (least, median) = (nanoseconds[0], nanoseconds[nanoseconds.len() / 2]);
    println!(
        "{{\"what\": \"{what}\", \"least_us\": {:.3}, \"median_us\": {:.3}}}",
        least / 1e3,
        median / 1e3
    );
}

fn embedded(entry: &PlantEntry, plant: Box<dyn Dynamics>) -> SafetyEmbedded {
    let course = entry.course().expect("a listed plant");
    let barrier = Barrier::new(Operator::INVERSE, Combination::Sum, course);
    SafetyEmbedded::new(plant, barrier.expect("a listed plant"), 0.0).expect("a listed plant")
}

/// Whole searches from rest, per sweep: linearisation, backward sweep, line search.
fn search(what: &str, entry: &PlantEntry, plant: Box<dyn Dynamics>, first: f64) {
    let what = format!("iteration of {what}");
    if !is_wanted(&what) {
        return;
    }
    let problem = (entry.problem)();
    let mut model = embedded(entry, plant);
    let mut cost = problem.cost(&model).expect("a safe goal");
    let mut start = vec![0.0; model.states()];
    model.embed(0, &problem.start, &mut start).expect("a safe start");
    let mut planner = Planner::new((model.states(), model.inputs()), problem.horizon);
    let rest = vec![0.0; problem.horizon * model.inputs()];
    let settings = Settings { tolerance: 1e-6, ..Settings::single(first) };
    let times = (0..9).map(|_| {
        planner.begin((&mut model, &mut cost), &start, &rest, None).expect("rest is safe");
        let before = cpu_seconds();
        let solved = planner
            .solve((&mut model, &mut cost), &settings, first, &mut |_| ControlFlow::Continue(()))
            .expect("a plan");
        (cpu_seconds() - before) * 1e9 / solved.iterations as f64
    });
    told(&what, times.collect());
}

/// What a step and a linearisation of the embedded plant take.
fn parts(name: &str, entry: &PlantEntry) {
    let problem = (entry.problem)();
    let mut model = embedded(entry, entry.dynamics());
    let n = model.states();
    let mut at = vec![0.0; n];
    model.embed(0, &problem.start, &mut at).expect("a safe start");
    let input = vec![0.1; model.inputs()];
    let mut next = vec![0.0; n];
    let (mut a, mut b) = (vec![0.0; n * n], vec![0.0; n * input.len()]);
    let count = 20_000;
    let timed = |what: &str, work: &mut dyn FnMut()| {
        if is_wanted(what) {
            let times = (0..9).map(|_| {
                let before = cpu_seconds();
                (0..count).for_each(|_| work());
                (cpu_seconds() - before) * 1e9 / f64::from(count)
            });
            told(what, times.collect());
        }
    };
    timed(&format!("step of {name} with barrier state"), &mut || {
        model.step(black_box(&at), &input, &mut next).expect("a safe step");
    });
    timed(&format!("linearisation of {name} with barrier state"), &mut || {
        let into = Linearised { next: &mut next, by_state: &mut a, by_input: &mut b };
        model.linearise(black_box(&at), &input, into).expect("a safe step");
    });
}

/// One sweep and one step forward of whatever model, over and over: nodes of equal size.
fn iterate(what: &str, model: &mut dyn Dynamics, cost: &mut Quadratic, horizon: usize) {
    if !is_wanted(what) {
        return;
    }
    let (n, m) = (model.states(), model.inputs());
    let mut planner = Planner::new((n, m), horizon);
    let start: Vec<f64> = (0..n).map(|i| if i < 2 { -1.0 } else { 0.1 }).collect();
    let rest = vec![0.0; horizon * m];
    let settings = Settings { iterations_max: 1, tolerance: 0.0, ..Settings::single(1e-6) };
    let count = 20;
    let times = (0..9).map(|_| {
        let mut sum = 0.0;
        for _ in 0..count {
            let before = cpu_seconds();
            planner.begin((&mut *model, &mut *cost), &start, &rest, None).expect("no barrier");
            let observe = &mut |_: &_| ControlFlow::Continue(());
            planner.solve((&mut *model, &mut *cost), &settings, 1e-6, observe).expect("a plan");
            sum += cpu_seconds() - before;
        }
        // Twice everything: two trajectories, two linearisations and two backward sweeps.
        sum * 1e9 / f64::from(count) / 2.0
    });
    told(what, times.collect());
}

fn unicycle() {
    let entry = named("dubins").expect("a listed plant");
    let (zero, weight) = (vec![0.0; 3], |w: f64, k: usize| Weight::Diagonal(vec![w; k]));
    let terms = (weight(1.0, 3), weight(1.0, 2), weight(1.0, 3));
    let cost = Quadratic::new(zero, vec![0.0; 2], terms.0, terms.1, terms.2);
    iterate("unicycle of 120 nodes", &mut *entry.dynamics(), &mut cost.expect("a cost"), 120);
}

/// A dense linear system: no zero to make use of.
fn dense(n: usize, m: usize, horizon: usize) {
    let entry = |i: usize| ((i * 7919 + 13) % 101) as f64 / 101.0 - 0.5;
    let a = Matrix::from_entries(n, n, (0..n * n).map(entry).collect());
    let b = Matrix::from_entries(n, m, (0..n * m).map(entry).collect());
    let flow = Linear::new(a, b).expect("sizes that go together");
    let mut model = Euler::new(Box::new(flow), 0.01);
    let weight = |k: usize| Weight::Diagonal(vec![1.0; k]);
    let cost = Quadratic::new(vec![0.0; n], vec![0.0; m], weight(n), weight(m), weight(n));
    let what = format!("dense system of {n} states and {m} inputs, {horizon} nodes");
    iterate(&what, &mut model, &mut cost.expect("a cost"), horizon);
}

fn cpu_seconds() -> f64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the pointer is to a timespec that lives here.
    let result = unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &raw mut time) };
    assert_eq!(result, 0, "this system counts the CPU time of a thread");
    time.tv_sec as f64 + time.tv_nsec as f64 * 1e-9
}
