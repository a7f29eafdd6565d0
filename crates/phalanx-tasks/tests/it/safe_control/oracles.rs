//! Plans on the true plants against the figures of independent programs (section 7).
use phalanx_tasks::safe_control::barrier::SafetyEmbedded;
use phalanx_tasks::safe_control::planner::{
    Arena, Cost, Feedback, Nominal, Penalised, Plan, Settings, Trials, fly_trials, plan, plan_at,
};

use super::{embedded, entry, on_with, oracle};

/// Trials of a plan on the true plant, with the noise of the specification.
pub fn flown(
    name: &str,
    (plan, model): (&Plan, &mut SafetyEmbedded),
    count: usize,
    feedback: Feedback,
) -> Trials {
    let entry = entry(name);
    let (course, problem, mut truth) =
        (entry.course().unwrap(), (entry.problem)(), entry.dynamics());
    let mut arena = Arena {
        truth: &mut *truth,
        course: &course,
        goal: &problem.goal,
        positions: entry.positions,
    };
    fly_trials((plan, model), &mut arena, entry.trial, (0, count), feedback)
}

/// Without barrier state: with a penalty on 1 / h, or with nothing.
pub fn baseline(
    name: &str,
    model: &mut SafetyEmbedded,
    has_penalty: bool,
    settings: &Settings,
) -> Plan {
    let entry = entry(name);
    let problem = (entry.problem)();
    let quadratic = problem.cost(model).unwrap();
    if !has_penalty {
        return plan(model, &problem, Nominal::Rest, settings, &mut on_with).unwrap();
    }
    let mut cost = Penalised::new(quadratic, entry.course().unwrap(), 1e-2);
    let with = (model, &mut cost as &mut dyn Cost);
    plan_at(with, &problem, Nominal::Rest, settings, &mut on_with).unwrap()
}

/// The least clearance of the course along a plan.
fn clearance(name: &str, plan: &Plan) -> f64 {
    let course = entry(name).course().unwrap();
    let states = plan.states.chunks_exact(plan.width);
    states.map(|state| course.least(&state[..course.states()]).1).fold(f64::INFINITY, f64::min)
}

#[test]
fn baselines_of_dubins_cost_and_clear_as_in_the_reference() {
    let mut model = SafetyEmbedded::without_barrier(entry("dubins").dynamics());
    let settings = Settings::single(1.0);
    let none = baseline("dubins", &mut model, false, &settings);
    let pen = baseline("dubins", &mut model, true, &settings);
    println!(
        "dubins: none J {:.4}, clearance {:.4}; pen J {:.3}, clearance {:.3}",
        none.cost,
        clearance("dubins", &none),
        pen.cost,
        clearance("dubins", &pen)
    );
    assert!((none.cost - 0.474).abs() < 0.001, "{}", none.cost);
    assert!((clearance("dubins", &none) + 0.218).abs() < 0.002);
    assert!((pen.cost - 5.83).abs() < 0.05, "{}", pen.cost);
    assert!((clearance("dubins", &pen) - 0.13).abs() < 0.01);
    assert_eq!(flown("dubins", (&none, &mut model), 20, Feedback::Closed).safe(), 0);
}

#[test]
fn feedback_keeps_noisy_flights_safe_where_open_loop_does_not() {
    let plan = oracle("dubins", &Settings::single(1.0)).unwrap();
    let mut model = embedded(entry("dubins"));
    let closed = flown("dubins", (&plan, &mut model), 100, Feedback::Closed);
    let open = flown("dubins", (&plan, &mut model), 100, Feedback::Open);
    println!(
        "dubins, 100 trials: feedback {} safe, {} there, least clearance {:.3}; open loop {} safe",
        closed.safe(),
        closed.reached(),
        closed.clearance(),
        open.safe()
    );
    assert_eq!((closed.safe(), closed.reached()), (100, 100));
    assert!((closed.clearance() - 0.037).abs() < 0.005, "{}", closed.clearance());
    assert!(open.safe().abs_diff(50) <= 5, "{}", open.safe());
    let plan = oracle("quadrotor", &Settings::single(1.0)).unwrap();
    let mut model = embedded(entry("quadrotor"));
    let closed = flown("quadrotor", (&plan, &mut model), 20, Feedback::Closed);
    let open = flown("quadrotor", (&plan, &mut model), 20, Feedback::Open);
    println!(
        "quadrotor, 20 trials: feedback {} safe, {} there, least clearance {:.3}; open loop {} \
         safe, {} there",
        closed.safe(),
        closed.reached(),
        closed.clearance(),
        open.safe(),
        open.reached()
    );
    assert_eq!((closed.safe(), closed.reached()), (20, 20));
    assert!((closed.clearance() - 0.311).abs() < 0.02, "{}", closed.clearance());
    assert!(open.safe().abs_diff(12) <= 2, "{}", open.safe());
    assert_eq!(open.reached(), 0);
    let mut plain = SafetyEmbedded::without_barrier(entry("quadrotor").dynamics());
    let none = baseline("quadrotor", &mut plain, false, &Settings::single(1.0));
    println!("quadrotor: none J {:.6}, clearance {:.3}", none.cost, clearance("quadrotor", &none));
    assert!((none.cost - 0.317066).abs() < 1e-3, "{}", none.cost);
    assert!((clearance("quadrotor", &none) + 0.594).abs() < 0.005);
    assert_eq!(flown("quadrotor", (&none, &mut plain), 20, Feedback::Closed).safe(), 0);
}

#[test]
fn dubins_is_planned_as_by_the_reference() {
    let loose = oracle("dubins", &Settings::single(0.01)).unwrap();
    assert!(loose.cost <= 0.8095, "{}", loose.cost);
    let settings = Settings { tolerance: 1e-8, ..Settings::single(0.1) };
    let tight = oracle("dubins", &settings).unwrap();
    println!(
        "dubins: J {:.7} after {} sweeps, clearance {:.5}, goal error {:.4}",
        tight.cost,
        tight.attempts[0].outcome.as_ref().unwrap().iterations,
        tight.clearance,
        tight.goal_distance
    );
    assert!((tight.cost - 0.80927).abs() < 1e-4, "{}", tight.cost);
    assert!((tight.clearance - 0.077).abs() < 0.002, "{}", tight.clearance);
}

#[test]
fn quadrotor_is_planned_as_by_the_reference() {
    let settings = Settings { tolerance: 1e-5, ..Settings::single(1.0) };
    let plan = oracle("quadrotor", &settings).unwrap();
    println!(
        "quadrotor: J {:.7} after {} sweeps, clearance {:.5}, goal error {:.4}",
        plan.cost,
        plan.attempts[0].outcome.as_ref().unwrap().iterations,
        plan.clearance,
        plan.goal_distance
    );
    assert!((plan.cost - 0.7568).abs() < 2e-4, "{}", plan.cost);
    assert!((plan.clearance - 0.489).abs() < 0.01, "{}", plan.clearance);
}

#[test]
fn the_starting_regularisation_decides_the_basin_as_in_the_reference() {
    for (first, expected, tolerance) in
        [(0.01, 0.8095, 1e-4), (1.0, 1.2746, 1e-4), (10.0, 171.6, 0.1)]
    {
        let found = oracle("dubins", &Settings::single(first)).unwrap();
        assert!((found.cost - expected).abs() < tolerance, "λ₀ {first}: {}", found.cost);
    }
    let restarted =
        oracle("dubins", &Settings { restarts: vec![10.0, 0.1], ..Settings::default() }).unwrap();
    assert_eq!(restarted.attempts.len(), 2);
    assert_eq!(restarted.first_lambda, 0.1);
    assert!(restarted.goal_distance < 0.2);
}
