//! The experiment files, the command and the run folder, as a person meets them.
mod bad_input;
mod experiments;
mod folder;
mod help;
mod overrides;
mod program;
