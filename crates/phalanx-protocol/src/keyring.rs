//! Signatures: the own secret key and everybody's public keys, behind one trait.
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use ed25519_dalek::{Signer, SigningKey, VerifyingKey};

use crate::machine::NodeId;

/// An ed25519 signature.
pub type Signature = [u8; 64];

/// What a machine needs of cryptography: to sign as itself, and to check who signed.
pub trait Keyring: fmt::Debug + Send + Sync {
    /// Signs as this node. The same bytes always get the same signature.
    fn sign(&self, message: &[u8]) -> Signature;

    /// Whether that node signed these bytes. No for a node that is not known.
    fn verify(&self, node: NodeId, message: &[u8], signature: &Signature) -> bool;
}

/// Why keys cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// The bytes are no public key, or one for which anybody can sign.
    #[error("the public key of node `{node}` is not a sound ed25519 key")]
    Unsound {
        /// whose
        node: usize,
    },
    /// Two nodes have one key, so one could speak as the other.
    #[error("nodes `{first}` and `{second}` have the same public key")]
    Shared {
        /// one of them
        first: usize,
        /// the other
        second: usize,
    },
    /// The secret key belongs to none of the nodes.
    #[error("the secret key belongs to none of the `{nodes}` nodes")]
    Stranger {
        /// how many there are
        nodes: usize,
    },
    /// More nodes than can be numbered.
    #[error("`{nodes}` nodes are too many: at most `{max}` can be numbered")]
    TooMany {
        /// how many there are
        nodes: usize,
        /// how many there can be
        max: usize,
    },
}

/// Ed25519 keys of one node and of its peers.
///
/// # Guarantee
/// Signing is deterministic. Verification is strict: keys and signatures that some
/// implementations accept and others refuse are refused, so all nodes agree about a signature.
/// Nothing of a key is shown by `Debug`.
#[derive(Clone)]
pub struct Ed25519Keyring {
    me: NodeId,
    secret: SigningKey,
    nodes: Arc<[VerifyingKey]>,
    cache: Option<Arc<VerificationCache>>,
}

impl Ed25519Keyring {
    /// A secret key, and the public keys of all nodes by index, the own one among them.
    ///
    /// # Errors
    /// [`KeyError`] when a key is unsound or shared, or the own one is missing.
    pub fn new(secret: &[u8; 32], nodes: &[[u8; 32]]) -> Result<Self, KeyError> {
        let max = usize::from(u16::MAX);
        if nodes.len() > max {
            return Err(KeyError::TooMany { nodes: nodes.len(), max });
        }
        let mut keys = Vec::with_capacity(nodes.len());
        for (node, bytes) in nodes.iter().enumerate() {
            if let Some(first) = nodes[..node].iter().position(|earlier| earlier == bytes) {
                return Err(KeyError::Shared { first, second: node });
            }
            match VerifyingKey::from_bytes(bytes) {
                // For a key of small order, signatures exist that nobody had to make.
                Ok(key) if !key.is_weak() => keys.push(key),
                _ => return Err(KeyError::Unsound { node }),
            }
        }
        let secret = SigningKey::from_bytes(secret);
        let me = keys.iter().position(|key| *key == secret.verifying_key());
        let me = me.ok_or(KeyError::Stranger { nodes: nodes.len() })?;
        Ok(Self { me: NodeId(me as u16), secret, nodes: keys.into(), cache: None })
    }

    /// The keyrings of a whole simulated population, by index: a function of the seed.
    ///
    /// # Panics
    /// When there are more nodes than can be numbered.
    pub fn population(seed: u64, nodes: usize) -> Vec<Self> {
        assert!(nodes <= usize::from(u16::MAX), "nodes are numbered in 16 bits");
        let secret = |node: u16| {
            let mut hasher = blake3::Hasher::new_derive_key("phalanx 2026 simulated node key");
            hasher.update(&seed.to_le_bytes()).update(&node.to_le_bytes());
            SigningKey::from_bytes(hasher.finalize().as_bytes())
        };
        let secrets: Vec<_> = (0..nodes as u16).map(secret).collect();
        let keys: Arc<[_]> = secrets.iter().map(SigningKey::verifying_key).collect();
        let keyring = |(me, secret)| {
            let (me, nodes) = (NodeId(me as u16), Arc::clone(&keys));
            Self { me, secret, nodes, cache: None }
        };
        secrets.into_iter().enumerate().map(keyring).collect()
    }

    /// Remembers verdicts in a cache that keyrings of one process may share.
    pub fn with_cache(self, cache: Arc<VerificationCache>) -> Self {
        Self { cache: Some(cache), ..self }
    }

    /// The index of the own key.
    pub fn me(&self) -> NodeId {
        self.me
    }

    /// The public keys, by index.
    pub fn public_keys(&self) -> Vec<[u8; 32]> {
        self.nodes.iter().map(VerifyingKey::to_bytes).collect()
    }
}

impl fmt::Debug for Ed25519Keyring {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { me, nodes, .. } = self;
        write!(out, "Ed25519Keyring {{ me: {me}, nodes: {}, .. }}", nodes.len())
    }
}

impl Keyring for Ed25519Keyring {
    fn sign(&self, message: &[u8]) -> Signature {
        let signature = self.secret.sign(message).to_bytes();
        if let Some(cache) = &self.cache {
            // What a sound key signed verifies, so nobody in this process need work that out.
            cache.put(&Triple::of(&self.secret.verifying_key(), message, &signature), true);
        }
        signature
    }

    fn verify(&self, node: NodeId, message: &[u8], signature: &Signature) -> bool {
        let Some(key) = self.nodes.get(node.index()) else { return false };
        let verify = || {
            let signature = ed25519_dalek::Signature::from_bytes(signature);
            key.verify_strict(message, &signature).is_ok()
        };
        let Some(cache) = &self.cache else { return verify() };
        let triple = Triple::of(key, message, signature);
        cache.get(&triple).unwrap_or_else(|| {
            let verdict = verify();
            cache.put(&triple, verdict);
            verdict
        })
    }
}

/// blake3 of key, signature and message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Triple([u8; 32]);

impl Triple {
    fn of(key: &VerifyingKey, message: &[u8], signature: &Signature) -> Self {
        // Only the message varies in length, and it comes last.
        let mut hasher = blake3::Hasher::new();
        hasher.update(key.as_bytes()).update(signature).update(message);
        Self(*hasher.finalize().as_bytes())
    }
}

/// Verdicts about signatures, kept by hash: in one process n machines check the same ones.
///
/// A verdict is a pure function of key, message and signature, so what machines do does not
/// depend on whether it was remembered, nor on who asked first.
///
/// # Cost
/// 33 bytes a place, all taken at the start. A newer verdict takes the place of an older one
/// whose hash begins alike, so nothing grows, and who sends forged signatures in order to push
/// others out costs at most what verifying without a cache would.
pub struct VerificationCache {
    places: Mutex<Vec<Option<(Triple, bool)>>>,
}

impl VerificationCache {
    /// With so many places, at least one, rounded up to a power of two.
    pub fn new(places: usize) -> Self {
        Self { places: Mutex::new(vec![None; places.max(1).next_power_of_two()]) }
    }

    fn place(triple: &Triple, places: usize) -> usize {
        let head = triple.0.first_chunk::<8>().expect("a hash has 32 bytes");
        (u64::from_le_bytes(*head) as usize) & (places - 1)
    }

    fn get(&self, triple: &Triple) -> Option<bool> {
        let places = self.places.lock().unwrap_or_else(PoisonError::into_inner);
        let (kept, verdict) = places[Self::place(triple, places.len())]?;
        (kept == *triple).then_some(verdict)
    }

    fn put(&self, triple: &Triple, verdict: bool) {
        let mut places = self.places.lock().unwrap_or_else(PoisonError::into_inner);
        let place = Self::place(triple, places.len());
        places[place] = Some((*triple, verdict));
    }
}

impl fmt::Debug for VerificationCache {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let places = self.places.lock().unwrap_or_else(PoisonError::into_inner).len();
        write!(out, "VerificationCache {{ places: {places} }}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_is_its_signers_over_its_bytes_and_over_nothing_else() {
        let rings = Ed25519Keyring::population(7, 3);
        let signature = rings[1].sign(b"vector");
        assert!(rings[0].verify(NodeId(1), b"vector", &signature));
        assert!(!rings[0].verify(NodeId(2), b"vector", &signature));
        assert!(!rings[0].verify(NodeId(1), b"vectors", &signature));
        assert!(!rings[0].verify(NodeId(3), b"vector", &signature), "there is no node 3");
        for at in 0..64 {
            let mut forged = signature;
            forged[at] ^= 1;
            assert!(!rings[0].verify(NodeId(1), b"vector", &forged));
        }
    }

    #[test]
    fn a_cache_changes_no_verdict_even_where_places_collide() {
        let plain = Ed25519Keyring::population(7, 3);
        for places in [0, 1, 2, 1024] {
            let cache = Arc::new(VerificationCache::new(places));
            let cached: Vec<_> =
                plain.iter().map(|ring| ring.clone().with_cache(cache.clone())).collect();
            for round in 0u8..4 {
                for signer in 0..3 {
                    let message = [round % 2; 9];
                    let signature = cached[signer].sign(&message);
                    assert_eq!(signature, plain[signer].sign(&message));
                    for (node, other) in [(0, message), (1, message), (2, [7; 9])] {
                        let expected = plain[0].verify(NodeId(node), &other, &signature);
                        for ring in &cached {
                            let verdict = ring.verify(NodeId(node), &other, &signature);
                            assert_eq!(verdict, expected);
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn keys_come_back_from_their_bytes_and_are_checked() {
        let rings = Ed25519Keyring::population(7, 3);
        let mut keys = rings[0].public_keys();
        let secret = rings[2].secret.to_bytes();
        let ring = Ed25519Keyring::new(&secret, &keys).unwrap();
        assert_eq!(ring.me(), NodeId(2));
        assert_eq!(ring.sign(b"a"), rings[2].sign(b"a"));
        let error = Ed25519Keyring::new(&[9; 32], &keys).unwrap_err();
        assert_eq!(error, KeyError::Stranger { nodes: 3 });
        keys[1] = keys[0];
        let error = Ed25519Keyring::new(&secret, &keys).unwrap_err();
        assert_eq!(error, KeyError::Shared { first: 0, second: 1 });
        // The point of order one: everybody can sign for it.
        keys[1] = [0; 32];
        keys[1][0] = 1;
        let error = Ed25519Keyring::new(&secret, &keys).unwrap_err();
        assert_eq!(error, KeyError::Unsound { node: 1 });
    }

    #[test]
    fn debug_shows_no_key() {
        let ring = &Ed25519Keyring::population(7, 3)[0];
        assert_eq!(format!("{ring:?}"), "Ed25519Keyring { me: 0, nodes: 3, .. }");
    }
}
