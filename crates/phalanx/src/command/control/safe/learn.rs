//! Rounds of learning: each plans and flies with the model it has, and learns from what it met.
use std::ops::ControlFlow;
use std::sync::Arc;

use phalanx_report::control::safe as report;
use phalanx_report::control::safe::{Rate, RoundSummary};
use phalanx_tasks::safe_control::gp::{Calibration, Samples, Truth};
use phalanx_tasks::safe_control::learning::{Flown, Learning, Met, Round};
use phalanx_tasks::safe_control::planner::{Feedback, Flight, Nominal, Plan, Status};

use super::file::{LearningPlan, LearntPlan};
use super::make::{Making, follow};
use super::model::{Data, refused};
use super::work::Model;
use crate::problem::Problem;

/// Between the first trials of plans and those of rounds: rounds must not fly what is judged by.
const ROUNDS_FROM: u64 = 500_000;
/// Between the flights of two rounds.
const ROUND_APART: u64 = 1000;

/// What a round came to besides what the loop knows.
#[derive(Default)]
struct Told {
    cost: f64,
    failure: Option<String>,
    flights: Vec<Flight>,
}

impl Making<'_> {
    /// Does the rounds; returns all data and what each round came to, or `None` when stopped.
    ///
    /// # Errors
    /// When data cannot be learnt from, or a plan cannot be flown.
    pub(super) fn learn(
        &mut self,
        (plan, learning): (&LearntPlan, LearningPlan),
        data: Data,
    ) -> Result<Option<(Data, Vec<RoundSummary>)>, Problem> {
        let Some(held_out) = data.held_out.clone() else {
            let problem = Problem::new("rounds of learning need rows to judge by");
            return Err(problem.at("model.held-out").hint("let `model.held-out` be above 0"));
        };
        let training = self.experiment.training(plan);
        let rounds = Learning { training, rounds: learning.rounds, keep: learning.keep };
        let mut told: Vec<Told> = Vec::new();
        let mut failed: Option<Problem> = None;
        let done = rounds.run(data.samples, &held_out, &mut |round: &Round| match self
            .turn(round, (plan, learning))
        {
            Ok(Some((one, met))) => {
                told.push(one);
                ControlFlow::Continue(met)
            }
            Ok(None) => ControlFlow::Break(()),
            Err(problem) => {
                failed = Some(problem);
                ControlFlow::Break(())
            }
        });
        self.printer.clear_progress();
        let (samples, rounds) = done.map_err(|error| refused(&error).at("learning"))?;
        if let Some(problem) = failed {
            return Err(problem);
        }
        if self.interrupt.is_asked() {
            return Ok(None);
        }
        let reach = self.experiment.settings.goal_tolerance;
        let rounds = rounds.iter().zip(told).map(|(round, told)| summary(round, &told, reach));
        let rounds: Vec<RoundSummary> = rounds.collect();
        Ok(Some((Data { samples, held_out: Some(held_out), truth: Truth::Exact }, rounds)))
    }

    /// Plans with a round's model and flies; `None` when somebody stopped it.
    fn turn(
        &mut self,
        round: &Round,
        (plan, learning): (&LearntPlan, LearningPlan),
    ) -> Result<Option<(Told, Met)>, Problem> {
        let experiment = self.experiment;
        let model = Model::Learnt(Arc::clone(&round.model));
        let mut embedded = experiment.embedded(&model)?;
        let label = format!("round {}, ", round.number);
        let (printer, interrupt) = (&mut *self.printer, self.interrupt);
        let mut observe = |one: &report::Iteration| follow(printer, interrupt, &label, one);
        let made = experiment.planned(&mut embedded, Nominal::Rest, &mut observe);
        if self.interrupt.is_asked() {
            return Ok(None);
        }
        match made {
            Ok(made) if made.plan.status == Status::Interrupted => Ok(None),
            Ok(made) => {
                let first =
                    experiment.first_trial() + ROUNDS_FROM + ROUND_APART * round.number as u64;
                let keep_going = || !self.interrupt.is_asked();
                let numbers = (first, learning.flights);
                let flown = (&made.plan, &model);
                let flights = experiment.flown(flown, numbers, Feedback::Closed, &keep_going)?;
                let Some(flights) = flights else { return Ok(None) };
                let met = match self.met(&flights).map_err(|problem| problem.at(&label))? {
                    Some(flown) => Met::Flown(flown),
                    None => Met::Gathered(self.fresh(plan, (learning, round.number))?),
                };
                let cost = made.plan.cost;
                self.say(round, &made.plan, &flights);
                Ok(Some((Told { cost, failure: None, flights }, met)))
            }
            Err(error) => {
                // Without a plan nothing can be flown: the round learns from more of the box.
                self.printer.note(format!("round {}: no plan: {error}", round.number));
                let more = self.fresh(plan, (learning, round.number))?;
                let failure = Some(error.to_string());
                let told = Told { cost: f64::NAN, failure, flights: Vec::new() };
                Ok(Some((told, Met::Gathered(more))))
            }
        }
    }

    fn say(&mut self, round: &Round, plan: &Plan, flights: &[Flight]) {
        let safe = flights.iter().filter(|flight| flight.is_safe).count();
        self.printer.note(format!(
            "round {}: {} rows, plan of cost {:.4}, {safe} of {} flights safe",
            round.number,
            round.rows,
            plan.cost,
            flights.len()
        ));
    }

    fn fresh(
        &self,
        plan: &LearntPlan,
        (learning, round): (LearningPlan, usize),
    ) -> Result<Samples, Problem> {
        let seed = self.experiment.seed.wrapping_add(0x5EED_1000).wrapping_add(round as u64);
        self.experiment.gathered(plan, (learning.keep, plan.noise), seed)
    }

    /// The transitions of flights, as observed and as they would be without noise; `None` when no
    /// step was flown.
    fn met(&self, flights: &[Flight]) -> Result<Option<Flown>, Problem> {
        let experiment = self.experiment;
        let (n, m) = (experiment.plant.n(), experiment.plant.m());
        let nobody = || Problem::new("there is no plant to fly");
        let mut plant = experiment.plant.dynamics().ok_or_else(nobody)?;
        let seconds = if experiment.is_rate() { experiment.plant.step } else { 1.0 };
        let (mut inputs, mut observed, mut truth) = (Vec::new(), Vec::new(), Vec::new());
        let mut next = vec![0.0; n];
        for flight in flights {
            let steps = flight.states.len() / n - 1;
            for step in 0..steps {
                let state = &flight.states[step * n..(step + 1) * n];
                let input = &flight.inputs[step * m..(step + 1) * m];
                plant.seek(step);
                plant
                    .step(state, input, &mut next)
                    .map_err(|error| Problem::new(error.to_string()))?;
                inputs.extend(state.iter().chain(input));
                let reached = &flight.states[(step + 1) * n..(step + 2) * n];
                observed
                    .extend(reached.iter().zip(state).map(|(next, now)| (next - now) / seconds));
                truth.extend(next.iter().zip(state).map(|(next, now)| (next - now) / seconds));
            }
        }
        if inputs.is_empty() {
            return Ok(None);
        }
        let table = |inputs: Vec<f64>, outputs| {
            Samples::new((n + m, n), inputs, outputs).map_err(|error| refused(&error))
        };
        Ok(Some(Flown { observed: table(inputs.clone(), observed)?, truth: table(inputs, truth)? }))
    }
}

fn summary(round: &Round, told: &Told, reach: f64) -> RoundSummary {
    let mean = |judged: &[Calibration], of: fn(&Calibration) -> f64| {
        judged.iter().map(of).sum::<f64>() / judged.len() as f64
    };
    let count = |of: &dyn Fn(&&Flight) -> bool| told.flights.iter().filter(of).count();
    let safe = count(&|flight| flight.is_safe);
    let success = count(&|flight| flight.is_safe && flight.distance < reach);
    let flights = told.flights.len();
    let judged = &round.held_out;
    RoundSummary {
        round: round.number,
        rows: round.rows,
        coverage: mean(judged, |one| one.coverage),
        least_coverage: judged.iter().map(|one| one.coverage).fold(f64::INFINITY, f64::min),
        flown_coverage: round
            .flown
            .as_ref()
            .map_or(f64::NAN, |flown| mean(flown, |one| one.coverage)),
        relative_error: mean(judged, |one| one.relative_rmse),
        plan_cost: told.cost,
        safe: Rate::new(safe, flights),
        success: Rate::new(success, flights),
        least_clearance: match flights {
            0 => f64::NAN,
            _ => told.flights.iter().map(Flight::clearance).fold(f64::INFINITY, f64::min),
        },
        failure: told.failure.clone(),
    }
}
