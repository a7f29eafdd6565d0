//! Aggregation rules: one file each, one line each in the list below.
use crate::args::{ArgError, Args};
use crate::geometry::{GeometricRule, Geometry};
use crate::kernel::order::Statistic;
use crate::mixing::ColumnRule;
use crate::population::{Bound, Population, PopulationError};
use crate::registry::Entry;
use crate::state::{StateError, StateReader, StateWriter};
use crate::vectors::{ShapeError, Vectors};

mod aksel;
mod average;
mod bulyan;
mod caf;
mod centered_clipping;
mod clipped_gossip;
mod clipped_sum;
mod comparative_gradient_elimination;
mod coordinate_wise;
mod coordinate_wise_median;
mod dnc;
mod filter_l2;
mod fltrust;
mod fools_gold;
mod geometric_median;
mod gossip;
mod iterative_outlier_scissor;
mod krum;
mod meamed;
mod median_of_means;
mod medoid;
mod minimum_diameter_averaging;
mod minimum_variance_averaging;
mod multi_krum;
mod nearest_neighbor_averaging;
mod phocas;
mod pseudo_krum;
mod self_centered_clipping;
mod sign_guard;
mod smallest_maximum_eigenvalue_averaging;
mod spectral_search;
mod subset_search;
mod trimmed_mean;
mod trimmed_midpoint;
mod trimmed_sum;
mod vertex_cover;
mod weighted_spread;

pub use minimum_diameter_averaging::STEPS as MINIMUM_DIAMETER_STEPS_MAX;

/// Every rule that an experiment file can name.
pub const RULES: &[Entry<Rule>] = &[
    aksel::ENTRY,
    average::ENTRY,
    bulyan::ENTRY,
    caf::ENTRY,
    centered_clipping::ENTRY,
    clipped_gossip::ENTRY,
    clipped_sum::ENTRY,
    comparative_gradient_elimination::ENTRY,
    coordinate_wise_median::ENTRY,
    dnc::ENTRY,
    filter_l2::ENTRY,
    fltrust::ENTRY,
    fools_gold::ENTRY,
    geometric_median::ENTRY,
    iterative_outlier_scissor::ENTRY,
    krum::ENTRY,
    meamed::ENTRY,
    median_of_means::ENTRY,
    medoid::ENTRY,
    minimum_diameter_averaging::ENTRY,
    minimum_variance_averaging::ENTRY,
    multi_krum::ENTRY,
    nearest_neighbor_averaging::ENTRY,
    phocas::ENTRY,
    pseudo_krum::ENTRY,
    self_centered_clipping::ENTRY,
    sign_guard::ENTRY,
    smallest_maximum_eigenvalue_averaging::ENTRY,
    trimmed_mean::ENTRY,
    trimmed_midpoint::ENTRY,
    trimmed_sum::ENTRY,
];

/// Why vectors could not be aggregated.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum AggregateError {
    /// n and f do not go together for this rule.
    #[error(transparent)]
    Population(#[from] PopulationError),
    /// The rows are no family of vectors.
    #[error(transparent)]
    Shape(#[from] ShapeError),
    /// The output has another length than the input.
    #[error("the output has length `{found}`, but the vectors have length `{expected}`")]
    Output {
        /// length of the vectors
        expected: usize,
        /// length of the output
        found: usize,
    },
    /// The rule is centred at the own vector, and none is marked.
    #[error("rule `{rule}` is centred at the own vector, and none is marked")]
    NoOwn {
        /// name of the rule
        rule: &'static str,
    },
    /// The own vector, which is trusted, holds NaN or infinity.
    #[error("rule `{rule}` is centred at the own vector, which is not finite")]
    OwnNotFinite {
        /// name of the rule
        rule: &'static str,
    },
    /// More rows than f are not finite: nothing can be promised.
    #[error("`{found}` of the vectors are not finite, but only `{tolerated}` are tolerated")]
    TooManyNotFinite {
        /// rows with NaN or infinity
        found: usize,
        /// tolerated Byzantine vectors
        tolerated: usize,
    },
    /// Edge weights were given to a rule that would ignore them.
    #[error("edge weights were given, and the rule takes none")]
    EdgeWeights,
    /// The rule remembers a result of another length.
    #[error("rule `{rule}` remembers a vector of length `{expected}`, but `{found}` was given")]
    Remembered {
        /// name of the rule
        rule: &'static str,
        /// length that it remembers
        expected: usize,
        /// length of the vectors
        found: usize,
    },
    /// The rule remembers each sender by the position of its row, and their number changed.
    #[error("rule `{rule}` remembers `{expected}` senders by position, but `{found}` rows came")]
    Senders {
        /// name of the rule
        rule: &'static str,
        /// senders that it remembers
        expected: usize,
        /// rows of this call
        found: usize,
    },
    /// A search exceeded its stated limit.
    #[error("rule `{rule}` gave up after `{limit}` steps of its search")]
    Limit {
        /// name of the rule
        rule: &'static str,
        /// the limit
        limit: u64,
    },
}

/// Why a rule could not be built.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum BuildError {
    /// n and f do not go together.
    #[error(transparent)]
    Population(#[from] PopulationError),
    /// A parameter was refused.
    #[error(transparent)]
    Arg(#[from] ArgError),
    /// Two settings exclude each other, or a value depends on n and f.
    #[error("{0}")]
    Other(String),
}

/// Condenses a family of vectors into one.
///
/// # Guarantee
/// With at most f rows of any bit pattern the result is finite and within the rule's bound;
/// it depends on the arguments and, for rules that say so, on the rule's saved state alone.
pub trait Aggregator: Send {
    /// # Errors
    /// [`AggregateError`]; `out` is then unspecified, the inputs are never modified.
    fn aggregate(&mut self, vectors: Vectors<'_>, out: &mut [f32]) -> Result<(), AggregateError>;

    /// The rule as distances in, weights out, when it is of that kind.
    fn geometric(&mut self) -> Option<&mut dyn GeometricRule> {
        None
    }

    /// Whether edge weights of the vectors count; any other rule refuses them.
    fn uses_edge_weights(&self) -> bool {
        false
    }

    /// What is made of each coordinate of `count` vectors, or why nothing, when the rule looks at
    /// one coordinate at a time and remembers nothing.
    fn coordinate_wise(&self, _count: usize) -> Option<Result<Statistic, AggregateError>> {
        None
    }

    /// What is made of each coordinate of `count` vectors, when the rule looks at one coordinate
    /// at a time.
    fn statistic(&self, count: usize) -> Option<Statistic> {
        self.coordinate_wise(count)?.ok()
    }

    /// The rule as distances in, mixtures and a statistic of their coordinates out, when it is of
    /// that kind.
    fn column_rule(&mut self) -> Option<&mut dyn ColumnRule> {
        None
    }

    /// What became of each row in the last successful call, where the rule knows.
    fn effects(&self) -> Option<Effects<'_>> {
        None
    }

    /// Writes what the next call depends on; nothing for almost every rule.
    fn save(&self, _out: &mut StateWriter) {}

    /// # Errors
    /// When the snapshot does not fit.
    fn load(&mut self, _input: &mut StateReader<'_>) -> Result<(), StateError> {
        Ok(())
    }
}

/// What became of each row in one call.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Effects<'a> {
    /// the result is `Σ w_i x_i`; where the weights do not sum to 1, the rest is on what the rule
    /// remembers, or rows were rescaled
    pub weights: &'a [f64],
    /// how many times its length each row, or its difference from the centre, was left with, in
    /// the last iteration, by a rule that clips
    pub factors: Option<&'a [f64]>,
}

/// Builds a rule for `n` vectors of which `f` may be Byzantine.
pub type BuildRule = fn(&Args, Population) -> Result<Box<dyn Aggregator>, BuildError>;

/// Where a statement about a rule comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Label {
    /// stated and proven in the source
    Proven,
    /// recalled from the source and not looked up; the tests search for a counterexample
    Recalled,
    /// derived for this library
    Derived,
    /// nothing is stated
    None,
}

impl Label {
    /// One word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Proven => "proven",
            Self::Recalled => "recalled",
            Self::Derived => "derived",
            Self::None => "none",
        }
    }
}

/// What is promised with default parameters, as data.
#[derive(Debug, Clone, Copy)]
pub struct Certificate {
    /// κ(n, f) of `‖R(x) − x̄_S‖² ≤ κ/|S| · Σ_S ‖x_i − x̄_S‖²` for every S of n − f vectors
    pub kappa: Option<fn(f64, f64) -> f64>,
    /// where the statement comes from
    pub label: Label,
    /// populations in which f arbitrary vectors cannot carry the result away from the honest ones
    pub breakdown: Option<Bound>,
}

/// A worked example, checked by the tests; vector 0 is the own one.
#[derive(Debug, Clone, Copy)]
pub struct Example {
    /// the vectors
    pub rows: &'static [&'static [f32]],
    /// tolerated Byzantine vectors
    pub f: usize,
    /// what the rule makes of them with default parameters
    pub result: &'static [f32],
}

/// What is known of a rule besides name and parameters.
#[derive(Debug, Clone, Copy)]
pub struct Rule {
    /// the formula, in one or two lines of plain text
    pub formula: &'static str,
    /// proven coefficient κ or breakdown bound, with its label (proven, recalled, derived, none)
    pub guarantee: &'static str,
    /// cost in n, d, f
    pub cost: &'static str,
    /// the guarantee as data
    pub certificate: Certificate,
    /// a few vectors and what becomes of them
    pub example: Example,
    /// admissible n and f, where n is the number of vectors given to the rule
    pub bound: Bound,
    /// whether the result is centred at the own vector
    pub is_self_centred: bool,
    /// builds it for `n` vectors of which `f` may be Byzantine
    pub build: BuildRule,
}

/// What every rule checks first that takes no edge weights.
pub(crate) fn check_output(vectors: Vectors<'_>, out: &[f32]) -> Result<(), AggregateError> {
    if vectors.weights().is_some() {
        return Err(AggregateError::EdgeWeights);
    }
    check_length(vectors, out)
}

pub(crate) fn check_length(vectors: Vectors<'_>, out: &[f32]) -> Result<(), AggregateError> {
    if out.len() == vectors.dim() {
        return Ok(());
    }
    Err(AggregateError::Output { expected: vectors.dim(), found: out.len() })
}

/// The own row of a rule that is centred at it, once n and f go together and it is finite.
pub(crate) fn trusted_own(
    rule: &'static str,
    geometry: &Geometry,
    own: Option<usize>,
    f: usize,
) -> Result<usize, AggregateError> {
    let own = own.ok_or(AggregateError::NoOwn { rule })?;
    Population::new(geometry.count(), f)?.require(Bound::MAJORITY)?;
    if !geometry.is_finite(own) {
        return Err(AggregateError::OwnNotFinite { rule });
    }
    geometry.finite_count(f)?;
    Ok(own)
}
