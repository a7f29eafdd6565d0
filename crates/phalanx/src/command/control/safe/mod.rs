//! Safe control from the command line: models from data, plans that stay clear, trials.
//!
//! ```text
//! file.toml → SafeExperiment ─┬→ fit: model folder
//!   read*.rs     file.rs      └→ plan: run folder → simulate: trials beside the plan
//! ```
mod data;
mod file;
mod fit;
mod folder;
mod learn;
mod make;
mod model;
mod options;
mod plan;
mod plant;
mod read;
mod read_model;
mod simulate;
mod surroundings;
mod work;
mod written;

pub use file::SafeExperiment;
pub use fit::Fit;
pub use plan::PlanCommand;
pub use simulate::Simulate;
