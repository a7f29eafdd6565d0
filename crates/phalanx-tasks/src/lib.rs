//! Workloads that need no tensor library: a model and its data behind one flat vector.
//!
//! This crate does not know how many nodes there are nor what travels between them.
//! Start at [`image_classification::model`].
pub mod image_classification;
