//! An exchange over a broadcast: collects enough deliveries of a turn, if asked with witnesses.
//!
//! # Guarantee
//! Who collects, collects vectors that nobody else can have got otherwise: that is the broadcast's.
//! Without witnesses two nodes that wait for q share `2q − n` senders at least. With witnesses,
//! where `n > 3f` and the broadcast is total, any two honest nodes share `n − f` senders with equal
//! vectors: they have a witness in common that is honest, and its report is part of what both
//! collected. Nobody waits for more than `n − f` nodes.
//!
//! The own vector is always among what is collected (chosen); an honest node's own broadcast is
//! delivered in any case, so this costs no liveness.
//!
//! # Cost
//! Beyond the broadcast's: nothing without witnesses; with them one report of `n/8` bytes from each
//! node to each, and a message delay.
//!
//! # Source
//! The witness technique: Abraham, Amit and Dolev, Optimal resilience asynchronous approximate
//! agreement, OPODIS 2004; its form here as in published notes on it, wording recalled.
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use phalanx_robust::{Bound, Population, PopulationError, StateError, StateReader, StateWriter};

use crate::Vector;
use crate::broadcast::{Broadcast, Delivered};
use crate::machine::{
    Collected, Discard, Exchange, Input, Machine, Message, NodeId, Outbox, Output, Reader,
    Rejection, Share, Time, To, Turn, Writer,
};
use crate::node_set::NodeSet;

/// What ends the collecting of a turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Enough {
    /// so many deliveries, the own one among them; the first ones count, and no more
    Deliveries(usize),
    /// `n − f` witnesses: nodes that reported `n − f` deliveries, all of them delivered here too
    Witnesses,
}

/// How a [`Gather`] behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GatherConfig {
    /// n and f; witnesses need `n > 3f`
    pub population: Population,
    /// what ends the collecting of a turn
    pub enough: Enough,
    /// turns ahead of the own one that are kept for each peer, at least 1; further ones are
    /// discarded
    pub turns_ahead_max: usize,
}

/// Why there is no such [`Gather`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum GatherError {
    /// the population does not satisfy the bound
    #[error(transparent)]
    Population(#[from] PopulationError),
    /// the quorum cannot be waited for
    #[error("a quorum of `{quorum}` deliveries is not between `1` and `n = {n}`")]
    Quorum {
        /// what was asked for
        quorum: usize,
        /// number of nodes
        n: usize,
    },
}

/// A message of the broadcast below, or a report.
#[derive(Debug, Clone, PartialEq)]
pub enum GatherMessage<M> {
    /// the broadcast's
    Broadcast(M),
    /// these nodes' vectors were delivered to me when there were `n − f` of them
    Report {
        /// the turn
        turn: Turn,
        /// the nodes
        ids: NodeSet,
    },
}

/// What has come for one turn.
#[derive(Debug, Clone, Default)]
struct Shelf {
    /// V: what was delivered
    delivered: BTreeMap<NodeId, Vector>,
    /// who reported what, the own report included
    reports: BTreeMap<NodeId, NodeSet>,
}

/// The machine. State: per turn and peer one vector and one report, beside the broadcast's.
#[derive(Debug, Clone)]
pub struct Gather<B> {
    me: NodeId,
    config: GatherConfig,
    broadcast: B,
    /// turns before this one are over
    current: Turn,
    /// the turn that was shared last and is still open
    open: Option<Turn>,
    shelves: BTreeMap<Turn, Shelf>,
}

impl<B: Broadcast> Gather<B> {
    /// A machine over a broadcast of the same node and population.
    ///
    /// # Errors
    /// When witnesses are asked for and `n > 3f` does not hold, or when a quorum is not `1..=n`.
    ///
    /// # Panics
    /// When no turn ahead may be kept: a bug of the caller.
    pub fn new(me: NodeId, broadcast: B, config: GatherConfig) -> Result<Self, GatherError> {
        let n = config.population.n();
        match config.enough {
            Enough::Witnesses => config.population.require(Bound::TWO_THIRDS)?,
            Enough::Deliveries(quorum) if quorum < 1 || quorum > n => {
                return Err(GatherError::Quorum { quorum, n });
            }
            Enough::Deliveries(_) => {}
        }
        assert!(config.turns_ahead_max >= 1, "peers may share before this node does");
        let (current, open, shelves) = (Turn::default(), None, BTreeMap::new());
        Ok(Self { me, config, broadcast, current, open, shelves })
    }

    /// The broadcast below.
    pub fn broadcast(&self) -> &B {
        &self.broadcast
    }

    /// Lets the broadcast take an input and does what follows from its outputs.
    fn below(&mut self, now: Time, input: Input<B>, out: &mut Outbox<Self>) {
        let mut outputs = Vec::new();
        self.broadcast.handle(now, input, &mut outputs);
        for output in outputs {
            match output {
                Output::Send { to, message } => {
                    out.push(Output::Send { to, message: GatherMessage::Broadcast(message) });
                }
                Output::Event(delivered) => self.take_delivered(delivered, out),
                Output::Wait { until } => out.push(Output::Wait { until }),
                Output::Discard { from, reason } => out.push(Output::Discard { from, reason }),
                Output::Reject { from, reason } => out.push(Output::Reject { from, reason }),
                Output::Accuse(evidence) => out.push(Output::Accuse(evidence)),
            }
        }
    }

    /// Whether something of this node may be kept, when so much of it is kept for turns ahead.
    fn admit(&self, turn: Turn, is_held: impl Fn(&Shelf) -> bool) -> Result<(), Discard> {
        if turn < self.current {
            return Err(Discard::Late);
        }
        let ahead = self.shelves.iter().filter(|(ahead, _)| Some(**ahead) != self.open);
        let is_full = || ahead.filter(|(_, shelf)| is_held(shelf)).count();
        if self.open == Some(turn) || is_full() < self.config.turns_ahead_max {
            Ok(())
        } else {
            Err(Discard::TooEarly)
        }
    }

    fn take_delivered(&mut self, delivered: Delivered, out: &mut Outbox<Self>) {
        let Delivered { instance, vector } = delivered;
        let (me, turn, from) = (self.me, instance.turn, instance.sender);
        let mut admitted = self.admit(turn, |shelf| shelf.delivered.contains_key(&from));
        let others = |shelf: &Shelf| shelf.delivered.keys().filter(|id| **id != me).count();
        if let Enough::Deliveries(quorum) = self.config.enough
            && from != me
            && self.shelves.get(&turn).map_or(0, others) + 1 >= quorum
        {
            admitted = admitted.and(Err(Discard::Late));
        }
        if let Err(reason) = admitted {
            // The own vector of a turn that was abandoned is nobody's lateness.
            if from != me {
                out.push(Output::Discard { from, reason });
            }
            return;
        }
        self.shelves.entry(turn).or_default().delivered.insert(from, vector);
        self.go_on(turn, out);
    }

    fn take_report(&mut self, from: NodeId, turn: Turn, ids: NodeSet, out: &mut Outbox<Self>) {
        let n = self.config.population.n();
        let mut reject = |reason| out.push(Output::Reject { from, reason });
        if self.config.enough != Enough::Witnesses || from == self.me || from.index() >= n {
            return reject(Rejection::OutOfRole);
        }
        if ids.len() < self.config.population.quorum() || !ids.all(|id| id.index() < n) {
            return reject(Rejection::Malformed);
        }
        let held = self.shelves.get_mut(&turn).map(|shelf| shelf.reports.entry(from));
        if let Some(Entry::Occupied(held)) = held {
            match *held.get() == ids {
                true => out.push(Output::Discard { from, reason: Discard::Duplicate }),
                false => reject(Rejection::Equivocation),
            }
            return;
        }
        if let Err(reason) = self.admit(turn, |shelf| shelf.reports.contains_key(&from)) {
            return out.push(Output::Discard { from, reason });
        }
        self.shelves.entry(turn).or_default().reports.insert(from, ids);
        self.go_on(turn, out);
    }

    /// Reports and collects when it is time to.
    fn go_on(&mut self, turn: Turn, out: &mut Outbox<Self>) {
        if self.open != Some(turn) {
            return;
        }
        let (me, quorum) = (self.me, self.config.population.quorum());
        let shelf = self.shelves.entry(turn).or_default();
        let delivered = &shelf.delivered;
        let is_enough = match self.config.enough {
            Enough::Deliveries(quorum) => delivered.len() >= quorum,
            Enough::Witnesses => {
                if delivered.len() >= quorum && !shelf.reports.contains_key(&me) {
                    let ids: NodeSet = delivered.keys().copied().collect();
                    shelf.reports.insert(me, ids.clone());
                    let message = GatherMessage::Report { turn, ids };
                    out.push(Output::Send { to: To::Others, message });
                }
                let is_witness = |ids: &&NodeSet| ids.all(|id| delivered.contains_key(&id));
                shelf.reports.values().filter(is_witness).count() >= quorum
            }
        };
        if is_enough && delivered.contains_key(&me) {
            let shelf = self.shelves.remove(&turn).unwrap_or_default();
            self.leave(turn.next());
            let vectors = shelf.delivered.into_iter().collect();
            out.push(Output::Event(Collected { turn, vectors }));
        }
    }

    /// Everything before this turn is over.
    fn leave(&mut self, turn: Turn) {
        self.open = None;
        self.current = turn;
        self.shelves.retain(|later, _| *later >= turn);
        self.broadcast.advance(turn);
    }
}

impl<B: Broadcast> Machine for Gather<B> {
    type Message = GatherMessage<B::Message>;
    type Command = Share;
    type Event = Collected;

    fn handle(&mut self, now: Time, input: Input<Self>, out: &mut Outbox<Self>) {
        match input {
            Input::Message { from, message: GatherMessage::Broadcast(message) } => {
                self.below(now, Input::Message { from, message }, out);
            }
            Input::Message { from, message: GatherMessage::Report { turn, ids } } => {
                self.take_report(from, turn, ids, out);
            }
            Input::Command(share) => {
                let turn = share.turn;
                assert!(turn >= self.current && self.open < Some(turn), "turns only grow");
                self.leave(turn);
                self.open = Some(turn);
                self.below(now, Input::Command(share), out);
                // What came early may be enough already.
                self.go_on(turn, out);
            }
            Input::Wake => self.below(now, Input::Wake, out),
        }
    }
}

impl<B: Broadcast> Exchange for Gather<B> {
    fn save(&self, out: &mut StateWriter) {
        self.broadcast.save(out);
        self.current.save(out);
        out.flag(self.open.is_some());
        self.open.unwrap_or_default().save(out);
        out.u64(self.shelves.len() as u64);
        for (turn, shelf) in &self.shelves {
            turn.save(out);
            out.u64(shelf.delivered.len() as u64);
            for (sender, vector) in &shelf.delivered {
                out.u64(u64::from(sender.0));
                out.vector(vector);
            }
            out.u64(shelf.reports.len() as u64);
            for (from, ids) in &shelf.reports {
                out.u64(u64::from(from.0));
                ids.save(out);
            }
        }
    }

    fn load(&mut self, input: &mut StateReader<'_>) -> Result<(), StateError> {
        self.broadcast.load(input)?;
        self.current = Turn::load(input)?;
        let is_open = input.flag()?;
        let open = Turn::load(input)?;
        self.open = is_open.then_some(open);
        self.shelves.clear();
        for _ in 0..input.usize()? {
            let shelf = self.shelves.entry(Turn::load(input)?).or_default();
            for _ in 0..input.usize()? {
                shelf.delivered.insert(NodeId(Reader::u16(input)?), input.vector()?);
            }
            for _ in 0..input.usize()? {
                shelf.reports.insert(NodeId(Reader::u16(input)?), NodeSet::load(input)?);
            }
        }
        Ok(())
    }

    fn held(&self) -> usize {
        let of = |shelf: &Shelf| shelf.delivered.len() + shelf.reports.len();
        self.broadcast.held() + self.shelves.values().map(of).sum::<usize>()
    }

    fn held_max(&self) -> usize {
        // A vector and a report of each node, of the open turn and of each turn ahead.
        let own = 2 * self.config.population.n() * (self.config.turns_ahead_max + 1);
        self.broadcast.held_max() + own
    }
}

impl<M: Message> Message for GatherMessage<M> {
    fn write(&self, out: &mut dyn Writer) {
        match self {
            Self::Broadcast(message) => {
                out.u8(0);
                message.write(out);
            }
            Self::Report { turn, ids } => {
                out.u8(1);
                out.u64(turn.bits());
                ids.write(out);
            }
        }
    }

    fn read<R: Reader>(input: &mut R) -> Result<Self, R::Error> {
        match input.u8()? {
            0 => Ok(Self::Broadcast(M::read(input)?)),
            1 => {
                let turn = Turn::from_bits(input.u64()?);
                Ok(Self::Report { turn, ids: NodeSet::read(input)? })
            }
            _ => Err(input.malformed("a kind of message that there is not")),
        }
    }

    fn turn(&self) -> Turn {
        match self {
            Self::Broadcast(message) => message.turn(),
            Self::Report { turn, .. } => *turn,
        }
    }

    fn shared(&self) -> Option<&Vector> {
        match self {
            Self::Broadcast(message) => message.shared(),
            Self::Report { .. } => None,
        }
    }
}
