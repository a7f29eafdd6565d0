//! Barrier states: a state of the plant's own that grows without bound where safety ends.
//!
//! ```text
//! Constraint h > 0 ┐
//! Operator B ──────┴→ Barrier β(x) ─┬→ SafetyEmbedded: x⁺ and w⁺, a Dynamics for any planner
//! plant ────────────────────────────┴→ EmbeddedFlow: ẋ and ż, a Flow for regulators
//! ```
//!
//! Why a plan with finite barrier states is safe (an argument that was derived, not a proof by
//! machine): w stands for Σ B(hᵢ) up to a shift, and B grows without bound as its argument falls
//! to zero. If the start is strictly safe and w stays finite along the *true* trajectory, no hᵢ
//! reaches zero. With a model from data the trajectory is the model's. Where its error is bounded,
//! |f − m| ≤ c σ for each entry with probability 1 − δ (a uniform bound, which holds for functions
//! of bounded norm in the kernel's space), w is bounded with that probability, and only where the
//! data cover the tube around the plan. So what is reported of learnt models is their coverage on
//! held-out data and the violations of trials; it is never a certificate. In steps, constraints
//! hold at the ends of steps; between them nothing is checked.
mod constraint;
mod course;
mod embedded;
mod flow;
mod operator;
mod state;
mod uncertainty;

pub use constraint::{Constraint, Function, HalfPlane, Interval, Sphere};
pub use course::{Course, CourseError};
pub use embedded::SafetyEmbedded;
pub use flow::{EmbeddedFlow, RateMoments};

pub use operator::Operator;
pub use state::{Barrier, BarrierError, Combination, Unsafe};
pub use uncertainty::{Risk, RiskError, Spread, Trajectory, normal_quantile};
