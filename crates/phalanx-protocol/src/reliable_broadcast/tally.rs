//! What a reliable broadcast knows of one instance, and of one turn.
use std::collections::BTreeMap;

use phalanx_robust::{StateError, StateReader, StateWriter};

use crate::Vector;
use crate::broadcast::Digest;
use crate::machine::{NodeId, Reader};
use crate::node_set::NodeSet;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Echo,
    Ready,
}

pub(super) type Votes = BTreeMap<NodeId, Digest>;

pub(super) fn count(votes: &Votes, digest: Digest) -> usize {
    votes.values().filter(|vote| **vote == digest).count()
}

/// What is known of one instance.
#[derive(Debug, Clone, Default)]
pub(super) struct Tally {
    /// the vector of the first SEND
    pub sent: Option<Vector>,
    /// naive form: the vector of `2f + 1` READY, until the turn is the current one
    pub carried: Option<Vector>,
    /// the first ECHO of each node
    pub echoes: Votes,
    /// the first READY of each node
    pub readies: Votes,
    /// who was asked for the vector; f + 1 at most, of whom one is honest
    pub asked: NodeSet,
    /// who was given the vector: once each
    pub answered: NodeSet,
    pub is_delivered: bool,
}

impl Tally {
    pub fn votes(&mut self, kind: Kind) -> &mut Votes {
        match kind {
            Kind::Echo => &mut self.echoes,
            Kind::Ready => &mut self.readies,
        }
    }

    pub fn held(&self) -> usize {
        usize::from(self.sent.is_some())
            + usize::from(self.carried.is_some())
            + self.echoes.len()
            + self.readies.len()
            + self.asked.len()
            + self.answered.len()
    }

    /// The digest that so many nodes are READY for.
    pub fn ready_for(&self, quorum: usize) -> Option<Digest> {
        let is_enough = |digest: &&Digest| count(&self.readies, **digest) >= quorum;
        self.readies.values().find(is_enough).copied()
    }

    pub fn save(&self, out: &mut StateWriter) {
        for vector in [&self.sent, &self.carried] {
            out.flag(vector.is_some());
            vector.iter().for_each(|vector| out.vector(vector));
        }
        for votes in [&self.echoes, &self.readies] {
            out.u64(votes.len() as u64);
            for (node, digest) in votes {
                out.u64(u64::from(node.0));
                out.bytes(digest);
            }
        }
        self.asked.save(out);
        self.answered.save(out);
        out.flag(self.is_delivered);
    }

    pub fn load(input: &mut StateReader<'_>) -> Result<Self, StateError> {
        let mut tally = Self::default();
        for vector in [&mut tally.sent, &mut tally.carried] {
            *vector = input.flag()?.then(|| input.vector()).transpose()?;
        }
        for votes in [&mut tally.echoes, &mut tally.readies] {
            for _ in 0..input.usize()? {
                votes.insert(NodeId(Reader::u16(input)?), input.array()?);
            }
        }
        tally.asked = NodeSet::load(input)?;
        tally.answered = NodeSet::load(input)?;
        tally.is_delivered = input.flag()?;
        Ok(tally)
    }
}

/// What is known of one turn.
#[derive(Debug, Clone, Default)]
pub(super) struct TurnState {
    /// on whose behalf something is kept here, which is what a peer's window counts
    pub heard: NodeSet,
    pub tallies: BTreeMap<NodeId, Tally>,
}
