//! A whole population in one process, in virtual time, from one seed.
//!
//! This crate knows a seed, virtual time and faults; it does not know what a model or an
//! experiment file is, and it runs the same machines and workers as the runtime.
//!
//! Start reading at [`Simulation`], then `crew.rs`, which runs the nodes' work in parallel.
pub mod adversary;
pub mod checker;
mod conduct;
pub mod crew;
pub mod hardship;
pub mod network;
pub mod puppet;
mod puppetry;
mod resume;
pub mod simulation;
pub mod watch;

pub use adversary::{Adversary, Reach};
pub use checker::{Checked, Checker, NoHonestRejection, RoundsInOrder, Violation};
pub use hardship::{Crash, Hardship, Order, Partition};
pub use network::{Network, Traffic};
pub use puppet::{Pull, Puppet, Speaker};
pub use simulation::{Node, Outcome, Progress, Settings, Simulation, SimulationError};
pub use watch::{Level, Log, Sight, Watched};
