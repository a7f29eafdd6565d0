//! Best-effort exchange: send your vector to everyone, act on the first `quorum` that came.
//!
//! It defends against nothing but lateness: an equivocating sender shows each receiver what it
//! likes. Cost per turn and node: `n − 1` messages of `4d` bytes.
//!
//! The same machine also serves a star with a trusted hub: even phases go down from the hub,
//! odd phases go up to it. Who only listens in a phase still shares, which opens the turn.
use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};

use phalanx_robust::{StateError, StateReader, StateWriter, Vector};

use crate::machine::{
    Collected, Discard, Exchange, Input, Machine, Message, NodeId, Outbox, Output, Reader,
    Rejection, Share, Time, To, Turn, Writer,
};

/// Turns ahead of the own one that are kept for each peer unless told otherwise.
///
/// An honest peer can be ahead by more in an asynchronous network, so going beyond is no fault.
pub const TURNS_AHEAD_MAX: usize = 64;

/// A vector of a turn.
#[derive(Debug, Clone, PartialEq)]
pub struct DirectMessage {
    /// the turn it belongs to
    pub turn: Turn,
    /// the sender's vector
    pub vector: Vector,
}

/// How a [`Direct`] exchange behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DirectConfig {
    /// n: nodes that share vectors, this one included; a hub shares none and is not counted
    pub nodes: usize,
    /// vectors to wait for, the own one included: `n − f` without synchrony, at most `n`
    pub quorum: usize,
    /// give up waiting after so many nanoseconds and act on what came; 0: wait for ever
    pub timeout: u64,
    /// refuse vectors with NaN or infinity, as a wire decoder does
    pub is_finite_required: bool,
    /// length of a vector
    pub dim: usize,
    /// turns ahead of the own one that are kept for each peer; further ones are discarded
    pub turns_ahead_max: usize,
    /// where the node sits
    pub seat: Seat,
}

/// Where a node sits, which decides whom it sends to and whom it waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seat {
    /// everyone talks to everyone
    Peer,
    /// the trusted centre of a star; `quorum` counts leaves
    Hub,
    /// a worker of a star
    Leaf {
        /// the centre
        hub: NodeId,
    },
}

/// What a seat does in one phase.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Route {
    send: Option<To>,
    /// others to wait for
    others: usize,
    is_own_collected: bool,
}

impl DirectConfig {
    fn route(&self, turn: Turn) -> Route {
        let is_down = turn.phase.0.is_multiple_of(2);
        let silent = |others| Route { send: None, others, is_own_collected: false };
        let sent = |to, others| Route { send: Some(to), others, is_own_collected: true };
        match (self.seat, is_down) {
            (Seat::Peer, _) => sent(To::Others, self.quorum - 1),
            (Seat::Hub, true) => sent(To::Others, 0),
            (Seat::Hub, false) => silent(self.quorum),
            (Seat::Leaf { .. }, true) => silent(1),
            (Seat::Leaf { hub }, false) => sent(To::Node(hub), 0),
        }
    }

    /// How many others can be heard in a phase at all.
    fn speakers(&self, turn: Turn) -> usize {
        match (self.seat, turn.phase.0.is_multiple_of(2)) {
            (Seat::Peer, _) => self.nodes - 1,
            (Seat::Hub, false) => self.nodes,
            (Seat::Hub, true) | (Seat::Leaf { .. }, false) => 0,
            (Seat::Leaf { .. }, true) => 1,
        }
    }

    /// Strangers may not, or those who bring many could make a node hold more than it promised.
    fn may_send(&self, from: NodeId, turn: Turn) -> bool {
        let is_node = from.index() < self.nodes;
        match self.seat {
            Seat::Peer => is_node,
            Seat::Hub => is_node && !turn.phase.0.is_multiple_of(2),
            Seat::Leaf { hub } => from == hub && turn.phase.0.is_multiple_of(2),
        }
    }
}

type Shelf = BTreeMap<NodeId, Vector>;

/// The machine. State: at most `turns_ahead_max` vectors of each peer, and the own one.
#[derive(Debug, Clone)]
pub struct Direct {
    me: NodeId,
    config: DirectConfig,
    /// the turn that was shared last and is still open
    open: Option<Turn>,
    /// everything up to this turn is over
    closed: Option<Turn>,
    deadline: Option<Time>,
    shelves: BTreeMap<Turn, Shelf>,
    /// whose vector was refused, so that nobody waits for them
    refused: BTreeMap<Turn, BTreeSet<NodeId>>,
}

impl Direct {
    /// A machine that has neither sent nor heard anything.
    pub fn new(me: NodeId, config: DirectConfig) -> Self {
        assert!(config.quorum >= 1, "a quorum holds at least the own vector");
        assert!(config.quorum <= config.nodes, "a quorum is no more than all nodes");
        Self {
            me,
            config,
            open: None,
            closed: None,
            deadline: None,
            shelves: BTreeMap::new(),
            refused: BTreeMap::new(),
        }
    }

    fn receive(&mut self, from: NodeId, message: DirectMessage, out: &mut Outbox<Self>) {
        let DirectMessage { turn, vector } = message;
        if self.closed.is_some_and(|closed| turn <= closed) {
            return out.push(Output::Discard { from, reason: Discard::Late });
        }
        if from == self.me || !self.config.may_send(from, turn) {
            return out.push(Output::Reject { from, reason: Rejection::OutOfRole });
        }
        // Per peer, so that who floods harms nobody else.
        let kept = self.shelves.values().filter(|shelf| shelf.contains_key(&from)).count()
            + self.refused.values().filter(|nodes| nodes.contains(&from)).count();
        if kept >= self.config.turns_ahead_max {
            return out.push(Output::Discard { from, reason: Discard::TooEarly });
        }
        if self.refused.get(&turn).is_some_and(|nodes| nodes.contains(&from)) {
            return out.push(Output::Reject { from, reason: Rejection::Equivocation });
        }
        let is_heard = self.shelves.get(&turn).is_some_and(|shelf| shelf.contains_key(&from));
        if let Some(reason) = self.fault_of(&vector) {
            out.push(Output::Reject { from, reason });
            if !is_heard {
                self.refused.entry(turn).or_default().insert(from);
            }
            return self.close_if_enough(turn, out);
        }
        let (others, me) = (self.config.route(turn).others, self.me);
        let shelf = self.shelves.entry(turn).or_default();
        let held = shelf.keys().filter(|sender| **sender != me).count();
        match shelf.entry(from) {
            Entry::Occupied(held) if *held.get() == vector => {
                out.push(Output::Discard { from, reason: Discard::Duplicate });
            }
            Entry::Occupied(_) => {
                out.push(Output::Reject { from, reason: Rejection::Equivocation });
            }
            Entry::Vacant(_) if held >= others => {
                out.push(Output::Discard { from, reason: Discard::Late });
            }
            Entry::Vacant(place) => drop(place.insert(vector)),
        }
        self.close_if_enough(turn, out);
    }

    fn fault_of(&self, vector: &Vector) -> Option<Rejection> {
        if vector.len() != self.config.dim {
            Some(Rejection::WrongLength)
        } else if self.config.is_finite_required && !vector.is_finite() {
            Some(Rejection::NotFinite)
        } else {
            None
        }
    }

    fn close_if_enough(&mut self, turn: Turn, out: &mut Outbox<Self>) {
        let me = self.me;
        let held = |shelf: &Shelf| shelf.keys().filter(|sender| **sender != me).count();
        let held = self.shelves.get(&turn).map_or(0, held);
        // A refused vector stands in for none that is waited for: the quorum is of sound ones. But
        // who waits for all n must not wait for a peer whose vector was refused.
        let refused = self.refused.get(&turn).map_or(0, BTreeSet::len);
        let left = self.config.speakers(turn).saturating_sub(refused);
        if self.open == Some(turn) && held >= left.min(self.config.route(turn).others) {
            self.close(turn, out);
        }
    }

    fn close(&mut self, turn: Turn, out: &mut Outbox<Self>) {
        let vectors = self.shelves.remove(&turn).unwrap_or_default().into_iter().collect();
        self.leave(turn);
        out.push(Output::Event(Collected { turn, vectors }));
    }

    /// Everything up to this turn is over.
    fn leave(&mut self, turn: Turn) {
        self.open = None;
        self.deadline = None;
        self.closed = Some(turn);
        self.shelves.retain(|later, _| *later > turn);
        self.refused.retain(|later, _| *later > turn);
    }
}

impl Machine for Direct {
    type Message = DirectMessage;
    type Command = Share;
    type Event = Collected;

    fn handle(&mut self, now: Time, input: Input<Self>, out: &mut Outbox<Self>) {
        match input {
            Input::Message { from, message } => self.receive(from, message, out),
            Input::Command(Share { turn, vector, .. }) => {
                assert!(self.closed.max(self.open) < Some(turn), "turns only grow");
                assert_eq!(vector.len(), self.config.dim, "the own vector has the model's length");
                if let Some(abandoned) = self.open {
                    self.leave(abandoned);
                }
                let route = self.config.route(turn);
                if let Some(to) = route.send {
                    let message = DirectMessage { turn, vector: vector.clone() };
                    out.push(Output::Send { to, message });
                }
                let shelf = self.shelves.entry(turn).or_default();
                if route.is_own_collected {
                    shelf.insert(self.me, vector);
                }
                self.open = Some(turn);
                if self.config.timeout > 0 {
                    let until = now.after(self.config.timeout);
                    self.deadline = Some(until);
                    out.push(Output::Wait { until });
                }
                self.close_if_enough(turn, out);
            }
            Input::Wake => {
                if let (Some(turn), Some(deadline)) = (self.open, self.deadline)
                    && now >= deadline
                {
                    self.close(turn, out);
                }
            }
        }
    }
}

pub(crate) fn save_turn(turn: Option<Turn>, out: &mut StateWriter) {
    out.flag(turn.is_some());
    turn.unwrap_or_default().save(out);
}

pub(crate) fn load_turn(input: &mut StateReader<'_>) -> Result<Option<Turn>, StateError> {
    let is_some = input.flag()?;
    let turn = Turn::load(input)?;
    Ok(is_some.then_some(turn))
}

pub(crate) fn save_shelves(shelves: &BTreeMap<Turn, Shelf>, out: &mut StateWriter) {
    out.u64(shelves.len() as u64);
    for (turn, shelf) in shelves {
        turn.save(out);
        out.u64(shelf.len() as u64);
        for (from, vector) in shelf {
            out.u64(u64::from(from.0));
            out.vector(vector);
        }
    }
}

pub(crate) fn load_shelves(
    input: &mut StateReader<'_>,
) -> Result<BTreeMap<Turn, Shelf>, StateError> {
    let mut shelves = BTreeMap::new();
    for _ in 0..input.usize()? {
        let turn = Turn::load(input)?;
        let mut shelf = Shelf::new();
        for _ in 0..input.usize()? {
            let from = NodeId(input.u64()? as u16);
            shelf.insert(from, input.vector()?);
        }
        shelves.insert(turn, shelf);
    }
    Ok(shelves)
}

impl Exchange for Direct {
    fn save(&self, out: &mut StateWriter) {
        save_turn(self.open, out);
        save_turn(self.closed, out);
        out.flag(self.deadline.is_some());
        out.u64(self.deadline.unwrap_or_default().0);
        save_shelves(&self.shelves, out);
        out.u64(self.refused.len() as u64);
        for (turn, nodes) in &self.refused {
            turn.save(out);
            out.u64(nodes.len() as u64);
            nodes.iter().for_each(|node| out.u64(u64::from(node.0)));
        }
    }

    fn load(&mut self, input: &mut StateReader<'_>) -> Result<(), StateError> {
        self.open = load_turn(input)?;
        self.closed = load_turn(input)?;
        let has_deadline = input.flag()?;
        let deadline = Time(input.u64()?);
        self.deadline = has_deadline.then_some(deadline);
        self.shelves = load_shelves(input)?;
        self.refused.clear();
        for _ in 0..input.usize()? {
            let turn = Turn::load(input)?;
            let nodes = self.refused.entry(turn).or_default();
            for _ in 0..input.usize()? {
                nodes.insert(NodeId(input.u64()? as u16));
            }
        }
        Ok(())
    }

    fn held(&self) -> usize {
        self.shelves.values().map(BTreeMap::len).sum::<usize>()
            + self.refused.values().map(BTreeSet::len).sum::<usize>()
    }

    fn held_max(&self) -> usize {
        self.config.nodes * self.config.turns_ahead_max + 1
    }
}

impl Message for DirectMessage {
    fn write(&self, out: &mut dyn Writer) {
        out.u64(self.turn.bits());
        out.vector(&self.vector);
    }

    fn read<R: Reader>(input: &mut R) -> Result<Self, R::Error> {
        Ok(Self { turn: Turn::from_bits(input.u64()?), vector: input.vector()? })
    }

    fn turn(&self) -> Turn {
        self.turn
    }

    fn shared(&self) -> Option<&Vector> {
        Some(&self.vector)
    }
}
