//! One learner: what a node does between exchanges.
//!
//! This crate knows a loss, a learning rate and a momentum; it does not know how vectors travel
//! over a network, what a tensor is, or that anybody might attack.
//!
//! Start reading at [`Task`] and [`Algorithm`], then `participant.rs` and `worker.rs`, the quick
//! and the slow half of a node.
pub mod algorithm;
pub mod event;
pub mod participant;
pub mod snapshot;
pub mod task;
pub mod worker;

pub use algorithm::{ALGORITHMS, Algorithm, AlgorithmRule, Cargo, Role, Setup};
pub use event::{Event, Sink};
pub use participant::{Effect, Participant, Plan};
pub use task::{Batch, Scores, Task, TaskError, TaskRule, TaskSetup};
pub use worker::{Done, Job, Spied, Spy, WorkError, Worker};
