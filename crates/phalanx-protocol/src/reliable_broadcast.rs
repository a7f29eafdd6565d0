//! Bracha's reliable broadcast: send, echo, ready; what one honest node delivers, all deliver.
//!
//! # Guarantee
//! For `n > 3f`, whatever at most f nodes do and however messages are delayed, per instance:
//! - validity: an honest sender's vector is delivered by every honest node;
//! - agreement: no two honest nodes deliver different vectors;
//! - integrity: a node delivers once at most, and for an honest sender only what it shared;
//! - totality: if one honest node delivers, every honest node does.
//!
//! Memory is bounded, so promises of delivery end where the windows end: they hold for a node while
//! it has not left the turn, the others have left at most `turns_served_max` turns that it has not,
//! and are at most `turns_ahead_max` turns before it. Agreement and integrity hold for ever.
//!
//! Two choices of ours beside the published protocol. A node echoes in a turn once it has shared
//! its own vector in it: otherwise a Byzantine sender of invented turns would have honest nodes
//! fill one another's windows with them. And a turn is delivered while it is the current one: what
//! is ready earlier waits, and what becomes ready later is of no use to anybody.
//!
//! # Cost
//! Per turn, n instances, whole network: `n²` SEND and `2n³` votes. In the digest form a vote has
//! 43 bytes, so bytes are `O(n²d + n³)` while SENDs come before the votes; each vector that is
//! missing after `2f + 1` READY costs `f + 1` more transfers, so at worst `O(n²fd + n³)` (derived).
//! In the naive form every vote carries the vector: `O(n³d)`. Three message delays; five with a
//! fetch.
//!
//! # Source
//! Bracha, Asynchronous Byzantine agreement protocols, Information and Computation, 1987. Digests
//! with fetch on demand: derived.
use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};

use phalanx_robust::{Bound, Population, PopulationError, StateError, StateReader, StateWriter};

use crate::Vector;
use crate::broadcast::{Broadcast, Delivered, Digest, Instance};
use crate::machine::{
    Discard, Input, Machine, NodeId, Outbox, Output, Reader, Rejection, Share, Time, To, Turn,
};
use crate::node_set::NodeSet;
use crate::reliable_broadcast::message::{Content, Part, ReliableBroadcastMessage};

pub mod message;
mod tally;

use self::tally::{Kind, Tally, TurnState, count};

/// Turns that a node goes on serving after it left them, unless told otherwise.
///
/// Each of them keeps up to n vectors.
pub const TURNS_SERVED_MAX: usize = 16;

/// What votes carry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// a digest; who lacks the vector fetches it
    Digest,
    /// the vector itself
    Naive,
}

/// How a [`ReliableBroadcast`] behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReliableBroadcastConfig {
    /// n and f, `n > 3f`
    pub population: Population,
    /// what votes carry
    pub form: Form,
    /// length of a vector
    pub dim: usize,
    /// refuse vectors with NaN or infinity, as a wire decoder does
    pub is_finite_required: bool,
    /// turns ahead of the own one that are kept for each peer, at least 1; further ones are
    /// discarded
    pub turns_ahead_max: usize,
    /// turns that are served after they were left
    pub turns_served_max: usize,
}

impl ReliableBroadcastConfig {
    /// `⌈(n+f+1)/2⌉`: two sets of so many nodes share an honest one.
    fn echo_quorum(&self) -> usize {
        (self.population.n() + self.population.f() + 1).div_ceil(2)
    }

    /// `f + 1`: so many nodes are not all Byzantine.
    fn ready_quorum(&self) -> usize {
        self.population.f() + 1
    }

    /// `2f + 1`: so many READY include those of f + 1 honest nodes, which make everybody READY.
    fn delivery_quorum(&self) -> usize {
        2 * self.population.f() + 1
    }
}

struct Vote {
    kind: Kind,
    from: NodeId,
    content: Content,
}

/// The machine. State: [`Broadcast::held_max`] vectors, votes and marks at most.
#[derive(Debug, Clone)]
pub struct ReliableBroadcast {
    me: NodeId,
    config: ReliableBroadcastConfig,
    /// turns before this one were left
    current: Turn,
    /// turns that this node shares in: those it still serves, and the current one
    shared: BTreeSet<Turn>,
    turns: BTreeMap<Turn, TurnState>,
}

impl ReliableBroadcast {
    /// A machine that has neither sent nor heard anything.
    ///
    /// # Errors
    /// Unless `n > 3f`.
    ///
    /// # Panics
    /// When `me` is not one of the n nodes, or when no turn ahead may be kept: bugs of the caller.
    pub fn new(me: NodeId, config: ReliableBroadcastConfig) -> Result<Self, PopulationError> {
        config.population.require(Bound::TWO_THIRDS)?;
        assert!(me.index() < config.population.n(), "a node is one of the population");
        assert!(config.turns_ahead_max >= 1, "peers may share before this node does");
        let (shared, turns) = (BTreeSet::new(), BTreeMap::new());
        Ok(Self { me, config, current: Turn::default(), shared, turns })
    }

    fn receive(&mut self, from: NodeId, message: ReliableBroadcastMessage, out: &mut Outbox<Self>) {
        let instance = message.instance(from);
        let Instance { turn, sender } = instance;
        let nodes = self.config.population.n();
        if from == self.me || from.index() >= nodes {
            return reject(from, Rejection::OutOfRole, out);
        }
        if sender.index() >= nodes {
            return reject(from, Rejection::Malformed, out);
        }
        if let Err(reason) = self.admit(from, turn) {
            return discard(from, reason, out);
        }
        if let Some(reason) = message.vector().and_then(|vector| self.fault_of(vector)) {
            return reject(from, reason, out);
        }
        match message.part {
            Part::Send(vector) => self.take_send(instance, vector, out),
            Part::Echo { content, .. } => {
                self.take_vote(instance, Vote { kind: Kind::Echo, from, content }, out);
            }
            Part::Ready { content, .. } => {
                self.take_vote(instance, Vote { kind: Kind::Ready, from, content }, out);
            }
            Part::Fetch { digest, .. } => self.take_fetch(from, instance, digest, out),
            Part::Supply { vector, .. } => self.take_supply(from, instance, vector, out),
        }
    }

    /// Whether there is room for this peer in this turn.
    fn admit(&self, from: NodeId, turn: Turn) -> Result<(), Discard> {
        if self.shared.contains(&turn) {
            return Ok(());
        }
        if turn < self.current {
            return Err(Discard::Late);
        }
        if self.turns.get(&turn).is_some_and(|state| state.heard.contains(from)) {
            return Ok(());
        }
        let ahead = self
            .turns
            .range(self.current..)
            .filter(|(turn, state)| !self.shared.contains(turn) && state.heard.contains(from));
        // Per peer, so that who floods harms nobody else.
        if ahead.count() < self.config.turns_ahead_max { Ok(()) } else { Err(Discard::TooEarly) }
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

    /// The tally of an instance, of which something is now kept on behalf of `from`.
    fn tally(&mut self, from: NodeId, instance: Instance) -> &mut Tally {
        let state = self.turns.entry(instance.turn).or_default();
        state.heard.insert(from);
        state.tallies.entry(instance.sender).or_default()
    }

    fn known(&mut self, instance: Instance) -> Option<&mut Tally> {
        self.turns.get_mut(&instance.turn)?.tallies.get_mut(&instance.sender)
    }

    fn take_send(&mut self, instance: Instance, vector: Vector, out: &mut Outbox<Self>) {
        let sender = instance.sender;
        let tally = self.tally(sender, instance);
        match &tally.sent {
            Some(held) if *held == vector => return discard(sender, Discard::Duplicate, out),
            Some(_) => return reject(sender, Rejection::Equivocation, out),
            None => tally.sent = Some(vector),
        }
        if self.shared.contains(&instance.turn) {
            self.echo(instance, out);
        }
    }

    /// Echoes the vector of the first SEND, where there was one.
    fn echo(&mut self, instance: Instance, out: &mut Outbox<Self>) {
        let (me, form) = (self.me, self.config.form);
        let Some(tally) = self.known(instance) else { return };
        let Some(vector) = tally.sent.clone() else { return };
        let content = match form {
            Form::Digest => Content::Digest(vector.digest()),
            Form::Naive => Content::Vector(vector),
        };
        tally.echoes.insert(me, content.digest());
        let Instance { turn, sender } = instance;
        send(To::Others, turn, Part::Echo { sender, content: content.clone() }, out);
        self.go_on(instance, &content, out);
    }

    fn take_vote(&mut self, instance: Instance, vote: Vote, out: &mut Outbox<Self>) {
        let Vote { kind, from, content } = vote;
        let is_in_form = match self.config.form {
            Form::Digest => matches!(content, Content::Digest(_)),
            Form::Naive => matches!(content, Content::Vector(_)),
        };
        if !is_in_form {
            return reject(from, Rejection::Malformed, out);
        }
        match self.tally(from, instance).votes(kind).entry(from) {
            Entry::Occupied(vote) if *vote.get() == content.digest() => {
                discard(from, Discard::Duplicate, out);
            }
            Entry::Occupied(_) => reject(from, Rejection::Equivocation, out),
            Entry::Vacant(place) => {
                place.insert(content.digest());
                self.go_on(instance, &content, out);
            }
        }
    }

    /// Does what a further vote for this content makes due.
    fn go_on(&mut self, instance: Instance, content: &Content, out: &mut Outbox<Self>) {
        let (me, config, digest) = (self.me, self.config, content.digest());
        let Instance { turn, sender } = instance;
        let is_left = turn < self.current;
        let Some(tally) = self.known(instance) else { return };
        let is_due = count(&tally.echoes, digest) >= config.echo_quorum()
            || count(&tally.readies, digest) >= config.ready_quorum();
        if is_due && !tally.readies.contains_key(&me) {
            tally.readies.insert(me, digest);
            send(To::Others, turn, Part::Ready { sender, content: content.clone() }, out);
        }
        if count(&tally.readies, digest) < config.delivery_quorum() || is_left {
            return;
        }
        if let Content::Vector(vector) = content
            && !tally.is_delivered
        {
            tally.carried.get_or_insert_with(|| vector.clone());
        }
        self.deliver(instance, digest, out);
    }

    /// Delivers the vector that `2f + 1` nodes are READY for, or asks for it.
    fn deliver(&mut self, instance: Instance, digest: Digest, out: &mut Outbox<Self>) {
        let (me, asked_max) = (self.me, self.config.ready_quorum());
        let Instance { turn, sender } = instance;
        if turn < self.current || !self.shared.contains(&turn) {
            return;
        }
        let Some(tally) = self.known(instance) else { return };
        if tally.is_delivered {
            return;
        }
        let held = [&tally.sent, &tally.carried];
        let held = held.into_iter().flatten().find(|vector| vector.digest() == digest).cloned();
        if let Some(vector) = held {
            tally.is_delivered = true;
            tally.carried = None;
            return out.push(Output::Event(Delivered { instance, vector }));
        }
        // Who is READY need not have the vector, but who echoed it has: of f + 1 one is honest,
        // and as many honest ones are heard in time, for some honest node heard a quorum.
        for (peer, _) in tally.echoes.iter().filter(|(peer, vote)| **vote == digest && **peer != me)
        {
            if tally.asked.len() < asked_max && tally.asked.insert(*peer) {
                send(To::Node(*peer), turn, Part::Fetch { sender, digest }, out);
            }
        }
    }

    fn take_fetch(
        &mut self,
        from: NodeId,
        instance: Instance,
        digest: Digest,
        out: &mut Outbox<Self>,
    ) {
        let Instance { turn, sender } = instance;
        let me = self.me;
        // An honest peer asks only for what this node told it to have.
        let tally = self.known(instance).filter(|tally| tally.echoes.get(&me) == Some(&digest));
        let Some((tally, vector)) =
            tally.and_then(|tally| tally.sent.clone().map(|vector| (tally, vector)))
        else {
            return reject(from, Rejection::OutOfRole, out);
        };
        if !tally.answered.insert(from) {
            return discard(from, Discard::Duplicate, out);
        }
        send(To::Node(from), turn, Part::Supply { sender, vector }, out);
    }

    fn take_supply(
        &mut self,
        from: NodeId,
        instance: Instance,
        vector: Vector,
        out: &mut Outbox<Self>,
    ) {
        let quorum = self.config.delivery_quorum();
        let is_left = instance.turn < self.current;
        let tally = self.known(instance).filter(|tally| tally.asked.contains(from));
        let Some((tally, digest)) =
            tally.and_then(|tally| tally.ready_for(quorum).map(|digest| (tally, digest)))
        else {
            return reject(from, Rejection::OutOfRole, out);
        };
        if vector.digest() != digest {
            return reject(from, Rejection::WrongDigest, out);
        }
        if tally.is_delivered {
            return discard(from, Discard::Duplicate, out);
        }
        if is_left {
            return discard(from, Discard::Late, out);
        }
        tally.is_delivered = true;
        out.push(Output::Event(Delivered { instance, vector }));
    }

    fn share(&mut self, turn: Turn, vector: Vector, out: &mut Outbox<Self>) {
        let last = self.shared.last().copied();
        assert!(last < Some(turn) && turn >= self.current, "turns only grow");
        assert_eq!(vector.len(), self.config.dim, "the own vector has the model's length");
        self.advance(turn);
        self.shared.insert(turn);
        let me = self.me;
        self.tally(me, Instance { turn, sender: me }).sent = Some(vector.clone());
        send(To::Others, turn, Part::Send(vector), out);
        let senders = self.turns.get(&turn).map(|state| state.tallies.keys().copied());
        for sender in senders.into_iter().flatten().collect::<Vec<_>>() {
            let instance = Instance { turn, sender };
            self.echo(instance, out);
            let quorum = self.config.delivery_quorum();
            if let Some(digest) = self.known(instance).and_then(|tally| tally.ready_for(quorum)) {
                self.deliver(instance, digest, out);
            }
        }
    }
}

fn send(to: To, turn: Turn, part: Part, out: &mut Outbox<ReliableBroadcast>) {
    out.push(Output::Send { to, message: ReliableBroadcastMessage { turn, part } });
}

fn reject(from: NodeId, reason: Rejection, out: &mut Outbox<ReliableBroadcast>) {
    out.push(Output::Reject { from, reason });
}

fn discard(from: NodeId, reason: Discard, out: &mut Outbox<ReliableBroadcast>) {
    out.push(Output::Discard { from, reason });
}

impl Machine for ReliableBroadcast {
    type Message = ReliableBroadcastMessage;
    type Command = Share;
    type Event = Delivered;

    fn handle(&mut self, _: Time, input: Input<Self>, out: &mut Outbox<Self>) {
        match input {
            Input::Message { from, message } => self.receive(from, message, out),
            Input::Command(Share { turn, vector, .. }) => self.share(turn, vector, out),
            Input::Wake => {}
        }
    }
}

impl Broadcast for ReliableBroadcast {
    fn advance(&mut self, turn: Turn) {
        self.current = self.current.max(turn);
        while self.shared.range(..self.current).count() > self.config.turns_served_max {
            self.shared.pop_first();
        }
        let (current, shared) = (self.current, &self.shared);
        self.turns.retain(|turn, _| *turn >= current || shared.contains(turn));
    }

    fn save(&self, out: &mut StateWriter) {
        self.current.save(out);
        out.u64(self.shared.len() as u64);
        self.shared.iter().for_each(|turn| turn.save(out));
        out.u64(self.turns.len() as u64);
        for (turn, state) in &self.turns {
            turn.save(out);
            state.heard.save(out);
            out.u64(state.tallies.len() as u64);
            for (sender, tally) in &state.tallies {
                out.u64(u64::from(sender.0));
                tally.save(out);
            }
        }
    }

    fn load(&mut self, input: &mut StateReader<'_>) -> Result<(), StateError> {
        self.current = Turn::load(input)?;
        self.shared.clear();
        for _ in 0..input.usize()? {
            self.shared.insert(Turn::load(input)?);
        }
        self.turns.clear();
        for _ in 0..input.usize()? {
            let state = self.turns.entry(Turn::load(input)?).or_default();
            state.heard = NodeSet::load(input)?;
            for _ in 0..input.usize()? {
                let sender = NodeId(Reader::u16(input)?);
                state.tallies.insert(sender, Tally::load(input)?);
            }
        }
        Ok(())
    }

    fn held(&self) -> usize {
        let tallies = self.turns.values().flat_map(|state| state.tallies.values());
        tallies.map(Tally::held).sum()
    }

    fn held_max(&self) -> usize {
        let ReliableBroadcastConfig { turns_ahead_max, turns_served_max, .. } = self.config;
        let (n, f) = (self.config.population.n(), self.config.population.f());
        // Per instance of a shared turn: two vectors, 2n votes, f + 1 asked, n − 1 answered.
        let shared = (turns_served_max + 1) * n * (3 * n + f + 2);
        // Per peer and turn ahead: its vector, 2n votes, and for each a READY and a vector of ours.
        shared + (n - 1) * turns_ahead_max * (4 * n + 1)
    }
}
