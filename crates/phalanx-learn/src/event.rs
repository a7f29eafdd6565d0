//! The record: everything that anybody may watch, as one enum.
use phalanx_protocol::{Discard, Evidence, NodeId, Rejection, Round, Time, Turn};

use crate::task::Scores;

/// Something that happened at a node.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// it computed a gradient and shared the outcome
    Proposed {
        /// which turn
        turn: Turn,
        /// batch loss; absent where the phase computes no gradient
        loss: Option<f64>,
    },
    /// it has what it waited for
    Collected {
        /// which turn
        turn: Turn,
        /// whose vectors, ascending
        from: Vec<NodeId>,
    },
    /// it condensed them and moved its model
    Absorbed {
        /// which turn
        turn: Turn,
    },
    /// it measured its model after `round` rounds
    Evaluated {
        /// rounds done
        round: Round,
        /// the scores
        scores: Scores,
    },
    /// a message proved its sender faulty
    Rejected {
        /// the sender
        from: NodeId,
        /// why
        reason: Rejection,
    },
    /// a message was dropped without blame
    Discarded {
        /// the sender
        from: NodeId,
        /// why
        reason: Discard,
    },
    /// somebody's fault is proven to everybody
    Accused {
        /// the proof
        evidence: Evidence,
    },
    /// it cannot go on (training diverged, a rule refused)
    Failed {
        /// where
        turn: Turn,
        /// why, for a person
        reason: String,
    },
    /// it has done all its rounds
    Finished {
        /// rounds done
        round: Round,
    },
}

/// Who watches. Called in an order that depends on the seed alone.
pub trait Sink {
    /// Takes note of one event.
    fn record(&mut self, at: Time, node: NodeId, event: &Event);
}
