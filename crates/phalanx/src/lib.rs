//! The `phalanx` command: from an experiment file to runs, folders and what a person reads.
//!
//! This crate knows files that a person wrote, flags and a clock; it does not know how anything
//! is trained, attacked or drawn.
//!
//! Start reading at `command/mod.rs`, then `experiment/mod.rs` and `run/mod.rs`.
pub mod command;
pub mod environment;
pub mod experiment;
pub mod matrix_file;
pub mod poisoning;
pub mod printer;
pub mod problem;
pub mod run;
pub mod soak;
pub mod suggest;
pub mod sweep;
