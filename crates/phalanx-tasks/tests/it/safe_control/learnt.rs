//! Plans on models learnt from data, flown on the true plants (A3, A6, A7).
use std::sync::Arc;

use phalanx_tasks::control::Matrix;
use phalanx_tasks::safe_control::barrier::{EmbeddedFlow, SafetyEmbedded};
use phalanx_tasks::safe_control::dynamics::Dynamics;
use phalanx_tasks::safe_control::gp::{GpDynamics, Training};
use phalanx_tasks::safe_control::planner::{
    Cost, Feedback, Nominal, Penalised, Plan, PlanError, Settings, plan, plan_at, regulate,
};
use phalanx_tasks::safe_control::plant::{Increments, PlantEntry};

use super::linear::safe_on_the_grid;
use super::oracles::flown;
use super::{assert_close, barrier, entry, on_with};

fn learnt(entry: &PlantEntry, seed: u64, rows: usize) -> Box<dyn Dynamics> {
    let model = Training::default().fit(&entry.observe(seed, rows).unwrap()).unwrap();
    Box::new(GpDynamics::new(Arc::new(model)).unwrap())
}

#[test]
fn data_of_the_linear_plant_are_those_of_the_reference() {
    let samples = entry("linear").observe(1, 20).unwrap();
    assert_close(samples.input(0), &[1.0649852028, 3.9325081162, 18.8401101435], 1e-8);
    assert_close(samples.output(0), &[-18.5419746187, 14.9330643756], 1e-8);
    assert_close(samples.output(19), &[-42.1792005933, 7.6920020971], 1e-8);
}

/// Gain of the safe regulator on a model learnt from rates, and how many starts it flies.
fn on_the_grid(seed: u64, rows: usize) -> (Matrix, usize) {
    let entry = entry("linear");
    let flow = Box::new(Increments::new(learnt(entry, seed, rows)));
    let mut embedded = EmbeddedFlow::new(flow, barrier(entry), 1.0, &[0.0; 2]).unwrap();
    let (q, r) = (Matrix::diagonal(&[0.5, 0.5, 10.0]), Matrix::scalar(1, 0.5));
    let found = regulate(&mut embedded, (&[0.0; 3], &[0.0]), (&q, &r)).unwrap();
    let (safe, _) = safe_on_the_grid(&found.care.gain);
    (found.care.gain, safe)
}

#[test]
fn a_regulator_from_data_flies_the_grid_like_that_of_the_plant() {
    let (gain, safe) = on_the_grid(1, 80);
    println!("80 rows, seed 1: gain {:?}, {safe} of 167 safe and there", gain.entries());
    assert_close(gain.entries(), &[2.051272, -3.964895, 1.028370], 0.02);
    assert!(safe >= 156, "{safe}");
}

#[test]
#[cfg(feature = "nightly")]
fn regulators_from_five_sets_of_data_fly_the_grid() {
    for seed in 1..=5 {
        let (_, safe) = on_the_grid(seed, 80);
        println!("80 rows, seed {seed}: {safe} of 167 safe and there");
        assert!(safe >= 156, "{safe}");
    }
}

/// From rest, or, where rest drifts into an obstacle on the model, held in place.
fn planned(entry: &PlantEntry, model: &mut SafetyEmbedded, settings: &Settings) -> Plan {
    let problem = (entry.problem)();
    let from = |nominal, model: &mut SafetyEmbedded| {
        plan(model, &problem, nominal, settings, &mut on_with)
    };
    match from(Nominal::Rest, model) {
        Err(PlanError::Nominal { .. }) => from(Nominal::Station, model).unwrap(),
        found => found.unwrap(),
    }
}

fn penalised(
    entry: &PlantEntry,
    model: &mut SafetyEmbedded,
    settings: &Settings,
) -> Result<Plan, PlanError> {
    let problem = (entry.problem)();
    let quadratic = problem.cost(model).unwrap();
    let mut cost = Penalised::new(quadratic, entry.course().unwrap(), 1e-2);
    let with = (model, &mut cost as &mut dyn Cost);
    plan_at(with, &problem, Nominal::Rest, settings, &mut on_with)
}

#[derive(Default)]
struct Tally {
    flights: usize,
    safe: usize,
    reached: usize,
    clearance: Vec<f64>,
    costs: Vec<f64>,
    starts: usize,
}

impl Tally {
    fn add(&mut self, entry: &PlantEntry, plan: &Plan, model: &mut SafetyEmbedded) {
        let trials = flown(entry.name, (plan, model), 20, Feedback::Closed);
        self.flights += 20;
        self.safe += trials.safe();
        self.reached += trials.reached();
        self.clearance.push(trials.clearance());
        self.costs.push(plan.cost);
        self.starts += plan.attempts.len();
    }

    fn tell(&mut self, what: &str) {
        self.costs.sort_by(f64::total_cmp);
        let least = self.clearance.iter().copied().fold(f64::INFINITY, f64::min);
        let plans = self.costs.len();
        println!(
            "{what}: {} of {} safe, {} there, median J {:.4} ({:.3} to {:.3}), least clearance \
             {least:.4}, {:.2} starts",
            self.safe,
            self.flights,
            self.reached,
            self.costs[plans / 2],
            self.costs[0],
            self.costs[plans - 1],
            self.starts as f64 / plans as f64
        );
    }
}

fn dubins_settings(entry: &PlantEntry) -> Settings {
    Settings {
        restarts: vec![1.0, 10.0, 0.1, 100.0, 0.01],
        goal_entries: entry.positions.to_vec(),
        ..Settings::default()
    }
}

/// Plans on models of so many seeds, each flown twenty times: with barrier state, with a penalty,
/// with nothing.
fn dubins_trials(seeds: u64) -> [Tally; 3] {
    let entry = entry("dubins");
    let settings = dubins_settings(entry);
    let (mut safe, mut pen, mut none) = (Tally::default(), Tally::default(), Tally::default());
    for seed in 1..=seeds {
        let gp = Training::default().fit(&entry.observe(seed, 150).unwrap()).unwrap();
        let gp = Arc::new(gp);
        let dynamics = || Box::new(GpDynamics::new(gp.clone()).unwrap());
        let mut model = SafetyEmbedded::new(dynamics(), barrier(entry), 0.0).unwrap();
        let found = planned(entry, &mut model, &settings);
        safe.add(entry, &found, &mut model);
        let mut plain = SafetyEmbedded::without_barrier(dynamics());
        none.add(entry, &planned(entry, &mut plain, &settings), &mut plain);
        if let Ok(found) = penalised(entry, &mut plain, &settings) {
            pen.add(entry, &found, &mut plain);
        }
    }
    safe.tell(&format!("Dubins, 150 rows, {seeds} seeds, barrier state"));
    pen.tell("  penalty");
    none.tell("  nothing");
    [safe, pen, none]
}

#[test]
fn a_dubins_plan_from_data_is_safe_and_arrives() {
    let [safe, _, none] = dubins_trials(1);
    assert_eq!((safe.safe, safe.reached), (20, 20));
    assert!(none.safe <= 1);
}

#[test]
#[cfg(feature = "nightly")]
fn dubins_plans_from_many_sets_of_data_are_safe_and_arrive() {
    let [safe, pen, none] = dubins_trials(20);
    assert!(safe.safe * 100 >= 99 * safe.flights, "{}", safe.safe);
    assert!(safe.reached * 100 >= 97 * safe.flights, "{}", safe.reached);
    assert!(pen.reached * safe.flights < safe.reached * pen.flights, "{}", pen.reached);
    assert!(none.safe * 100 <= 2 * none.flights, "{}", none.safe);
}

#[test]
#[cfg(feature = "nightly")]
fn quadrotor_plans_from_many_sets_of_data_are_safe_and_arrive() {
    let entry = entry("quadrotor");
    let settings = Settings {
        tolerance: 1e-3,
        goal_tolerance: entry.trial.reach,
        goal_entries: entry.positions.to_vec(),
        ..Settings::single(1.0)
    };
    let (mut safe, mut none) = (Tally::default(), Tally::default());
    for seed in 1..=5 {
        let gp = Training::default().fit(&entry.observe(seed, 400).unwrap()).unwrap();
        let gp = Arc::new(gp);
        let dynamics = || Box::new(GpDynamics::new(gp.clone()).unwrap());
        let mut model = SafetyEmbedded::new(dynamics(), barrier(entry), 0.0).unwrap();
        let found = planned(entry, &mut model, &settings);
        println!("seed {seed}: J {:.4}, clearance {:.4}", found.cost, found.clearance);
        safe.add(entry, &found, &mut model);
        let mut plain = SafetyEmbedded::without_barrier(dynamics());
        none.add(entry, &planned(entry, &mut plain, &settings), &mut plain);
    }
    safe.tell("quadrotor, 400 rows, 5 seeds, barrier state");
    none.tell("  nothing");
    assert!(safe.safe * 100 >= 97 * safe.flights, "{}", safe.safe);
    assert!(safe.reached * 100 >= 97 * safe.flights, "{}", safe.reached);
    assert_eq!(none.safe, 0);
}
