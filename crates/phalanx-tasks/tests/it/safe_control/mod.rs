//! Barrier states, planners and plants: the numbers of the specification, and what holds exactly.
mod doubt;
mod goldens;
mod laws;
mod learnt;
mod linear;
mod oracles;
mod refusals;

use std::ops::ControlFlow;

use phalanx_tasks::safe_control::barrier::{Barrier, Combination, Operator, SafetyEmbedded};
use phalanx_tasks::safe_control::planner::{Iteration, Nominal, Plan, PlanError, Settings, plan};
use phalanx_tasks::safe_control::plant::{PlantEntry, named};

pub fn entry(name: &str) -> &'static PlantEntry {
    named(name).unwrap()
}

pub fn barrier(entry: &PlantEntry) -> Barrier {
    let course = entry.course().unwrap();
    Barrier::new(Operator::INVERSE, Combination::Sum, course).unwrap()
}

pub fn embedded(entry: &PlantEntry) -> SafetyEmbedded {
    SafetyEmbedded::new(entry.dynamics(), barrier(entry), 0.0).unwrap()
}

pub fn on_with(_: &Iteration) -> ControlFlow<()> {
    ControlFlow::Continue(())
}

pub fn oracle(name: &str, settings: &Settings) -> Result<Plan, PlanError> {
    let entry = entry(name);
    let problem = (entry.problem)();
    plan(&mut embedded(entry), &problem, Nominal::Rest, settings, &mut on_with)
}

#[track_caller]
pub fn assert_close(found: &[f64], expected: &[f64], tolerance: f64) {
    assert_eq!(found.len(), expected.len());
    for (place, (found, expected)) in found.iter().zip(expected).enumerate() {
        assert!((found - expected).abs() <= tolerance, "{place}: {found} is not {expected}");
    }
}
