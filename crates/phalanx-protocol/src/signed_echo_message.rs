//! What travels in signed echo broadcast, what exactly is signed, and proofs of signing twice.
use phalanx_robust::Vector;

use crate::broadcast::{Digest, Instance};
use crate::keyring::{Keyring, Signature};
use crate::machine::{Evidence, Message, NodeId, Reader, Turn, Writer};

/// Names a run, so that nothing signed in one run means anything in another.
pub type RunId = [u8; 32];

/// Keeps these signatures apart from whatever else a key may sign.
const LABEL: &[u8; 32] = b"phalanx signed echo broadcast v1";

/// Label, run, turn, sender, digest: each of fixed length, so no two statements share bytes.
const STATEMENT_BYTES: usize = LABEL.len() + 32 + 8 + 2 + 32;

/// "In this run and broadcast I saw the sender's vector, and this is its digest."
#[derive(Debug, Clone, Copy)]
pub(crate) struct Statement<'a> {
    pub(crate) keyring: &'a dyn Keyring,
    pub(crate) run: &'a RunId,
    pub(crate) instance: Instance,
}

impl Statement<'_> {
    fn bytes(&self, digest: &Digest) -> [u8; STATEMENT_BYTES] {
        let turn = self.instance.turn.bits().to_le_bytes();
        let sender = self.instance.sender.0.to_le_bytes();
        let parts: [&[u8]; 5] = [LABEL, self.run, &turn, &sender, digest];
        let mut bytes = [0; STATEMENT_BYTES];
        let mut rest = &mut bytes[..];
        for part in parts {
            let (head, tail) = rest.split_at_mut(part.len());
            head.copy_from_slice(part);
            rest = tail;
        }
        bytes
    }

    pub(crate) fn sign(&self, digest: &Digest) -> Signature {
        self.keyring.sign(&self.bytes(digest))
    }

    pub(crate) fn is_by(&self, signer: NodeId, digest: &Digest, signature: &Signature) -> bool {
        self.keyring.verify(signer, &self.bytes(digest), signature)
    }
}

/// A node's signature over a digest of one broadcast.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SignedDigest {
    /// what was signed
    pub digest: Digest,
    /// the signature
    pub signature: Signature,
}

impl Evidence {
    /// A proof from two signatures that were verified, in either order.
    pub(crate) fn new(accused: NodeId, instance: Instance, said: [SignedDigest; 2]) -> Box<Self> {
        let [mut first, mut second] = said;
        if first.digest > second.digest {
            (first, second) = (second, first);
        }
        let Instance { turn, sender } = instance;
        let digests = [first.digest, second.digest];
        let signatures = [first.signature, second.signature];
        Box::new(Self { accused, turn, sender, digests, signatures })
    }

    /// Whether it proves that the accused signed two digests for one broadcast of this run.
    ///
    /// # Guarantee
    /// A node that signs at most once per broadcast cannot be accused, whoever lies.
    pub fn verify(&self, run: &RunId, keyring: &dyn Keyring) -> bool {
        let instance = Instance { turn: self.turn, sender: self.sender };
        let statement = Statement { keyring, run, instance };
        let mut said = self.digests.iter().zip(&self.signatures);
        self.digests[0] < self.digests[1]
            && said.all(|(digest, signature)| statement.is_by(self.accused, digest, signature))
    }
}

/// A message of signed echo broadcast.
#[derive(Debug, Clone, PartialEq)]
pub enum SignedEchoMessage {
    /// from the sender to all: the vector, and the sender's own signature over its digest
    Send {
        /// the turn of the broadcast
        turn: Turn,
        /// the sender's vector
        vector: Vector,
        /// the sender's own echo
        signature: Signature,
    },
    /// back to the sender: what I saw of yours
    Echo {
        /// the turn of the broadcast
        turn: Turn,
        /// digest and signature
        said: SignedDigest,
    },
    /// from the sender to all: a quorum saw the same
    Final {
        /// the turn of the broadcast
        turn: Turn,
        /// of which vector
        digest: Digest,
        /// exactly a quorum of signatures, by ascending signer, the sender's among them
        certificate: Vec<(NodeId, Signature)>,
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
        Self::Send { turn: instance.turn, vector, signature: said.signature }
    }

    /// A signature over a digest of a broadcast: for whoever holds a key, honest or not.
    pub fn signed(
        run: &RunId,
        instance: Instance,
        digest: Digest,
        keyring: &dyn Keyring,
    ) -> SignedDigest {
        let signature = Statement { keyring, run, instance }.sign(&digest);
        SignedDigest { digest, signature }
    }
}

const SEND: u8 = 0;
const ECHO: u8 = 1;
const FINAL: u8 = 2;

impl Message for SignedEchoMessage {
    fn write(&self, out: &mut dyn Writer) {
        match self {
            Self::Send { turn, vector, signature } => {
                out.u8(SEND);
                out.u64(turn.bits());
                out.vector(vector);
                out.array(signature);
            }
            Self::Echo { turn, said } => {
                out.u8(ECHO);
                out.u64(turn.bits());
                out.array(&said.digest);
                out.array(&said.signature);
            }
            Self::Final { turn, digest, certificate } => {
                out.u8(FINAL);
                out.u64(turn.bits());
                out.array(digest);
                out.u16(certificate.len() as u16);
                for (signer, signature) in certificate {
                    out.u16(signer.0);
                    out.array(signature);
                }
            }
        }
    }

    fn read<R: Reader>(input: &mut R) -> Result<Self, R::Error> {
        let kind = input.u8()?;
        let turn = Turn::from_bits(input.u64()?);
        match kind {
            SEND => {
                let vector = input.vector()?;
                Ok(Self::Send { turn, vector, signature: input.array()? })
            }
            ECHO => {
                let said = SignedDigest { digest: input.array()?, signature: input.array()? };
                Ok(Self::Echo { turn, said })
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
                    certificate.push((NodeId(input.u16()?), input.array()?));
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
