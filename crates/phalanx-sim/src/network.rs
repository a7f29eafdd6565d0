//! The simulated network: delays, losses, and what went over it.
use phalanx_robust::{Rng, StateError, StateReader, StateWriter};

/// How long things take, in nanoseconds of virtual time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Network {
    /// least and greatest delay of a message, uniform between them
    pub delay: (u64, u64),
    /// least and greatest time that a gradient or an evaluation takes, uniform between them
    pub compute: (u64, u64),
    /// probability in 0..1 that a message is lost and sent again after twice the greatest delay
    pub loss: f64,
}

impl Network {
    fn uniform(rng: &mut Rng, (least, greatest): (u64, u64)) -> u64 {
        match greatest.saturating_sub(least) {
            0 => least,
            width => least + rng.below(width as usize + 1) as u64,
        }
    }

    /// Delay of one message, every loss included, and how often it was lost.
    pub fn draw_delay(&self, rng: &mut Rng) -> (u64, u64) {
        let mut lost = 0;
        while self.loss > 0.0 && rng.unit() < self.loss {
            lost += 1;
        }
        let again = lost * 2 * self.delay.1.max(1);
        (Self::uniform(rng, self.delay).saturating_add(again), lost)
    }

    /// Time that one piece of work takes.
    pub fn draw_compute(&self, rng: &mut Rng) -> u64 {
        Self::uniform(rng, self.compute)
    }
}

/// What went over the network so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Traffic {
    /// messages sent by honest nodes, each receiver counted
    pub messages: u64,
    /// their bytes
    pub bytes: u64,
    /// losses; each lost message was sent again
    pub lost: u64,
    /// messages sent by Byzantine nodes
    pub byzantine_messages: u64,
    /// messages that proved their sender faulty
    pub rejected: u64,
    /// messages dropped without blame
    pub discarded: u64,
}

impl Traffic {
    fn fields(&mut self) -> [&mut u64; 6] {
        let Self { messages, bytes, lost, byzantine_messages, rejected, discarded } = self;
        [messages, bytes, lost, byzantine_messages, rejected, discarded]
    }

    /// Appends the counters.
    pub fn save(mut self, out: &mut StateWriter) {
        self.fields().into_iter().for_each(|field| out.u64(*field));
    }

    /// # Errors
    /// When the snapshot ends.
    pub fn load(&mut self, input: &mut StateReader<'_>) -> Result<(), StateError> {
        for field in self.fields() {
            *field = input.u64()?;
        }
        Ok(())
    }
}
