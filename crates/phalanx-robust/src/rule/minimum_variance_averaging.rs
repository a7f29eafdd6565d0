//! Minimum-variance averaging, exact: branch and bound on sums of squared distances.
use crate::geometry::{Geometric, GeometricRule, Geometry, Needs, Pairs};
use crate::population::{Bound, Population};
use crate::registry::Entry;
use crate::rule::subset_search::{OutOfSteps, SubsetSearch};
use crate::rule::{AggregateError, Certificate, Example, Label, Rule};

/// The registry entry.
pub const ENTRY: Entry<Rule> = Entry {
    name: "minimum-variance-averaging",
    summary: "mean of the n − f vectors of least variance",
    source: "MVA of the code of Farhadkhani et al., Robust Collaborative Learning with Linear \
             Gradient Overhead, ICML 2023; the search is derived",
    params: &[],
    build: Rule {
        formula: "mean of the n − f rows S of least Σ_S ‖x_i − mean_S‖² = Σ_{i<j} ‖x_i − x_j‖² / \
                  (n − f); among equals the smallest sorted list of indices",
        guarantee: "derived: κ = 4f/(n − 2f), since the means of two sets of n − f rows that \
                    share n − 2f and vary no more than V differ by at most 2 √(V f/(n − 2f))",
        cost: "O(n² d), then at most 5·10⁶ steps of O(n) of a search",
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
            Ok(Box::new(Geometric::new(MinimumVarianceAveraging {
                f: population.f(),
                ..MinimumVarianceAveraging::default()
            })))
        },
    },
};

/// Steps of the search before it gives up.
const STEPS: u64 = 5_000_000;

#[derive(Debug, Default)]
struct MinimumVarianceAveraging {
    f: usize,
    rows: Vec<usize>,
    search: SubsetSearch,
}

impl GeometricRule for MinimumVarianceAveraging {
    fn needs(&self) -> Needs {
        Needs { pairs: Pairs::All, has_norms: false }
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
