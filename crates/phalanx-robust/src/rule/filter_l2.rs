//! Filtering in L2: while the largest variance is too large, who causes it loses weight.
use crate::args::Param;
use crate::geometry::{Geometric, GeometricRule, Geometry, Needs, Pairs};
use crate::population::{Bound, Population};
use crate::registry::Entry;
use crate::rule::weighted_spread::WeightedSpread;
use crate::rule::{AggregateError, Certificate, Example, Label, Rule};

/// The registry entry.
pub const ENTRY: Entry<Rule> = Entry {
    name: "filter-l2",
    summary: "weighted mean, filtered along the largest variance until that is small enough",
    source: "Steinhardt, Robust Learning: Information Theory and Algorithms, thesis, Stanford 2018 \
             (recalled); the loop as in the code of Allouah et al., Fixing by Mixing, AISTATS \
             2023, sigma = 1 as in that of Zhu et al., Byzantine-Robust Federated Learning with \
             Optimal Statistical Rates, AISTATS 2023",
    params: &[
        Param::number("sigma", (0.0, 1e30), 1.0)
            .about("bound on the operator norm of the honest covariance; 0 counts as 1e-5"),
        Param::number("expansion", (0.0, 1e30), 20.0).about("slack of the test for stopping"),
    ],
    build: Rule {
        formula: "c = 1; at most 2f times: μ weighted mean, (λ, v) top eigenpair of the weighted \
                  covariance; stop when λ² ≤ expansion · σ²; c_i ← c_i (1 − τ_i/max τ) with \
                  τ_i = ⟨x_i − μ, v⟩²; a row that is not finite takes one of the 2f; the last μ \
                  stands where no row would be left (both chosen)",
        guarantee: "none stated here: sigma must bound the honest covariance",
        cost: "O(n² d), then at most 2f rounds of O(n²) an iteration of the power method",
        certificate: Certificate { kappa: None, label: Label::None, breakdown: None },
        example: Example {
            rows: &[&[0.0], &[1.0], &[2.0], &[4.0], &[100.0]],
            f: 1,
            result: &[1.7646058],
        },
        bound: Bound::MAJORITY,
        is_self_centred: false,
        build: |args, population| {
            let sigma = args.number("sigma");
            let sigma = if sigma == 0.0 { LEAST_SIGMA } else { sigma };
            Ok(Box::new(Geometric::new(FilterL2 {
                f: population.f(),
                most: args.number("expansion").sqrt() * sigma,
                ..FilterL2::default()
            })))
        },
    },
};

/// What `sigma = 0` means.
const LEAST_SIGMA: f64 = 1e-5;

#[derive(Debug, Default)]
struct FilterL2 {
    f: usize,
    /// the largest λ at which the loop stops: `√expansion · σ`
    most: f64,
    /// c_i
    mass: Vec<f64>,
    spread: WeightedSpread,
}

impl FilterL2 {
    /// Takes weight from the rows that lie far along the last direction; whether any is left.
    fn filter(&mut self) -> bool {
        let along = self.spread.along();
        let outlying = |i: usize| along[i] * along[i];
        let present = (0..self.mass.len()).filter(|&i| self.mass[i] > 0.0);
        let most = present.map(outlying).fold(0.0, f64::max);
        if most == 0.0 {
            return false;
        }
        for (mass, along) in self.mass.iter_mut().zip(along) {
            *mass *= 1.0 - along * along / most;
        }
        self.mass.iter().any(|mass| *mass > 0.0)
    }
}

impl GeometricRule for FilterL2 {
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
        let bad = count - geometry.finite_count(self.f)?;
        self.mass.clear();
        self.mass.extend((0..count).map(|i| if geometry.is_finite(i) { 1.0 } else { 0.0 }));
        // Each row that is not finite was one round; at most f of the 2f are.
        for round in bad..=2 * self.f {
            let value = self.spread.largest(geometry, &self.mass);
            weights.copy_from_slice(self.spread.share());
            if value <= self.most || round == 2 * self.f || !self.filter() {
                break;
            }
        }
        Ok(())
    }
}
