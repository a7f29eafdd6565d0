//! The experiment files, the command and the run folder, as a person meets them.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
mod aggregate;
mod agree;
mod attack;
mod bad_input;
mod control;
mod exchanges;
mod experiments;
mod export;
mod folder;
mod guides;
mod help;
mod matrix_files;
mod overrides;
mod poisoning;
mod program;
mod safe_control;
mod soak;
mod sweep;
