//! What of signed echo broadcast outlives a step, a turn, or the process.
use std::collections::{BTreeMap, BTreeSet};

use phalanx_robust::{StateError, StateReader, StateWriter};

use super::{Certificate, Own, SignedEchoBroadcast, Slot, Stray};
use crate::broadcast::{Broadcast, Digest};
use crate::direct::{load_turn, save_turn};
use crate::keyring::Signature;
use crate::machine::{NodeId, Reader, Rejection, Turn};
use crate::signed_echo_message::SignedDigest;

/// By their place in a snapshot.
const REJECTIONS: [Rejection; 7] = [
    Rejection::WrongLength,
    Rejection::NotFinite,
    Rejection::Equivocation,
    Rejection::OutOfRole,
    Rejection::NoSuchTurn,
    Rejection::BadSignature,
    Rejection::Malformed,
];

impl SignedEchoBroadcast {
    /// Appends what must outlive the process: what was signed, and the turn below which nothing
    /// is ever signed again.
    ///
    /// A driver has it on disk before it sends what [`handle`](crate::Machine::handle) put out,
    /// whenever [`SignedEchoBroadcast::signed_count`] has grown.
    ///
    /// # Cost
    /// `56` bytes for each of at most `n (turns_ahead_max + turns_served_max + 1)` signatures.
    pub fn durable(&self, out: &mut StateWriter) {
        self.floor.save(out);
        let own = self.own.iter().map(|(turn, own)| (*turn, self.me, own.digest));
        let peers = self.peers.iter().enumerate().flat_map(|(sender, slots)| {
            let signed = |(turn, slot): (&Turn, &Slot)| Some((*turn, slot.signed?));
            let sender = NodeId(sender as u16);
            slots.iter().filter_map(signed).map(move |(turn, digest)| (turn, sender, digest))
        });
        let signed: Vec<_> = own.chain(peers).collect();
        out.u64(signed.len() as u64);
        for (turn, sender, digest) in signed {
            turn.save(out);
            out.u64(u64::from(sender.0));
            out.bytes(&digest);
        }
    }

    /// Takes back what [`SignedEchoBroadcast::durable`] wrote last, after an older snapshot was
    /// loaded, or none.
    ///
    /// # Errors
    /// When it belongs to another node or to looser limits, or contradicts the snapshot: then
    /// the node must not go on, for it could sign twice.
    pub fn restore(&mut self, input: &mut StateReader<'_>) -> Result<(), StateError> {
        self.raise_floor(Turn::load(input)?);
        for _ in 0..input.usize()? {
            let turn = Turn::load(input)?;
            let sender = NodeId(input.u16()?);
            let digest: Digest = input.array()?;
            let known = if sender == self.me {
                self.open(turn, digest).digest
            } else {
                let slots = self.peers.get_mut(sender.index());
                let slots = slots.ok_or(StateError::Mismatch { what: "a node that signed" })?;
                *slots.entry(turn).or_default().signed.get_or_insert(digest)
            };
            if known != digest {
                return Err(StateError::Mismatch { what: "a digest that was signed" });
            }
        }
        self.check_limits()
    }

    /// Grows whenever [`SignedEchoBroadcast::durable`] holds a signature that it did not hold
    /// before, so that a driver writes only when it must.
    pub fn signed_count(&self) -> u64 {
        self.signed_count
    }

    fn check_limits(&self) -> Result<(), StateError> {
        let max = self.config.kept_max();
        let is_kept = self.own.len() <= max && self.peers.iter().all(|slots| slots.len() <= max);
        is_kept.then_some(()).ok_or(StateError::Mismatch { what: "more broadcasts than are kept" })
    }
}

impl Broadcast for SignedEchoBroadcast {
    fn advance(&mut self, turn: Turn) {
        if turn <= self.current {
            return;
        }
        self.left.insert(self.current);
        self.left.extend(self.own.range(..turn).map(|(left, _)| *left));
        self.current = turn;
        if self.left.len() > self.config.turns_served_max {
            let gone = self.left.len() - self.config.turns_served_max;
            let floor = self.left.iter().nth(gone).copied().unwrap_or(turn);
            self.raise_floor(floor);
        }
        // Of what the layer above has left, only signatures are still of use to others.
        self.own.range_mut(..turn).for_each(|(_, own)| own.vector = None);
        for slots in &mut self.peers {
            for slot in slots.range_mut(..turn).map(|(_, slot)| slot) {
                (slot.vector, slot.certificate) = (None, None);
            }
        }
    }

    fn save(&self, out: &mut StateWriter) {
        self.current.save(out);
        self.floor.save(out);
        out.u64(self.signed_count);
        out.u64(self.left.len() as u64);
        self.left.iter().for_each(|turn| turn.save(out));
        save_turn(self.shared, out);
        out.u64(self.own.len() as u64);
        for (turn, own) in &self.own {
            turn.save(out);
            own.save(out);
        }
        for slots in &self.peers {
            out.u64(slots.len() as u64);
            for (turn, slot) in slots {
                turn.save(out);
                slot.save(out);
            }
        }
    }

    fn load(&mut self, input: &mut StateReader<'_>) -> Result<(), StateError> {
        self.current = Turn::load(input)?;
        self.floor = Turn::load(input)?;
        self.signed_count = input.u64()?;
        self.left = BTreeSet::new();
        for _ in 0..input.usize()? {
            self.left.insert(Turn::load(input)?);
        }
        self.shared = load_turn(input)?;
        self.own = BTreeMap::new();
        for _ in 0..input.usize()? {
            self.own.insert(Turn::load(input)?, Own::load(input)?);
        }
        for slots in &mut self.peers {
            slots.clear();
            for _ in 0..input.usize()? {
                slots.insert(Turn::load(input)?, Slot::load(input)?);
            }
        }
        self.check_limits()
    }

    fn held(&self) -> usize {
        let own = self.own.values().map(Own::held).sum::<usize>();
        own + self.peers.iter().flat_map(BTreeMap::values).map(Slot::held).sum::<usize>()
    }

    fn held_max(&self) -> usize {
        let (n, quorum) = (self.config.population.n(), self.config.quorum());
        // A slot, its vector, its opening and a certificate; a digest, its vector, echoes of all
        // and a stray of each.
        self.config.kept_max() * ((n - 1) * (3 + quorum) + 2 + n + (n - 1))
    }
}

fn save_option<T>(value: Option<T>, out: &mut StateWriter, save: impl Fn(T, &mut StateWriter)) {
    out.flag(value.is_some());
    value.into_iter().for_each(|value| save(value, out));
}

fn load_option<'a, T>(
    input: &mut StateReader<'a>,
    load: impl Fn(&mut StateReader<'a>) -> Result<T, StateError>,
) -> Result<Option<T>, StateError> {
    input.flag()?.then(|| load(input)).transpose()
}

fn save_reason(reason: Rejection, out: &mut StateWriter) {
    let place = REJECTIONS.iter().position(|known| *known == reason);
    out.u64(place.expect("every rejection is listed") as u64);
}

fn load_reason(input: &mut StateReader<'_>) -> Result<Rejection, StateError> {
    let place = input.usize()?;
    REJECTIONS.get(place).copied().ok_or(StateError::Mismatch { what: "a reason of rejection" })
}

fn save_signatures(signatures: &BTreeMap<NodeId, Signature>, out: &mut StateWriter) {
    out.u64(signatures.len() as u64);
    for (signer, signature) in signatures {
        out.u64(u64::from(signer.0));
        out.bytes(signature);
    }
}

fn load_signatures(input: &mut StateReader<'_>) -> Result<BTreeMap<NodeId, Signature>, StateError> {
    (0..input.usize()?).map(|_| Ok((NodeId(input.u16()?), input.array()?))).collect()
}

impl Slot {
    fn held(&self) -> usize {
        1 + usize::from(self.vector.is_some())
            + usize::from(self.opening.is_some())
            + self.certificate.as_ref().map_or(0, |certificate| certificate.signatures.len())
    }

    fn save(&self, out: &mut StateWriter) {
        save_option(self.signed, out, |digest, out| out.bytes(&digest));
        save_option(self.opening, out, |signature, out| out.bytes(&signature));
        save_option(self.vector.as_ref(), out, |vector, out| out.vector(vector));
        save_option(self.certificate.as_ref(), out, |certificate, out| {
            out.bytes(&certificate.digest);
            save_signatures(&certificate.signatures, out);
        });
        save_option(self.refused, out, save_reason);
    }

    fn load(input: &mut StateReader<'_>) -> Result<Self, StateError> {
        Ok(Self {
            signed: load_option(input, |input| input.array())?,
            opening: load_option(input, |input| input.array())?,
            vector: load_option(input, StateReader::vector)?,
            certificate: load_option(input, |input| {
                let digest = input.array()?;
                Ok(Certificate { digest, signatures: load_signatures(input)? })
            })?,
            refused: load_option(input, load_reason)?,
        })
    }
}

impl Own {
    fn held(&self) -> usize {
        1 + usize::from(self.vector.is_some()) + self.echoes.len() + self.strays.len()
    }

    fn save(&self, out: &mut StateWriter) {
        out.bytes(&self.digest);
        save_option(self.vector.as_ref(), out, |vector, out| out.vector(vector));
        save_signatures(&self.echoes, out);
        out.u64(self.strays.len() as u64);
        for (node, stray) in &self.strays {
            out.u64(u64::from(node.0));
            match stray {
                Stray::Signed(said) => {
                    out.flag(false);
                    out.bytes(&said.digest);
                    out.bytes(&said.signature);
                }
                Stray::Refused(reason) => {
                    out.flag(true);
                    save_reason(*reason, out);
                }
            }
        }
        out.flag(self.is_final_sent);
    }

    fn load(input: &mut StateReader<'_>) -> Result<Self, StateError> {
        let digest = input.array()?;
        let vector = load_option(input, StateReader::vector)?;
        let echoes = load_signatures(input)?;
        let mut strays = BTreeMap::new();
        for _ in 0..input.usize()? {
            let node = NodeId(input.u16()?);
            let stray = if input.flag()? {
                Stray::Refused(load_reason(input)?)
            } else {
                Stray::Signed(SignedDigest { digest: input.array()?, signature: input.array()? })
            };
            strays.insert(node, stray);
        }
        Ok(Self { digest, vector, echoes, strays, is_final_sent: input.flag()? })
    }
}
