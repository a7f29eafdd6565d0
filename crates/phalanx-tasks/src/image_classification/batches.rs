//! The order in which a node walks through its samples: shuffled epochs, resumable.
use phalanx_robust::{Rng, StateError, StateReader, StateWriter};

/// Shuffled epochs over a shard; the last, short batch of an epoch is kept.
///
/// An epoch's order is a function of the generator at its start, so a snapshot holds that and
/// the position instead of the order itself.
#[derive(Debug, Clone)]
pub struct Batches {
    order: Vec<u32>,
    position: usize,
    epoch_start: Rng,
    rng: Rng,
}

impl Batches {
    /// Walks through `shard` (ascending, not empty).
    pub fn new(shard: Vec<u32>, rng: Rng) -> Self {
        assert!(!shard.is_empty(), "a shard holds at least one sample");
        let mut batches = Self { order: shard, position: 0, epoch_start: rng.clone(), rng };
        batches.start_epoch();
        batches
    }

    fn start_epoch(&mut self) {
        self.epoch_start = self.rng.clone();
        self.order.sort_unstable();
        self.rng.shuffle(&mut self.order);
        self.position = 0;
    }

    /// Number of samples of an epoch.
    pub fn epoch_len(&self) -> usize {
        self.order.len()
    }

    /// Appends the next `count` samples of this epoch, or what is left of it if that is less.
    pub fn next_within_epoch(&mut self, count: usize, out: &mut Vec<u32>) {
        if self.position == self.order.len() {
            self.start_epoch();
        }
        let taken = count.min(self.order.len() - self.position);
        out.extend_from_slice(&self.order[self.position..][..taken]);
        self.position += taken;
    }

    /// Appends the next `count` samples, however many epochs that takes.
    pub fn next_across_epochs(&mut self, count: usize, out: &mut Vec<u32>) {
        let end = out.len() + count;
        while out.len() < end {
            self.next_within_epoch(end - out.len(), out);
        }
    }

    /// Appends generator and position.
    pub fn save(&self, out: &mut StateWriter) {
        self.epoch_start.save(out);
        out.u64(self.position as u64);
    }

    /// # Errors
    /// When the snapshot is of another shard.
    pub fn load(&mut self, input: &mut StateReader<'_>) -> Result<(), StateError> {
        self.rng.load(input)?;
        let position = input.usize()?;
        if position > self.order.len() {
            return Err(StateError::Mismatch { what: "position in the data" });
        }
        self.start_epoch();
        self.position = position;
        Ok(())
    }
}
