//! Populations of personalised learning under the three attacks: what the commands have in common.
mod condense;
mod options;
mod stage;
pub mod steering;
pub mod weighting;

pub use condense::Defence;
pub use options::{POINTS_MAX, PopulationOptions, within};
pub use stage::{Play, Setting, Stage, Trace};
