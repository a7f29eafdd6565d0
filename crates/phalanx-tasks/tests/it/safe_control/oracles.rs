//! Plans on the true plants against the figures of independent programs (section 7).
use phalanx_tasks::safe_control::planner::Settings;

use super::oracle;

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
