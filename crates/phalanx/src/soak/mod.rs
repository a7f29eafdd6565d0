//! Swarm testing: each seed is a small world with an adversary, hardships and checkers.
pub mod case;
mod probe;
pub mod shrink;
pub mod world;

pub use case::Case;
pub use shrink::shrink;
pub use world::{Finding, Outcome, carry_out};
