//! Learning algorithms: one file each, one line each in the list below.
use phalanx_protocol::{Round, Turn};
use phalanx_robust::rule::BuildError;
use phalanx_robust::{Aggregator, Args, Entry, StateError, StateReader, StateWriter};

use crate::task::{Task, TaskError};

mod bridge;
mod d_sgd;
mod distributed_sgd;
mod gm;
mod learn;
mod local_only;
mod mocwtm;
mod mogm;
mod monna;
mod nna;
pub mod personalised;
mod scc;

mod half_step;
mod schedule;

/// Every algorithm that an experiment file can name.
pub const ALGORITHMS: &[Entry<AlgorithmRule>] = &[
    bridge::ENTRY,
    d_sgd::ENTRY,
    distributed_sgd::ENTRY,
    gm::ENTRY,
    learn::ENTRY,
    local_only::ENTRY,
    mocwtm::ENTRY,
    mogm::ENTRY,
    monna::ENTRY,
    nna::ENTRY,
    personalised::ENTRY,
    scc::ENTRY,
];

/// Where a node sits. Only a star has a hub.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// one of equals
    Peer,
    /// the trusted server of a star
    Hub,
    /// a worker of a star
    Leaf,
}

/// What the vectors of a turn are; an adversary needs to know it, honest nodes agree on it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Cargo {
    /// models after the local step of size γ
    HalfSteps {
        /// γ
        step: f64,
    },
    /// models, no local step in between
    Models,
    /// gradients or momenta
    Gradients,
    /// nothing that an adversary could forge
    Quiet,
}

/// What an algorithm is built from.
pub struct Setup<'a> {
    /// checked parameters
    pub args: &'a Args,
    /// the aggregation rule with its mixings, built for the number of vectors that are collected
    pub rule: Box<dyn Aggregator>,
    /// initial parameters, equal at all honest nodes
    pub init: Vec<f32>,
    /// where the node sits
    pub role: Role,
    /// number of vectors that an exchange collects
    pub collected: usize,
}

/// What is known of an algorithm besides name and parameters.
#[derive(Debug, Clone, Copy)]
pub struct AlgorithmRule {
    /// the update in plain text, as `phalanx explain` shows it
    pub formula: &'static str,
    /// whether it runs on a star with a trusted hub instead of among peers
    pub is_star: bool,
    /// the rule that it takes when the experiment names none
    pub default_rule: &'static str,
    /// builds one node's instance
    pub build: fn(Setup<'_>) -> Result<Box<dyn Algorithm>, BuildError>,
}

/// What a node does between two exchanges.
///
/// One round is `phases` exchanges. In each the node proposes a vector, the vectors of others
/// are condensed by [`Algorithm::rule`], and the result is absorbed.
pub trait Algorithm: Send {
    /// Exchanges in this round; 0: the node learns alone.
    fn phases(&self, _round: Round) -> u16 {
        1
    }

    /// Writes the vector to share, all of it whatever `out` held before, and returns the batch
    /// loss where a gradient was computed.
    ///
    /// # Errors
    /// [`TaskError::NotFinite`] when training has diverged: nothing is then shared.
    fn propose(
        &mut self,
        turn: Turn,
        task: &mut dyn Task,
        out: &mut [f32],
    ) -> Result<Option<f64>, TaskError>;

    /// Whether the node says nothing in this turn and only opens it, to hear others. It is then
    /// not asked to propose, and its vector, which nobody collects, is zero.
    fn is_listening(&self, _turn: Turn) -> bool {
        false
    }

    /// What the vectors of this turn are.
    fn cargo(&self, turn: Turn) -> Cargo;

    /// N: an exchange that iterates divides the diameter of the honest vectors by 2^N at least.
    fn halvings(&self, _turn: Turn) -> u16 {
        1
    }

    /// The rule that condenses this turn's vectors; `None` where exactly one is collected.
    fn rule(&mut self, turn: Turn) -> Option<&mut dyn Aggregator>;

    /// Takes the condensed vector; may swap the buffer for its own instead of copying.
    fn absorb(&mut self, turn: Turn, aggregate: &mut Vec<f32>);

    /// The model as it stands.
    fn params(&self) -> &[f32];

    /// Appends everything that the next step depends on, the rule's state included.
    fn save(&self, out: &mut StateWriter);

    /// # Errors
    /// When the snapshot does not fit.
    fn load(&mut self, input: &mut StateReader<'_>) -> Result<(), StateError>;
}
