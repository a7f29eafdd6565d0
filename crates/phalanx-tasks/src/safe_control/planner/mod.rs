//! Planners on any `Dynamics`: iLQR and DDP that accept safe trajectories only, and regulators.
//!
//! ```text
//! Problem → Cost ┐
//! SafetyEmbedded ┼→ plan: restarts × Planner (backward sweep, line search) → Plan → flight
//! Settings ──────┘
//! ```
mod backward;
mod box_program;
mod cost;
mod doubt;
mod error;
mod flight;
mod kernel;
mod plan;
mod problem;
mod receding;
mod regulator;
mod settings;
mod solve;
mod station;

pub use cost::{Cost, CostError, Expansion, Penalised, Quadratic, Weight};
pub use doubt::{Doubt, plan_under_doubt};
pub use error::PlanError;
pub use flight::{Arena, Executor, Feedback, Flight, Trials, fly, fly_trials};
pub use plan::{Attempt, Nominal, Plan, plan, plan_at};
pub use problem::{Problem, ProblemError};
pub use receding::Receding;
pub use regulator::{ClosedLoop, Regulated, RegulatorError, regulate};
pub use settings::{InputLimits, LimitError, Method, Regularisation, Scheme, Settings};
pub use solve::{Iteration, Planner, Solved, Status};
pub use station::station_keeping;
