//! The loop of learning: gather data, fit a model, judge it, plan, fly, append, fit again.
//!
//! Coverage, the share of what really happens that lies within two of the model's deviations, is
//! reported at each turn; it is never a certificate.
mod gather;
mod rounds;

pub use gather::{Answer, GatherError, Observed, gather, split};
pub use rounds::{Flown, Learning, Met, Round};
