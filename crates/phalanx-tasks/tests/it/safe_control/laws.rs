//! What holds for every plan: safety and descent of each iterate, equal bits, limits, derivatives.
use std::ops::ControlFlow;

use phalanx_tasks::safe_control::barrier::{
    Barrier, Combination, Constraint, Course, Function, HalfPlane, Interval, Operator,
    SafetyEmbedded, Sphere,
};
use phalanx_tasks::safe_control::dynamics::Dynamics;
use phalanx_tasks::safe_control::planner::{
    InputLimits, Method, Nominal, Planner, Receding, Scheme, Settings, Status, plan,
};
use phalanx_tasks::safe_control::plant::check_derivatives;

use super::{assert_close, barrier, embedded, entry, on_with, oracle};

const OPERATORS: [Operator; 3] = [Operator::INVERSE, Operator::LOG, Operator::TOLERANT];
const COMBINATIONS: [Combination; 3] =
    [Combination::Sum, Combination::Vector, Combination::Harmonic];

#[test]
fn every_accepted_iterate_is_safe_and_cheaper() {
    for (name, first) in [("dubins", 0.1), ("dubins", 10.0), ("quadrotor", 1.0)] {
        let entry = entry(name);
        let (problem, mut model) = ((entry.problem)(), embedded(entry));
        let mut cost = problem.cost(&model).unwrap();
        let mut start = vec![0.0; model.states()];
        model.embed(0, &problem.start, &mut start).unwrap();
        let mut planner = Planner::new((model.states(), model.inputs()), problem.horizon);
        let rest = vec![0.0; problem.horizon * model.inputs()];
        planner.begin((&mut model, &mut cost), &start, &rest, None).unwrap();
        // One sweep at a time, so that every iterate can be looked at.
        let course = entry.course().unwrap();
        let once = Settings { iterations_max: 1, ..Settings::single(first) };
        let mut before = planner.cost();
        for _ in 0..60 {
            let mut seen = None;
            planner
                .solve((&mut model, &mut cost), &once, first, &mut |iteration| {
                    seen = Some(*iteration);
                    ControlFlow::Continue(())
                })
                .unwrap();
            let seen = seen.unwrap();
            let states = planner.states().chunks_exact(model.states());
            for state in states {
                let values = course.constraints().iter().map(|one| one.value(state));
                values.for_each(|h| assert!(h > 0.0, "{name}: {h}"));
            }
            if seen.step > 0.0 {
                assert!(planner.cost() < before, "{name}: {} after {before}", planner.cost());
            } else {
                assert_eq!(planner.cost(), before);
            }
            before = planner.cost();
        }
    }
}

#[test]
fn equal_problems_give_equal_bits() {
    let (once, again) = (
        oracle("dubins", &Settings::default()).unwrap(),
        oracle("dubins", &Settings::default()).unwrap(),
    );
    assert_eq!(once, again);
}

fn mixed_course(n: usize) -> Course {
    let square = Function::new(
        ("x₀² below 9", 1),
        |x| 9.0 - x[0] * x[0],
        |x, scale, gradient| gradient[0] -= 2.0 * scale * x[0],
        |_, scale, hessian| hessian[0] -= 2.0 * scale,
    );
    let constraints: Vec<Box<dyn Constraint>> = vec![
        Box::new(Sphere::new(&[0, 1], &[1.5, 1.0], 0.5).unwrap()),
        Box::new(HalfPlane::new(&[1.0, -2.0], -4.0).unwrap()),
        Box::new(Interval::new(2, -2.0, 3.0).unwrap()),
        Box::new(square),
    ];
    Course::new(n, constraints).unwrap()
}

#[test]
fn every_operator_and_combination_has_the_derivatives_of_its_steps() {
    let entry = entry("dubins");
    for operator in OPERATORS {
        for combination in COMBINATIONS {
            let Ok(barrier) = Barrier::new(operator, combination, mixed_course(3)) else {
                assert!(operator.is_tolerant() && combination == Combination::Harmonic);
                continue;
            };
            for contraction in [0.0, -0.4] {
                let barrier = barrier.clone();
                let model = SafetyEmbedded::new(entry.dynamics(), barrier, contraction).unwrap();
                let mut model = model.shifted_to(&[0.0; 3]).unwrap();
                let mut at = vec![0.0; model.states()];
                model.embed(0, &[0.4, 0.2, 0.3], &mut at).unwrap();
                at[3..].iter_mut().for_each(|w| *w += 0.1);
                let report = check_derivatives(&mut model, &at, &[1.0, -0.5]).unwrap();
                assert!(report.is_within(1e-6), "{operator:?} {combination:?}: {report}");
            }
        }
    }
}

#[test]
fn the_wrong_derivative_is_found_and_named() {
    struct Wrong(Box<dyn Dynamics>);
    use phalanx_tasks::safe_control::dynamics::{DynamicsError, Linearised};
    impl Dynamics for Wrong {
        fn name(&self) -> &'static str {
            "wrong"
        }
        fn states(&self) -> usize {
            self.0.states()
        }
        fn inputs(&self) -> usize {
            self.0.inputs()
        }
        fn step(&mut self, x: &[f64], u: &[f64], next: &mut [f64]) -> Result<(), DynamicsError> {
            self.0.step(x, u, next)
        }
        fn linearise(
            &mut self,
            x: &[f64],
            u: &[f64],
            into: Linearised<'_>,
        ) -> Result<(), DynamicsError> {
            let Linearised { next, by_state, by_input } = into;
            let within =
                Linearised { next: &mut *next, by_state: &mut *by_state, by_input: &mut *by_input };
            self.0.linearise(x, u, within)?;
            by_state[3 + 2] *= -1.0;
            Ok(())
        }
    }
    let mut wrong = Wrong(entry("dubins").dynamics());
    let report = check_derivatives(&mut wrong, &[0.1, 0.2, 0.3], &[1.0, 0.2]).unwrap();
    assert!(!report.is_within(1e-6));
    assert_eq!((report.by_state.row, report.by_state.column), (1, 2), "{report}");
    assert!(report.by_input.error < 1e-6, "{report}");
}

#[test]
fn operators_invert_and_their_slopes_are_those_of_differences() {
    for operator in OPERATORS {
        for eta in [0.03, 0.4, 2.0, 30.0] {
            let step = 1e-5 * eta;
            let value = |at: f64| operator.value(at);
            let slope = (value(eta + step) - value(eta - step)) / (2.0 * step);
            assert!((slope - operator.slope(eta)).abs() < 1e-6 * (1.0 + slope.abs()));
            let bend = (operator.slope(eta + step) - operator.slope(eta - step)) / (2.0 * step);
            assert!((bend - operator.curvature(eta)).abs() < 1e-6 * (1.0 + bend.abs()));
            let Some(inverse) = operator.inverse(value(eta)) else { continue };
            assert!((inverse - eta).abs() < 1e-9 * eta, "{operator:?}: {inverse} is not {eta}");
            let (phi, by_xi) = operator.phi(value(eta)).unwrap();
            assert!((phi - operator.slope(eta)).abs() < 1e-9 * phi.abs());
            let xi = value(eta);
            let phi_at = |xi: f64| operator.phi(xi).unwrap().0;
            let difference = (phi_at(xi + 1e-5 * xi) - phi_at(xi - 1e-5 * xi)) / (2e-5 * xi);
            assert!((by_xi - difference).abs() < 1e-6 * (1.0 + difference.abs()));
        }
    }
}

#[test]
fn ddp_and_ilqr_find_the_same_plan() {
    let tight = |method, first| Settings { method, tolerance: 1e-9, ..Settings::single(first) };
    let first = oracle("dubins", &tight(Method::Ilqr, 0.1)).unwrap();
    // From λ₀ = 0.1 second derivatives lead into another basin.
    let second = oracle("dubins", &tight(Method::Ddp, 1.0)).unwrap();
    println!(
        "dubins: iLQR J {:.8} in {} sweeps, DDP J {:.8} in {}",
        first.cost,
        first.log.len(),
        second.cost,
        second.log.len()
    );
    assert!((first.cost - second.cost).abs() < 1e-6);
    let first = oracle("quadrotor", &tight(Method::Ilqr, 1.0)).unwrap();
    let second = oracle("quadrotor", &tight(Method::Ddp, 1.0)).unwrap();
    println!(
        "quadrotor: iLQR J {:.8} in {} sweeps, DDP J {:.8} in {}",
        first.cost,
        first.log.len(),
        second.cost,
        second.log.len()
    );
    assert!((first.cost - second.cost).abs() < 1e-6);
    // Near the solution Newton's steps leave a gradient that Gauss and Newton's do not.
    assert!(second.log.last().unwrap().gradient < 1e-4);
}

#[test]
fn the_other_regularisation_finds_the_same_plan() {
    let settings = Settings { scheme: Scheme::TenFold, tolerance: 1e-8, ..Settings::single(1e-6) };
    let found = oracle("dubins", &settings).unwrap();
    println!("dubins, λ by ten: J {:.7} in {} sweeps", found.cost, found.log.len());
    assert!((found.cost - 0.80927).abs() < 1e-4, "{}", found.cost);
    assert_eq!(found.status, Status::Converged);
}

#[test]
fn inputs_keep_their_limits_in_plan_and_flight_and_cost_more() {
    let entry = entry("dubins");
    let limits = InputLimits::new(vec![0.0, -1.0], vec![1.2, 1.0]).unwrap();
    let free = oracle("dubins", &Settings { tolerance: 1e-8, ..Settings::single(0.1) }).unwrap();
    let is_within = |input: &[f64]| {
        let pairs = input.iter().zip(limits.low().iter().zip(limits.high()));
        pairs.clone().all(|(u, (low, high))| (*low..=*high).contains(u))
    };
    assert!(!free.inputs.chunks_exact(2).all(is_within), "the limits must matter");
    let settings =
        Settings { tolerance: 1e-8, limits: Some(limits.clone()), ..Settings::single(0.1) };
    let problem = (entry.problem)();
    let held =
        plan(&mut embedded(entry), &problem, Nominal::Rest, &settings, &mut on_with).unwrap();
    println!("dubins with limits: J {:.5}, clearance {:.4}", held.cost, held.clearance);
    assert!(held.inputs.chunks_exact(2).all(is_within));
    assert!(held.cost > free.cost);
    assert!(held.goal_distance < 0.2, "{}", held.goal_distance);
    // First-order optimality: what no limit holds has no slope.
    assert!(held.log.last().unwrap().gradient < 1e-3, "{:?}", held.log.last());
    let mut input = [0.0; 2];
    let far = [9.0, -9.0, 3.0, 0.0];
    held.control(3, &far, &mut input);
    assert!(is_within(&input));
}

#[test]
fn limits_that_hold_nothing_change_nothing() {
    let wide = InputLimits::new(vec![f64::NEG_INFINITY, -1e9], vec![1e9, f64::INFINITY]).unwrap();
    let free = oracle("dubins", &Settings::single(0.1)).unwrap();
    let held = oracle("dubins", &Settings { limits: Some(wide), ..Settings::single(0.1) }).unwrap();
    assert!((free.cost - held.cost).abs() < 1e-7, "{} {}", free.cost, held.cost);
}

#[test]
fn a_horizon_that_recedes_reaches_the_goal_safely() {
    let entry = entry("dubins");
    let mut problem = (entry.problem)();
    problem.horizon = 60;
    let (mut model, course) = (embedded(entry), entry.course().unwrap());
    let mut cost = problem.cost(&model).unwrap();
    let settings = Settings { iterations_max: 3, ..Settings::single(0.1) };
    let mut receding = Receding::new(&model, (problem.horizon, &[0.0; 2]), settings).unwrap();
    let (mut state, mut next, mut input) = (problem.start.clone(), vec![0.0; 3], [0.0; 2]);
    let mut truth = entry.dynamics();
    let mut least = f64::INFINITY;
    for _ in 0..250 {
        receding.step((&mut model, &mut cost), &state, &mut input).unwrap();
        truth.step(&state, &input, &mut next).unwrap();
        std::mem::swap(&mut state, &mut next);
        least = least.min(course.least(&state).1);
    }
    let distance = (state[0] - problem.goal[0]).hypot(state[1] - problem.goal[1]);
    println!("receding: distance {distance:.4}, least clearance {least:.4}");
    assert!(least > 0.0);
    assert!(distance < 0.3, "{distance}");
}

#[test]
fn a_plan_is_a_warm_start_for_the_next() {
    let entry = entry("quadrotor");
    let settings = Settings { tolerance: 1e-6, ..Settings::single(1.0) };
    let cold = oracle("quadrotor", &settings).unwrap();
    let mut problem = (entry.problem)();
    problem.start[9] += 0.05;
    let warm = Settings { restarts: vec![1e-6], ..settings.clone() };
    let nominal = Nominal::Plan(&cold);
    let next = plan(&mut embedded(entry), &problem, nominal, &warm, &mut on_with).unwrap();
    let again =
        plan(&mut embedded(entry), &problem, Nominal::Rest, &settings, &mut on_with).unwrap();
    assert!(next.log.len() < again.log.len(), "{} of {}", next.log.len(), again.log.len());
    assert_close(&[next.cost], &[again.cost], 1e-4);
}

#[test]
fn whoever_watches_can_stop_the_search_and_keeps_a_safe_plan() {
    let entry = entry("dubins");
    let problem = (entry.problem)();
    let mut stop = |iteration: &phalanx_tasks::safe_control::planner::Iteration| {
        if iteration.number < 5 { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    };
    let settings = Settings::default();
    let found = plan(&mut embedded(entry), &problem, Nominal::Rest, &settings, &mut stop).unwrap();
    assert_eq!(found.status, Status::Interrupted);
    assert_eq!(found.log.len(), 5);
    assert!(found.clearance > 0.0);
}

#[test]
fn station_keeping_holds_a_quadrotor_that_would_fall() {
    /// The plant under a constant push that its model does not know to be one.
    struct Pushed(Box<dyn Dynamics>);
    use phalanx_tasks::safe_control::dynamics::{DynamicsError, Linearised};
    impl Dynamics for Pushed {
        fn name(&self) -> &'static str {
            "pushed"
        }
        fn states(&self) -> usize {
            self.0.states()
        }
        fn inputs(&self) -> usize {
            self.0.inputs()
        }
        fn step(&mut self, x: &[f64], u: &[f64], next: &mut [f64]) -> Result<(), DynamicsError> {
            self.0.step(x, u, next)?;
            next[6] -= 0.004;
            Ok(())
        }
        fn linearise(
            &mut self,
            x: &[f64],
            u: &[f64],
            into: Linearised<'_>,
        ) -> Result<(), DynamicsError> {
            let Linearised { next, by_state, by_input } = into;
            let within = Linearised { next: &mut *next, by_state, by_input };
            self.0.linearise(x, u, within)?;
            next[6] -= 0.004;
            Ok(())
        }
    }
    let entry = entry("quadrotor");
    let problem = (entry.problem)();
    let model = || {
        let pushed = Box::new(Pushed(entry.dynamics()));
        SafetyEmbedded::new(pushed, barrier(entry), 0.0).unwrap()
    };
    let settings = Settings::single(1.0);
    let refused = plan(&mut model(), &problem, Nominal::Rest, &settings, &mut on_with);
    println!("at rest: {}", refused.unwrap_err());
    let found = plan(&mut model(), &problem, Nominal::Station, &settings, &mut on_with).unwrap();
    assert!(found.clearance > 0.3, "{}", found.clearance);
}
