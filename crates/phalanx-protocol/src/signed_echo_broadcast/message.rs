//! What travels in signed echo broadcast, what exactly is signed, and proofs of signing twice.
use phalanx_robust::Vector;

use super::attestation::Attestation;
use crate::broadcast::{Digest, Instance};
use crate::keyring::Keyring;
use crate::machine::{Evidence, Message, NodeId, Reader, Turn, Writer};

/// Names a run, so that nothing signed in one run means anything in another.
pub type RunId = [u8; 32];

/// A node's word for a digest of one broadcast.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedDigest {
    /// what was signed
    pub digest: Digest,
    /// the proof
    pub attestation: Attestation,
}

impl Evidence {
    /// A proof from two attestations that were verified, in either order.
    pub(crate) fn new(accused: NodeId, instance: Instance, said: [SignedDigest; 2]) -> Box<Self> {
        let [mut first, mut second] = said;
        if first.digest > second.digest {
            (first, second) = (second, first);
        }
        let Instance { turn, sender } = instance;
        let digests = [first.digest, second.digest];
        let attestations = Box::new([first.attestation, second.attestation]);
        Box::new(Self { accused, turn, sender, digests, attestations })
    }

    /// Whether it proves that the accused signed two digests for one broadcast of this run.
    ///
    /// # Guarantee
    /// A node that signs at most once per broadcast cannot be accused, whoever lies.
    pub fn verify(&self, run: &RunId, keyring: &dyn Keyring) -> bool {
        let instance = Instance { turn: self.turn, sender: self.sender };
        let mut said = self.digests.iter().zip(self.attestations.iter());
        self.digests[0] < self.digests[1]
            && said.all(|(digest, attestation)| {
                attestation.is_by(self.accused, (run, instance), digest, keyring)
            })
    }
}

/// A message of signed echo broadcast.
#[derive(Debug, Clone, PartialEq)]
pub enum SignedEchoMessage {
    /// from the sender to all: the vector
    Send {
        /// the turn of the broadcast
        turn: Turn,
        /// the sender's vector
        vector: Vector,
        /// the sender's own echo, where echoes are not batched
        opening: Option<Attestation>,
    },
    /// back to the sender: what I saw of yours
    Echo {
        /// the turn of the broadcast
        turn: Turn,
        /// digest and attestation
        said: SignedDigest,
    },
    /// from the sender to all: a quorum saw the same
    Final {
        /// the turn of the broadcast
        turn: Turn,
        /// of which vector
        digest: Digest,
        /// attestations of exactly a quorum, by ascending signer, the sender's among them
        certificate: Vec<(NodeId, Attestation)>,
    },
}

impl SignedEchoMessage {
    /// The opening of a broadcast, signed: for whoever holds the sender's key.
    pub fn signed_opening(
        run: &RunId,
        instance: Instance,
        vector: Vector,
        keyring: &dyn Keyring,
    ) -> Self {
        let said = Self::signed(run, instance, vector.digest(), keyring);
        Self::Send { turn: instance.turn, vector, opening: Some(said.attestation) }
    }

    /// A batch of one, over a digest of a broadcast: for whoever holds a key, honest or not.
    pub fn signed(
        run: &RunId,
        instance: Instance,
        digest: Digest,
        keyring: &dyn Keyring,
    ) -> SignedDigest {
        let seen = [(instance.sender, digest)];
        let attestation = Attestation::batch(run, instance.turn, &seen, keyring).swap_remove(0);
        SignedDigest { digest, attestation }
    }
}

const SEND: u8 = 0;
const ECHO: u8 = 1;
const FINAL: u8 = 2;
const SIGNED_SEND: u8 = 3;

impl Message for SignedEchoMessage {
    fn write(&self, out: &mut dyn Writer) {
        match self {
            Self::Send { turn, vector, opening } => {
                out.u8(if opening.is_some() { SIGNED_SEND } else { SEND });
                out.u64(turn.bits());
                out.vector(vector);
                opening.iter().for_each(|opening| opening.write(out));
            }
            Self::Echo { turn, said } => {
                out.u8(ECHO);
                out.u64(turn.bits());
                out.array(&said.digest);
                said.attestation.write(out);
            }
            Self::Final { turn, digest, certificate } => {
                out.u8(FINAL);
                out.u64(turn.bits());
                out.array(digest);
                out.u16(certificate.len() as u16);
                for (signer, attestation) in certificate {
                    out.u16(signer.0);
                    attestation.write(out);
                }
            }
        }
    }

    fn read<R: Reader>(input: &mut R) -> Result<Self, R::Error> {
        let kind = input.u8()?;
        let turn = Turn::from_bits(input.u64()?);
        match kind {
            SEND => Ok(Self::Send { turn, vector: input.vector()?, opening: None }),
            SIGNED_SEND => {
                let vector = input.vector()?;
                Ok(Self::Send { turn, vector, opening: Some(Attestation::read(input)?) })
            }
            ECHO => {
                let (digest, attestation) = (input.array()?, Attestation::read(input)?);
                Ok(Self::Echo { turn, said: SignedDigest { digest, attestation } })
            }
            FINAL => {
                let digest = input.array()?;
                let count = usize::from(input.u16()?);
                if count > input.nodes_max() {
                    return Err(input.malformed("a certificate has more signers than nodes"));
                }
                // Grows with what is really there, so that a count alone takes no memory.
                let mut certificate = Vec::new();
                for _ in 0..count {
                    certificate.push((NodeId(input.u16()?), Attestation::read(input)?));
                }
                Ok(Self::Final { turn, digest, certificate })
            }
            _ => Err(input.malformed("a kind of signed echo message that does not exist")),
        }
    }

    fn turn(&self) -> Turn {
        match self {
            Self::Send { turn, .. } | Self::Echo { turn, .. } | Self::Final { turn, .. } => *turn,
        }
    }

    fn shared(&self) -> Option<&Vector> {
        match self {
            Self::Send { vector, .. } => Some(vector),
            Self::Echo { .. } | Self::Final { .. } => None,
        }
    }
}
