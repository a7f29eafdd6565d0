//! What the simulator promises, tested from outside on a small quadratic population.
#![expect(clippy::unwrap_used, reason = "a test may unwrap")]

mod determinism;
mod equivalence;
mod learning;
mod network;
mod puppets;
mod toy;
