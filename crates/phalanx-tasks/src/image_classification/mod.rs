//! Image classification: models, data and the task that joins them.
pub mod model;
