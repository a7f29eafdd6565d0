//! How many nodes there are, how many may be Byzantine, and which bounds that satisfies.
use std::fmt;

/// `n ≥ times_f · f + plus`: what a rule or protocol demands of a population.
///
/// `n > 2f` is `Bound { times_f: 2, plus: 1 }`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bound {
    /// factor of f
    pub times_f: usize,
    /// constant added to it
    pub plus: usize,
}

impl Bound {
    /// Any `f ≤ n` (a rule that tolerates nothing, or takes no notice of f).
    pub const ANY: Self = Self { times_f: 1, plus: 0 };
    /// `n > 2f`: an honest majority.
    pub const MAJORITY: Self = Self { times_f: 2, plus: 1 };
    /// `n > 3f`: what asynchronous agreement needs.
    pub const TWO_THIRDS: Self = Self { times_f: 3, plus: 1 };

    /// Least admissible n for `f`.
    pub fn least_n(self, f: usize) -> usize {
        self.times_f.saturating_mul(f).saturating_add(self.plus)
    }
}

impl fmt::Display for Bound {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.plus {
            0 => write!(out, "n ≥ {}f", self.times_f),
            plus => write!(out, "n ≥ {}f + {plus}", self.times_f),
        }
    }
}

/// Why a population is not admissible.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PopulationError {
    /// No nodes, or more faults than nodes.
    #[error("`f = {f}` of `n = {n}` nodes is not a population: 0 ≤ f < n is needed")]
    Impossible {
        /// number of nodes
        n: usize,
        /// tolerated Byzantine nodes
        f: usize,
    },
    /// A bound does not hold.
    #[error("`n = {n}`, `f = {f}` does not satisfy {bound} (at most `f = {largest_f}` here)")]
    Bound {
        /// number of nodes
        n: usize,
        /// tolerated Byzantine nodes
        f: usize,
        /// the bound that fails
        bound: Bound,
        /// largest f that this n admits
        largest_f: usize,
    },
}

/// `n` nodes of which at most `f` may be Byzantine. `f` is what we tolerate, not what attacks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Population {
    n: usize,
    f: usize,
}

impl Population {
    /// # Errors
    /// Unless `n ≥ 1` and `f < n`.
    pub fn new(n: usize, f: usize) -> Result<Self, PopulationError> {
        if f < n { Ok(Self { n, f }) } else { Err(PopulationError::Impossible { n, f }) }
    }

    /// Number of nodes (or of vectors that a rule is given).
    pub fn n(self) -> usize {
        self.n
    }

    /// Tolerated Byzantine nodes.
    pub fn f(self) -> usize {
        self.f
    }

    /// `n − f`: the most that a node may wait for.
    pub fn quorum(self) -> usize {
        self.n - self.f
    }

    /// # Errors
    /// Names the bound, n, f and the largest admissible f.
    pub fn require(self, bound: Bound) -> Result<(), PopulationError> {
        let Self { n, f } = self;
        if n >= bound.least_n(f) {
            return Ok(());
        }
        let largest_f = n.saturating_sub(bound.plus) / bound.times_f.max(1);
        Err(PopulationError::Bound { n, f, bound, largest_f })
    }
}
