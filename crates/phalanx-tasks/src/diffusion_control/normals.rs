//! Streams of standard normal numbers, one per replication and purpose.
use phalanx_robust::Rng;
use rand_distr::{Distribution, StandardNormal};

/// What a stream's numbers are used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// the noise that drives the plant
    Process,
    /// the dither of the stabilisation phase
    Dither,
    /// draws of a policy
    Policy,
    /// the initial gain
    InitialGain,
}

impl Purpose {
    fn words(self) -> &'static str {
        match self {
            Self::Process => "diffusion process noise",
            Self::Dither => "diffusion dither",
            Self::Policy => "diffusion policy",
            Self::InitialGain => "diffusion initial gain",
        }
    }
}

/// An endless sequence of independent standard normal numbers.
pub trait Normals: Send {
    /// Writes the next numbers of the sequence.
    fn fill(&mut self, out: &mut [f64]);
}

/// Where the sequences of one replication come from.
pub trait Streams: Sync {
    /// The sequence for a purpose, from its beginning.
    fn stream(&self, purpose: Purpose) -> Box<dyn Normals>;
}

/// The streams of a seed and a replication: no stream depends on how much another has drawn.
#[derive(Debug, Clone, Copy)]
pub struct SeededStreams {
    /// of the experiment
    pub seed: u64,
    /// which replication, or which member of which replication
    pub owner: u64,
}

impl Streams for SeededStreams {
    fn stream(&self, purpose: Purpose) -> Box<dyn Normals> {
        Box::new(Seeded(Rng::stream(self.seed, self.owner, purpose.words())))
    }
}

struct Seeded(Rng);

impl Normals for Seeded {
    fn fill(&mut self, out: &mut [f64]) {
        out.iter_mut().for_each(|entry| *entry = StandardNormal.sample(&mut self.0));
    }
}
