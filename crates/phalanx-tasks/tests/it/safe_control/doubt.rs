//! Barrier states under doubt: lifts, margins, and flights with them.
use phalanx_tasks::safe_control::barrier::{Barrier, Combination, Course, Operator, Sphere};
use phalanx_tasks::safe_control::planner::{
    Arena, Doubt, Feedback, Nominal, PlanError, Settings, fly_trials, plan_under_doubt,
};
use phalanx_tasks::safe_control::plant::Trial;
use phalanx_tasks::safe_control::stream::Stream;

use super::{assert_close, embedded, entry, on_with};

/// β and its first two derivatives at the point of the reference, in the plane.
fn at_the_point() -> (Barrier, [f64; 2]) {
    let entry = entry("dubins");
    let discs = entry.obstacles.iter().map(|disc| {
        let ball = Sphere::new(&[0, 1], disc.centre, disc.radius).unwrap();
        Box::new(ball) as Box<dyn phalanx_tasks::safe_control::barrier::Constraint>
    });
    let course = Course::new(2, discs.collect()).unwrap();
    let barrier = Barrier::new(Operator::INVERSE, Combination::Sum, course).unwrap();
    (barrier, [1.6, 0.55])
}

#[test]
fn moments_of_the_barrier_to_second_order_are_those_of_the_reference() {
    let (barrier, at) = at_the_point();
    let (mut value, mut slope) = ([0.0], [0.0; 2]);
    barrier.slope(0, &at, &mut value, &mut slope).unwrap();
    let (mut hessian, mut scratch) = ([0.0; 4], [0.0; 2]);
    barrier.add_hessian((0, &at), &[1.0], &mut hessian, &mut scratch).unwrap();
    let variance = [4e-4, 9e-4];
    let lift = 0.5 * (hessian[0] * variance[0] + hessian[3] * variance[1]);
    let spread = slope[0] * slope[0] * variance[0] + slope[1] * slope[1] * variance[1];
    assert_close(&[value[0], value[0] + lift], &[11.6220915958, 11.9317983055], 1e-8);
    assert_close(&[spread], &[3.7635322], 1e-7);
    // Most of what β(μ) misses is in the second order.
    let mut stream = Stream::new(7);
    let mut normals = vec![0.0; 400_000];
    stream.normals(&mut normals);
    let mut sum = 0.0;
    for pair in normals.chunks_exact(2) {
        let moved = [at[0] + 0.02 * pair[0], at[1] + 0.03 * pair[1]];
        barrier.value(0, &moved, &mut value).unwrap();
        sum += value[0];
    }
    let mean = sum / 200_000.0;
    println!("mean of the barrier {mean:.4} over 200,000 draws; 11.9769 over 4,000,000");
    assert!((mean - 11.9769).abs() < 0.03, "{mean}");
    assert!((11.9769f64 - 11.9317983055).abs() < 0.2 * (11.9769 - 11.6220915958));
}

/// Safe flights of 200, least clearance and cost with margins of κ under process noise.
fn flown_with(kappa: f64, noise: f64, count: usize) -> Result<(usize, f64, f64), PlanError> {
    let entry = entry("dubins");
    let problem = (entry.problem)();
    let mut model = embedded(entry);
    let doubt = Doubt::tightened(kappa, vec![noise * noise; 3]);
    let settings = Settings::single(0.1);
    let plan =
        plan_under_doubt(&mut model, &problem, (Nominal::Rest, &doubt), &settings, &mut on_with)?;
    let course = entry.course().unwrap();
    let mut truth = entry.dynamics();
    let mut arena = Arena {
        truth: &mut *truth,
        course: &course,
        goal: &problem.goal,
        positions: entry.positions,
    };
    let trial = Trial { start_noise: 0.0, process_noise: noise, reach: entry.trial.reach };
    let trials = fly_trials((&plan, &mut model), &mut arena, trial, (0, count), Feedback::Closed);
    Ok((trials.safe(), trials.clearance(), plan.cost))
}

#[test]
fn more_margin_never_flies_less_safely() {
    let mut before = (0, f64::NEG_INFINITY);
    for kappa in [0.0, 1.0, 2.0, 3.0] {
        let (safe, clearance, cost) = flown_with(kappa, 0.01, 200).unwrap();
        println!("noise .01, κ {kappa}: {safe} of 200 safe, clearance {clearance:.4}, J {cost:.4}");
        assert!(safe >= before.0, "{safe} after {}", before.0);
        assert!(clearance >= before.1, "{clearance} after {}", before.1);
        before = (safe, clearance);
    }
    assert_eq!(before.0, 200);
    // More noise than the plain plan can bear, and what a margin makes of it.
    let (plain, ..) = flown_with(0.0, 0.015, 200).unwrap();
    let (kept, ..) = flown_with(2.0, 0.015, 200).unwrap();
    println!("noise .015: {plain} of 200 safe with κ 0, {kept} with κ 2");
    assert!(plain.abs_diff(186) <= 4 && kept >= 199, "{plain} {kept}");
}

#[test]
fn margins_that_nothing_can_keep_are_refused_by_name() {
    let refused = flown_with(20.0, 0.05, 1).unwrap_err();
    println!("{refused}\nhint: {}", refused.hint());
    assert!(matches!(refused, PlanError::Margins { reached, .. } if reached < 1.0), "{refused}");
}
