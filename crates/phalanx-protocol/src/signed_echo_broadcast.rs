//! Signed echo broadcast: a quorum signs for one vector of a sender, and no quorum for another.
//!
//! The sender sends its vector to all; each node signs the digest of the first one that it gets
//! and returns the signature to the sender; the sender sends a quorum of signatures to all. A
//! node delivers once it has both the vector and its certificate.
//!
//! # Batches
//! With [`Echoes::Batched`] a node does not sign at once: as soon as it has seen vectors of
//! `n − f` senders of a turn, the own one included, it signs one root of a hash tree over all of
//! them, and each echo is that signature with the way from its leaf to the root, an
//! [`Attestation`]. What comes later in that turn is signed by itself. With [`Echoes::Single`]
//! every batch is of one, made at once.
//!
//! # Guarantee
//! With at most `f < n/3` Byzantine nodes and channels that lose nothing between honest ones:
//! - *validity*: the vector of an honest sender is delivered by every honest node; where echoes
//!   are batched, in turns in which `n − f` honest nodes broadcast;
//! - *integrity*: what is delivered from an honest sender is what it shared;
//! - *no duplication*: at most one delivery per broadcast, in the life of a process;
//! - *consistency*: no two honest nodes deliver different vectors of one broadcast, since two
//!   quorums of `⌊(n+f)/2⌋ + 1` have an honest node in common, and that one signs once.
//!
//! There is *no totality*: a Byzantine sender can have its vector delivered by some honest nodes
//! only. Who needs all or none takes reliable broadcast.
//!
//! # Proofs
//! Two attestations of one node over different digests of one broadcast convince everybody. With
//! single echoes the sender attests its own vector in SEND, so two openings, or an opening and a
//! certificate of something else, are such a proof. With batches SEND is not signed: a sender
//! that opens twice is refused by who sees it, but that convinces nobody else; proofs are two
//! echoes of one node to one sender, and two certificates.
//!
//! # Signing once
//! Consistency rests on signing at most once per broadcast, over restarts too. What must outlive
//! a process is written by [`SignedEchoBroadcast::durable`], and a driver **must have it on disk
//! before it sends what the machine put out**. It holds the digests that were seen in the window
//! of turns, before they are signed, and the turn below which nothing is ever signed again. So a
//! batch is of digests that are durable already, and after a restart none is missing in it. A
//! node that restarts goes through older turns again; where it then shares another vector than it
//! once committed to, it stays silent for that turn, as a crashed node would, which the bound on
//! f must allow for.
//!
//! # Cost
//! An attestation takes `a = 67 + 32h` bytes, `h` the height of its tree: 0 for a batch of one,
//! and at most `⌈log₂ n⌉`. Per turn, of one node, where `q` is the quorum:
//! - `n − 1` messages of `4d + 13` bytes (SEND; `a` more with single echoes), `n − 1` of
//!   `41 + a` (ECHO) and `n − 1` of `43 + (2 + a)q` (FINAL); three message delays;
//! - single: `n` signatures made, and `q − 1 + (n − 1)q` verified: `q − 1` echoes, and in each
//!   certificate of a peer `q − 1` besides the sender's own, which came with SEND;
//! - batched: at most `1 + f` signatures made in a life, and at most `(1 + f)n` verified, if each
//!   node makes so few; the other checks cost `1 + h` hashes each.
//!
//! # Source
//! Reiter, *Secure agreement protocols* (1994); Cachin, Guerraoui, Rodrigues, *Introduction to
//! reliable and secure distributed programming*, algorithm 3.17. Of our own (`derived`): the
//! batches, and that they are made at `n − f`; FINAL does not repeat the vector, which halves the
//! bytes and keeps all four properties, for an honest sender's SEND always arrives; with single
//! echoes SEND is signed, so whoever opens a broadcast twice is proven to have done so; every
//! certificate holds its sender's signature; and the rules for restarts and old turns.
use std::collections::BTreeMap;
use std::sync::Arc;

use phalanx_robust::{Bound, Population, PopulationError, Vector};

use crate::broadcast::{Delivered, Digest, Instance};
use crate::keyring::Keyring;
use crate::machine::{
    Discard, Input, Machine, NodeId, Outbox, Output, Rejection, Share, Time, To, Turn,
};
use attestation::{Attestation, Notary, Statement};
use message::{RunId, SignedDigest, SignedEchoMessage};
use record::{Certificate, Own, Slot};

pub mod attestation;
pub mod message;
mod record;
mod snapshot;

/// When a node signs what it has seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Echoes {
    /// each broadcast at once and by itself: for a broadcast that comes alone
    Single,
    /// all of a turn with one signature, once `n − f` have come, and later ones by themselves:
    /// for turns in which every honest node broadcasts
    Batched,
}

/// How a [`SignedEchoBroadcast`] behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SignedEchoConfig {
    /// n and f; `n > 3f`
    pub population: Population,
    /// which run, the same at all nodes and never used twice
    pub run: RunId,
    /// the same at all nodes
    pub echoes: Echoes,
    /// length of a vector
    pub dim: usize,
    /// refuse vectors with NaN or infinity, as a wire decoder does
    pub is_finite_required: bool,
    /// turns ahead of the own one that are kept for each peer; further ones are discarded
    pub turns_ahead_max: usize,
    /// turns that were shared and left again, and are still answered, for slower nodes
    pub turns_served_max: usize,
}

impl SignedEchoConfig {
    /// `⌊(n+f)/2⌋ + 1`: any two such sets have an honest node in common.
    pub fn quorum(&self) -> usize {
        (self.population.n() + self.population.f()) / 2 + 1
    }

    /// Broadcasts of one sender that are kept at once.
    fn kept_max(&self) -> usize {
        self.turns_ahead_max + self.turns_served_max + 1
    }

    /// Signed roots of one node that are remembered: as many as honest nodes make in two turns.
    fn roots_known_max(&self) -> usize {
        2 * (1 + self.population.f())
    }
}

/// The machine. State: per peer, what is known of at most `turns_ahead_max + turns_served_max + 1`
/// broadcasts; and as many of its own.
#[derive(Debug, Clone)]
pub struct SignedEchoBroadcast {
    me: NodeId,
    config: SignedEchoConfig,
    notary: Arc<Notary>,
    /// the layer above has left everything before
    current: Turn,
    /// nothing before is signed, ever again
    floor: Turn,
    /// the last turn that was shared
    shared: Option<Turn>,
    own: BTreeMap<Turn, Own>,
    peers: Vec<BTreeMap<Turn, Slot>>,
    /// grows with every digest that is seen first
    signed_count: u64,
}

impl SignedEchoBroadcast {
    /// A machine that has neither signed nor heard anything.
    ///
    /// # Errors
    /// Unless `n > 3f`.
    ///
    /// # Panics
    /// When `me` is none of the nodes.
    pub fn new(
        me: NodeId,
        config: SignedEchoConfig,
        keyring: Arc<dyn Keyring>,
    ) -> Result<Self, PopulationError> {
        config.population.require(Bound::TWO_THIRDS)?;
        assert!(me.index() < config.population.n(), "node {me} is one of the population");
        let known = (config.population.n(), config.roots_known_max());
        Ok(Self {
            me,
            config,
            notary: Arc::new(Notary::new(keyring, config.run, known)),
            current: Turn::default(),
            floor: Turn::default(),
            shared: None,
            own: BTreeMap::new(),
            peers: vec![BTreeMap::new(); config.population.n()],
            signed_count: 0,
        })
    }

    fn share(&mut self, turn: Turn, vector: Vector, out: &mut Outbox<Self>) {
        assert!(self.shared < Some(turn), "turns only grow");
        assert_eq!(vector.len(), self.config.dim, "the own vector has the model's length");
        self.shared = Some(turn);
        let digest = vector.digest();
        let is_other = self.own.get(&turn).is_some_and(|own| own.digest != digest);
        if turn < self.floor || is_other {
            // Signed before a restart: to sign another digest now would be to equivocate.
            return out.push(Output::Discard { from: self.me, reason: Discard::Late });
        }
        let own = self.open(turn, digest);
        own.vector = Some(vector.clone());
        // Who asks again after a restart may have lost what it sent.
        own.is_final_sent = false;
        self.echo(turn, self.me, out);
        let opening = match self.config.echoes {
            Echoes::Single => self.own[&turn].echoes.get(&self.me).cloned(),
            Echoes::Batched => None,
        };
        let message = SignedEchoMessage::Send { turn, vector, opening };
        out.push(Output::Send { to: To::Others, message });
        self.finish(turn, out);
        while self.own.len() > self.config.kept_max() {
            let oldest = *self.own.keys().next().expect("more than none are kept");
            self.raise_floor(oldest.next());
        }
    }

    /// The own broadcast of a turn; no other digest will be signed for it.
    fn open(&mut self, turn: Turn, digest: Digest) -> &mut Own {
        let Self { own, signed_count, .. } = self;
        own.entry(turn).or_insert_with(|| {
            *signed_count += 1;
            let (echoes, strays) = (BTreeMap::new(), BTreeMap::new());
            Own { digest, vector: None, echoes, strays, is_final_sent: false }
        })
    }

    /// What was seen first of each sender of a turn that is not at fault, by ascending sender,
    /// and whether that is signed in this life.
    fn seen(&self, turn: Turn) -> Vec<(NodeId, Digest, bool)> {
        let of_peer = |slot: &Slot| {
            let seen = slot.seen.filter(|_| slot.refused.is_none());
            seen.map(|digest| (digest, slot.echo.is_some()))
        };
        let seen = self.peers.iter().enumerate().filter_map(|(sender, slots)| {
            let sender = NodeId(sender as u16);
            let (digest, is_signed) = if sender == self.me {
                self.own.get(&turn).map(|own| (own.digest, own.echoes.contains_key(&sender)))
            } else {
                slots.get(&turn).and_then(of_peer)
            }?;
            Some((sender, digest, is_signed))
        });
        seen.collect()
    }

    /// Signs what is due in a turn, after something of one sender was seen.
    fn echo(&mut self, turn: Turn, just: NodeId, out: &mut Outbox<Self>) {
        let seen = self.seen(turn);
        let population = self.config.population;
        let is_due = |sender| match self.config.echoes {
            Echoes::Single => sender == just,
            Echoes::Batched => seen.len() >= population.n() - population.f(),
        };
        let due = seen.iter().filter(|(sender, _, is_signed)| !is_signed && is_due(*sender));
        let due: Vec<_> = due.map(|(sender, digest, _)| (*sender, *digest)).collect();
        if due.is_empty() {
            return;
        }
        let Notary { keyring, run, .. } = &*self.notary;
        let attestations = Attestation::batch(run, turn, &due, &**keyring);
        for ((sender, digest), attestation) in due.into_iter().zip(attestations) {
            if sender == self.me {
                let own = self.own.get_mut(&turn).expect("it was seen");
                own.echoes.insert(sender, attestation);
            } else {
                let slot = self.peers[sender.index()].get_mut(&turn).expect("it was seen");
                slot.echo = Some(attestation.clone());
                let said = SignedDigest { digest, attestation };
                let message = SignedEchoMessage::Echo { turn, said };
                out.push(Output::Send { to: To::Node(sender), message });
            }
        }
        self.finish(turn, out);
    }

    /// Sends the certificate once a quorum has signed, and delivers the own vector.
    fn finish(&mut self, turn: Turn, out: &mut Outbox<Self>) {
        let (me, quorum) = (self.me, self.config.quorum());
        let is_enough = |own: &&mut Own| own.echoes.len() >= quorum && own.echoes.contains_key(&me);
        let Some(own) = self.own.get_mut(&turn).filter(is_enough) else {
            return;
        };
        if !own.is_final_sent {
            own.is_final_sent = true;
            // Echoes of others may come before the own one, so there may be more than are needed.
            let others = own.echoes.iter().filter(|(node, _)| **node != me).take(quorum - 1);
            let mut certificate: Vec<_> = others.chain(own.echoes.get_key_value(&me)).collect();
            certificate.sort_unstable_by_key(|(node, _)| **node);
            let certificate =
                certificate.into_iter().map(|(node, echo)| (*node, echo.clone())).collect();
            let message = SignedEchoMessage::Final { turn, digest: own.digest, certificate };
            out.push(Output::Send { to: To::Others, message });
        }
        if let Some(vector) = own.vector.take()
            && turn >= self.current
        {
            let instance = Instance { turn, sender: self.me };
            out.push(Output::Event(Delivered { instance, vector }));
        }
    }

    /// What is kept of a peer's broadcast; made when there is room.
    fn slot(&mut self, from: NodeId, turn: Turn) -> Result<&mut Slot, Discard> {
        if turn < self.floor {
            return Err(Discard::Late);
        }
        // Per peer, so that who floods harms nobody else.
        let slots = &mut self.peers[from.index()];
        if slots.len() >= self.config.kept_max() && !slots.contains_key(&turn) {
            return Err(Discard::TooEarly);
        }
        Ok(slots.entry(turn).or_default())
    }

    fn on_send(&mut self, turn: Turn, from: NodeId, sent: Sent, out: &mut Outbox<Self>) {
        let (notary, is_open) = (Arc::clone(&self.notary), turn >= self.current);
        let fault = self.fault_of(&sent);
        let slot = match self.slot(from, turn) {
            Ok(slot) => slot,
            Err(reason) => return out.push(Output::Discard { from, reason }),
        };
        if let Some(reason) = slot.refused {
            return out.push(Output::Reject { from, reason });
        }
        if let Some(reason) = fault {
            return slot.refuse(from, reason, out);
        }
        let Sent { vector, opening } = sent;
        let instance = Instance { turn, sender: from };
        let statement = Statement { notary: &notary, instance };
        let digest = vector.digest();
        if slot.is_conflict(&digest) {
            let said = opening.map(|attestation| SignedDigest { digest, attestation });
            return slot.refuse_conflict(statement, said, out);
        }
        if slot.is_sent {
            // The same again: its sender restarted and may have lost the echo.
            out.push(Output::Discard { from, reason: Discard::Duplicate });
        } else {
            let is_good = |opening| statement.is_by(from, &digest, opening);
            if !opening.as_ref().is_none_or(is_good) {
                return slot.refuse(from, Rejection::BadSignature, out);
            }
            slot.is_sent = true;
            slot.opening = opening;
            slot.vector = is_open.then_some(vector);
        }
        if let Some(attestation) = slot.echo.clone() {
            let said = SignedDigest { digest, attestation };
            let message = SignedEchoMessage::Echo { turn, said };
            out.push(Output::Send { to: To::Node(from), message });
        }
        slot.deliver(instance, out);
        let is_new = slot.seen.replace(digest).is_none();
        self.signed_count += u64::from(is_new);
        self.echo(turn, from, out);
    }

    fn on_final(&mut self, turn: Turn, from: NodeId, last: Last, out: &mut Outbox<Self>) {
        let notary = Arc::clone(&self.notary);
        if turn < self.current {
            return out.push(Output::Discard { from, reason: Discard::Late });
        }
        let is_sound = self.is_certificate(from, &last.certificate);
        let slot = match self.slot(from, turn) {
            Ok(slot) => slot,
            Err(reason) => return out.push(Output::Discard { from, reason }),
        };
        if let Some(reason) = slot.refused {
            return out.push(Output::Reject { from, reason });
        }
        if !is_sound {
            return slot.refuse(from, Rejection::Malformed, out);
        }
        let instance = Instance { turn, sender: from };
        let statement = Statement { notary: &notary, instance };
        let Last { digest, certificate } = last;
        let attestations: BTreeMap<_, _> = certificate.into_iter().collect();
        if slot.is_conflict(&digest) {
            slot.accuse_others(statement, digest, &attestations, out);
            let attestation = attestations.get(&from).cloned();
            let theirs = attestation.map(|attestation| SignedDigest { digest, attestation });
            return slot.refuse_conflict(statement, theirs, out);
        }
        if slot.certificate.is_some() {
            return out.push(Output::Discard { from, reason: Discard::Duplicate });
        }
        let opening = slot.opening.as_ref();
        let is_good = |(signer, attestation): (&NodeId, &Attestation)| {
            let is_known = *signer == from && opening == Some(attestation);
            is_known || statement.is_by(*signer, &digest, attestation)
        };
        if !attestations.iter().all(is_good) {
            return slot.refuse(from, Rejection::BadSignature, out);
        }
        slot.certificate = Some(Certificate { digest, attestations });
        slot.deliver(instance, out);
    }

    fn on_echo(&mut self, turn: Turn, from: NodeId, said: SignedDigest, out: &mut Outbox<Self>) {
        let notary = Arc::clone(&self.notary);
        let instance = Instance { turn, sender: self.me };
        let statement = Statement { notary: &notary, instance };
        if turn < self.floor {
            return out.push(Output::Discard { from, reason: Discard::Late });
        }
        let Some(own) = self.own.get_mut(&turn) else {
            return out.push(Output::Reject { from, reason: Rejection::OutOfRole });
        };
        if own.is_final_sent && said.digest == own.digest && !own.strays.contains_key(&from) {
            let is_again = own.echoes.contains_key(&from);
            let reason = if is_again { Discard::Duplicate } else { Discard::Late };
            return out.push(Output::Discard { from, reason });
        }
        own.on_echo(statement, from, said, out);
        if !own.echoes.contains_key(&self.me) {
            // After a restart nothing else may remind of it.
            self.echo(turn, self.me, out);
        }
        self.finish(turn, out);
    }

    /// As an honest sender makes it: exactly a quorum, ascending, of nodes, itself among them.
    fn is_certificate(&self, sender: NodeId, certificate: &[(NodeId, Attestation)]) -> bool {
        let n = self.config.population.n();
        certificate.len() == self.config.quorum()
            && certificate.windows(2).all(|pair| pair[0].0 < pair[1].0)
            && certificate.iter().all(|(signer, _)| signer.index() < n)
            && certificate.iter().any(|(signer, _)| *signer == sender)
    }

    fn fault_of(&self, sent: &Sent) -> Option<Rejection> {
        if sent.vector.len() != self.config.dim {
            return Some(Rejection::WrongLength);
        }
        if self.config.is_finite_required && !sent.vector.is_finite() {
            return Some(Rejection::NotFinite);
        }
        match (self.config.echoes, &sent.opening) {
            (Echoes::Single, None) => Some(Rejection::BadSignature),
            (Echoes::Batched, Some(_)) => Some(Rejection::Malformed),
            (Echoes::Single, Some(_)) | (Echoes::Batched, None) => None,
        }
    }

    fn raise_floor(&mut self, floor: Turn) {
        self.floor = self.floor.max(floor);
        self.current = self.current.max(self.floor);
        let floor = self.floor;
        self.own.retain(|turn, _| *turn >= floor);
        self.peers.iter_mut().for_each(|slots| slots.retain(|turn, _| *turn >= floor));
    }
}

/// SEND without its turn.
struct Sent {
    vector: Vector,
    opening: Option<Attestation>,
}

/// FINAL without its turn.
struct Last {
    digest: Digest,
    certificate: Vec<(NodeId, Attestation)>,
}

impl Machine for SignedEchoBroadcast {
    type Message = SignedEchoMessage;
    type Command = Share;
    type Event = Delivered;

    fn handle(&mut self, _: Time, input: Input<Self>, out: &mut Outbox<Self>) {
        let (from, message) = match input {
            Input::Message { from, message } => (from, message),
            Input::Command(Share { turn, vector, .. }) => return self.share(turn, vector, out),
            Input::Wake => return,
        };
        if from == self.me || from.index() >= self.config.population.n() {
            return out.push(Output::Reject { from, reason: Rejection::OutOfRole });
        }
        match message {
            SignedEchoMessage::Send { turn, vector, opening } => {
                self.on_send(turn, from, Sent { vector, opening }, out);
            }
            SignedEchoMessage::Echo { turn, said } => self.on_echo(turn, from, said, out),
            SignedEchoMessage::Final { turn, digest, certificate } => {
                self.on_final(turn, from, Last { digest, certificate }, out);
            }
        }
    }
}
