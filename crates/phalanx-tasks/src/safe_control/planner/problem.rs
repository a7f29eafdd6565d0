//! What a plan is asked for: from where to where, in how many steps, at what cost.
use crate::safe_control::barrier::SafetyEmbedded;
use crate::safe_control::dynamics::DynamicsError;

use super::{CostError, Quadratic, Weight};

/// A start, a goal and quadratic costs of a plant; barrier states are added by the model.
///
/// J = ½ Σ_{k<H} [(x̄_k − x̄_f)ᵀ Q (x̄_k − x̄_f) + (u_k − u_f)ᵀ R (u_k − u_f)]
/// + ½ (x̄_H − x̄_f)ᵀ S (x̄_H − x̄_f), with x̄_f = (x_f, β(x_f)) and diagonal weights.
#[derive(Debug, Clone, PartialEq)]
pub struct Problem {
    /// x₀, n
    pub start: Vec<f64>,
    /// x_f, n
    pub goal: Vec<f64>,
    /// u_f, m
    pub input_goal: Vec<f64>,
    /// H
    pub horizon: usize,
    /// diagonal of Q for the plant's states, n
    pub state_cost: Vec<f64>,
    /// diagonal of R, m
    pub input_cost: Vec<f64>,
    /// diagonal of S for the plant's states, n
    pub terminal_cost: Vec<f64>,
    /// Q for each barrier state
    pub barrier_cost: f64,
    /// S for each barrier state
    pub barrier_terminal_cost: f64,
}

/// Why a problem does not belong to a model.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum ProblemError {
    /// A list of the wrong length.
    #[error("`{what}` has `{found}` entries, but `{expected}` are needed")]
    Length {
        /// which list
        what: &'static str,
        /// what is needed
        expected: usize,
        /// what it has
        found: usize,
    },
    /// No step at all.
    #[error("the horizon is 0")]
    Horizon,
    /// The goal has no barrier state, or is not finite.
    #[error("the goal: {0}")]
    Goal(DynamicsError),
    /// Costs that are none.
    #[error(transparent)]
    Cost(#[from] CostError),
}

impl Problem {
    /// Its cost on a safety-embedded model.
    ///
    /// # Errors
    /// [`ProblemError`] when lengths differ, the goal is not safe or a weight is negative.
    pub fn cost(&self, model: &SafetyEmbedded) -> Result<Quadratic, ProblemError> {
        let (n, b) = (model.plant_states(), model.barrier_states());
        self.check(n, self.input_cost.len())?;
        let mut goal = vec![0.0; n + b];
        model.embed(self.horizon, &self.goal, &mut goal).map_err(ProblemError::Goal)?;
        let with =
            |plant: &[f64], barrier: f64| Weight::Diagonal([plant, &vec![barrier; b]].concat());
        Ok(Quadratic::new(
            goal,
            self.input_goal.clone(),
            with(&self.state_cost, self.barrier_cost),
            Weight::Diagonal(self.input_cost.clone()),
            with(&self.terminal_cost, self.barrier_terminal_cost),
        )?)
    }

    /// Checks lengths for a plant with n states and m inputs.
    ///
    /// # Errors
    /// [`ProblemError`] names what does not fit.
    pub fn check(&self, n: usize, m: usize) -> Result<(), ProblemError> {
        if self.horizon == 0 {
            return Err(ProblemError::Horizon);
        }
        for (what, expected, found) in [
            ("start", n, self.start.len()),
            ("goal", n, self.goal.len()),
            ("state-cost", n, self.state_cost.len()),
            ("terminal-cost", n, self.terminal_cost.len()),
            ("input-cost", m, self.input_cost.len()),
            ("input-goal", m, self.input_goal.len()),
        ] {
            if expected != found {
                return Err(ProblemError::Length { what, expected, found });
            }
        }
        Ok(())
    }
}
