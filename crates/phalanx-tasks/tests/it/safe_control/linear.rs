//! The unstable linear plant (section 7.1): gains, flights and the grid of starts.
use phalanx_tasks::control::Matrix;
use phalanx_tasks::safe_control::barrier::{
    Barrier, Combination, Course, EmbeddedFlow, Operator, Sphere,
};
use phalanx_tasks::safe_control::dynamics::{Dynamics, DynamicsError, Linearised};
use phalanx_tasks::safe_control::planner::{ClosedLoop, Regulated, regulate};
use phalanx_tasks::safe_control::plant::{Euler, Flow, Linear, RungeKutta, check_derivatives};

use super::assert_close;

fn course(centre: [f64; 2]) -> Course {
    let disc = Sphere::new(&[0, 1], &centre, 0.5).unwrap();
    Course::new(2, vec![Box::new(disc)]).unwrap()
}

const A: [f64; 2] = [2.0, 1.5];
const B: [f64; 2] = [2.0, 2.0];

fn embedded(centre: [f64; 2]) -> EmbeddedFlow {
    let barrier = Barrier::new(Operator::INVERSE, Combination::Sum, course(centre)).unwrap();
    EmbeddedFlow::new(Box::new(Linear::unstable()), barrier, 1.0, &[0.0; 2]).unwrap()
}

fn safe_regulator(centre: [f64; 2]) -> Regulated {
    let (q, r) = (Matrix::diagonal(&[0.5, 0.5, 10.0]), Matrix::scalar(1, 0.5));
    regulate(&mut embedded(centre), (&[0.0; 3], &[0.0]), (&q, &r)).unwrap()
}

fn plain_regulator() -> Regulated {
    let (q, r) = (Matrix::scalar(2, 0.5), Matrix::scalar(1, 0.5));
    regulate(&mut Linear::unstable(), (&[0.0; 2], &[0.0]), (&q, &r)).unwrap()
}

struct Flown {
    least: f64,
    cost: f64,
    input: f64,
    distance: f64,
}

/// Ten seconds in steps of a millisecond; `None` when it enters the disc.
fn fly(flow: Box<dyn Flow>, gain: &Matrix, start: &[f64], centre: [f64; 2]) -> Option<Flown> {
    let n = start.len();
    let eq = (vec![0.0; n], [0.0]);
    let mut input = [0.0];
    let closed = ClosedLoop::new(flow, (&eq.0, &eq.1), gain.clone()).unwrap();
    let feedback = ClosedLoop::new(
        Box::new(Linear::unstable()),
        (&[0.0; 2], &[0.0]),
        gain.part((0, 1), (0, 2)),
    )
    .unwrap();
    let mut loop_ = RungeKutta::new(Box::new(closed), 1e-3);
    let (mut state, mut next) = (start.to_vec(), vec![0.0; n]);
    let disc = course(centre);
    let h = |state: &[f64]| disc.constraints()[0].value(&state[..2]);
    let mut flown = Flown { least: h(&state), cost: 0.0, input: 0.0, distance: 0.0 };
    for _ in 0..10_000 {
        feedback.control(&state[..2], &mut input);
        if n == 3 {
            input[0] += gain[(0, 2)] * state[2];
        }
        let square = 0.5 * (state[0] * state[0] + state[1] * state[1] + input[0] * input[0]);
        flown.cost += 1e-3 * (square + if n == 3 { 10.0 * state[2] * state[2] } else { 0.0 });
        flown.input = flown.input.max(input[0].abs());
        loop_.step(&state, &[], &mut next).ok()?;
        std::mem::swap(&mut state, &mut next);
        flown.least = flown.least.min(h(&state));
        if flown.least <= 0.0 {
            return None;
        }
    }
    flown.distance = state[0].hypot(state[1]);
    Some(flown)
}

fn safe_flight(gain: &Matrix, start: [f64; 2], centre: [f64; 2]) -> Option<Flown> {
    let flow = embedded(centre);
    let mut at = [0.0; 3];
    flow.embed(&start, &mut at).ok()?;
    fly(Box::new(flow), gain, &at, centre)
}

#[test]
fn gains_of_both_variants_are_those_of_the_reference() {
    let found = safe_regulator(A);
    assert_close(&[embedded(A).shift()[0], embedded(B).shift()[0]], &[1.0 / 6.0, 0.1290323], 1e-7);
    let expected = [1.0, -5.0, 0.0, 0.0, -1.0, 0.0, 0.2222222, -0.5555556, -1.0];
    assert_close(found.a.entries(), &expected, 1e-7);
    assert_close(found.b.entries(), &[0.0, 1.0, 0.0833333], 1e-7);
    // Our gains are those of u = + K x.
    let negative = |gain: &Matrix| gain.scaled(-1.0).entries().to_vec();
    assert_close(&negative(&found.care.gain), &[-2.046257, 3.958524, -1.028549], 1e-6);
    let poles: Vec<f64> = found.care.poles.iter().flat_map(|pole| [pole.re, pole.im]).collect();
    assert_close(&poles, &[-1.0, 0.0, -1.936406, 1.476558, -1.936406, -1.476558], 1e-6);
    assert_close(&negative(&plain_regulator().care.gain), &[-1.971140, 3.659550], 1e-6);
    let other = safe_regulator(B);
    assert_close(&negative(&other.care.gain), &[-2.006110, 3.795402, -0.649922], 1e-6);
    assert_close(&[other.care.poles[1].re, other.care.poles[1].im], &[-1.876060, 1.405435], 1e-6);
}

#[test]
fn the_safe_regulator_flies_past_the_disc_that_the_plain_one_hits() {
    let flown = safe_flight(&safe_regulator(A).care.gain, [6.0, 4.5], A).unwrap();
    println!("A: min h {:.4}, J {:.4}, max |u| {:.4}", flown.least, flown.cost, flown.input);
    assert!((flown.least - 0.1624).abs() < 0.002, "{}", flown.least);
    assert!((flown.cost - 37.30).abs() < 0.05, "{}", flown.cost);
    assert!((flown.input - 5.666).abs() < 0.01, "{}", flown.input);
    assert!(flown.distance < 1e-2);
    let plain = plain_regulator().care.gain;
    assert!(fly(Box::new(Linear::unstable()), &plain, &[6.0, 4.5], A).is_none());
    let flown = safe_flight(&safe_regulator(B).care.gain, [6.0, 4.5], B).unwrap();
    println!("B: min h {:.4}, J {:.2}", flown.least, flown.cost);
    assert!((flown.least - 0.047).abs() < 0.002, "{}", flown.least);
    assert!((flown.cost - 202.0).abs() < 1.0, "{}", flown.cost);
}

/// Starts of the grid with h > 0.05.
pub fn grid() -> Vec<[f64; 2]> {
    let line = || (-6..=6).map(f64::from);
    let starts = line().flat_map(|x| line().map(move |y| [x, y]));
    starts.filter(|start| course(A).constraints()[0].value(start) > 0.05).collect()
}

/// How many of the grid's starts are flown safely to the equilibrium.
pub fn safe_on_the_grid(gain: &Matrix) -> (usize, f64) {
    let flights = grid().into_iter().filter_map(|start| safe_flight(gain, start, A));
    let there: Vec<Flown> = flights.filter(|flown| flown.distance < 1e-2).collect();
    let least = there.iter().map(|flown| flown.least).fold(f64::INFINITY, f64::min);
    (there.len(), least)
}

#[test]
fn the_grid_of_starts_is_flown_as_by_the_reference() {
    assert_eq!(grid().len(), 167);
    let (safe, least) = safe_on_the_grid(&safe_regulator(A).care.gain);
    let plain = plain_regulator().care.gain;
    let fly_plain = |start: &[f64; 2]| fly(Box::new(Linear::unstable()), &plain, start, A);
    let starts = grid();
    let plain = starts.iter().filter_map(fly_plain).filter(|flown| flown.distance < 1e-2).count();
    println!(
        "safe and there: {safe} of 167 with barrier state (min h {least:.4}), {plain} without"
    );
    assert!(safe.abs_diff(158) <= 1, "{safe}");
    assert!(plain.abs_diff(110) <= 1, "{plain}");
    assert!((least - 0.027).abs() < 0.002, "{least}");
}

/// A rate that a model is unsure of: the numbers of the reference's Gaussian processes.
struct Unsure;

impl Flow for Unsure {
    fn name(&self) -> &'static str {
        "unsure"
    }

    fn states(&self) -> usize {
        2
    }

    fn inputs(&self) -> usize {
        1
    }

    fn rate(&mut self, _: &[f64], _: &[f64], rate: &mut [f64]) -> Result<(), DynamicsError> {
        rate.copy_from_slice(&[-13.0365611299, -4.515833281]);
        Ok(())
    }

    fn linearise(
        &mut self,
        state: &[f64],
        input: &[f64],
        into: Linearised<'_>,
    ) -> Result<(), DynamicsError> {
        into.by_state.fill(0.0);
        into.by_input.fill(0.0);
        self.rate(state, input, into.next)
    }

    fn variance(
        &mut self,
        _: &[f64],
        _: &[f64],
        variance: &mut [f64],
    ) -> Result<bool, DynamicsError> {
        variance.copy_from_slice(&[2.3008548167, 0.7393389804]);
        Ok(true)
    }
}

#[test]
fn an_uncertain_rate_gives_the_barrier_rate_of_the_reference() {
    let barrier = Barrier::new(Operator::INVERSE, Combination::Sum, course(A)).unwrap();
    let mut flow = EmbeddedFlow::new(Box::new(Unsure), barrier, 1.0, &[0.0; 2]).unwrap();
    let mut at = [0.0; 3];
    flow.embed(&[3.0, 3.0], &mut at).unwrap();
    assert_close(&at[2..], &[0.1666666667], 1e-9);
    let moments = flow.moments(&at, &[-1.0]).unwrap();
    assert_close(&moments.mean[2..], &[4.4022913447], 1e-8);
    assert_close(&moments.variance[2..], &[0.1957712357], 1e-8);
    let mut rate = [0.0; 3];
    embedded(A).rate(&at, &[-1.0], &mut rate).unwrap();
    assert_close(&rate[2..], &[4.0], 1e-12);
}

#[test]
fn derivatives_of_embedded_flows_agree_with_differences() {
    let operators = [Operator::INVERSE, Operator::LOG, Operator::TOLERANT];
    for operator in operators {
        for combination in [Combination::Sum, Combination::Vector, Combination::Harmonic] {
            let discs = [[2.0, 1.5], [-1.0, 2.0]].map(|centre| {
                let disc = Sphere::new(&[0, 1], &centre, 0.5).unwrap();
                Box::new(disc) as Box<dyn phalanx_tasks::safe_control::barrier::Constraint>
            });
            let course = Course::new(2, discs.into()).unwrap();
            let Ok(barrier) = Barrier::new(operator, combination, course) else { continue };
            let linear = Box::new(Linear::unstable());
            let flow = EmbeddedFlow::new(linear, barrier, 0.7, &[0.0; 2]).unwrap();
            let mut at = vec![0.0; flow.states()];
            flow.embed(&[0.6, 0.9], &mut at).unwrap();
            // Off the true flow, so that every term counts.
            at[2..].iter_mut().for_each(|z| *z += 0.2);
            let report = check_derivatives(&mut Euler::new(Box::new(flow), 1.0), &at, &[0.3]);
            let report = report.unwrap();
            assert!(report.is_within(1e-6), "{operator:?} {combination:?}: {report}");
        }
    }
    let mut step = RungeKutta::new(Box::new(embedded(A)), 0.1);
    let mut at = [0.0; 3];
    embedded(A).embed(&[3.0, 3.0], &mut at).unwrap();
    let report = check_derivatives(&mut step, &at, &[0.3]).unwrap();
    assert!(report.is_within(1e-6), "{report}");
}
