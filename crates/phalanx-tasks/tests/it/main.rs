//! Tests of the workloads, one module per subject.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
#![expect(clippy::print_stdout, reason = "figures for whoever asks with --show-output")]

mod batches;
mod classification;
mod conformance;
mod control;
mod diffusion;
mod digits;
mod idx;
mod loaders;
mod model;
mod partitions;
mod personalised;
mod population;
mod quadratic;
mod safe_control;
mod safe_control_gp;
mod safe_control_learning;
mod validation;
