//! From the statistics of all members to one posterior.
use phalanx_robust::{Args, Entry, Population, PopulationError};

use crate::control::{Cholesky, Matrix};
use crate::diffusion_control::fleet::geometric_median;
use crate::safe_control::gp::FeatureStatistics;

/// Why statistics could not be pooled.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum PoolError {
    /// n and f do not go together.
    #[error(transparent)]
    Population(#[from] PopulationError),
    /// A message of another size than the first, or as many as there are not members.
    #[error("`{found}` {what}, but `{expected}` are needed")]
    Shape {
        /// messages, features, outputs
        what: &'static str,
        /// how many are needed
        expected: usize,
        /// how many there are
        found: usize,
    },
    /// More messages than f cannot come from any rows, so that nothing can be promised.
    #[error(
        "`{found}` messages are no statistics of any rows, but only `{tolerated}` are tolerated"
    )]
    Malformed {
        /// how many
        found: usize,
        /// f
        tolerated: usize,
    },
    /// The search for a centre failed.
    #[error("the robust centre: {0}")]
    Centre(String),
    /// What is left is not positive definite.
    #[error("the pooled precision is not positive definite")]
    NotDefinite,
}

/// What everybody knows about everybody's statistics.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PublicBounds {
    /// λ of the posterior
    pub ridge: f64,
    /// most rows that a member may have
    pub rows_max: f64,
    /// greatest |φ|²: 2 for cosines
    pub square_max: f64,
}

/// A pooled posterior and whose data are in it.
#[derive(Debug, Clone, PartialEq)]
pub struct Pooled {
    /// what the posterior is made of
    pub statistics: FeatureStatistics,
    /// w, features × outputs
    pub weights: Matrix,
    /// whether each member's message was used
    pub is_used: Vec<bool>,
}

/// Makes one posterior of all messages.
pub trait Pool: Send + Sync {
    /// # Errors
    /// [`PoolError`] when nothing can be promised.
    fn pool(
        &self,
        bounds: PublicBounds,
        population: Population,
        messages: &[FeatureStatistics],
    ) -> Result<Pooled, PoolError>;
}

/// A way of pooling, ready to be used.
pub type Pooling = Box<dyn Pool>;

/// What is known of a way of pooling besides name and parameters.
#[derive(Debug, Clone, Copy)]
pub struct PoolingRule {
    /// the posterior in plain text
    pub formula: &'static str,
    /// builds it
    pub build: fn(&Args) -> Pooling,
}

/// Every way of pooling that a file can name.
pub const POOLINGS: &[Entry<PoolingRule>] = &[CENTRE, SCREEN, SUM];

const SOURCE: &str = "derived for this library";

const SUM: Entry<PoolingRule> = Entry {
    name: "sum",
    summary: "all messages added up: exact without liars, defenceless against one",
    source: "textbook",
    params: &[],
    build: PoolingRule { formula: "w = (Σ A_i + λ I)⁻¹ Σ c_i", build: |_| Box::new(Sum) },
};

const CENTRE: Entry<PoolingRule> = Entry {
    name: "centre",
    summary: "the root of the geometric median of the members' residuals: no liar carries it away",
    source: SOURCE,
    params: &[],
    build: PoolingRule {
        formula: "w ← w + η GeoMed_i[R ((c_i − A_i w) / n_i − λ w / n)], \
                  R = (GeoMed_i(A_i / n_i) + ridge)⁻¹",
        build: |_| Box::new(Centre),
    },
};

const SCREEN: Entry<PoolingRule> = Entry {
    name: "screen",
    summary: "the sum of the messages whose residuals at the pooled weights are no larger than \
              others'",
    source: SOURCE,
    params: &[],
    build: PoolingRule {
        formula: "q_i = tr(r_iᵀ A_i⁺ r_i) / n_i, r_i = c_i − A_i w, w the centre; keep q_i ≤ 4 \
                  median; then q_i = tr(r_iᵀ (A_i⁺ − (P + A_i)⁻¹) r_i) / n_i with P and w of the \
                  other kept members, until the same are kept; sum of those",
        build: |_| Box::new(Screen),
    },
};

struct Sum;

impl Pool for Sum {
    fn pool(
        &self,
        bounds: PublicBounds,
        population: Population,
        messages: &[FeatureStatistics],
    ) -> Result<Pooled, PoolError> {
        check_sizes(population, messages)?;
        sum(bounds, messages, vec![true; messages.len()])
    }
}

fn sum(
    bounds: PublicBounds,
    messages: &[FeatureStatistics],
    is_used: Vec<bool>,
) -> Result<Pooled, PoolError> {
    let (features, outputs) = (messages[0].evidence.rows(), messages[0].evidence.columns());
    let mut total = FeatureStatistics::none(features, outputs);
    let used = messages.iter().zip(&is_used).filter(|(_, is_used)| **is_used);
    used.for_each(|(message, _)| total.add(message));
    let ridge = Matrix::scalar(features, bounds.ridge);
    let factor = Cholesky::new(&total.precision.plus(1.0, &ridge)).ok_or(PoolError::NotDefinite)?;
    let weights = factor.solve(&total.evidence);
    match weights.is_finite() {
        true => Ok(Pooled { statistics: total, weights, is_used }),
        false => Err(PoolError::NotDefinite),
    }
}

/// Rounds of the search for the centre, and the share of each step that is taken (chosen).
const ROUNDS: usize = 100;
const STEP: f64 = 0.3;
/// What is added to the median precision of a row before it is inverted (chosen).
const RIDGE: f64 = 1e-6;

struct Centre;

impl Centre {
    fn weights(
        bounds: PublicBounds,
        population: Population,
        messages: &[FeatureStatistics],
    ) -> Result<(Matrix, Matrix), PoolError> {
        let centre = |matrices: &[Matrix]| {
            geometric_median(matrices, population).map_err(|why| PoolError::Centre(why.to_string()))
        };
        let per_row: Vec<FeatureStatistics> = messages.iter().map(per_row).collect();
        let precisions: Vec<Matrix> = per_row.iter().map(|m| m.precision.clone()).collect();
        let reference = centre(&precisions)?.symmetrised();
        let (features, outputs) = (reference.rows(), messages[0].evidence.columns());
        let ridge = Matrix::scalar(features, RIDGE);
        let factor = Cholesky::new(&reference.plus(1.0, &ridge)).ok_or(PoolError::NotDefinite)?;
        let rows: f64 = messages.iter().map(|message| message.rows).sum();
        let pull = bounds.ridge / rows;
        // Each member's step is affine in w, so that the reference is applied to it but once.
        let inverse = factor.inverse();
        let affine = |message: &FeatureStatistics| {
            let slope =
                inverse.times(&message.precision.plus(pull, &Matrix::scalar(features, 1.0)));
            (inverse.times(&message.evidence), slope)
        };
        let affine: Vec<(Matrix, Matrix)> = per_row.iter().map(affine).collect();
        let mut weights = Matrix::zeros(features, outputs);
        for _ in 0..ROUNDS {
            let step =
                |(evidence, slope): &(Matrix, Matrix)| evidence.plus(-1.0, &slope.times(&weights));
            let steps: Vec<Matrix> = affine.iter().map(step).collect();
            weights.add(STEP, &centre(&steps)?);
        }
        match weights.is_finite() {
            true => Ok((weights, reference)),
            false => Err(PoolError::NotDefinite),
        }
    }
}

fn per_row(message: &FeatureStatistics) -> FeatureStatistics {
    let share = 1.0 / message.rows;
    FeatureStatistics {
        precision: message.precision.scaled(share),
        evidence: message.evidence.scaled(share),
        rows: 1.0,
    }
}

impl Pool for Centre {
    fn pool(
        &self,
        bounds: PublicBounds,
        population: Population,
        messages: &[FeatureStatistics],
    ) -> Result<Pooled, PoolError> {
        let sound = Sound::new(bounds, population, messages)?;
        let (weights, reference) = Self::weights(bounds, sound.population, &sound.messages)?;
        // No more than the honest are known to have.
        let rows: Vec<f64> = sound.messages.iter().map(|message| message.rows).collect();
        let rows = median(&rows) * sound.population.quorum() as f64;
        let precision = reference.scaled(rows);
        let evidence = precision.times(&weights);
        let statistics = FeatureStatistics { precision, evidence, rows };
        Ok(Pooled { statistics, weights, is_used: sound.is_sound })
    }
}

/// How many medians a residual may be, and how often is screened at most (chosen).
const MEDIANS_MAX: f64 = 4.0;
const REPEATS: usize = 8;

/// At first residuals are taken at the centre. From then on each member is held against what the
/// *other* accepted members know, in units of what is open between the two: with P their precision
/// and w their weights, an honest residual `r = c − A w` has the covariance σ² (A + A P⁻¹ A), and
/// (A + A P⁻¹ A)⁻¹ = A⁻¹ − (P + A)⁻¹. So a member that knows what nobody else does is not taken
/// for a liar, while a lie is held against everybody whom it contradicts.
struct Screen;

impl Screen {
    /// Residuals of all members at the centre, in units of what each knows.
    fn at_centre(weights: &Matrix, messages: &[FeatureStatistics]) -> Vec<f64> {
        let residual = |message: &FeatureStatistics| {
            let half = inverse(message)?.solve_lower(&message.score(weights));
            Some(half.inner(&half) / message.rows)
        };
        // What cannot even be measured is as far away as can be.
        messages.iter().map(|message| residual(message).unwrap_or(f64::INFINITY)).collect()
    }

    /// Residuals of all members against the other used ones, in units of what is open.
    fn against_others(
        ridge: f64,
        messages: &[FeatureStatistics],
        is_used: &[bool],
    ) -> Result<Vec<f64>, PoolError> {
        let first = &messages[0].evidence;
        let (features, outputs) = (first.rows(), first.columns());
        let mut total = FeatureStatistics::none(features, outputs);
        let used = messages.iter().zip(is_used).filter(|(_, is_used)| **is_used);
        used.for_each(|(message, _)| total.add(message));
        total.precision.add(1.0, &Matrix::scalar(features, ridge));
        let residual = |(message, is_used): (&FeatureStatistics, &bool)| {
            let (mut others, mut all) = (total.clone(), total.precision.clone());
            match is_used {
                true => {
                    others.precision.add(-1.0, &message.precision);
                    others.evidence.add(-1.0, &message.evidence);
                }
                false => all.add(1.0, &message.precision),
            }
            let others_factor = Cholesky::new(&others.precision).ok_or(PoolError::NotDefinite)?;
            let score = message.score(&others_factor.solve(&others.evidence));
            let all = Cholesky::new(&all).ok_or(PoolError::NotDefinite)?.solve_lower(&score);
            let own = inverse(message).ok_or(PoolError::NotDefinite)?.solve_lower(&score);
            Ok((own.inner(&own) - all.inner(&all)).max(0.0) / message.rows)
        };
        messages.iter().zip(is_used).map(residual).collect()
    }
}

impl Pool for Screen {
    fn pool(
        &self,
        bounds: PublicBounds,
        population: Population,
        messages: &[FeatureStatistics],
    ) -> Result<Pooled, PoolError> {
        let sound = Sound::new(bounds, population, messages)?;
        let (weights, _) = Centre::weights(bounds, sound.population, &sound.messages)?;
        let kept = |residuals: &[f64]| -> Vec<bool> {
            let most = MEDIANS_MAX * median(residuals);
            residuals.iter().map(|residual| *residual <= most).collect()
        };
        let mut used = kept(&Self::at_centre(&weights, &sound.messages));
        for _ in 1..REPEATS {
            let next = kept(&Self::against_others(bounds.ridge, &sound.messages, &used)?);
            if next == used {
                break;
            }
            used = next;
        }
        let mut is_used = sound.is_sound;
        let places = is_used.iter_mut().filter(|is_used| **is_used);
        places.zip(used).for_each(|(place, used)| *place = used);
        sum(bounds, messages, is_used)
    }
}

/// The factor of A with so small a ridge that what A does not know at all counts as a residual.
fn inverse(message: &FeatureStatistics) -> Option<Cholesky> {
    let features = message.precision.rows();
    let ridge = Matrix::scalar(features, 1e-10 * message.precision.trace());
    Cholesky::new(&message.precision.plus(1.0, &ridge))
}

/// Messages that could be statistics of some rows within the public bounds.
struct Sound {
    messages: Vec<FeatureStatistics>,
    is_sound: Vec<bool>,
    population: Population,
}

impl Sound {
    /// Whoever sends what no rows can yield has shown to be Byzantine, so that so many fewer are
    /// left to be tolerated.
    fn new(
        bounds: PublicBounds,
        population: Population,
        messages: &[FeatureStatistics],
    ) -> Result<Self, PoolError> {
        check_sizes(population, messages)?;
        population.require(phalanx_robust::Bound::MAJORITY)?;
        let is_sound: Vec<bool> =
            messages.iter().map(|message| is_of_some_rows(bounds, message)).collect();
        let found = is_sound.iter().filter(|is_sound| !**is_sound).count();
        let tolerated = population.f();
        if found > tolerated {
            return Err(PoolError::Malformed { found, tolerated });
        }
        let sound = messages.iter().zip(&is_sound).filter(|(_, is_sound)| **is_sound);
        let messages: Vec<FeatureStatistics> = sound.map(|(message, _)| message.clone()).collect();
        let population = Population::new(messages.len(), tolerated - found)?;
        Ok(Self { messages, is_sound, population })
    }
}

fn check_sizes(population: Population, messages: &[FeatureStatistics]) -> Result<(), PoolError> {
    let (expected, found) = (population.n(), messages.len());
    if expected != found {
        return Err(PoolError::Shape { what: "messages", expected, found });
    }
    let Some(first) = messages.first() else {
        return Err(PoolError::Shape { what: "messages", expected: 1, found: 0 });
    };
    let size = |message: &FeatureStatistics| {
        let [a, c] = [&message.precision, &message.evidence];
        [("rows of A", a.rows()), ("columns of A", a.columns()), ("rows of c", c.rows())]
    };
    let (features, outputs) = (first.evidence.rows(), first.evidence.columns());
    for message in messages {
        for (what, found) in size(message) {
            if found != features {
                return Err(PoolError::Shape { what, expected: features, found });
            }
        }
        let found = message.evidence.columns();
        if found != outputs {
            return Err(PoolError::Shape { what: "columns of c", expected: outputs, found });
        }
    }
    Ok(())
}

/// Finite, symmetric, without a negative direction, no larger than so many rows can be, and no
/// more rows than anybody may have.
fn is_of_some_rows(bounds: PublicBounds, message: &FeatureStatistics) -> bool {
    if !message.is_finite() || !message.precision.is_symmetric(1e-9) {
        return false;
    }
    let (rows, trace) = (message.rows, message.precision.trace());
    let is_within = rows >= 1.0 && rows <= bounds.rows_max && trace > 0.0;
    is_within && trace <= bounds.square_max * rows * (1.0 + 1e-9) && inverse(message).is_some()
}

/// The lower median.
fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted[(sorted.len() - 1) / 2]
}
