//! Why there is no plan.
use crate::safe_control::dynamics::DynamicsError;

use super::{LimitError, ProblemError};

/// Why there is no plan.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum PlanError {
    /// Start, goal, horizon or costs do not belong to the model.
    #[error(transparent)]
    Problem(#[from] ProblemError),
    /// Limits of inputs that are none.
    #[error(transparent)]
    Limits(#[from] LimitError),
    /// A setting out of its range.
    #[error("`{what}` is `{found}`, and {needed} is needed")]
    Setting {
        /// which setting
        what: &'static str,
        /// what is needed
        needed: &'static str,
        /// what was given
        found: f64,
    },
    /// The start is not strictly safe, or not finite.
    #[error("the start: {0}")]
    Start(DynamicsError),
    /// The trajectory that the search begins with leaves the safe set, or is not finite.
    #[error("the nominal trajectory, step `{step}`: {error}")]
    Nominal {
        /// the step that fails, from 0
        step: usize,
        /// how
        error: DynamicsError,
    },
    /// The nominal trajectory costs more than can be said.
    #[error("the nominal trajectory has a cost of `{cost}`")]
    NominalCost {
        /// infinite or NaN
        cost: f64,
    },
    /// Derivatives of the model are not finite along a trajectory.
    #[error("the model at step `{step}`: {error}")]
    Model {
        /// which step, from 0
        step: usize,
        /// how
        error: DynamicsError,
    },
    /// Q_uu + λ I is not positive definite, however large λ is.
    #[error("at step `{step}` the input's curvature is not positive with λ = `{lambda:e}`")]
    Indefinite {
        /// which step, from 0
        step: usize,
        /// the largest λ
        lambda: f64,
    },
    /// Margins for the model's uncertainty leave no safe trajectory to begin with.
    #[error(
        "only `{reached}` of the margins could be kept: constraint `{constraint}` has the value \
         `{value}` and a margin of `{margin}` at step `{step}`"
    )]
    Margins {
        /// the part of the margins, 0 to 1, that a safe trajectory was found for
        reached: f64,
        /// the step where no more can be kept
        step: usize,
        /// the constraint there, from 0
        constraint: usize,
        /// its value without a margin
        value: f64,
        /// the whole margin
        margin: f64,
    },
}

impl PlanError {
    /// What would help.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Problem(ProblemError::Goal(_)) => {
                "move the goal out of the obstacle; a barrier state is finite only where it is safe"
            }
            Self::Problem(_) => {
                "a plant with n states and m inputs needs n numbers for start, goal, state-cost \
                 and terminal-cost, and m for input-cost and input-goal"
            }
            Self::Limits(_) => "give each input a lower limit below its upper one",
            Self::Setting { .. } => "leave the setting out to take its default",
            Self::Start(DynamicsError::Unsafe { .. }) => {
                "move the start out of the obstacle, or use the tolerant barrier, which permits \
                 unsafe starts and promises less"
            }
            Self::Start(_) => "every entry of the start must be a finite number",
            Self::Nominal { error: DynamicsError::Unsafe { .. }, .. } => {
                "begin with a safe trajectory: station-keeping about the start, or inputs of your \
                 own"
            }
            Self::Nominal { .. } | Self::NominalCost { .. } => {
                "begin with smaller inputs or a shorter horizon"
            }
            Self::Model { .. } => "plan where the model has data, and check its derivatives",
            Self::Indefinite { .. } => "use ilqr, or a larger input-cost",
            Self::Margins { .. } => "ask for less certainty (kappa), or learn from more data",
        }
    }
}
