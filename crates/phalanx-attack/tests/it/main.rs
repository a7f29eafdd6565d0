//! Tests of the attacks: formulas, searches, conformance.
#![expect(clippy::unwrap_used, reason = "what tests build must be buildable")]

mod chains;
mod conformance;
mod defence;
mod formulas;
mod guide;
mod learned;
mod parameters;
mod poisoning;
mod search;
mod setting;
