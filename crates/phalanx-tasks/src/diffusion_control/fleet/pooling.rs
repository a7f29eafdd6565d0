//! From the messages of all members to one posterior.
use phalanx_robust::registry::find;
use phalanx_robust::{
    AggregateError, Args, Bound, Entry, Param, Population, PopulationError, RULES, Rule, Vectors,
};

use super::reference::{Scaled, built};
use crate::control::{Cholesky, Matrix, symmetric_eigenvalues};
use crate::diffusion_control::posterior::{Information, Posterior, Prior};

/// Why messages could not be pooled.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum PoolError {
    /// n and f do not go together.
    #[error(transparent)]
    Population(#[from] PopulationError),
    /// The rule refused what it was given.
    #[error(transparent)]
    Aggregate(#[from] AggregateError),
    /// The rule cannot be built for so many members.
    #[error("rule `{rule}`: {why}")]
    Rule {
        /// which rule
        rule: &'static str,
        /// why
        why: String,
    },
    /// More messages than f make no sense, so that nothing can be promised.
    #[error(
        "`{found}` messages are no statistics of any path, but only `{tolerated}` are tolerated"
    )]
    Malformed {
        /// how many
        found: usize,
        /// f
        tolerated: usize,
    },
    /// The pooled precision is not positive definite.
    #[error("the pooled precision is not positive definite")]
    NotDefinite,
}

/// What pooling knows besides the messages.
#[derive(Debug, Clone, Copy)]
pub struct Pools<'a> {
    /// what is believed without data
    pub prior: &'a Prior,
    /// covariance of the noise per unit of time
    pub noise: &'a Matrix,
    /// C, where the posterior is to be aware of the noise
    pub noise_factor: Option<&'a Matrix>,
    /// members, and how many of them may lie
    pub population: Population,
}

/// A pooled posterior and whose data are in it.
#[derive(Debug, Clone)]
pub struct Pooled {
    /// what is believed
    pub posterior: Posterior,
    /// whether each member's message was used
    pub is_used: Vec<bool>,
}

/// Makes one posterior of all messages.
pub trait Pool: Send + Sync {
    /// Whether it works for so many members and liars.
    ///
    /// # Errors
    /// [`PoolError`] names the bound that does not hold.
    fn check(&self, population: Population) -> Result<(), PoolError>;

    /// # Errors
    /// [`PoolError`] when nothing can be promised.
    fn pool(&self, pools: &Pools<'_>, messages: &[Information]) -> Result<Pooled, PoolError>;
}

/// A way of pooling, ready to be used.
pub type Pooling = Box<dyn Pool>;

/// What is known of a way of pooling besides name and parameters.
#[derive(Debug, Clone, Copy)]
pub struct PoolingRule {
    /// the posterior in plain text
    pub formula: &'static str,
    /// builds it; fails when the rule that it names does not exist
    pub build: fn(&Args) -> Result<Pooling, PoolError>,
}

/// Every way of pooling that a file can name.
pub const POOLINGS: &[Entry<PoolingRule>] = &[SCORES, SCREEN, SUM];

const SOURCE: &str = "derived for this library";

const SUM: Entry<PoolingRule> = Entry {
    name: "sum",
    summary: "all messages added up: exact without liars, defenceless against one",
    source: "textbook",
    params: &[],
    build: PoolingRule {
        formula: "V = Σ₀ + Σ V_i, S = Σ₀ μ₀ + Σ S_i",
        build: |_| Ok(Box::new(Sum)),
    },
};

const SCORES: Entry<PoolingRule> = Entry {
    name: "scores",
    summary: "the root of a robust average of the members' scores, information capped",
    source: SOURCE,
    params: &[RULE],
    build: PoolingRule {
        formula: "V_ref = L Lᵀ the geometric median of V_i; \
                  θ ← θ + η L⁻ᵀ rule(L⁻¹ (S_i − V_i θ) C⁻ᵀ) Cᵀ; \
                  information (n − f) V_ref at the root, and the prior",
        build: |args| Ok(Box::new(Scores { rule: rule(args)? })),
    },
};

const SCREEN: Entry<PoolingRule> = Entry {
    name: "screen",
    summary: "the sum of the messages whose scores at the robust root are no larger than chance",
    source: SOURCE,
    params: &[RULE],
    build: PoolingRule {
        formula: "q_i = tr(V_i⁻¹ ψ_i S_W⁻¹ ψ_iᵀ) ~ χ²; without q_i > max(χ²(0.999), 3 median) \
                  and tr V_i > 5 median: sum",
        build: |args| Ok(Box::new(Screen { scores: Scores { rule: rule(args)? } })),
    },
};

const RULE: Param = Param {
    name: "rule",
    kind: phalanx_robust::ParamKind::Text { default: Some("geometric-median") },
    is_optional: false,
    summary: "rule that condenses the scores",
};

fn rule(args: &Args) -> Result<&'static Entry<Rule>, PoolError> {
    let name = args.text("rule");
    find(RULES, name)
        .ok_or_else(|| PoolError::Rule { rule: RULE.name, why: format!("`{name}` does not exist") })
}

struct Sum;

impl Pool for Sum {
    fn check(&self, _population: Population) -> Result<(), PoolError> {
        Ok(())
    }

    fn pool(&self, pools: &Pools<'_>, messages: &[Information]) -> Result<Pooled, PoolError> {
        sum(pools, messages, vec![true; messages.len()])
    }
}

fn sum(
    pools: &Pools<'_>,
    messages: &[Information],
    is_used: Vec<bool>,
) -> Result<Pooled, PoolError> {
    let evidence = &pools.prior.mean;
    let mut total = Information::none(evidence.columns(), evidence.rows() - evidence.columns());
    let used = messages.iter().zip(&is_used).filter(|(_, is_used)| **is_used);
    used.for_each(|(message, _)| total.add(1.0, message));
    let posterior = Posterior::new(pools.prior, &total, pools.noise_factor);
    Ok(Pooled { posterior: posterior.ok_or(PoolError::NotDefinite)?, is_used })
}

/// Rounds of the search for the root, on messages that are already there.
const ROUNDS_MAX: usize = 60;
/// Step, relative to the estimate, at which the search has settled.
const SETTLED: f64 = 1e-7;
/// Greatest step size; with it alone the plain mean was seen to run away.
const STEP_MAX: f64 = 0.7;

struct Scores {
    rule: &'static Entry<Rule>,
}

struct Root {
    theta: Matrix,
    reference: Matrix,
}

impl Scores {
    /// θ at which the rule makes zero of the scores.
    ///
    /// The rule sees scores in units of their own standard deviation in every direction: else a
    /// liar could hide behind the spread of directions that nobody knows much about.
    fn root(&self, pools: &Pools<'_>, checked: &Checked) -> Result<Root, PoolError> {
        let scaled = Scaled::new(&checked.messages, checked.population)?;
        let noise = Cholesky::new(pools.noise).ok_or(PoolError::NotDefinite)?;
        let mut rule = built(self.rule, checked.population)?;
        let step = STEP_MAX.min(1.0 / scaled.greatest);
        let mut theta = pools.prior.mean.clone();
        let (n, p) = (theta.rows(), theta.columns());
        let mut condensed = vec![0.0f32; n * p];
        for _ in 0..ROUNDS_MAX {
            let whitened = |message: &Information| {
                let half = scaled.factor.solve_lower(&message.score(&theta));
                let whole = noise.solve_lower(&half.transposed());
                whole.entries().iter().map(|entry| *entry as f32).collect()
            };
            let rows: Vec<Vec<f32>> = scaled.messages.iter().map(whitened).collect();
            let rows: Vec<&[f32]> = rows.iter().map(Vec::as_slice).collect();
            let vectors = Vectors::new(&rows).map_err(AggregateError::from)?;
            rule.aggregate(vectors, &mut condensed)?;
            let entries = condensed.iter().map(|entry| f64::from(*entry)).collect();
            let half = noise.lower().times(&Matrix::from_entries(p, n, entries)).transposed();
            let direction = scaled.factor.solve_upper(&half);
            theta.add(step, &direction);
            if direction.norm() <= SETTLED * (1.0 + theta.norm()) {
                break;
            }
        }
        match theta.is_finite() {
            true => Ok(Root { theta, reference: scaled.reference }),
            false => Err(PoolError::NotDefinite),
        }
    }
}

impl Pool for Scores {
    fn check(&self, population: Population) -> Result<(), PoolError> {
        population.require(Bound::MAJORITY)?;
        population.require(self.rule.build.bound)?;
        if self.rule.build.is_self_centred {
            let why = "it is centred at the own vector, and here all are equal".into();
            return Err(PoolError::Rule { rule: self.rule.name, why });
        }
        built(self.rule, population).map(|_| ())
    }

    fn pool(&self, pools: &Pools<'_>, messages: &[Information]) -> Result<Pooled, PoolError> {
        let checked = Checked::new(messages, pools.population)?;
        let root = self.root(pools, &checked)?;
        // No more than the honest are known to have collected.
        let precision = root.reference.scaled(checked.population.quorum() as f64);
        let evidence = precision.times(&root.theta);
        let honest = Information { precision, evidence };
        let posterior = Posterior::new(pools.prior, &honest, pools.noise_factor);
        let posterior = posterior.ok_or(PoolError::NotDefinite)?;
        Ok(Pooled { posterior, is_used: checked.is_sound })
    }
}

struct Screen {
    scores: Scores,
}

/// What a score may exceed by chance: this many medians, where the quantile is smaller.
const MEDIANS_MAX: f64 = 3.0;
/// How much more data than the median member nobody has.
const TRACES_MAX: f64 = 5.0;

impl Pool for Screen {
    fn check(&self, population: Population) -> Result<(), PoolError> {
        self.scores.check(population)
    }

    fn pool(&self, pools: &Pools<'_>, messages: &[Information]) -> Result<Pooled, PoolError> {
        let checked = Checked::new(messages, pools.population)?;
        let root = self.scores.root(pools, &checked)?;
        let noise = Cholesky::new(pools.noise).ok_or(PoolError::NotDefinite)?;
        let size = |message: &Information| {
            let n = message.precision.rows();
            let ridge = Matrix::scalar(n, 1e-9 * message.precision.trace() / n as f64);
            let factor = Cholesky::new(&message.precision.plus(1.0, &ridge))?;
            let half = factor.solve_lower(&message.score(&root.theta));
            let whitened = noise.solve_lower(&half.transposed());
            Some(whitened.inner(&whitened))
        };
        // What cannot even be measured is as far away as can be.
        let sizes: Vec<f64> =
            checked.messages.iter().map(|m| size(m).unwrap_or(f64::INFINITY)).collect();
        let traces: Vec<f64> = checked.messages.iter().map(|m| m.precision.trace()).collect();
        let freedom = root.theta.entries().len() as f64;
        let size_max = chi_square_quantile(freedom).max(MEDIANS_MAX * median(&sizes));
        let trace_max = TRACES_MAX * median(&traces);
        let mut is_used = checked.is_sound;
        let sound = is_used.iter_mut().filter(|is_used| **is_used);
        for ((is_used, size), trace) in sound.zip(&sizes).zip(&traces) {
            *is_used = *size <= size_max && *trace <= trace_max;
        }
        sum(pools, messages, is_used)
    }
}

/// Messages that could be statistics of some path.
struct Checked {
    messages: Vec<Information>,
    is_sound: Vec<bool>,
    population: Population,
}

impl Checked {
    /// Whoever sends what no path can yield has shown to be Byzantine, so that so many fewer are
    /// left to be tolerated.
    fn new(messages: &[Information], population: Population) -> Result<Self, PoolError> {
        let is_sound: Vec<bool> = messages.iter().map(is_of_some_path).collect();
        let found = is_sound.iter().filter(|is_sound| !**is_sound).count();
        let tolerated = population.f();
        if found > tolerated {
            return Err(PoolError::Malformed { found, tolerated });
        }
        let sound = messages.iter().zip(&is_sound).filter(|(_, is_sound)| **is_sound);
        let messages: Vec<Information> = sound.map(|(message, _)| message.clone()).collect();
        let population = Population::new(messages.len(), tolerated - found)?;
        Ok(Self { messages, is_sound, population })
    }
}

/// Finite, symmetric and without a negative direction.
fn is_of_some_path(message: &Information) -> bool {
    if !message.is_finite() || !message.precision.is_symmetric(1e-9) {
        return false;
    }
    let (greatest, values) =
        (message.precision.greatest(), symmetric_eigenvalues(&message.precision));
    greatest > 0.0 && values[0] >= -1e-9 * greatest
}

/// The lower median.
fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted[(sorted.len() - 1) / 2]
}

/// The 0.999 quantile of χ², by the cube of Wilson and Hilferty: 3 % too large at one degree of
/// freedom, within 1.5 % from five on. Too large errs on the side of keeping an honest member.
fn chi_square_quantile(freedom: f64) -> f64 {
    const NORMAL_QUANTILE: f64 = 3.090_232_306_167_813;
    let share = 2.0 / (9.0 * freedom);
    freedom * (1.0 - share + NORMAL_QUANTILE * share.sqrt()).powi(3)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_those_of_the_tables() {
        for (freedom, expected) in [(1.0, 10.828), (5.0, 20.515), (12.0, 32.909), (24.0, 51.179)] {
            let found = chi_square_quantile(freedom);
            let tolerance = if freedom < 5.0 { 0.031 } else { 0.015 };
            assert!((found / expected - 1.0).abs() < tolerance, "{freedom}: {found}");
        }
    }
}
