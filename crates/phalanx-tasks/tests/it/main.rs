//! Tests of the workloads, one module per subject.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod idx;
mod loaders;
mod model;
mod partitions;
mod quadratic;
