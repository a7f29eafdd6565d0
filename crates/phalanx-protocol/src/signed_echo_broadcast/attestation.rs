//! One signature for many broadcasts of a turn: a hash tree, its root signed, a path for each.
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use super::message::RunId;
use crate::broadcast::{Digest, Instance};
use crate::keyring::{Keyring, Signature};
use crate::machine::{NodeId, Reader, Turn, Writer};

/// Keeps these signatures apart from whatever else a key may sign.
const LABEL: &[u8; 32] = b"phalanx signed echo broadcast v2";

/// Keys of the hashes, so that no inner node is a leaf of something else.
const LEAF: &[u8; 32] = b"phalanx signed echo leaf hash v2";
const INNER: &[u8; 32] = b"phalanx signed echo node hash v2";

/// Fills a tree up to a power of two: nobody knows anything with this hash.
const EMPTY: Digest = [0; 32];

/// Label, run, turn, root: each of fixed length, so no two statements share bytes.
const STATEMENT_BYTES: usize = LABEL.len() + 32 + 8 + 32;

/// No tree over nodes numbered in 16 bits is higher.
pub const PATH_MAX: usize = 16;

/// A node's word for the digest of one broadcast: its signature over the root of a hash tree, and
/// the way from the broadcast's leaf to that root.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attestation {
    /// over run, turn and root
    pub signature: Signature,
    /// which leaf; less than `2^path.len()`
    pub index: u16,
    /// the hashes beside the way up, at most [`PATH_MAX`]; none for a batch of one
    pub path: Vec<Digest>,
}

impl Attestation {
    /// Attests, with one signature, what was seen in a turn: a sender and a digest each, in the
    /// order of the leaves. One attestation for each, in that order.
    ///
    /// # Panics
    /// When there is nothing to attest, or more than `2^16` leaves.
    pub fn batch(
        run: &RunId,
        turn: Turn,
        seen: &[(NodeId, Digest)],
        keyring: &dyn Keyring,
    ) -> Vec<Self> {
        assert!((1..=1 << PATH_MAX).contains(&seen.len()), "a batch of `{}`", seen.len());
        let mut level: Vec<_> = seen.iter().map(|(sender, digest)| leaf(*sender, digest)).collect();
        level.resize(seen.len().next_power_of_two(), EMPTY);
        let mut paths = vec![Vec::new(); seen.len()];
        let mut height = 0;
        while level.len() > 1 {
            for (index, path) in paths.iter_mut().enumerate() {
                path.push(level[(index >> height) ^ 1]);
            }
            level = level.chunks_exact(2).map(|pair| inner(&pair[0], &pair[1])).collect();
            height += 1;
        }
        let signature = keyring.sign(&statement(run, turn, &level[0]));
        let attest = |(index, path)| Self { signature, index: index as u16, path };
        paths.into_iter().enumerate().map(attest).collect()
    }

    /// The root that was signed, if this belongs to that sender's digest; none where the path is
    /// longer than any tree, or the index outside of the tree.
    fn root(&self, sender: NodeId, digest: &Digest) -> Option<Digest> {
        if !Self::is_sound(self.index, self.path.len()) {
            return None;
        }
        let mut hash = leaf(sender, digest);
        for (height, beside) in self.path.iter().enumerate() {
            hash = match self.index >> height & 1 {
                0 => inner(&hash, beside),
                _ => inner(beside, &hash),
            };
        }
        Some(hash)
    }

    fn is_sound(index: u16, path: usize) -> bool {
        path <= PATH_MAX && usize::from(index) < 1 << path
    }

    /// Whether that node attests this digest of a broadcast of this run.
    pub fn is_by(
        &self,
        signer: NodeId,
        (run, instance): (&RunId, Instance),
        digest: &Digest,
        keyring: &dyn Keyring,
    ) -> bool {
        self.root(instance.sender, digest).is_some_and(|root| {
            let statement = statement(run, instance.turn, &root);
            keyring.verify(signer, &statement, &self.signature)
        })
    }

    pub(super) fn write(&self, out: &mut dyn Writer) {
        out.array(&self.signature);
        out.u16(self.index);
        out.u8(self.path.len() as u8);
        self.path.iter().for_each(|hash| out.array(hash));
    }

    pub(super) fn read<R: Reader>(input: &mut R) -> Result<Self, R::Error> {
        let (signature, index) = (input.array()?, input.u16()?);
        let length = usize::from(input.u8()?);
        if !Self::is_sound(index, length) {
            return Err(input.malformed("an attestation is no leaf of a tree"));
        }
        let path = (0..length).map(|_| input.array()).collect::<Result<_, _>>()?;
        Ok(Self { signature, index, path })
    }
}

fn leaf(sender: NodeId, digest: &Digest) -> Digest {
    let mut bytes = [0; 34];
    bytes[..2].copy_from_slice(&sender.0.to_le_bytes());
    bytes[2..].copy_from_slice(digest);
    *blake3::keyed_hash(LEAF, &bytes).as_bytes()
}

fn inner(left: &Digest, right: &Digest) -> Digest {
    let mut bytes = [0; 64];
    bytes[..32].copy_from_slice(left);
    bytes[32..].copy_from_slice(right);
    *blake3::keyed_hash(INNER, &bytes).as_bytes()
}

fn statement(run: &RunId, turn: Turn, root: &Digest) -> [u8; STATEMENT_BYTES] {
    let turn = turn.bits().to_le_bytes();
    let parts: [&[u8]; 4] = [LABEL, run, &turn, root];
    let mut bytes = [0; STATEMENT_BYTES];
    let mut rest = &mut bytes[..];
    for part in parts {
        let (head, tail) = rest.split_at_mut(part.len());
        head.copy_from_slice(part);
        rest = tail;
    }
    bytes
}

/// The own keyring, and the roots of others that it found to be signed.
///
/// What is remembered changes no verdict, so it is no part of a machine's state.
#[derive(Debug)]
pub(super) struct Notary {
    pub(super) keyring: Arc<dyn Keyring>,
    pub(super) run: RunId,
    /// by signer, so that who signs many roots pushes out its own only
    known: Mutex<Vec<VecDeque<(Turn, Digest, Signature)>>>,
    known_max: usize,
}

impl Notary {
    /// Remembers so many roots of each signer.
    pub(super) fn new(
        keyring: Arc<dyn Keyring>,
        run: RunId,
        (nodes, known_max): (usize, usize),
    ) -> Self {
        Self { keyring, run, known: Mutex::new(vec![VecDeque::new(); nodes]), known_max }
    }

    fn is_by(
        &self,
        signer: NodeId,
        Instance { turn, sender }: Instance,
        digest: &Digest,
        attestation: &Attestation,
    ) -> bool {
        let Some(root) = attestation.root(sender, digest) else { return false };
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(known) = known.get_mut(signer.index()) else { return false };
        // The signature too: what is taken here may be passed on to who knows nothing of it.
        let entry = (turn, root, attestation.signature);
        if known.contains(&entry) {
            return true;
        }
        let statement = statement(&self.run, turn, &root);
        let is_good = self.keyring.verify(signer, &statement, &attestation.signature);
        if is_good {
            known.truncate(self.known_max - 1);
            known.push_front(entry);
        }
        is_good
    }

    /// How many roots are remembered.
    pub(super) fn held(&self) -> usize {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.iter().map(VecDeque::len).sum()
    }
}

/// "In this run and broadcast I saw the sender's vector, and this is its digest."
#[derive(Debug, Clone, Copy)]
pub(super) struct Statement<'a> {
    pub(super) notary: &'a Notary,
    pub(super) instance: Instance,
}

impl Statement<'_> {
    pub(super) fn is_by(&self, signer: NodeId, digest: &Digest, attestation: &Attestation) -> bool {
        self.notary.is_by(signer, self.instance, digest, attestation)
    }
}
