//! What of signed echo broadcast outlives a step, a turn, or the process.
use std::collections::BTreeMap;

use phalanx_robust::{StateError, StateReader, StateWriter};

use super::SignedEchoBroadcast;
use super::attestation::Attestation;
use super::message::SignedDigest;
use super::record::{Certificate, Own, Slot, Stray};
use crate::broadcast::{Broadcast, Digest};
use crate::direct::{load_turn, save_turn};
use crate::machine::{NodeId, Reader, Rejection, Turn};

/// By their place in a snapshot.
const REJECTIONS: [Rejection; 8] = [
    Rejection::WrongLength,
    Rejection::NotFinite,
    Rejection::Equivocation,
    Rejection::OutOfRole,
    Rejection::NoSuchTurn,
    Rejection::BadSignature,
    Rejection::Malformed,
    Rejection::WrongDigest,
];

impl SignedEchoBroadcast {
    /// Appends what must outlive the process: what was signed or is about to be, and the turn
    /// below which nothing is ever signed again.
    ///
    /// A driver has it on disk before it sends what [`handle`](crate::Machine::handle) put out,
    /// whenever [`SignedEchoBroadcast::signed_count`] has grown.
    ///
    /// # Cost
    /// `56` bytes for each of at most `n (turns_ahead_max + turns_served_max + 1)` broadcasts.
    pub fn durable(&self, out: &mut StateWriter) {
        self.floor.save(out);
        let own = self.own.iter().map(|(turn, own)| (*turn, self.me, own.digest));
        let peers = self.peers.iter().enumerate().flat_map(|(sender, slots)| {
            let signed = |(turn, slot): (&Turn, &Slot)| Some((*turn, slot.seen?));
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
                *slots.entry(turn).or_default().seen.get_or_insert(digest)
            };
            if known != digest {
                return Err(StateError::Mismatch { what: "a digest that was signed" });
            }
        }
        self.check_limits()
    }

    /// Grows whenever [`SignedEchoBroadcast::durable`] holds a digest that it did not hold
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
        self.current = turn;
        let left = self.own.range(..turn).count();
        if left > self.config.turns_served_max {
            let gone = left - self.config.turns_served_max;
            let floor = self.own.keys().nth(gone).map_or(turn, |served| turn.min(*served));
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
        let peers = self.peers.iter().flat_map(BTreeMap::values).map(Slot::held).sum::<usize>();
        own + peers + self.notary.held()
    }

    fn held_max(&self) -> usize {
        let (n, quorum) = (self.config.population.n(), self.config.quorum());
        // A slot, its vector, its opening, the echo and a certificate; a digest, its vector,
        // echoes of all and a stray of each. Besides, the roots that are remembered.
        self.config.kept_max() * ((n - 1) * (4 + quorum) + 2 + n + (n - 1))
            + n * self.config.roots_known_max()
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

fn save_attestations(attestations: &BTreeMap<NodeId, Attestation>, out: &mut StateWriter) {
    out.u64(attestations.len() as u64);
    for (signer, attestation) in attestations {
        out.u64(u64::from(signer.0));
        attestation.write(out);
    }
}

fn load_attestations(
    input: &mut StateReader<'_>,
) -> Result<BTreeMap<NodeId, Attestation>, StateError> {
    (0..input.usize()?).map(|_| Ok((NodeId(input.u16()?), Attestation::read(input)?))).collect()
}

impl Slot {
    fn held(&self) -> usize {
        1 + usize::from(self.vector.is_some())
            + usize::from(self.opening.is_some())
            + usize::from(self.echo.is_some())
            + self.certificate.as_ref().map_or(0, |certificate| certificate.attestations.len())
    }

    fn save(&self, out: &mut StateWriter) {
        save_option(self.seen, out, |digest, out| out.bytes(&digest));
        out.flag(self.is_sent);
        for attestation in [&self.echo, &self.opening] {
            save_option(attestation.as_ref(), out, |attestation, out| attestation.write(out));
        }
        save_option(self.vector.as_ref(), out, |vector, out| out.vector(vector));
        save_option(self.certificate.as_ref(), out, |certificate, out| {
            out.bytes(&certificate.digest);
            save_attestations(&certificate.attestations, out);
        });
        save_option(self.refused, out, save_reason);
    }

    fn load(input: &mut StateReader<'_>) -> Result<Self, StateError> {
        Ok(Self {
            seen: load_option(input, |input| input.array())?,
            is_sent: input.flag()?,
            echo: load_option(input, Attestation::read)?,
            opening: load_option(input, Attestation::read)?,
            vector: load_option(input, StateReader::vector)?,
            certificate: load_option(input, |input| {
                let digest = input.array()?;
                Ok(Certificate { digest, attestations: load_attestations(input)? })
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
        save_attestations(&self.echoes, out);
        out.u64(self.strays.len() as u64);
        for (node, stray) in &self.strays {
            out.u64(u64::from(node.0));
            match stray {
                Stray::Signed(said) => {
                    out.flag(false);
                    out.bytes(&said.digest);
                    said.attestation.write(out);
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
        let echoes = load_attestations(input)?;
        let mut strays = BTreeMap::new();
        for _ in 0..input.usize()? {
            let node = NodeId(input.u16()?);
            let stray = if input.flag()? {
                Stray::Refused(load_reason(input)?)
            } else {
                let (digest, attestation) = (input.array()?, Attestation::read(input)?);
                Stray::Signed(SignedDigest { digest, attestation })
            };
            strays.insert(node, stray);
        }
        Ok(Self { digest, vector, echoes, strays, is_final_sent: input.flag()? })
    }
}
