//! Plans: a search started anew until it reaches the goal.
use std::ops::ControlFlow;

use crate::safe_control::barrier::SafetyEmbedded;
use crate::safe_control::dynamics::Dynamics;

use super::{
    Cost, InputLimits, Iteration, PlanError, Planner, Problem, Settings, Solved, Status,
    station_keeping,
};

/// A trajectory with the feedback that keeps a plant on it.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// entries of an embedded state, n + b
    pub width: usize,
    /// x̄*, (H + 1) × (n + b)
    pub states: Vec<f64>,
    /// u*, H × m
    pub inputs: Vec<f64>,
    /// K of u = u* + K (x̄ − x̄*), H × m × (n + b)
    pub gains: Vec<f64>,
    /// margins that the barrier had, (H + 1) × c; empty without
    pub margins: Vec<f64>,
    /// what was added to the barrier states, (H + 1) × b; empty without
    pub lifts: Vec<f64>,
    /// limits that were planned with and hold in flight
    pub limits: Option<InputLimits>,
    /// J
    pub cost: f64,
    /// least clearance along it, without margins
    pub clearance: f64,
    /// distance of the last state from the goal
    pub goal_distance: f64,
    /// how its search ended
    pub status: Status,
    /// λ₀ of its search
    pub first_lambda: f64,
    /// every start that was made, in order
    pub attempts: Vec<Attempt>,
    /// every sweep of the search that led to it
    pub log: Vec<Iteration>,
}

/// One start of a search.
#[derive(Debug, Clone, PartialEq)]
pub struct Attempt {
    /// λ₀
    pub first_lambda: f64,
    /// what it came to
    pub outcome: Result<Solved, PlanError>,
    /// distance of its last state from the goal; infinite when it failed
    pub goal_distance: f64,
}

impl Plan {
    /// H.
    pub fn horizon(&self) -> usize {
        (self.states.len() / self.width).saturating_sub(1)
    }

    /// m.
    pub fn input_count(&self) -> usize {
        self.inputs.len() / self.horizon().max(1)
    }

    /// x̄* at a step.
    pub fn state(&self, step: usize) -> &[f64] {
        &self.states[step * self.width..(step + 1) * self.width]
    }

    /// u* at a step.
    pub fn input(&self, step: usize) -> &[f64] {
        let m = self.input_count();
        &self.inputs[step * m..(step + 1) * m]
    }

    /// Writes u* + K (x̄ − x̄*) between the limits.
    pub fn control(&self, step: usize, embedded: &[f64], input: &mut [f64]) {
        let (m, width) = (input.len(), self.width);
        input.copy_from_slice(self.input(step));
        let gain = &self.gains[step * m * width..][..m * width];
        for (input, row) in input.iter_mut().zip(gain.chunks_exact(width)) {
            let pairs = row.iter().zip(embedded.iter().zip(self.state(step)));
            *input += pairs.map(|(k, (x, planned))| k * (x - planned)).sum::<f64>();
        }
        if let Some(limits) = &self.limits {
            limits.clip(input);
        }
    }
}

/// The trajectory that a search begins with.
#[derive(Debug, Clone, Copy)]
pub enum Nominal<'a> {
    /// the goal's input throughout
    Rest,
    /// feedback that holds the start, from the model's linearisation there
    Station,
    /// these inputs, H × m
    Inputs(&'a [f64]),
    /// an earlier plan of the same horizon with its feedback
    Plan(&'a Plan),
}

/// Plans for a problem with quadratic costs.
///
/// # Errors
/// [`PlanError`] says what is wrong with the problem, or why every start failed.
pub fn plan(
    model: &mut SafetyEmbedded,
    problem: &Problem,
    nominal: Nominal<'_>,
    settings: &Settings,
    observe: &mut dyn FnMut(&Iteration) -> ControlFlow<()>,
) -> Result<Plan, PlanError> {
    problem.check(model.plant_states(), model.inputs())?;
    // The start before the goal: whoever gets both wrong learns of the start first.
    embedded_start(model, &problem.start)?;
    let mut cost = problem.cost(model)?;
    plan_at((model, &mut cost), problem, nominal, settings, observe)
}

/// Plans with a cost of your own; of the problem only start, goal and horizon count.
///
/// # Errors
/// As [`plan`].
pub fn plan_at(
    (model, cost): (&mut SafetyEmbedded, &mut dyn Cost),
    problem: &Problem,
    nominal: Nominal<'_>,
    settings: &Settings,
    observe: &mut dyn FnMut(&Iteration) -> ControlFlow<()>,
) -> Result<Plan, PlanError> {
    check(settings, model.inputs())?;
    problem.check(model.plant_states(), model.inputs())?;
    let start = embedded_start(model, &problem.start)?;
    let mut planner = Planner::new((model.states(), model.inputs()), problem.horizon);
    let mut best: Option<Plan> = None;
    let mut attempts = Vec::with_capacity(settings.restarts.len());
    for first_lambda in &settings.restarts {
        begin(&mut planner, (&mut *model, &mut *cost), (&start, problem), nominal, settings)?;
        let mut log = Vec::new();
        let mut is_stopped = false;
        let outcome =
            planner.solve((&mut *model, &mut *cost), settings, *first_lambda, &mut |iteration| {
                log.push(*iteration);
                let flow = observe(iteration);
                is_stopped |= flow.is_break();
                flow
            });
        let last = &planner.states()[problem.horizon * model.states()..];
        let goal_distance = match outcome {
            Ok(_) => distance(last, &problem.goal, settings),
            Err(_) => f64::INFINITY,
        };
        attempts.push(Attempt {
            first_lambda: *first_lambda,
            outcome: outcome.clone(),
            goal_distance,
        });
        if let Ok(solved) = outcome {
            let is_better = best.as_ref().is_none_or(|best| solved.cost < best.cost);
            let is_there = goal_distance < settings.goal_tolerance;
            if is_better || is_there {
                best = Some(Plan {
                    width: model.states(),
                    states: planner.states().to_vec(),
                    inputs: planner.inputs().to_vec(),
                    gains: planner.gains().to_vec(),
                    margins: Vec::new(),
                    lifts: Vec::new(),
                    limits: settings.limits.clone(),
                    cost: solved.cost,
                    clearance: solved.clearance,
                    goal_distance,
                    status: solved.status,
                    first_lambda: *first_lambda,
                    attempts: Vec::new(),
                    log,
                });
            }
            if is_there || is_stopped {
                break;
            }
        }
    }
    match best {
        Some(plan) => Ok(Plan { attempts, ..plan }),
        None => Err(first_error(attempts)),
    }
}

/// The first start's reason: every start failed.
fn first_error(attempts: Vec<Attempt>) -> PlanError {
    let error = attempts.into_iter().find_map(|attempt| attempt.outcome.err());
    let (what, needed) = ("restarts", "at least one λ₀");
    error.unwrap_or(PlanError::Setting { what, needed, found: 0.0 })
}

fn embedded_start(model: &SafetyEmbedded, start: &[f64]) -> Result<Vec<f64>, PlanError> {
    let mut embedded = vec![0.0; model.states()];
    model.embed(0, start, &mut embedded).map_err(PlanError::Start)?;
    Ok(embedded)
}

fn begin<'a>(
    planner: &mut Planner,
    (model, cost): (&'a mut SafetyEmbedded, &'a mut dyn Cost),
    (start, problem): (&[f64], &Problem),
    nominal: Nominal<'_>,
    settings: &Settings,
) -> Result<(), PlanError> {
    let limits = settings.limits.as_ref();
    let station = match nominal {
        Nominal::Station => {
            let (at, rest) = (&problem.start, &problem.input_goal);
            station_keeping(model.plant_mut(), at, rest, problem.horizon)?
        }
        _ => Vec::new(),
    };
    let with: (&mut dyn Dynamics, &mut dyn Cost) = (model, cost);
    match nominal {
        Nominal::Station => planner.begin_with(with, start, limits, |_, state, input| {
            input.copy_from_slice(&problem.input_goal);
            let n = problem.start.len();
            for (input, row) in input.iter_mut().zip(station.chunks_exact(n)) {
                let terms = row.iter().zip(state.iter().zip(&problem.start));
                *input += terms.map(|(k, (x, rest))| k * (x - rest)).sum::<f64>();
            }
        }),
        Nominal::Rest => planner.begin_with(with, start, limits, |_, _, input| {
            input.copy_from_slice(&problem.input_goal);
        }),
        Nominal::Inputs(inputs) => {
            let (expected, found) = (problem.horizon * problem.input_goal.len(), inputs.len());
            if expected != found {
                let error = super::ProblemError::Length { what: "nominal", expected, found };
                return Err(error.into());
            }
            planner.begin(with, start, inputs, limits)
        }
        Nominal::Plan(plan) => {
            let (expected, found) = ((problem.horizon + 1) * start.len(), plan.states.len());
            if expected != found {
                let error = super::ProblemError::Length { what: "nominal", expected, found };
                return Err(error.into());
            }
            planner.begin_with(with, start, limits, |step, state, input| {
                plan.control(step, state, input);
            })
        }
    }
}

fn distance(last: &[f64], goal: &[f64], settings: &Settings) -> f64 {
    let square = |i: usize| (last[i] - goal[i]) * (last[i] - goal[i]);
    let entries = &settings.goal_entries;
    if entries.is_empty() {
        (0..goal.len()).map(square).sum::<f64>().sqrt()
    } else {
        entries.iter().copied().filter(|i| *i < goal.len()).map(square).sum::<f64>().sqrt()
    }
}

pub(super) fn check(settings: &Settings, inputs: usize) -> Result<(), PlanError> {
    if let Some(limits) = &settings.limits {
        limits.check(inputs)?;
    }
    let bad = |what, needed, found| Err(PlanError::Setting { what, needed, found });
    if settings.restarts.is_empty() {
        return bad("restarts", "at least one λ₀", 0.0);
    }
    for first in &settings.restarts {
        if !first.is_finite() || *first < 0.0 {
            return bad("restarts", "a finite λ₀ that is not negative", *first);
        }
    }
    if settings.tolerance.is_nan() || settings.tolerance < 0.0 {
        return bad("tolerance", "a number that is not negative", settings.tolerance);
    }
    if settings.iterations_max == 0 {
        return bad("iterations-max", "at least 1", 0.0);
    }
    Ok(())
}
