//! The work behind the commands: planning with a model, and flying plans on the plant.
use std::ops::ControlFlow;
use std::sync::Arc;

use phalanx_report::control::safe as report;
use phalanx_tasks::safe_control::barrier::{Barrier, SafetyEmbedded, Spread, Trajectory};
use phalanx_tasks::safe_control::dynamics::{Dynamics, DynamicsError};
use phalanx_tasks::safe_control::gp::GaussianProcess;
use phalanx_tasks::safe_control::planner::{
    Arena, Cost as _, Doubt, Feedback, Flight, Iteration, Nominal, Plan, PlanError, Status,
    fly_trials, plan_under_doubt, station_keeping,
};
use phalanx_tasks::safe_control::plant::Trial;
use rayon::prelude::*;

use super::file::SafeExperiment;
use crate::problem::Problem;

/// Steps of the horizon that a station-keeping gain looks ahead.
const STATION_STEPS: usize = 200;
/// Between the first trials of two seeds: more than a file may ask for.
const TRIALS_APART: u64 = 1_000_000;

/// What a plan is made with.
#[derive(Debug, Clone)]
pub(super) enum Model {
    /// the plant itself
    Plant,
    /// what was learnt of it
    Learnt(Arc<GaussianProcess>),
}

/// A plan and how the planner came to it.
pub(super) struct Made {
    pub(super) plan: Plan,
    pub(super) iterations: Vec<report::Iteration>,
    /// cost of the trajectory that the search began with
    pub(super) start_cost: f64,
    /// whether the search began with station-keeping
    pub(super) is_kept: bool,
}

/// How a search is told.
pub(super) type Observer<'a> = &'a mut dyn FnMut(&report::Iteration) -> ControlFlow<()>;

impl SafeExperiment {
    /// Motion by a model.
    ///
    /// # Errors
    /// When it belongs to another plant.
    pub(super) fn motion_by(&self, model: &Model) -> Result<Box<dyn Dynamics>, Problem> {
        match model {
            Model::Plant => self.plant.dynamics().ok_or_else(|| {
                Problem::new("nobody knows how this plant moves")
                    .hint("learn it: give `model.data`")
            }),
            Model::Learnt(model) => self.motion(model),
        }
    }

    /// The model with barrier states.
    ///
    /// # Errors
    /// When the barrier and the model do not belong together.
    pub(super) fn embedded(&self, model: &Model) -> Result<SafetyEmbedded, Problem> {
        let motion = self.motion_by(model)?;
        let Some(plan) = &self.barrier else { return Ok(SafetyEmbedded::without_barrier(motion)) };
        let refused = |error: &dyn std::fmt::Display| Problem::new(format!("barrier: {error}"));
        let barrier = Barrier::new(plan.operator, plan.combination, self.course()?)
            .map_err(|error| refused(&error))?;
        SafetyEmbedded::new(motion, barrier, plan.contraction).map_err(|error| refused(&error))
    }

    /// Plans. Where rest is no safe trajectory to begin with, the plant is held where it starts.
    ///
    /// # Errors
    /// Why there is no plan.
    pub(super) fn planned(
        &self,
        model: &mut SafetyEmbedded,
        nominal: Nominal<'_>,
        observe: Observer<'_>,
    ) -> Result<Made, PlanError> {
        match self.planned_from(model, nominal, observe) {
            Err(PlanError::Nominal { .. } | PlanError::NominalCost { .. })
                if matches!(nominal, Nominal::Rest) =>
            {
                let inputs = self.station(model)?;
                let mut made = self.planned_from(model, Nominal::Inputs(&inputs), observe)?;
                made.is_kept = true;
                Ok(made)
            }
            done => done,
        }
    }

    fn planned_from(
        &self,
        model: &mut SafetyEmbedded,
        nominal: Nominal<'_>,
        observe: Observer<'_>,
    ) -> Result<Made, PlanError> {
        let mut iterations: Vec<report::Iteration> = Vec::new();
        let mut start_cost = f64::NAN;
        let mut restart = 0;
        let mut watch = |one: &Iteration| {
            if one.number == 1 && !iterations.is_empty() {
                restart += 1;
            }
            if iterations.is_empty() {
                start_cost = one.cost + one.decrease;
            }
            let told = told(one, restart);
            iterations.push(told);
            observe(&told)
        };
        let doubt = self.doubt();
        let plan =
            plan_under_doubt(model, &self.task, (nominal, &doubt), &self.settings, &mut watch)?;
        Ok(Made { plan, iterations, start_cost, is_kept: false })
    }

    fn doubt(&self) -> Doubt {
        let (risk, spread, noise, refreshes) = match &self.barrier {
            Some(barrier) => (barrier.risk, barrier.spread, barrier.noise, barrier.refreshes),
            None => (Default::default(), Spread::Tube, 0.0, 0),
        };
        Doubt { risk, spread, noise: vec![noise * noise; self.plant.n()], refreshes }
    }

    /// Inputs that hold the plant where it starts.
    fn station(&self, model: &mut SafetyEmbedded) -> Result<Vec<f64>, PlanError> {
        let (n, m) = (self.plant.n(), self.plant.m());
        let plant = model.plant_mut();
        let (start, rest) = (&self.task.start, &self.task.input_goal);
        let gain = station_keeping(plant, start, rest, STATION_STEPS.min(self.task.horizon))?;
        let mut inputs = Vec::with_capacity(self.task.horizon * m);
        let (mut state, mut next) = (start.clone(), vec![0.0; n]);
        for step in 0..self.task.horizon {
            let mut input = rest.clone();
            for (input, row) in input.iter_mut().zip(gain.chunks_exact(n)) {
                let terms = row.iter().zip(state.iter().zip(start));
                *input += terms.map(|(k, (x, start))| k * (x - start)).sum::<f64>();
            }
            if let Some(limits) = &self.settings.limits {
                limits.clip(&mut input);
            }
            plant.seek(step);
            plant
                .step(&state, &input, &mut next)
                .map_err(|error| PlanError::Nominal { step, error })?;
            inputs.extend_from_slice(&input);
            std::mem::swap(&mut state, &mut next);
        }
        Ok(inputs)
    }

    /// What the model takes for the deviation of each state along a plan flown with feedback and
    /// with the noise of trials; zeros where that cannot be said.
    pub(super) fn deviations(&self, model: &mut SafetyEmbedded, plan: &Plan) -> Vec<Vec<f64>> {
        let n = self.plant.n();
        let noise = vec![self.trials.process_noise.powi(2); n];
        let along = Trajectory { states: &plan.states, inputs: &plan.inputs, gains: &plan.gains };
        let rows = plan.horizon() + 1;
        let covariances = model.covariances(along, &noise, Spread::Tube);
        let covariances = covariances.unwrap_or_else(|_| vec![0.0; rows * n * n]);
        let diagonal = |matrix: &[f64]| {
            matrix.iter().step_by(n + 1).map(|variance| variance.max(0.0).sqrt()).collect()
        };
        covariances.chunks_exact(n * n).map(diagonal).collect()
    }

    /// The number of the first trial: seeds fly different trials, seed 1 those of the
    /// specification.
    pub(super) fn first_trial(&self) -> u64 {
        (self.seed.wrapping_sub(1) & 0xFFFF_FFFF) * TRIALS_APART
    }

    /// Flies a plan several times on the plant, or on the model where nobody knows the plant.
    ///
    /// # Guarantee
    /// The same flights for any number of threads.
    ///
    /// # Errors
    /// When plan, model and plant do not belong together.
    pub(super) fn flown(
        &self,
        (plan, model): (&Plan, &Model),
        (first, count): (u64, usize),
        feedback: Feedback,
        keep_going: &(dyn Fn() -> bool + Sync),
    ) -> Result<Option<Vec<Flight>>, Problem> {
        let course = self.course()?;
        let truth = if self.plant.flow().is_some() { &Model::Plant } else { model };
        let trials = &self.trials;
        let trial = Trial {
            start_noise: trials.start_noise,
            process_noise: trials.process_noise,
            reach: self.settings.goal_tolerance,
        };
        let one = |number: u64| -> Result<Option<Flight>, Problem> {
            if !keep_going() {
                return Ok(None);
            }
            let mut embedded = self.embedded(model)?;
            if let Some(barrier) = embedded.barrier_mut() {
                barrier.tighten(&plan.margins);
                barrier.lift(&plan.lifts);
            }
            let mut truth = self.motion_by(truth)?;
            let mut arena = Arena {
                truth: &mut *truth,
                course: &course,
                goal: &self.task.goal,
                positions: &self.reach_entries(),
            };
            let flown = fly_trials((plan, &mut embedded), &mut arena, trial, (number, 1), feedback);
            Ok(flown.flights.into_iter().next())
        };
        let numbers: Vec<u64> = (first..first + count as u64).collect();
        let flights: Vec<Option<Flight>> =
            numbers.into_par_iter().map(one).collect::<Result<_, Problem>>()?;
        Ok(flights.into_iter().collect())
    }

    /// Which entries count for the distance from the goal: positions, or all where there are none.
    fn reach_entries(&self) -> Vec<usize> {
        match self.plant.names.position.is_empty() {
            true => (0..self.plant.n()).collect(),
            false => self.plant.names.position.clone(),
        }
    }

    /// A flight as the report has it, with what it cost.
    pub(super) fn told_flight(
        &self,
        (number, flight): (usize, &Flight),
        model: &mut SafetyEmbedded,
    ) -> report::Flight {
        let (n, m) = (self.plant.n(), self.plant.m());
        let rows = |numbers: &[f64], width: usize| -> Vec<Vec<f64>> {
            numbers.chunks_exact(width).map(<[f64]>::to_vec).collect()
        };
        let is_whole = flight.ended.is_none();
        let cost = if is_whole { self.cost_of(flight, model) } else { f64::INFINITY };
        // Whoever touches an obstacle is unsafe, which is no breaking off by itself.
        let is_clear = flight.clearance() > 0.0;
        let broken = flight
            .ended
            .as_ref()
            .filter(|error| is_clear || !matches!(error, DynamicsError::Unsafe { .. }));
        let broken = broken.map(ToString::to_string);
        report::Flight {
            trial: report::Trial {
                trial: number,
                is_safe: flight.is_safe,
                is_success: flight.is_safe && flight.distance < self.settings.goal_tolerance,
                cost,
                clearance: flight.clearance(),
                goal_error: flight.distance,
                broken,
            },
            states: rows(&flight.states, n),
            inputs: rows(&flight.inputs, m),
            clearance: flight.clearances.clone(),
        }
    }

    /// The cost of what was flown, with barrier states of what was flown.
    fn cost_of(&self, flight: &Flight, model: &mut SafetyEmbedded) -> f64 {
        let Ok(mut cost) = self.task.cost(model) else { return f64::NAN };
        let (n, m) = (self.plant.n(), self.plant.m());
        let mut embedded = vec![0.0; model.states()];
        let mut sum = 0.0;
        for (step, state) in flight.states.chunks_exact(n).enumerate() {
            if model.embed(step, state, &mut embedded).is_err() {
                return f64::INFINITY;
            }
            sum += match flight.inputs.get(step * m..(step + 1) * m) {
                Some(input) => cost.running(&embedded, input),
                None => cost.terminal(&embedded),
            };
        }
        sum
    }
}

fn told(one: &Iteration, restart: usize) -> report::Iteration {
    report::Iteration {
        restart,
        iteration: one.number - 1,
        cost: one.cost,
        step: one.step,
        regularisation: one.lambda,
        gradient: one.gradient,
        clearance: one.clearance,
    }
}

/// How a search ended, in a word or two.
pub(super) fn ended(status: Status) -> &'static str {
    match status {
        Status::Converged => "converged",
        Status::IterationLimit => "iteration limit",
        Status::Stalled => "stalled",
        Status::Interrupted => "interrupted",
    }
}

/// A plan as the report has it.
pub(super) fn told_plan(
    experiment: &SafeExperiment,
    plan: &Plan,
    (deviation, course): (Vec<Vec<f64>>, &phalanx_tasks::safe_control::barrier::Course),
) -> report::Plan {
    let (n, m) = (experiment.plant.n(), plan.input_count());
    let rows: Vec<&[f64]> = plan.states.chunks_exact(plan.width).collect();
    let table = |numbers: &[f64], width: usize| -> Vec<Vec<f64>> {
        match width {
            0 => Vec::new(),
            width => numbers.chunks_exact(width).map(<[f64]>::to_vec).collect(),
        }
    };
    report::Plan {
        dt: experiment.plant.step,
        states: rows.iter().map(|row| row[..n].to_vec()).collect(),
        inputs: table(&plan.inputs, m),
        barriers: rows.iter().map(|row| row[n..].to_vec()).collect(),
        clearance: rows.iter().map(|row| course.least(&row[..n]).1).collect(),
        deviation,
        gains: table(&plan.gains, m * plan.width),
        margins: table(&plan.margins, course.len()),
        lifts: table(&plan.lifts, plan.width - n),
    }
}
