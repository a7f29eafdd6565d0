//! Algorithm 1, stabilisation under uncertainty: dither, then the gain of what was learned.
use super::flight::{Diverged, Feedback, Flight};
use super::motion::Stepping;
use super::normals::{Purpose, Streams};
use super::plant::{Optimum, Plant};
use super::policy::{Decision, Knowledge, Policy, decide};
use super::posterior::{NoiseModel, Posterior, Prior};
use crate::control::Matrix;

/// The first phase.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Stabilisation {
    /// τ, its length
    pub seconds: f64,
    /// κ, pieces over which the dither is constant
    pub pieces: usize,
    /// standard deviation of what is added to each entry of the initial gain
    pub gain_deviation: f64,
}

impl Stabilisation {
    /// With floor(τ^1.5) pieces, recalled as the paper's, but never fewer than inputs.
    pub fn of(seconds: f64, inputs: usize) -> Self {
        let pieces = (seconds.powf(1.5) as usize).max(inputs);
        Self { seconds, pieces, gain_deviation: 0.0 }
    }
}

/// What all replications of an experiment share.
#[derive(Debug, Clone, Copy)]
pub struct Setting<'a> {
    /// the plant
    pub plant: &'a Plant,
    /// its optimum
    pub optimum: &'a Optimum,
    /// step length and method
    pub stepping: Stepping,
    /// what is believed before the first second
    pub prior: &'a Prior,
    /// which covariance the posterior takes
    pub noise_model: NoiseModel,
    /// the first phase
    pub stabilisation: Stabilisation,
}

impl Setting<'_> {
    /// Steps until a time.
    pub fn steps(&self, seconds: f64) -> u64 {
        (seconds / self.stepping.seconds).round() as u64
    }

    /// The posterior after a flight.
    ///
    /// # Errors
    /// [`Diverged::Posterior`] when its precision is not positive definite.
    pub fn posterior(&self, flight: &Flight<'_>) -> Result<Posterior, Diverged> {
        let factor = match self.noise_model {
            NoiseModel::Agnostic => None,
            NoiseModel::Aware => Some(self.plant.noise_factor()),
        };
        let information = &flight.totals().information;
        Posterior::new(self.prior, information, factor.as_ref()).ok_or(Diverged::Posterior)
    }

    /// The first phase up to its last step, before anything is decided.
    ///
    /// # Errors
    /// `Lost` when the state runs away.
    pub fn excite<'a>(&'a self, streams: &dyn Streams) -> Result<Flight<'a>, Lost<'a>> {
        self.excite_watched(streams, &mut |_| {})
    }

    /// The same, with somebody who looks at the flight when half of the pieces are flown.
    pub(super) fn excite_watched<'a>(
        &'a self,
        streams: &dyn Streams,
        half_way: &mut dyn FnMut(&Flight<'_>),
    ) -> Result<Flight<'a>, Lost<'a>> {
        let plant = self.plant;
        let noise = streams.stream(Purpose::Process);
        let mut flight = Flight::new(plant, self.optimum, self.stepping, noise);
        let (q, pieces) = (plant.inputs(), self.stabilisation.pieces);
        let mut dither = vec![0.0; pieces * q];
        streams.stream(Purpose::Dither).fill(&mut dither);
        dither.iter_mut().for_each(|entry| *entry *= plant.dither);
        let gain = self.initial_gain(streams);
        let steps = self.steps(self.stabilisation.seconds);
        for piece in 0..pieces {
            if piece == pieces / 2 {
                half_way(&flight);
            }
            // Step k belongs to piece ⌊k κ / steps⌋.
            let start = |piece: usize| (piece as u64 * steps).div_ceil(pieces as u64);
            let offset = dither[piece * q..(piece + 1) * q].to_vec();
            let feedback = Feedback { gain: gain.clone(), offset };
            if let Err(diverged) = flight.fly(&feedback, start(piece + 1) - start(piece)) {
                return Err(Lost { flight: Box::new(flight), diverged });
            }
        }
        Ok(flight)
    }

    fn initial_gain(&self, streams: &dyn Streams) -> Matrix {
        let gain = &self.plant.initial_gain;
        let deviation = self.stabilisation.gain_deviation;
        if deviation == 0.0 {
            return gain.clone();
        }
        let mut noise = Matrix::zeros(gain.rows(), gain.columns());
        streams.stream(Purpose::InitialGain).fill(noise.entries_mut());
        gain.plus(deviation, &noise)
    }
}

/// A flight that could not go on.
pub struct Lost<'a> {
    /// up to where it came
    pub flight: Box<Flight<'a>>,
    /// why
    pub diverged: Diverged,
}

/// A plant after its first phase.
pub struct Stabilised<'a> {
    /// the flight so far
    pub flight: Flight<'a>,
    /// the gain that was decided on
    pub decision: Decision,
}

/// Carries out Algorithm 1; a policy other than Thompson sampling may decide at its end.
///
/// # Errors
/// `Lost` when the state runs away or the posterior cannot be formed.
///
/// # Source
/// Shirani Faradonbeh et al., NeurIPS 2022, Algorithm 1 (recalled).
pub fn stabilise<'a>(
    setting: &'a Setting<'_>,
    policy: &dyn Policy,
    streams: &dyn Streams,
) -> Result<Stabilised<'a>, Lost<'a>> {
    let flight = setting.excite(streams)?;
    let posterior = match setting.posterior(&flight) {
        Ok(posterior) => posterior,
        Err(diverged) => return Err(Lost { flight: Box::new(flight), diverged }),
    };
    let (seconds, gain) = (flight.seconds(), &setting.plant.initial_gain);
    let knowledge = Knowledge { seconds, posterior: &posterior, gain };
    let mut normals = streams.stream(Purpose::Policy);
    let decision = decide(policy, &knowledge, setting.plant, &mut *normals);
    Ok(Stabilised { flight, decision })
}
