//! Safe control from the command line: models from data, plans that stay clear, trials.
//!
//! ```text
//! file.toml → SafeExperiment ─┬→ fit: model folder
//!   read*.rs     file.rs      └→ plan: run folder → simulate: trials beside the plan
//! ```
mod data;
mod file;
mod model;
mod plant;
mod read;
mod read_model;
mod surroundings;
mod written;

pub use file::{SafeExperiment, is_safe_control};
