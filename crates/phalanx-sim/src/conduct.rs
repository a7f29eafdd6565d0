//! What misbehaving Byzantine nodes do to the messages that their machines want to send.
use std::collections::VecDeque;

use phalanx_attack::{Fate, Forger, Forgery, Kind, Letter, Misbehaviour, Twist};
use phalanx_protocol::{Message, NodeId, Time};
use phalanx_robust::{Rng, StateError, StateReader, StateWriter};

/// Messages of one node that can be replayed.
const HISTORY: usize = 64;

/// Misbehaviours with what they need to know of a protocol's messages.
pub(crate) struct Conduct<M> {
    misbehaviours: Vec<Box<dyn Misbehaviour>>,
    kind: fn(&M) -> Kind,
    twist: fn(&M, Twist) -> Option<M>,
    nodes: u16,
    f: u16,
    rng: Rng,
    /// by Byzantine seat: what it said last, the latest first
    said: Vec<VecDeque<M>>,
}

impl<M: Message> Conduct<M> {
    pub(crate) fn new(misbehaviours: Vec<Box<dyn Misbehaviour>>, f: usize, seed: u64) -> Self
    where
        M: Forger,
    {
        let rng = Rng::stream(seed, u64::MAX, "misbehaviour");
        let (kind, twist) = (M::kind, M::twist);
        Self { misbehaviours, kind, twist, nodes: 0, f: f as u16, rng, said: Vec::new() }
    }

    pub(crate) fn sit(&mut self, seats: usize, nodes: usize) {
        self.nodes = nodes as u16;
        self.said = (0..seats).map(|_| VecDeque::new()).collect();
    }

    pub(crate) fn bend(&mut self, forgery: &mut Forgery, receivers: usize) {
        let Self { misbehaviours, rng, .. } = self;
        misbehaviours.iter().for_each(|conduct| conduct.bend(forgery, receivers, rng));
    }

    pub(crate) fn is_down(&self, node: NodeId, at: Time) -> bool {
        self.misbehaviours.iter().any(|conduct| conduct.is_down(node, at))
    }

    pub(crate) fn is_indiscreet(&self) -> bool {
        self.misbehaviours.iter().any(|conduct| conduct.is_indiscreet())
    }

    /// What really goes out in place of one message, each with its further delay.
    pub(crate) fn treat(
        &mut self,
        at: Time,
        seat: usize,
        (from, to): (NodeId, NodeId),
        message: M,
    ) -> Vec<(u64, M)> {
        let (turn, kind) = (message.turn(), (self.kind)(&message));
        let letter = Letter { at, from, to, turn, kind, nodes: self.nodes, f: self.f };
        let mut fates = vec![Fate::default()];
        for conduct in &self.misbehaviours {
            let mut treated = Vec::new();
            for fate in fates {
                conduct.treat(&letter, fate, &mut self.rng, &mut treated);
            }
            fates = treated;
        }
        let said = &mut self.said[seat];
        let mut out = Vec::new();
        for Fate { delay, twists, back } in fates {
            let told = match usize::from(back) {
                0 => Some(&message),
                back => said.get(back - 1),
            };
            let Some(mut told) = told.cloned() else { continue };
            for twist in twists {
                // A lie that means nothing for this message is not told.
                told = (self.twist)(&told, twist).unwrap_or(told);
            }
            out.push((delay, told));
        }
        said.push_front(message);
        said.truncate(HISTORY);
        out
    }

    pub(crate) fn save(&self, out: &mut StateWriter) {
        self.rng.save(out);
        for said in &self.said {
            out.u64(said.len() as u64);
            said.iter().for_each(|message| message.write(out));
        }
    }

    pub(crate) fn load(&mut self, input: &mut StateReader<'_>) -> Result<(), StateError> {
        self.rng.load(input)?;
        for said in &mut self.said {
            said.clear();
            for _ in 0..input.usize()? {
                said.push_back(M::read(input)?);
            }
        }
        Ok(())
    }
}
