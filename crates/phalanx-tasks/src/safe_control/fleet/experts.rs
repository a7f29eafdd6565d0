//! Members that share predictions instead of data: products and medians of their beliefs.
use phalanx_robust::{Bound, Population, PopulationError};

/// What one member believes about some outputs at one point.
#[derive(Debug, Clone, PartialEq)]
pub struct Expert {
    /// mean of each output
    pub mean: Vec<f64>,
    /// variance of each output
    pub variance: Vec<f64>,
}

/// Why beliefs could not be combined.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum ExpertError {
    /// n and f do not go together.
    #[error(transparent)]
    Population(#[from] PopulationError),
    /// Not one belief for each member.
    #[error("`{found}` beliefs, but there are `{expected}` members")]
    Beliefs {
        /// members
        expected: usize,
        /// beliefs
        found: usize,
    },
    /// The least variance is not above 0.
    #[error("the least variance is `{0}`, but a number above 0 is needed")]
    Floor(f64),
    /// More beliefs than f are none.
    #[error("`{found}` beliefs are no beliefs, but only `{tolerated}` are tolerated")]
    Malformed {
        /// how many
        found: usize,
        /// f
        tolerated: usize,
    },
}

/// How beliefs are combined. Nobody's variance counts for less than the floor, so that nobody
/// buys all the weight by claiming certainty.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Experts {
    population: Population,
    outputs: usize,
    floor: f64,
}

impl Experts {
    /// Members, outputs and the least variance that counts.
    ///
    /// # Errors
    /// [`ExpertError`] when f is no minority or the floor is not above 0.
    pub fn new(population: Population, outputs: usize, floor: f64) -> Result<Self, ExpertError> {
        population.require(Bound::MAJORITY)?;
        match floor.is_normal() && floor > 0.0 {
            true => Ok(Self { population, outputs, floor }),
            false => Err(ExpertError::Floor(floor)),
        }
    }

    /// The generalised product with equal exponents: precisions averaged, means weighted by them.
    ///
    /// # Guarantee
    /// None against liars: one mean far enough away moves it as far as one likes.
    ///
    /// # Source
    /// Y. Cao and D. Fleet, Generalized Product of Experts for Automatic and Principled Fusion of
    /// Gaussian Process Predictions, 2014 (recalled).
    ///
    /// # Errors
    /// [`ExpertError`] when more than f beliefs are none.
    pub fn product(&self, experts: &[Expert]) -> Result<Expert, ExpertError> {
        let sound = self.sound(experts)?;
        let combine = |beliefs: Vec<(f64, f64)>| {
            let precision: f64 = beliefs.iter().map(|(_, precision)| precision).sum();
            let mean = beliefs.iter().map(|(mean, precision)| mean * precision).sum::<f64>();
            (mean / precision, beliefs.len() as f64 / precision)
        };
        Ok(self.each(&sound, combine))
    }

    /// The median of the means, weighted by precision, and of the variances, not weighted.
    ///
    /// # Guarantee
    /// The mean lies between honest means as long as the liars' capped precisions sum to less than
    /// the honest ones': always, where honest variances are at the floor.
    ///
    /// # Errors
    /// [`ExpertError`] when more than f beliefs are none.
    pub fn median(&self, experts: &[Expert]) -> Result<Expert, ExpertError> {
        let sound = self.sound(experts)?;
        let combine = |beliefs: Vec<(f64, f64)>| {
            let variances = beliefs.iter().map(|(_, precision)| 1.0 / precision).collect();
            (weighted_median(beliefs), super::scales::median(variances))
        };
        Ok(self.each(&sound, combine))
    }

    fn each(&self, experts: &[&Expert], combine: impl Fn(Vec<(f64, f64)>) -> (f64, f64)) -> Expert {
        let belief =
            |expert: &&Expert, e: usize| (expert.mean[e], 1.0 / expert.variance[e].max(self.floor));
        let output = |e: usize| combine(experts.iter().map(|expert| belief(expert, e)).collect());
        let (mean, variance) = (0..self.outputs).map(output).unzip();
        Expert { mean, variance }
    }

    fn sound<'a>(&self, experts: &'a [Expert]) -> Result<Vec<&'a Expert>, ExpertError> {
        let (expected, found) = (self.population.n(), experts.len());
        if expected != found {
            return Err(ExpertError::Beliefs { expected, found });
        }
        let is_sound = |expert: &&Expert| {
            let sizes = (expert.mean.len(), expert.variance.len());
            let is_variance = |variance: &f64| variance.is_finite() && *variance >= 0.0;
            sizes == (self.outputs, self.outputs)
                && expert.mean.iter().all(|mean| mean.is_finite())
                && expert.variance.iter().all(is_variance)
        };
        let sound: Vec<&Expert> = experts.iter().filter(is_sound).collect();
        let (found, tolerated) = (experts.len() - sound.len(), self.population.f());
        match found > tolerated {
            true => Err(ExpertError::Malformed { found, tolerated }),
            false => Ok(sound),
        }
    }
}

/// The least value with at least half of the weight at or below it.
fn weighted_median(mut values: Vec<(f64, f64)>) -> f64 {
    values.sort_by(|a, b| a.0.total_cmp(&b.0));
    let half = 0.5 * values.iter().map(|(_, weight)| weight).sum::<f64>();
    let mut below = 0.0;
    for (value, weight) in &values {
        below += weight;
        if below >= half {
            return *value;
        }
    }
    values.last().map_or(f64::NAN, |(value, _)| *value)
}
