//! Smallest maximum eigenvalue averaging, exact: branch and bound over definite Gram matrices.
use crate::geometry::{Geometric, GeometricRule, Geometry, Needs, Pairs};
use crate::population::{Bound, Population};
use crate::registry::Entry;
use crate::rule::spectral_search::{OutOfSteps, SpectralSearch};
use crate::rule::{AggregateError, Certificate, Example, Label, Rule};

/// The registry entry.
pub const ENTRY: Entry<Rule> = Entry {
    name: "smallest-maximum-eigenvalue-averaging",
    summary: "mean of the n − f vectors whose covariance has the least largest eigenvalue (SMEA)",
    source: "Allouah, Guerraoui, Gupta, Pinot, Stephan, On the Privacy-Robustness-Utility Trilemma \
             in Distributed Learning, ICML 2023 (recalled); the search is derived",
    params: &[],
    build: Rule {
        formula: "mean of the n − f rows S of least λ_max(Σ_S (x_i − mean_S)(x_i − mean_S)ᵀ), \
                  found in the n x n matrix of inner products; among equals the smallest sorted \
                  list of indices",
        guarantee: "derived: κ = 4f/(n − 2f), even with the largest eigenvalue of the honest \
                    covariance in place of the variance: the means of two sets of n − f rows that \
                    share n − 2f and vary by at most V in any direction differ by at most \
                    2 √(V f/(n − 2f))",
        cost: "O(n² d), then at most 10⁷ steps of O(n²) of a search",
        certificate: Certificate {
            kappa: Some(|n, f| 4.0 * f / (n - 2.0 * f)),
            label: Label::Derived,
            breakdown: Some(Bound::MAJORITY),
        },
        example: Example {
            rows: &[&[0.0], &[1.0], &[2.0], &[4.0], &[100.0]],
            f: 1,
            result: &[1.75],
        },
        bound: Bound::MAJORITY,
        is_self_centred: false,
        build: |_, population| {
            Ok(Box::new(Geometric::new(SmallestMaximumEigenvalueAveraging {
                f: population.f(),
                ..SmallestMaximumEigenvalueAveraging::default()
            })))
        },
    },
};

/// Steps of the search before it gives up.
const STEPS: u64 = 10_000_000;

#[derive(Debug, Default)]
struct SmallestMaximumEigenvalueAveraging {
    f: usize,
    rows: Vec<usize>,
    search: SpectralSearch,
}

impl GeometricRule for SmallestMaximumEigenvalueAveraging {
    fn needs(&self) -> Needs {
        Needs { pairs: Pairs::Exact, has_norms: false }
    }

    fn weights(
        &mut self,
        geometry: &Geometry,
        _own: Option<usize>,
        weights: &mut [f64],
    ) -> Result<(), AggregateError> {
        let count = geometry.count();
        Population::new(count, self.f)?.require(Bound::MAJORITY)?;
        geometry.finite_count(self.f)?;
        self.rows.clear();
        self.rows.extend((0..count).filter(|&i| geometry.is_finite(i)));
        let rows = &self.rows;
        let distance = |a: usize, b: usize| geometry.squared_distance(rows[a], rows[b]);
        let chosen = self.search.least((count - self.f, rows.len()), STEPS, distance);
        let chosen = chosen
            .map_err(|_: OutOfSteps| AggregateError::Limit { rule: ENTRY.name, limit: STEPS })?;
        weights.fill(0.0);
        let share = 1.0 / chosen.len() as f64;
        chosen.iter().for_each(|&at| weights[rows[at]] = share);
        Ok(())
    }
}
