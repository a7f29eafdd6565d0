//! Tests of the crate from outside: contracts over the registries, papers' numbers, small types.
#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]
mod args;
mod conformance;
mod fools_gold;
mod geometric;
mod golden;
mod guide;
mod inputs;
mod kappa;
mod mixing;
mod population;
mod random;
mod sign_guard;
mod state;
mod vectors;
