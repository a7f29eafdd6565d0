//! What averaging agreement promises, as data: contraction, averaging error, number of passes.
use std::fmt;

use phalanx_robust::rule::MINIMUM_DIAMETER_STEPS_MAX;
use phalanx_robust::{Bound, Population, PopulationError};

/// Most halvings of one agreement: an `f32` has 24 bits, so more would change nothing, and the
/// logarithm of the last possible round is 32.
pub const HALVINGS_MAX: u16 = 32;

/// How an algorithm of agreement condenses what one pass has collected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AgreementRule {
    /// the mean of the `q − f` of `q` vectors with the least diameter
    MinimumDiameter {
        /// q: vectors to wait for, the own one included
        quorum: usize,
    },
    /// per coordinate the mean without the f least and the f greatest values
    TrimmedMean,
    /// per coordinate the midpoint of what is left after the same trimming
    TrimmedMidpoint,
}

impl AgreementRule {
    /// What n must be for f.
    pub fn bound(self) -> Bound {
        match self {
            Self::MinimumDiameter { .. } => Bound { times_f: 6, plus: 1 },
            Self::TrimmedMean | Self::TrimmedMidpoint => Bound::TWO_THIRDS,
        }
    }

    /// The name of the rule in [`phalanx_robust::RULES`].
    pub fn name(self) -> &'static str {
        match self {
            Self::MinimumDiameter { .. } => "minimum-diameter-averaging",
            Self::TrimmedMean => "trimmed-mean",
            Self::TrimmedMidpoint => "trimmed-midpoint",
        }
    }
}

/// In what the diameter of the honest vectors is measured when one pass is said to shrink it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Width {
    /// the greatest Euclidean distance of two honest vectors, Δ₂
    Euclidean,
    /// the greatest difference of two honest vectors in each coordinate on its own
    Coordinate,
}

impl fmt::Display for Width {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Euclidean => "euclidean",
            Self::Coordinate => "coordinate",
        })
    }
}

/// Why a population cannot agree in that way.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
pub enum AgreementError {
    /// n and f do not go together.
    #[error(transparent)]
    Population(#[from] PopulationError),
    /// The quorum leaves the factor of contraction at 1 or above, or waits for a Byzantine node.
    #[error(
        "a quorum of `{quorum}` is outside `{least}` to `{most}`: with `n = {n}`, `f = {f}` it \
         needs 2q > h + 5f and q ≤ h = n − f"
    )]
    Quorum {
        /// the quorum
        quorum: usize,
        /// the least admissible one
        least: usize,
        /// the greatest
        most: usize,
        /// number of nodes
        n: usize,
        /// tolerated Byzantine nodes
        f: usize,
    },
    /// The contraction is so weak that the passes cannot be numbered.
    #[error("`n = {n}`, `f = {f}` needs more than 65535 passes for {HALVINGS_MAX} halvings")]
    Passes {
        /// number of nodes
        n: usize,
        /// tolerated Byzantine nodes
        f: usize,
    },
    /// Byzantine nodes could make the search for the subset of least diameter too long.
    #[error(
        "`f = {f}` of `n = {n}`: a search for the subset of least diameter may need `{steps}` \
         steps, and its limit is `{limit}`"
    )]
    Search {
        /// number of nodes
        n: usize,
        /// tolerated Byzantine nodes
        f: usize,
        /// most steps that vectors can make necessary
        steps: u64,
        /// steps at which the rule gives up
        limit: u64,
    },
}

/// Checked parameters of averaging agreement and what follows from them.
///
/// Every formula is derived in specification 03, sections 4 to 6; those of the midpoint here.
///
/// # Source
/// El-Mhamdi et al., Collaborative Learning in the Jungle, NeurIPS 2021: the algorithms and the
/// bounds on n. The constants are derived, not the paper's words.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AgreementBounds {
    rule: AgreementRule,
    population: Population,
    dim: usize,
}

impl AgreementBounds {
    /// Checks the parameters; `dim` is the length of a vector.
    ///
    /// # Errors
    /// [`AgreementError`] names the bound that fails.
    pub fn new(
        rule: AgreementRule,
        population: Population,
        dim: usize,
    ) -> Result<Self, AgreementError> {
        population.require(rule.bound())?;
        let bounds = Self { rule, population, dim };
        let (n, f) = (population.n(), population.f());
        if let AgreementRule::MinimumDiameter { quorum } = rule {
            let (least, most) = (Self::least_quorum(population), bounds.honest());
            if !(least..=most).contains(&quorum) {
                return Err(AgreementError::Quorum { quorum, least, most, n, f });
            }
            let (steps, limit) = (search_steps(quorum, f), MINIMUM_DIAMETER_STEPS_MAX);
            if steps > limit {
                return Err(AgreementError::Search { n, f, steps, limit });
            }
        }
        match bounds.passes_or_none(HALVINGS_MAX) {
            Some(_) => Ok(bounds),
            None => Err(AgreementError::Passes { n, f }),
        }
    }

    /// The minimum-diameter algorithm with the largest quorum, which contracts best.
    ///
    /// # Errors
    /// As [`AgreementBounds::new`].
    pub fn minimum_diameter(population: Population, dim: usize) -> Result<Self, AgreementError> {
        let quorum = population.quorum();
        Self::new(AgreementRule::MinimumDiameter { quorum }, population, dim)
    }

    /// The least quorum of the minimum-diameter algorithm: `2q > h + 5f` makes ρ less than 1.
    pub fn least_quorum(population: Population) -> usize {
        (population.quorum() + 5 * population.f()) / 2 + 1
    }

    /// How it condenses.
    pub fn rule(&self) -> AgreementRule {
        self.rule
    }

    /// n and f.
    pub fn population(&self) -> Population {
        self.population
    }

    /// d.
    pub fn dim(&self) -> usize {
        self.dim
    }

    /// `h = n − f`.
    pub fn honest(&self) -> usize {
        self.population.quorum()
    }

    /// q: the least number of vectors that a pass collects.
    pub fn quorum(&self) -> usize {
        match self.rule {
            AgreementRule::MinimumDiameter { quorum } => quorum,
            AgreementRule::TrimmedMean | AgreementRule::TrimmedMidpoint => self.honest(),
        }
    }

    /// In what ρ and κ are measured.
    pub fn width(&self) -> Width {
        match self.rule {
            AgreementRule::MinimumDiameter { .. } => Width::Euclidean,
            AgreementRule::TrimmedMean | AgreementRule::TrimmedMidpoint => Width::Coordinate,
        }
    }

    /// ρ: one pass leaves at most this share of the width.
    pub fn contraction(&self) -> f64 {
        let (h, f, q) = self.counts();
        match self.rule {
            AgreementRule::MinimumDiameter { .. } => (h + 4.0 * f - q) / (q - f),
            AgreementRule::TrimmedMean => f / (h - f),
            AgreementRule::TrimmedMidpoint => 0.5,
        }
    }

    /// κ: after one pass every honest vector is within κ widths of the honest mean before it.
    pub fn error(&self) -> f64 {
        let (h, f, q) = self.counts();
        match self.rule {
            AgreementRule::MinimumDiameter { .. } => {
                ((2.0 * f + h - q) * q + (q - 2.0 * f) * f) / (h * (q - f))
            }
            AgreementRule::TrimmedMean => 2.0 * f / h,
            // Linear in where the trimmed minimum lies, so one of its ends is the worst: all that
            // was heard but f at one end, or all but one vector at the other.
            AgreementRule::TrimmedMidpoint => (2.0 * f / h).max(0.5 - 1.0 / h).max(0.0),
        }
    }

    /// `κ/(1 − ρ)`: the honest mean of the outcome is within so many widths of that of the inputs.
    pub fn constant_in_widths(&self) -> f64 {
        self.error() / (1.0 - self.contraction())
    }

    /// C: the same in Euclidean diameters, `‖ȳ − x̄‖ ≤ C Δ₂(x)`.
    pub fn constant(&self) -> f64 {
        self.constant_in_widths() * self.width_factor()
    }

    /// No algorithm with this quorum has a constant below `(h + 2f − q)/h`.
    pub fn least_constant(&self) -> f64 {
        let (h, f, q) = self.counts();
        (h + 2.0 * f - q) / h
    }

    /// The norm of the widths of all coordinates is at most so many Euclidean diameters:
    /// `min(√d, √(h − 1))`; 1 where widths are Euclidean.
    pub fn width_factor(&self) -> f64 {
        match self.width() {
            Width::Euclidean => 1.0,
            Width::Coordinate => (self.dim.min(self.honest() - 1).max(1) as f64).sqrt(),
        }
    }

    /// T: passes after which the Euclidean diameter is at most `2^−N` of what it was.
    ///
    /// # Panics
    /// Above [`HALVINGS_MAX`]: a bug of the caller.
    pub fn passes(&self, halvings: u16) -> u16 {
        assert!(halvings <= HALVINGS_MAX, "at most {HALVINGS_MAX} halvings are asked for");
        self.passes_or_none(halvings).expect("the parameters were checked for the most halvings")
    }

    fn passes_or_none(&self, halvings: u16) -> Option<u16> {
        if halvings == 0 {
            return Some(0);
        }
        let wanted = f64::from(halvings) * std::f64::consts::LN_2 + self.width_factor().ln();
        // ρ = 0 gives 0 passes by the formula, but one is what makes the vectors equal. The last
        // bits of a quotient that is whole must not cost a pass.
        let passes = (wanted / -self.contraction().ln() - 1e-9).ceil().max(1.0);
        (passes <= f64::from(u16::MAX)).then_some(passes as u16)
    }

    fn counts(&self) -> (f64, f64, f64) {
        (self.honest() as f64, self.population.f() as f64, self.quorum() as f64)
    }
}

/// Most steps of the search for the subset of least diameter: one cover for each halving of the
/// sorted distances, one for each vector, each of at most `S(f) = S(f − 1) + S(f − 3)` steps.
fn search_steps(quorum: usize, f: usize) -> u64 {
    let mut last = [1u64; 3];
    for _ in 3..=f {
        last = [last[1], last[2], last[2].saturating_add(last[0])];
    }
    let thresholds = (quorum * quorum / 2 + 1) as u64;
    let covers = u64::from(u64::BITS - thresholds.leading_zeros()) + quorum as u64;
    covers.saturating_mul(last[2])
}
