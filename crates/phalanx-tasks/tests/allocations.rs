//! Sweeps of a planner, steps of a receding horizon and control in flight allocate nothing:
//! counted by the allocator itself.
#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::ops::ControlFlow;
use std::sync::Arc;

use phalanx_tasks::safe_control::barrier::{Barrier, Combination, Operator, SafetyEmbedded};
use phalanx_tasks::safe_control::dynamics::Dynamics;
use phalanx_tasks::safe_control::gp::{GpDynamics, Training};
use phalanx_tasks::safe_control::planner::{
    Executor, InputLimits, Method, Nominal, Planner, Receding, Settings, plan,
};
use phalanx_tasks::safe_control::plant::{PlantEntry, named};

struct Counting;

thread_local! {
    static COUNT: Cell<usize> = const { Cell::new(0) };
}

// SAFETY: every call is passed on to the system's allocator unchanged; counting allocates nothing.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        COUNT.with(|count| count.set(count.get() + 1));
        // SAFETY: the caller's promise is passed on.
        unsafe { System.alloc(layout) }
    }
    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise is passed on.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn allocations(act: impl FnOnce()) -> usize {
    let before = COUNT.with(Cell::get);
    act();
    COUNT.with(Cell::get) - before
}

fn embedded(entry: &PlantEntry, plant: Box<dyn Dynamics>, contraction: f64) -> SafetyEmbedded {
    let course = entry.course().unwrap();
    let barrier = Barrier::new(Operator::INVERSE, Combination::Sum, course).unwrap();
    SafetyEmbedded::new(plant, barrier, contraction).unwrap()
}

/// Allocations of a whole search after its beginning.
fn of_a_search(entry: &PlantEntry, mut model: SafetyEmbedded, settings: &Settings) -> usize {
    let problem = (entry.problem)();
    let mut cost = problem.cost(&model).unwrap();
    let mut start = vec![0.0; model.states()];
    model.embed(0, &problem.start, &mut start).unwrap();
    let mut planner = Planner::new((model.states(), model.inputs()), problem.horizon);
    let rest = vec![0.0; problem.horizon * model.inputs()];
    let (mut iterations, mut accepted) = (0, 0);
    let count = allocations(|| {
        planner.begin((&mut model, &mut cost), &start, &rest, settings.limits.as_ref()).unwrap();
        planner
            .solve((&mut model, &mut cost), settings, 0.1, &mut |iteration| {
                iterations = iteration.number;
                accepted += usize::from(iteration.step > 0.0);
                ControlFlow::Continue(())
            })
            .unwrap();
    });
    assert!(iterations >= 5 && accepted >= 5, "{iterations} sweeps, {accepted} accepted");
    count
}

#[test]
fn searches_allocate_nothing() {
    for name in ["dubins", "quadrotor", "linear"] {
        let entry = named(name).unwrap();
        for method in [Method::Ilqr, Method::Ddp] {
            for contraction in [0.0, 0.05] {
                let settings = Settings { method, iterations_max: 12, ..Settings::single(0.1) };
                let model = embedded(entry, entry.dynamics(), contraction);
                assert_eq!(of_a_search(entry, model, &settings), 0, "{name} {method:?}");
            }
        }
    }
}

#[test]
fn searches_with_limits_and_on_learnt_models_allocate_nothing() {
    let entry = named("dubins").unwrap();
    let limits = InputLimits::new(vec![0.0, -1.0], vec![1.2, 1.0]).unwrap();
    let settings = Settings { limits: Some(limits), iterations_max: 12, ..Settings::single(0.1) };
    let model = embedded(entry, entry.dynamics(), 0.0);
    assert_eq!(of_a_search(entry, model, &settings), 0);
    let learnt = Training::default().fit(&entry.observe(1, 60).unwrap()).unwrap();
    let learnt = GpDynamics::new(Arc::new(learnt)).unwrap();
    let model = embedded(entry, Box::new(learnt), 0.0);
    let settings = Settings { iterations_max: 12, ..Settings::single(1.0) };
    assert_eq!(of_a_search(entry, model, &settings), 0);
}

#[test]
fn steps_of_a_receding_horizon_and_of_flights_allocate_nothing() {
    let entry = named("dubins").unwrap();
    let mut problem = (entry.problem)();
    let mut model = embedded(entry, entry.dynamics(), 0.05);
    let settings = Settings::single(0.1);
    let found =
        plan(&mut model, &problem, Nominal::Rest, &settings, &mut |_| ControlFlow::Continue(()))
            .unwrap();
    let mut truth = entry.dynamics();
    let (mut state, mut next, mut input) = (problem.start.clone(), vec![0.0; 3], [0.0; 2]);
    let mut executor = Executor::new(&found, &mut model);
    let count = allocations(|| {
        for _ in 0..problem.horizon {
            executor.control(&state, &mut input).unwrap();
            truth.step(&state, &input, &mut next).unwrap();
            std::mem::swap(&mut state, &mut next);
        }
    });
    assert_eq!(count, 0);
    problem.horizon = 40;
    let mut cost = problem.cost(&model).unwrap();
    let settings = Settings { iterations_max: 2, ..Settings::single(0.1) };
    let mut receding = Receding::new(&model, (problem.horizon, &[0.0; 2]), settings).unwrap();
    state.copy_from_slice(&problem.start);
    let count = allocations(|| {
        for _ in 0..20 {
            receding.step((&mut model, &mut cost), &state, &mut input).unwrap();
            truth.step(&state, &input, &mut next).unwrap();
            std::mem::swap(&mut state, &mut next);
        }
    });
    assert_eq!(count, 0);
}
