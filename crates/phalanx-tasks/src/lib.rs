//! Workloads that need no tensor library: models and data behind `phalanx_learn::Task`.
//!
//! This crate knows images, labels and how they are shared out; it does not know that anybody
//! else trains, how vectors travel or what condenses them.
//!
//! Start reading at [`TASKS`] and `toy/quadratic.rs`, then `image_classification/task.rs`;
//! [`dataset`] and [`partition`] say where the samples come from and who gets which.
use phalanx_learn::TaskRule;
use phalanx_robust::Entry;

pub mod control;
pub mod dataset;
pub mod diffusion_control;
pub mod image_classification;
pub mod partition;
pub mod personalised;
pub mod safe_control;
pub mod toy;

/// Every task that an experiment file can name.
pub const TASKS: &[Entry<TaskRule>] =
    &[safe_control::fleet::ENTRY, image_classification::ENTRY, personalised::ENTRY, toy::ENTRY];
