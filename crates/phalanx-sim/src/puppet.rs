//! Byzantine seats: honest machines on strings, which share what the adversary forged.
//!
//! A puppet answers as an honest node would, so that protocols with echoes, votes and reports are
//! attacked by members, not by bystanders. Who shows different vectors to different receivers
//! wears several masks: one machine per vector, and each receiver hears one of them.
use std::collections::BTreeMap;
use std::sync::Arc;

use phalanx_protocol::{
    Collected, DirectMessage, Exchange, Input, Machine, Message, NodeId, Output, Share, Time, To,
    Turn, Vector,
};
use phalanx_robust::{StateError, StateReader, StateWriter};

use crate::resume::load_node;

/// What happens to a puppet.
#[derive(Debug, Clone)]
pub enum Pull<M> {
    /// a message arrived
    Message {
        /// the authenticated sender
        from: NodeId,
        /// what it says
        message: M,
    },
    /// the adversary makes it share a vector
    Share(Share),
    /// the time that it waited for has come
    Wake,
}

/// A machine that a Byzantine node runs; every [`Exchange`] is one.
pub trait Puppet<M>: Send {
    /// Takes one input and pushes its consequences.
    fn handle(&mut self, now: Time, pull: Pull<M>, out: &mut Vec<Output<M, Collected>>);

    /// Whether messages mean anything to it.
    fn is_listening(&self) -> bool {
        true
    }

    /// Appends everything that the next input depends on.
    fn save(&self, out: &mut StateWriter);

    /// # Errors
    /// When the snapshot does not fit.
    fn load(&mut self, input: &mut StateReader<'_>) -> Result<(), StateError>;
}

impl<M, E: Exchange<Message = M>> Puppet<M> for E {
    fn handle(&mut self, now: Time, pull: Pull<M>, out: &mut Vec<Output<M, Collected>>) {
        let input = match pull {
            Pull::Message { from, message } => Input::Message { from, message },
            Pull::Share(share) => Input::Command(share),
            Pull::Wake => Input::Wake,
        };
        Machine::handle(self, now, input, out);
    }

    fn save(&self, out: &mut StateWriter) {
        Exchange::save(self, out);
    }

    fn load(&mut self, input: &mut StateReader<'_>) -> Result<(), StateError> {
        Exchange::load(self, input)
    }
}

/// The puppet of the direct exchange, in which there is nothing to answer: it only shares.
#[derive(Debug, Clone, Copy)]
pub struct Speaker;

impl Puppet<DirectMessage> for Speaker {
    fn handle(
        &mut self,
        _: Time,
        pull: Pull<DirectMessage>,
        out: &mut Vec<Output<DirectMessage, Collected>>,
    ) {
        if let Pull::Share(Share { turn, vector, .. }) = pull {
            out.push(Output::Send { to: To::Others, message: DirectMessage { turn, vector } });
        }
    }

    fn is_listening(&self) -> bool {
        false
    }

    fn save(&self, _: &mut StateWriter) {}

    fn load(&mut self, _: &mut StateReader<'_>) -> Result<(), StateError> {
        Ok(())
    }
}

/// Builds the machine of a Byzantine node as its honest twin would start.
pub(crate) type BuildPuppet<M> = Arc<dyn Fn(NodeId) -> Box<dyn Puppet<M>> + Send + Sync>;

/// Which mask a receiver sees, and whether it is shown a vector of the turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Face {
    mask: u16,
    is_shown: bool,
}

/// What a mask wants to happen outside of its node.
#[derive(Debug, Clone)]
pub(crate) enum Wish<M> {
    Send { to: To, message: M },
    Wait { until: Time },
}

/// What a Byzantine node's masks want to happen, each with the mask's index.
pub(crate) type Wishes<M> = Vec<(u16, Wish<M>)>;

/// One Byzantine node.
pub(crate) struct PuppetSeat<M> {
    pub(crate) id: NodeId,
    build: BuildPuppet<M>,
    masks: Vec<Box<dyn Puppet<M>>>,
    faces: BTreeMap<NodeId, Face>,
    /// it was seen to be down, and has not come back since
    pub(crate) is_down: bool,
}

impl<M: Message> PuppetSeat<M> {
    /// A node that shows one face to everybody it may speak to.
    pub(crate) fn new(id: NodeId, receivers: &[NodeId], build: BuildPuppet<M>) -> Self {
        let face = Face { mask: 0, is_shown: true };
        let faces = receivers.iter().map(|receiver| (*receiver, face)).collect();
        Self { id, masks: vec![build(id)], build, faces, is_down: false }
    }

    pub(crate) fn is_listening(&self) -> bool {
        self.masks[0].is_listening()
    }

    /// Shares a turn's vectors: each receiver is shown one or none. Equal indices share a mask.
    pub(crate) fn show(
        &mut self,
        now: Time,
        turn: Turn,
        shown: &[(NodeId, Option<u16>)],
        vectors: &[Vector],
    ) -> Wishes<M> {
        let mut worn: Vec<u16> = Vec::new();
        self.faces.clear();
        for (receiver, vector) in shown {
            let mask = vector.map_or(0, |vector| {
                worn.iter().position(|held| *held == vector).unwrap_or_else(|| {
                    worn.push(vector);
                    worn.len() - 1
                })
            });
            let face = Face { mask: mask as u16, is_shown: vector.is_some() };
            self.faces.insert(*receiver, face);
        }
        let mut wishes = Vec::new();
        for (index, vector) in worn.iter().enumerate() {
            if index == self.masks.len() {
                self.masks.push((self.build)(self.id));
            }
            let vector = vectors[usize::from(*vector)].clone();
            let share = Share { turn, vector, halvings: 1 };
            self.handle(now, index, Pull::Share(share), &mut wishes);
        }
        wishes
    }

    /// A message arrived, for one mask or for all.
    pub(crate) fn receive(
        &mut self,
        now: Time,
        from: NodeId,
        message: &M,
        mask: Option<u16>,
    ) -> Wishes<M> {
        let mut wishes = Vec::new();
        let all = 0..self.masks.len();
        // A mask that an accomplice does not wear is spoken to through the first.
        let one = mask.map(usize::from).map(|mask| if mask < all.end { mask } else { 0 });
        for index in one.map_or(all, |one| one..one + 1) {
            let pull = Pull::Message { from, message: message.clone() };
            self.handle(now, index, pull, &mut wishes);
        }
        wishes
    }

    pub(crate) fn wake(&mut self, now: Time, mask: u16) -> Wishes<M> {
        let mut wishes = Vec::new();
        if usize::from(mask) < self.masks.len() {
            self.handle(now, usize::from(mask), Pull::Wake, &mut wishes);
        }
        wishes
    }

    fn handle(&mut self, now: Time, mask: usize, pull: Pull<M>, wishes: &mut Wishes<M>) {
        let mut out = Vec::new();
        self.masks[mask].handle(now, pull, &mut out);
        for output in out {
            let wish = match output {
                Output::Send { to, message } => Wish::Send { to, message },
                Output::Wait { until } => Wish::Wait { until },
                // The adversary knows what was collected, and has nobody to complain to.
                Output::Event(_)
                | Output::Discard { .. }
                | Output::Reject { .. }
                | Output::Accuse(_) => continue,
            };
            wishes.push((mask as u16, wish));
        }
    }

    /// Forgets everything: each machine starts as it once did.
    pub(crate) fn forget(&mut self) {
        self.masks = vec![(self.build)(self.id)];
        self.faces.values_mut().for_each(|face| face.mask = 0);
        self.is_down = false;
    }

    /// Whether what a mask says reaches this honest receiver.
    pub(crate) fn is_heard_by(&self, receiver: NodeId, mask: u16, message: &M) -> bool {
        self.faces
            .get(&receiver)
            .is_some_and(|face| face.mask == mask && (face.is_shown || message.shared().is_none()))
    }

    pub(crate) fn save(&self, out: &mut StateWriter) {
        out.u64(self.masks.len() as u64);
        self.masks.iter().for_each(|mask| mask.save(out));
        out.flag(self.is_down);
        out.u64(self.faces.len() as u64);
        for (receiver, face) in &self.faces {
            out.u64(u64::from(receiver.0));
            out.u64(u64::from(face.mask));
            out.flag(face.is_shown);
        }
    }

    pub(crate) fn load(&mut self, input: &mut StateReader<'_>) -> Result<(), StateError> {
        self.masks.clear();
        for _ in 0..input.usize()? {
            let mut mask = (self.build)(self.id);
            mask.load(input)?;
            self.masks.push(mask);
        }
        if self.masks.is_empty() {
            return Err(StateError::Mismatch { what: "a Byzantine node without a machine" });
        }
        self.is_down = input.flag()?;
        self.faces.clear();
        for _ in 0..input.usize()? {
            let receiver = load_node(input)?;
            let mask = input.u64()? as u16;
            self.faces.insert(receiver, Face { mask, is_shown: input.flag()? });
        }
        Ok(())
    }
}
