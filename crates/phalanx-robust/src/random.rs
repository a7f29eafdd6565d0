//! Named random streams of one seed: no stream depends on how much another has drawn.
use rand::{Rng as _, SeedableRng, TryRng};
use rand_chacha::ChaCha8Rng;

use crate::state::{StateError, StateReader, StateWriter};

/// A seeded generator whose position can be saved: ChaCha8, seed = blake3(seed, owner, purpose).
#[derive(Debug, Clone)]
pub struct Rng(ChaCha8Rng);

impl Rng {
    /// The stream that belongs to `owner` (a node, or `u64::MAX` for the world) and `purpose`.
    pub fn stream(seed: u64, owner: u64, purpose: &str) -> Self {
        let mut hasher = blake3::Hasher::new_derive_key("phalanx 2026 random stream");
        hasher.update(&seed.to_le_bytes()).update(&owner.to_le_bytes()).update(purpose.as_bytes());
        Self(ChaCha8Rng::from_seed(*hasher.finalize().as_bytes()))
    }

    /// Uniform in `0..bound`; `bound ≥ 1`. Unbiased.
    pub fn below(&mut self, bound: usize) -> usize {
        assert!(bound > 0, "a draw from nothing");
        let bound = bound as u64;
        let zone = u64::MAX - (u64::MAX - bound + 1) % bound;
        loop {
            let draw = self.0.next_u64();
            if draw <= zone {
                return (draw % bound) as usize;
            }
        }
    }

    /// Uniform in `[0, 1)`, 53 bits.
    pub fn unit(&mut self) -> f64 {
        (self.0.next_u64() >> 11) as f64 * (1.0 / (1u64 << 53) as f64)
    }

    /// Fisher–Yates.
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            items.swap(last, self.below(last + 1));
        }
    }

    /// Writes seed and position.
    pub fn save(&self, out: &mut StateWriter) {
        out.bytes(&self.0.get_seed());
        let position = self.0.get_word_pos();
        out.u64(position as u64);
        out.u64((position >> 64) as u64);
    }

    /// # Errors
    /// When the snapshot holds something else.
    pub fn load(&mut self, input: &mut StateReader<'_>) -> Result<(), StateError> {
        let seed = input.bytes()?;
        let seed: [u8; 32] =
            seed.try_into().map_err(|_| StateError::Mismatch { what: "random seed length" })?;
        let (low, high) = (input.u64()?, input.u64()?);
        self.0 = ChaCha8Rng::from_seed(seed);
        self.0.set_word_pos(u128::from(low) | (u128::from(high) << 64));
        Ok(())
    }
}

impl TryRng for Rng {
    type Error = std::convert::Infallible;
    fn try_next_u32(&mut self) -> Result<u32, Self::Error> {
        Ok(self.0.next_u32())
    }
    fn try_next_u64(&mut self) -> Result<u64, Self::Error> {
        Ok(self.0.next_u64())
    }
    fn try_fill_bytes(&mut self, out: &mut [u8]) -> Result<(), Self::Error> {
        self.0.fill_bytes(out);
        Ok(())
    }
}
