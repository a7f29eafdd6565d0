//! Signed echo broadcast: a quorum signs for one vector of a sender, and no quorum for another.
//!
//! The sender sends its vector to all; each node signs the digest of the first one that it gets
//! and returns the signature to the sender; the sender sends a quorum of signatures to all. A
//! node delivers once it has both the vector and its certificate.
//!
//! # Guarantee
//! With at most `f < n/3` Byzantine nodes and channels that lose nothing between honest ones:
//! - *validity*: the vector of an honest sender is delivered by every honest node;
//! - *integrity*: what is delivered from an honest sender is what it shared;
//! - *no duplication*: at most one delivery per broadcast, in the life of a process;
//! - *consistency*: no two honest nodes deliver different vectors of one broadcast, since two
//!   quorums of `⌊(n+f)/2⌋ + 1` have an honest node in common, and that one signs once.
//!
//! There is *no totality*: a Byzantine sender can have its vector delivered by some honest nodes
//! only. Who needs all or none takes reliable broadcast.
//!
//! # Signing once
//! Consistency rests on signing at most once per broadcast, over restarts too. What must outlive
//! a process is written by [`SignedEchoBroadcast::durable`], and a driver **must have it on disk
//! before it sends what the machine put out**. It holds the digests that were signed in the
//! window of turns, and the turn below which nothing is ever signed again. A node that restarts
//! goes through older turns again; where it then shares another vector than it once signed, it
//! stays silent for that turn, as a crashed node would, which the bound on f must allow for.
//!
//! # Cost
//! Per turn, of one node: `n − 1` messages of `4d + 77` bytes (SEND), `n − 1` of 105 (ECHO) and
//! `n − 1` of `43 + 66q` (FINAL), `q` the quorum; `n` signatures made, and `q − 1 + (n − 1)q`
//! verified: `q − 1` echoes, and in each certificate of a peer `q − 1` besides the sender's own,
//! which came with SEND. Three message delays.
//!
//! # Source
//! Reiter, *Secure agreement protocols* (1994); Cachin, Guerraoui, Rodrigues, *Introduction to
//! reliable and secure distributed programming*, algorithm 3.17. Of our own (`derived`): FINAL
//! does not repeat the vector, which halves the bytes and keeps all four properties, for an
//! honest sender's SEND always arrives; SEND is signed, so whoever opens a broadcast twice is
//! proven to have done so; every certificate holds its sender's signature; and the rules for
//! restarts and old turns.
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use phalanx_robust::{Bound, Population, PopulationError, Vector};

use crate::broadcast::{Delivered, Digest, Instance};
use crate::keyring::{Keyring, Signature};
use crate::machine::{
    Discard, Evidence, Input, Machine, NodeId, Outbox, Output, Rejection, Share, Time, To, Turn,
};
use crate::signed_echo_message::{RunId, SignedDigest, SignedEchoMessage, Statement};

mod snapshot;

/// How a [`SignedEchoBroadcast`] behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SignedEchoConfig {
    /// n and f; `n > 3f`
    pub population: Population,
    /// which run, the same at all nodes and never used twice
    pub run: RunId,
    /// length of a vector
    pub dim: usize,
    /// refuse vectors with NaN or infinity, as a wire decoder does
    pub is_finite_required: bool,
    /// turns ahead of the own one that are kept for each peer; further ones are discarded
    pub turns_ahead_max: usize,
    /// turns that the layer above has left and that are still answered, for slower nodes
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
}

/// What is known of a broadcast of a peer.
#[derive(Debug, Clone, Default)]
struct Slot {
    /// what this node signed
    signed: Option<Digest>,
    /// the sender's signature over that, verified
    opening: Option<Signature>,
    /// came, but is not delivered yet
    vector: Option<Vector>,
    certificate: Option<Certificate>,
    /// the sender is at fault here; nothing more is taken from it
    refused: Option<Rejection>,
}

/// Verified signatures of a quorum.
#[derive(Debug, Clone)]
struct Certificate {
    digest: Digest,
    signatures: BTreeMap<NodeId, Signature>,
}

/// What is known of a broadcast of this node.
#[derive(Debug, Clone)]
struct Own {
    digest: Digest,
    /// shared, but not delivered yet
    vector: Option<Vector>,
    /// verified signatures over the digest, the own one among them
    echoes: BTreeMap<NodeId, Signature>,
    strays: BTreeMap<NodeId, Stray>,
    is_final_sent: bool,
}

/// An echoer that did what no honest one does.
#[derive(Debug, Clone, Copy)]
enum Stray {
    /// signed what was never sent; one more signature proves it to everybody
    Signed(SignedDigest),
    /// proven to be at fault; nothing more is taken from it here
    Refused(Rejection),
}

/// The machine. State: per peer, what is known of at most `turns_ahead_max + turns_served_max + 1`
/// broadcasts; and as many of its own.
#[derive(Debug, Clone)]
pub struct SignedEchoBroadcast {
    me: NodeId,
    config: SignedEchoConfig,
    keyring: Arc<dyn Keyring>,
    /// the layer above has left everything before
    current: Turn,
    /// nothing before is signed, ever again
    floor: Turn,
    /// turns from the floor on that the layer above has left
    left: BTreeSet<Turn>,
    /// the last turn that was shared
    shared: Option<Turn>,
    own: BTreeMap<Turn, Own>,
    peers: Vec<BTreeMap<Turn, Slot>>,
    /// grows with every broadcast that is signed
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
        Ok(Self {
            me,
            config,
            keyring,
            current: Turn::default(),
            floor: Turn::default(),
            left: BTreeSet::new(),
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
        let me = self.me;
        let own = self.open(turn, digest);
        own.vector = Some(vector.clone());
        // Who asks again after a restart may have lost what it sent.
        own.is_final_sent = false;
        let signature = own.echoes[&me];
        let message = SignedEchoMessage::Send { turn, vector, signature };
        out.push(Output::Send { to: To::Others, message });
        self.finish(turn, out);
        while self.own.len() > self.config.kept_max() {
            let oldest = *self.own.keys().next().expect("more than none are kept");
            self.raise_floor(Turn::from_bits(oldest.bits() + 1));
        }
    }

    /// The own broadcast of a turn, signed.
    fn open(&mut self, turn: Turn, digest: Digest) -> &mut Own {
        let Self { me, config, keyring, own, signed_count, .. } = self;
        own.entry(turn).or_insert_with(|| {
            *signed_count += 1;
            let instance = Instance { turn, sender: *me };
            let statement = Statement { keyring: &**keyring, run: &config.run, instance };
            let echoes = BTreeMap::from([(*me, statement.sign(&digest))]);
            Own { digest, vector: None, echoes, strays: BTreeMap::new(), is_final_sent: false }
        })
    }

    /// Sends the certificate once a quorum has signed, and delivers the own vector.
    fn finish(&mut self, turn: Turn, out: &mut Outbox<Self>) {
        let quorum = self.config.quorum();
        let Some(own) = self.own.get_mut(&turn).filter(|own| own.echoes.len() >= quorum) else {
            return;
        };
        if !own.is_final_sent {
            own.is_final_sent = true;
            let certificate = own.echoes.iter().map(|(node, echo)| (*node, *echo)).collect();
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
        let Sent { vector, signature } = sent;
        let (keyring, run, is_open) =
            (Arc::clone(&self.keyring), self.config.run, turn >= self.current);
        let fault = self.fault_of(&vector);
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
        let instance = Instance { turn, sender: from };
        let statement = Statement { keyring: &*keyring, run: &run, instance };
        let said = SignedDigest { digest: vector.digest(), signature };
        if slot.is_conflict(&said.digest) {
            return slot.refuse_conflict(statement, said, out);
        }
        let is_new = slot.signed.is_none();
        if slot.opening.is_some() {
            // The same again: its sender restarted and may have lost the echo.
            out.push(Output::Discard { from, reason: Discard::Duplicate });
        } else {
            if !statement.is_by(from, &said.digest, &signature) {
                return slot.refuse(from, Rejection::BadSignature, out);
            }
            slot.opening = Some(signature);
            slot.signed = Some(said.digest);
            slot.vector = is_open.then_some(vector);
        }
        let said = SignedDigest { signature: statement.sign(&said.digest), ..said };
        let message = SignedEchoMessage::Echo { turn, said };
        out.push(Output::Send { to: To::Node(from), message });
        slot.deliver(instance, out);
        self.signed_count += u64::from(is_new);
    }

    fn on_final(&mut self, turn: Turn, from: NodeId, last: Last, out: &mut Outbox<Self>) {
        let (keyring, run) = (Arc::clone(&self.keyring), self.config.run);
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
        let statement = Statement { keyring: &*keyring, run: &run, instance };
        let Last { digest, certificate } = last;
        let signatures: BTreeMap<_, _> = certificate.into_iter().collect();
        if slot.is_conflict(&digest) {
            let theirs = SignedDigest { digest, signature: signatures[&from] };
            slot.accuse_others(statement, &digest, &signatures, out);
            return slot.refuse_conflict(statement, theirs, out);
        }
        if slot.certificate.is_some() {
            return out.push(Output::Discard { from, reason: Discard::Duplicate });
        }
        let opening = slot.opening;
        let is_known = |signer, signature| signer == from && opening == Some(signature);
        let is_good = |(signer, signature): (&NodeId, &Signature)| {
            is_known(*signer, *signature) || statement.is_by(*signer, &digest, signature)
        };
        if !signatures.iter().all(is_good) {
            return slot.refuse(from, Rejection::BadSignature, out);
        }
        slot.certificate = Some(Certificate { digest, signatures });
        slot.deliver(instance, out);
    }

    fn on_echo(&mut self, turn: Turn, from: NodeId, said: SignedDigest, out: &mut Outbox<Self>) {
        let (keyring, run) = (Arc::clone(&self.keyring), self.config.run);
        let instance = Instance { turn, sender: self.me };
        let statement = Statement { keyring: &*keyring, run: &run, instance };
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
        self.finish(turn, out);
    }

    /// As an honest sender makes it: exactly a quorum, ascending, of known nodes, itself among them.
    fn is_certificate(&self, sender: NodeId, certificate: &[(NodeId, Signature)]) -> bool {
        let n = self.config.population.n();
        certificate.len() == self.config.quorum()
            && certificate.windows(2).all(|pair| pair[0].0 < pair[1].0)
            && certificate.iter().all(|(signer, _)| signer.index() < n)
            && certificate.iter().any(|(signer, _)| *signer == sender)
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

    fn raise_floor(&mut self, floor: Turn) {
        self.floor = self.floor.max(floor);
        self.current = self.current.max(self.floor);
        let floor = self.floor;
        self.left.retain(|turn| *turn >= floor);
        self.own.retain(|turn, _| *turn >= floor);
        self.peers.iter_mut().for_each(|slots| slots.retain(|turn, _| *turn >= floor));
    }
}

/// SEND without its turn.
struct Sent {
    vector: Vector,
    signature: Signature,
}

/// FINAL without its turn.
struct Last {
    digest: Digest,
    certificate: Vec<(NodeId, Signature)>,
}

impl Slot {
    fn refuse(&mut self, from: NodeId, reason: Rejection, out: &mut Outbox<SignedEchoBroadcast>) {
        self.refused = Some(reason);
        // Nothing of this broadcast will be delivered any more.
        (self.vector, self.certificate) = (None, None);
        out.push(Output::Reject { from, reason });
    }

    /// What a node signed in this broadcast, as far as that was seen here and verified.
    fn said_by(&self, sender: NodeId, signer: NodeId) -> Option<SignedDigest> {
        let opening = self.opening.filter(|_| signer == sender).zip(self.signed);
        let opening = opening.map(|(signature, digest)| SignedDigest { digest, signature });
        opening.or_else(|| {
            let Certificate { digest, signatures } = self.certificate.as_ref()?;
            let signature = *signatures.get(&signer)?;
            Some(SignedDigest { digest: *digest, signature })
        })
    }

    /// Whether the sender has shown another digest before.
    fn is_conflict(&self, digest: &Digest) -> bool {
        let certified = self.certificate.as_ref().map(|certificate| certificate.digest);
        self.signed.or(certified).is_some_and(|known| known != *digest)
    }

    /// The sender has shown two digests; where both are signed, everybody can be told.
    fn refuse_conflict(
        &mut self,
        statement: Statement<'_>,
        said: SignedDigest,
        out: &mut Outbox<SignedEchoBroadcast>,
    ) {
        let Instance { sender, .. } = statement.instance;
        if let Some(known) = self.said_by(sender, sender)
            && statement.is_by(sender, &said.digest, &said.signature)
        {
            let evidence = Evidence::new(sender, statement.instance, [known, said]);
            out.push(Output::Accuse(evidence));
        }
        self.refuse(sender, Rejection::Equivocation, out);
    }

    /// Who, besides the sender, signed for two certificates.
    fn accuse_others(
        &self,
        statement: Statement<'_>,
        digest: &Digest,
        signatures: &BTreeMap<NodeId, Signature>,
        out: &mut Outbox<SignedEchoBroadcast>,
    ) {
        let Instance { sender, .. } = statement.instance;
        for (signer, signature) in signatures.iter().filter(|(signer, _)| **signer != sender) {
            if let Some(known) = self.said_by(sender, *signer)
                && statement.is_by(*signer, digest, signature)
            {
                let said = SignedDigest { digest: *digest, signature: *signature };
                let evidence = Evidence::new(*signer, statement.instance, [known, said]);
                out.push(Output::Accuse(evidence));
            }
        }
    }

    fn deliver(&mut self, instance: Instance, out: &mut Outbox<SignedEchoBroadcast>) {
        if self.certificate.is_some()
            && let Some(vector) = self.vector.take()
        {
            out.push(Output::Event(Delivered { instance, vector }));
        }
    }
}

impl Own {
    fn on_echo(
        &mut self,
        statement: Statement<'_>,
        from: NodeId,
        said: SignedDigest,
        out: &mut Outbox<SignedEchoBroadcast>,
    ) {
        if let Some(Stray::Refused(reason)) = self.strays.get(&from) {
            return out.push(Output::Reject { from, reason: *reason });
        }
        let echo = self.echoes.get(&from);
        let echo =
            echo.map(|signature| SignedDigest { digest: self.digest, signature: *signature });
        let known = match self.strays.get(&from) {
            Some(Stray::Signed(stray)) => Some(*stray),
            _ => echo,
        };
        if known.is_some_and(|known| known.digest == said.digest) {
            return out.push(Output::Discard { from, reason: Discard::Duplicate });
        }
        let reason = if !statement.is_by(from, &said.digest, &said.signature) {
            Rejection::BadSignature
        } else if let Some(known) = known {
            out.push(Output::Accuse(Evidence::new(from, statement.instance, [known, said])));
            Rejection::Equivocation
        } else if said.digest == self.digest {
            self.echoes.insert(from, said.signature);
            return;
        } else {
            self.strays.insert(from, Stray::Signed(said));
            return out.push(Output::Reject { from, reason: Rejection::OutOfRole });
        };
        self.strays.insert(from, Stray::Refused(reason));
        out.push(Output::Reject { from, reason });
    }
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
            SignedEchoMessage::Send { turn, vector, signature } => {
                self.on_send(turn, from, Sent { vector, signature }, out);
            }
            SignedEchoMessage::Echo { turn, said } => self.on_echo(turn, from, said, out),
            SignedEchoMessage::Final { turn, digest, certificate } => {
                self.on_final(turn, from, Last { digest, certificate }, out);
            }
        }
    }
}
