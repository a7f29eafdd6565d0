//! The simulator as an opponent: schedules, partitions, crashes and clocks that the model allows.
//!
//! Everything ends at [`Hardship::heal`]; from then on the network alone decides, and progress can
//! be demanded. No message between honest nodes is ever lost.
use std::collections::BTreeMap;

use phalanx_protocol::{Exchange, Input, NodeId, Time, Turn};
use phalanx_robust::{Rng, StateReader, StateWriter};

use crate::simulation::{Pending, Simulation};

/// In which order messages between honest nodes arrive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// as the network draws it
    Network,
    /// each link is fast or slow in each turn, by a draw for the three
    Links,
    /// what one node says and hears comes late
    Starved(NodeId),
    /// the last that was sent in a window of time comes first
    LastInFirstOut,
}

/// Nodes of one side and of the other do not hear each other for a while.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Partition {
    /// from when
    pub from: Time,
    /// until when
    pub until: Time,
    /// the nodes of one side
    pub side: Vec<NodeId>,
}

/// An honest node is down for a while and goes on from what it had stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Crash {
    /// who
    pub node: NodeId,
    /// from when
    pub from: Time,
    /// until when
    pub until: Time,
}

/// What honest nodes have to endure.
#[derive(Debug, Clone, PartialEq)]
pub struct Hardship {
    /// when all of it is over
    pub heal: Time,
    /// who is heard first
    pub order: Order,
    /// by how much the order can delay a message, in nanoseconds
    pub delay_max: u64,
    /// who does not hear whom
    pub partitions: Vec<Partition>,
    /// who is down
    pub crashes: Vec<Crash>,
    /// probability that a message arrives twice
    pub duplication: f64,
    /// clocks run faster or slower by up to this factor, from 1
    pub skew: f64,
}

impl Hardship {
    /// Nothing to endure.
    pub const NONE: Self = Self {
        heal: Time(0),
        order: Order::Network,
        delay_max: 0,
        partitions: Vec::new(),
        crashes: Vec::new(),
        duplication: 0.0,
        skew: 1.0,
    };
}

/// What an honest node that crashes has stored, and what it heard since then.
struct Stored<M> {
    state: Vec<u8>,
    /// not acknowledged, so that it is sent again
    heard: Vec<(NodeId, M)>,
}

/// A hardship on its way.
pub(crate) struct Ordeal<M> {
    hardship: Hardship,
    rng: Rng,
    seed: u64,
    stored: BTreeMap<usize, Stored<M>>,
}

impl<M> Ordeal<M> {
    fn is_cut(&self, a: NodeId, b: NodeId, now: Time) -> Option<Time> {
        let partitions = self.hardship.partitions.iter();
        let cuts = partitions.filter(|partition| {
            (partition.from..partition.until).contains(&now)
                && partition.side.contains(&a) != partition.side.contains(&b)
        });
        cuts.map(|partition| partition.until).max()
    }

    /// When a message that would arrive after `delay` arrives at last.
    fn arrival(&mut self, route: (NodeId, NodeId), turn: Turn, now: Time, delay: u64) -> Time {
        let Hardship { heal, order, delay_max, .. } = self.hardship;
        let plain = now.after(delay);
        if now >= heal {
            return plain;
        }
        let (from, to) = route;
        let late = match order {
            Order::Network => plain,
            Order::Links => {
                let link = u64::from(from.0) << 16 | u64::from(to.0);
                let owner = link ^ turn.bits().rotate_left(32);
                let draw = Rng::stream(self.seed, owner, "link").below(3) as u64;
                plain.after(draw * delay_max / 2)
            }
            Order::Starved(node) if node == from || node == to => plain.after(delay_max),
            Order::Starved(_) => plain,
            Order::LastInFirstOut => {
                let window = delay_max.max(1);
                let end = (now.0 / window + 1).saturating_mul(window);
                Time(end.saturating_add(end - now.0))
            }
        };
        let late = late.min(plain.max(heal));
        match self.is_cut(from, to, now) {
            Some(until) => late.max(until.after(delay)),
            None => late,
        }
    }
}

impl<E: Exchange> Simulation<E> {
    /// Puts honest nodes to the test, from the start on. Not part of a snapshot.
    ///
    /// # Panics
    /// When the simulation has begun: a bug of the caller.
    pub fn endure(&mut self, hardship: Hardship) {
        assert!(!self.has_started, "hardship is there from the start");
        let rng = Rng::stream(self.settings.seed, u64::MAX, "hardship");
        let mut stored = BTreeMap::new();
        for Crash { node, until, .. } in hardship.crashes.clone() {
            let node = self.seat_of(node);
            stored.insert(node, Stored { state: self.state_of(node), heard: Vec::new() });
            self.schedule(until, Pending::Restart { node });
        }
        let seed = self.settings.seed;
        self.ordeal = Some(Ordeal { hardship, rng, seed, stored });
    }

    fn state_of(&self, node: usize) -> Vec<u8> {
        let mut out = StateWriter::default();
        self.seats[node].participant.save(&mut out);
        out.finish()
    }

    /// Sends a message of an honest node to another on its way.
    pub(crate) fn carry(&mut self, route: (NodeId, NodeId), delay: u64, message: E::Message) {
        use phalanx_protocol::Message as _;
        let (from, to) = route;
        let Some(ordeal) = &mut self.ordeal else {
            return self.schedule(self.now.after(delay), Pending::Deliver { to, from, message });
        };
        let at = ordeal.arrival(route, message.turn(), self.now, delay);
        let is_twice = ordeal.hardship.duplication > 0.0
            && self.now < ordeal.hardship.heal
            && ordeal.rng.unit() < ordeal.hardship.duplication;
        if is_twice {
            let again = at.after(ordeal.rng.below(1 + 2 * delay as usize) as u64);
            let message = message.clone();
            self.schedule(again, Pending::Deliver { to, from, message });
        }
        self.schedule(at, Pending::Deliver { to, from, message });
    }

    /// When a node that wants to be woken wakes by its own clock.
    pub(crate) fn alarm(&self, node: usize, until: Time) -> Time {
        let skew = self.ordeal.as_ref().map_or(1.0, |ordeal| ordeal.hardship.skew);
        if skew == 1.0 {
            return until;
        }
        // Every other clock is slow, the others are fast.
        let factor = if node.is_multiple_of(2) { skew } else { 1.0 / skew };
        let wait = until.0.saturating_sub(self.now.0) as f64 * factor;
        self.now.after(wait as u64)
    }

    /// Until when an honest node is down, if it is.
    pub(crate) fn is_down(&self, node: usize) -> Option<Time> {
        let id = self.seats[node].id;
        let crashes = self.ordeal.iter().flat_map(|ordeal| &ordeal.hardship.crashes);
        let now = crashes.filter(|c| c.node == id && c.from <= self.now && self.now < c.until);
        now.map(|crash| crash.until).max()
    }

    /// What was sent is on disk before it leaves; what was only heard is heard again.
    pub(crate) fn store(&mut self, node: usize, has_effects: bool, input: Option<&Input<E>>) {
        let is_stored = |ordeal: &Ordeal<_>| ordeal.stored.contains_key(&node);
        if !self.ordeal.as_ref().is_some_and(is_stored) {
            return;
        }
        let state = has_effects.then(|| self.state_of(node));
        let stored = self.ordeal.as_mut().and_then(|ordeal| ordeal.stored.get_mut(&node));
        let Some(stored) = stored else { return };
        match (state, input) {
            (Some(state), _) => *stored = Stored { state, heard: Vec::new() },
            (None, Some(Input::Message { from, message })) => {
                stored.heard.push((*from, message.clone()));
            }
            (None, _) => {}
        }
    }

    /// A node comes back with what it had stored.
    ///
    /// # Panics
    /// When a machine does not read back what it wrote: a bug of the machine.
    pub(crate) fn restart(&mut self, node: usize) {
        let stored = self.ordeal.as_mut().and_then(|ordeal| ordeal.stored.get_mut(&node));
        let Some(stored) = stored else { return };
        let heard = std::mem::take(&mut stored.heard);
        let loaded = self.seats[node].participant.load(&mut StateReader::new(&stored.state));
        loaded.expect("a machine reads back what it wrote");
        let to = self.seats[node].id;
        for (from, message) in heard {
            self.schedule(self.now, Pending::Deliver { to, from, message });
        }
        // Timers are not stored: whoever waited looks at its clock.
        self.schedule(self.now, Pending::Wake { node });
    }
}
