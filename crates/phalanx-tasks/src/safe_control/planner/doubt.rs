//! Plans under doubt: margins from a model's variance, frozen in each solve, refreshed between.
use std::ops::ControlFlow;

use crate::safe_control::barrier::{Risk, SafetyEmbedded, Spread, Trajectory};
use crate::safe_control::dynamics::DynamicsError;

use super::{Iteration, Nominal, Plan, PlanError, Problem, Settings, plan, plan_at};

/// How doubt is taken into account.
#[derive(Debug, Clone, PartialEq)]
pub struct Doubt {
    /// how variance enters the barrier state
    pub risk: Risk,
    /// which variance
    pub spread: Spread,
    /// variance of each entry of the state's noise per step, besides the model's own; n, or empty
    pub noise: Vec<f64>,
    /// solves after the first, each with margins of the plan before it
    pub refreshes: usize,
}

impl Doubt {
    /// Margins of κ standard deviations of the tube, refreshed three times.
    pub fn tightened(kappa: f64, noise: Vec<f64>) -> Self {
        let risk = Risk::Tightened { kappa };
        Self { risk, spread: Spread::Tube, noise, refreshes: 3 }
    }
}

/// The part of a constraint's value that stays when margins are brought in step by step.
const KEPT: f64 = 0.1;
/// λ₀ of solves after the first.
const WARM: f64 = 1e-6;
/// Growth of the margins' part below which bringing them in has come to a stop.
const PROGRESS_MIN: f64 = 1e-3;

/// Plans as [`plan`] does, then again with the barrier lifted or tightened by the doubt along the
/// plan, as often as asked. Margins that the last plan could not keep are brought in by parts.
///
/// The goal's barrier state is that without margins. The model keeps the last margins, which is
/// what executing the plan needs; [`Plan::margins`] and [`Plan::lifts`] hold them too.
///
/// # Errors
/// As [`plan`]; [`PlanError::Margins`] when no safe trajectory with whole margins is found.
pub fn plan_under_doubt(
    model: &mut SafetyEmbedded,
    problem: &Problem,
    (nominal, doubt): (Nominal<'_>, &Doubt),
    settings: &Settings,
    observe: &mut dyn FnMut(&Iteration) -> ControlFlow<()>,
) -> Result<Plan, PlanError> {
    let (found, expected) = (doubt.noise.len(), model.plant_states());
    if found != 0 && found != expected {
        let error = super::ProblemError::Length { what: "noise", expected, found };
        return Err(error.into());
    }
    clear(model);
    let mut best = plan(model, problem, nominal, settings, observe)?;
    if doubt.risk == Risk::Mean || model.barrier().is_none() {
        return Ok(best);
    }
    let mut cost = problem.cost(model)?;
    // What begins near a solution needs no large λ.
    let once = Settings { restarts: vec![WARM], ..settings.clone() };
    let (mut whole, mut part) = (0, 0.0);
    while whole < doubt.refreshes {
        let reached = freeze(model, &best, doubt)?;
        if reached.part < 1.0 && reached.part < part + PROGRESS_MIN {
            return Err(reached.refusal());
        }
        part = reached.part;
        whole += usize::from(part >= 1.0);
        let nominal = Nominal::Inputs(&best.inputs);
        let with = (&mut *model, &mut cost as &mut dyn super::Cost);
        best = plan_at(with, problem, nominal, &once, observe)?;
    }
    if let Some(barrier) = model.barrier() {
        best.margins = barrier.margins().to_vec();
        best.lifts = barrier.lifts().to_vec();
    }
    Ok(best)
}

fn clear(model: &mut SafetyEmbedded) {
    if let Some(barrier) = model.barrier_mut() {
        barrier.tighten(&[]);
        barrier.lift(&[]);
    }
}

/// How much of the margins along a plan the plan itself leaves room for.
struct Reached {
    part: f64,
    step: usize,
    constraint: usize,
    value: f64,
    margin: f64,
}

impl Reached {
    const ALL: Self = Self { part: 1.0, step: 0, constraint: 0, value: 0.0, margin: 0.0 };

    fn refusal(&self) -> PlanError {
        let Self { part: reached, step, constraint, value, margin } = *self;
        PlanError::Margins { reached, step, constraint, value, margin }
    }
}

/// Sets the model's barrier to the doubt along a plan, as far as the plan leaves room for it.
fn freeze(model: &mut SafetyEmbedded, plan: &Plan, doubt: &Doubt) -> Result<Reached, PlanError> {
    let along = Trajectory { states: &plan.states, inputs: &plan.inputs, gains: &plan.gains };
    let refused = |error: DynamicsError| PlanError::Model { step: 0, error };
    let covariances = model.covariances(along, &doubt.noise, doubt.spread).map_err(refused)?;
    match doubt.risk {
        Risk::Mean => Ok(Reached::ALL),
        Risk::SecondOrder => {
            let lifts = model.lifts(&plan.states, &covariances).map_err(refused)?;
            if let Some(barrier) = model.barrier_mut() {
                barrier.lift(&lifts);
            }
            Ok(Reached::ALL)
        }
        Risk::Tightened { kappa } => {
            let mut margins = model.margins(&plan.states, &covariances, kappa);
            let reached = room(model, plan, &margins);
            margins.iter_mut().for_each(|margin| *margin *= reached.part);
            if let Some(barrier) = model.barrier_mut() {
                barrier.tighten(&margins);
            }
            Ok(reached)
        }
    }
}

/// The greatest part, at most 1, of margins that leaves [`KEPT`] of every constraint's value.
fn room(model: &SafetyEmbedded, plan: &Plan, margins: &[f64]) -> Reached {
    let Some(barrier) = model.barrier() else { return Reached::ALL };
    let (constraints, n) = (barrier.course().constraints(), model.plant_states());
    let mut reached = Reached::ALL;
    let rows = plan.states.chunks_exact(plan.width).zip(margins.chunks_exact(constraints.len()));
    for (step, (state, row)) in rows.enumerate() {
        for (place, (constraint, margin)) in constraints.iter().zip(row).enumerate() {
            let value = constraint.value(&state[..n]);
            let part = (1.0 - KEPT) * value / margin;
            if *margin > 0.0 && part < reached.part {
                reached = Reached { part, step, constraint: place, value, margin: *margin };
            }
        }
    }
    reached
}
