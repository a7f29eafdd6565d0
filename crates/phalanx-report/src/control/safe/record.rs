//! What a plan is, what became of it in trials, and what these add up to.
use serde::{Deserialize, Serialize};

use super::fit::FitSummary;
use super::rate::Rate;
use crate::real;

/// What the numbers of a plant are called.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Names {
    /// n states
    pub states: Vec<String>,
    /// m inputs
    pub inputs: Vec<String>,
    /// which states are the position: none, or two or three of them
    pub position: Vec<usize>,
}

/// Something to stay clear of, among positions.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Obstacle {
    /// all positions nearer to a centre than a radius
    Ball {
        /// as many numbers as there are positions
        centre: Vec<f64>,
        /// positive
        radius: f64,
    },
    /// all positions p with `normal · p < offset`
    HalfSpace {
        /// as many numbers as there are positions
        normal: Vec<f64>,
        /// where its face lies
        offset: f64,
    },
}

/// Where a plant moves.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Scene {
    /// what to stay clear of
    pub obstacles: Vec<Obstacle>,
    /// n numbers: where it starts
    pub start: Vec<f64>,
    /// n numbers: where it shall be
    pub goal: Vec<f64>,
    /// least and greatest value of each input, where there are such
    pub input_limits: Option<(Vec<f64>, Vec<f64>)>,
}

/// A plan: a nominal trajectory of H steps and feedback about it.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// seconds per step
    pub dt: f64,
    /// H + 1 states
    pub states: Vec<Vec<f64>>,
    /// H inputs
    pub inputs: Vec<Vec<f64>>,
    /// H + 1 barrier states
    pub barriers: Vec<Vec<f64>>,
    /// H + 1: the least of all constraints h, negative where one is violated
    pub clearance: Vec<f64>,
    /// H + 1: what the model takes for the standard deviation of each state; zeros where it does
    /// not doubt
    pub deviation: Vec<Vec<f64>>,
    /// H matrices of feedback on states and barrier states, m × (n + b), row by row
    pub gains: Vec<Vec<f64>>,
    /// H + 1 rows of what each constraint is tightened by, or none
    pub margins: Vec<Vec<f64>>,
    /// H + 1 rows of what is added to each barrier state, or none
    pub lifts: Vec<Vec<f64>>,
}

/// One iteration of a planner.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Iteration {
    /// which search, from 0: starts of the planner, then solves with margins found anew
    pub restart: usize,
    /// from 0
    pub iteration: usize,
    /// cost of the trajectory after it
    #[serde(with = "real")]
    pub cost: f64,
    /// length of the accepted step; 0 when none was
    #[serde(with = "real")]
    pub step: f64,
    /// regularisation of the backward sweep
    #[serde(with = "real")]
    pub regularisation: f64,
    /// greatest entry of the gradient by the inputs
    #[serde(with = "real")]
    pub gradient: f64,
    /// least clearance of the trajectory
    #[serde(with = "real")]
    pub clearance: f64,
}

/// One start of the planner.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Attempt {
    /// regularisation at its start
    pub regularisation: f64,
    /// iterations done
    pub iterations: usize,
    /// cost at its end
    #[serde(with = "real")]
    pub cost: f64,
    /// distance of its last position from the goal
    #[serde(with = "real")]
    pub goal_error: f64,
    /// how it ended
    pub end: String,
    /// whether its plan is the one that was taken
    pub is_taken: bool,
}

/// What became of one trial.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Trial {
    /// from 0
    pub trial: usize,
    /// whether every constraint held at every step
    pub is_safe: bool,
    /// whether it was safe and ended near enough to the goal
    pub is_success: bool,
    /// cost of what was flown
    #[serde(with = "real")]
    pub cost: f64,
    /// the least of all constraints over the whole trial
    #[serde(with = "real")]
    pub clearance: f64,
    /// distance of the last position from the goal
    #[serde(with = "real")]
    pub goal_error: f64,
    /// why it could not be flown to its end
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub broken: Option<String>,
}

/// A trial with its course.
#[derive(Debug, Clone, PartialEq)]
pub struct Flight {
    /// what became of it
    pub trial: Trial,
    /// up to H + 1 states
    pub states: Vec<Vec<f64>>,
    /// one input less than states
    pub inputs: Vec<Vec<f64>>,
    /// one per state
    pub clearance: Vec<f64>,
}

/// The trials of one way of flying.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TrialsSummary {
    /// `feedback`, `open loop`
    pub arm: String,
    /// trials without a violated constraint
    pub safe: Rate,
    /// safe trials that also reached the goal
    pub success: Rate,
    /// least clearance of all
    #[serde(with = "real")]
    pub least_clearance: f64,
    /// its median over trials
    #[serde(with = "real")]
    pub median_clearance: f64,
    /// mean cost of the safe trials, which alone were flown to their end
    #[serde(with = "real")]
    pub mean_cost: f64,
    /// median distance from the goal
    #[serde(with = "real")]
    pub median_goal_error: f64,
    /// greatest distance from the goal
    #[serde(with = "real")]
    pub worst_goal_error: f64,
    /// each trial
    pub trials: Vec<Trial>,
}

impl TrialsSummary {
    /// Adds trials up. A trial that broke off counts as unsafe, and as infinitely far from the
    /// goal.
    pub fn of<'a>(arm: &str, trials: impl IntoIterator<Item = &'a Trial>) -> Self {
        let trials: Vec<Trial> = trials.into_iter().cloned().collect();
        let count = |of: fn(&Trial) -> bool| trials.iter().filter(|trial| of(trial)).count();
        let rate = |of| Rate::new(count(of), trials.len());
        let sorted = |of: fn(&Trial) -> f64| {
            let mut values: Vec<f64> = trials.iter().map(of).collect();
            values.sort_by(f64::total_cmp);
            values
        };
        let clearances = sorted(|trial| trial.clearance);
        let errors = sorted(|trial| match trial.broken {
            Some(_) => f64::INFINITY,
            None => trial.goal_error,
        });
        let median = |values: &[f64]| {
            values.get(values.len().saturating_sub(1) / 2).copied().unwrap_or(f64::NAN)
        };
        let whole: Vec<f64> = trials.iter().filter(|t| t.is_safe).map(|t| t.cost).collect();
        Self {
            arm: arm.into(),
            safe: rate(|trial| trial.is_safe),
            success: rate(|trial| trial.is_success),
            least_clearance: clearances.first().copied().unwrap_or(f64::NAN),
            median_clearance: median(&clearances),
            mean_cost: whole.iter().sum::<f64>() / whole.len() as f64,
            median_goal_error: median(&errors),
            worst_goal_error: errors.last().copied().unwrap_or(f64::NAN),
            trials,
        }
    }
}

/// The plan in numbers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PlanSummary {
    /// steps
    pub horizon: usize,
    /// seconds per step
    pub dt: f64,
    /// its cost on the model it was made with
    #[serde(with = "real")]
    pub cost: f64,
    /// cost of the trajectory the planner started from
    #[serde(with = "real")]
    pub start_cost: f64,
    /// its least clearance on that model
    #[serde(with = "real")]
    pub clearance: f64,
    /// distance of its last position from the goal
    #[serde(with = "real")]
    pub goal_error: f64,
    /// distance from the goal that counts as reached
    pub goal_tolerance: f64,
    /// every start of the planner
    pub attempts: Vec<Attempt>,
}

impl PlanSummary {
    /// Whether the plan, on its own model, is safe and ends near enough to the goal.
    pub fn is_reached(&self) -> bool {
        self.clearance > 0.0 && self.goal_error <= self.goal_tolerance
    }
}

/// One round of learning: fit, plan, fly, append.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RoundSummary {
    /// from 1
    pub round: usize,
    /// rows the model was fitted to
    pub rows: usize,
    /// mean share of held-out targets within two standard deviations, over outputs
    #[serde(with = "real")]
    pub coverage: f64,
    /// the least such share of an output
    #[serde(with = "real")]
    pub least_coverage: f64,
    /// mean share of the targets met in flight, within two standard deviations: where it counts
    #[serde(with = "real")]
    pub flown_coverage: f64,
    /// mean relative error on held-out rows, over outputs
    #[serde(with = "real")]
    pub relative_error: f64,
    /// cost of the plan on the model; not a number when no plan was found
    #[serde(with = "real")]
    pub plan_cost: f64,
    /// flights without a violated constraint
    pub safe: Rate,
    /// safe flights that reached the goal
    pub success: Rate,
    /// least clearance flown
    #[serde(with = "real")]
    pub least_clearance: f64,
    /// why there was no plan
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub failure: Option<String>,
}

/// `plan.json`: a function of experiment, seed and commit, nothing else.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SafeSummary {
    /// version of the format
    pub format: u32,
    /// `safe-control`, to tell it from other runs'
    pub kind: String,
    /// name of the experiment
    pub experiment: String,
    /// seed of every stream
    pub seed: u64,
    /// the plant's name
    pub plant: String,
    /// what the plan was made with: `the plant itself`, `a Gaussian process fitted to ..`
    pub model: String,
    /// what trials are flown on: `the true plant`, or `the model` where nobody knows the plant
    pub truth: String,
    /// what its numbers are called
    pub names: Names,
    /// where it moves
    pub scene: Scene,
    /// the plan; none when there was none
    pub plan: Option<PlanSummary>,
    /// what the model knows, where it was learnt
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub fit: Option<FitSummary>,
    /// rounds of learning
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub rounds: Vec<RoundSummary>,
    /// trials, one entry per way of flying
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub trials: Vec<TrialsSummary>,
}

/// Everything a page is made from.
#[derive(Debug, Clone)]
pub struct SafeRecord<'a> {
    /// what it adds up to
    pub summary: &'a SafeSummary,
    /// the plan
    pub plan: &'a Plan,
    /// how the planner came to it
    pub iterations: &'a [Iteration],
    /// what was flown, per way of flying, in the order of the summary
    pub flights: &'a [Vec<Flight>],
}
