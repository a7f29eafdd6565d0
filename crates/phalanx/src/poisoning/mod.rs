//! Populations of personalised learning under the three attacks: what the commands have in common.
mod condense;
mod stage;

pub use condense::Defence;
pub use stage::{Play, Setting, Stage, Trace};
