//! What signed echo broadcast knows of one broadcast, and what follows from one more message.
use std::collections::BTreeMap;

use phalanx_robust::Vector;

use super::SignedEchoBroadcast;
use super::attestation::{Attestation, Statement};
use super::message::SignedDigest;
use crate::broadcast::{Delivered, Digest, Instance};
use crate::machine::{Discard, Evidence, NodeId, Outbox, Output, Rejection};

/// What is known of a broadcast of a peer.
#[derive(Debug, Clone, Default)]
pub(super) struct Slot {
    /// what this node saw first, and signs if it signs anything
    pub(super) seen: Option<Digest>,
    /// that came in this life
    pub(super) is_sent: bool,
    /// what this node signed
    pub(super) echo: Option<Attestation>,
    /// the sender's own echo, verified; where echoes are not batched
    pub(super) opening: Option<Attestation>,
    /// came, but is not delivered yet
    pub(super) vector: Option<Vector>,
    pub(super) certificate: Option<Certificate>,
    /// the sender is at fault here; nothing more is taken from it
    pub(super) refused: Option<Rejection>,
}

/// Verified attestations of a quorum.
#[derive(Debug, Clone)]
pub(super) struct Certificate {
    pub(super) digest: Digest,
    pub(super) attestations: BTreeMap<NodeId, Attestation>,
}

/// What is known of a broadcast of this node.
#[derive(Debug, Clone)]
pub(super) struct Own {
    pub(super) digest: Digest,
    /// shared, but not delivered yet
    pub(super) vector: Option<Vector>,
    /// verified attestations of the digest, the own one among them once it is made
    pub(super) echoes: BTreeMap<NodeId, Attestation>,
    pub(super) strays: BTreeMap<NodeId, Stray>,
    pub(super) is_final_sent: bool,
}

/// An echoer that did what no honest one does.
#[derive(Debug, Clone)]
pub(super) enum Stray {
    /// signed what was never sent; one more signature proves it to everybody
    Signed(SignedDigest),
    /// proven to be at fault; nothing more is taken from it here
    Refused(Rejection),
}

impl Slot {
    pub(super) fn refuse(
        &mut self,
        from: NodeId,
        reason: Rejection,
        out: &mut Outbox<SignedEchoBroadcast>,
    ) {
        self.refused = Some(reason);
        // Nothing of this broadcast will be delivered any more.
        (self.vector, self.certificate) = (None, None);
        out.push(Output::Reject { from, reason });
    }

    /// What a node signed in this broadcast, as far as that was seen here and verified.
    pub(super) fn said_by(&self, sender: NodeId, signer: NodeId) -> Option<SignedDigest> {
        let opening = self.opening.clone().filter(|_| signer == sender).zip(self.seen);
        let opening = opening.map(|(attestation, digest)| SignedDigest { digest, attestation });
        opening.or_else(|| {
            let Certificate { digest, attestations } = self.certificate.as_ref()?;
            let attestation = attestations.get(&signer)?.clone();
            Some(SignedDigest { digest: *digest, attestation })
        })
    }

    /// Whether the sender has shown another digest before.
    pub(super) fn is_conflict(&self, digest: &Digest) -> bool {
        let certified = self.certificate.as_ref().map(|certificate| certificate.digest);
        self.seen.or(certified).is_some_and(|known| known != *digest)
    }

    /// The sender has shown two digests; where both are signed, everybody can be told.
    pub(super) fn refuse_conflict(
        &mut self,
        statement: Statement<'_>,
        said: Option<SignedDigest>,
        out: &mut Outbox<SignedEchoBroadcast>,
    ) {
        let Instance { sender, .. } = statement.instance;
        if let Some(said) = said {
            self.accuse(statement, sender, said, out);
        }
        self.refuse(sender, Rejection::Equivocation, out);
    }

    /// Who, besides the sender, signed for two certificates.
    pub(super) fn accuse_others(
        &self,
        statement: Statement<'_>,
        digest: Digest,
        attestations: &BTreeMap<NodeId, Attestation>,
        out: &mut Outbox<SignedEchoBroadcast>,
    ) {
        let Instance { sender, .. } = statement.instance;
        for (signer, attestation) in attestations.iter().filter(|(signer, _)| **signer != sender) {
            let said = SignedDigest { digest, attestation: attestation.clone() };
            self.accuse(statement, *signer, said, out);
        }
    }

    fn accuse(
        &self,
        statement: Statement<'_>,
        signer: NodeId,
        said: SignedDigest,
        out: &mut Outbox<SignedEchoBroadcast>,
    ) {
        let sender = statement.instance.sender;
        if let Some(known) = self.said_by(sender, signer)
            && known.digest != said.digest
            && statement.is_by(signer, &said.digest, &said.attestation)
        {
            let evidence = Evidence::new(signer, statement.instance, [known, said]);
            out.push(Output::Accuse(evidence));
        }
    }

    pub(super) fn deliver(&mut self, instance: Instance, out: &mut Outbox<SignedEchoBroadcast>) {
        if self.certificate.is_some()
            && let Some(vector) = self.vector.take()
        {
            out.push(Output::Event(Delivered { instance, vector }));
        }
    }
}

impl Own {
    pub(super) fn on_echo(
        &mut self,
        statement: Statement<'_>,
        from: NodeId,
        said: SignedDigest,
        out: &mut Outbox<SignedEchoBroadcast>,
    ) {
        if let Some(Stray::Refused(reason)) = self.strays.get(&from) {
            return out.push(Output::Reject { from, reason: *reason });
        }
        let known = match self.strays.get(&from) {
            Some(Stray::Signed(stray)) => Some(stray.clone()),
            _ => self.echoes.get(&from).map(|attestation| SignedDigest {
                digest: self.digest,
                attestation: attestation.clone(),
            }),
        };
        if known.as_ref().is_some_and(|known| known.digest == said.digest) {
            return out.push(Output::Discard { from, reason: Discard::Duplicate });
        }
        let reason = if !statement.is_by(from, &said.digest, &said.attestation) {
            Rejection::BadSignature
        } else if let Some(known) = known {
            out.push(Output::Accuse(Evidence::new(from, statement.instance, [known, said])));
            Rejection::Equivocation
        } else if said.digest == self.digest {
            self.echoes.insert(from, said.attestation);
            return;
        } else {
            self.strays.insert(from, Stray::Signed(said));
            return out.push(Output::Reject { from, reason: Rejection::OutOfRole });
        };
        self.strays.insert(from, Stray::Refused(reason));
        out.push(Output::Reject { from, reason });
    }
}
