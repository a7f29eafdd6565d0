//! CAF, covariance-bound agnostic filter: weights fall where the variance is largest.
use crate::geometry::{Geometric, GeometricRule, Geometry, Needs, Pairs};
use crate::population::{Bound, Population};
use crate::registry::Entry;
use crate::rule::weighted_spread::WeightedSpread;
use crate::rule::{AggregateError, Certificate, Example, Label, Rule};

/// The registry entry.
pub const ENTRY: Entry<Rule> = Entry {
    name: "caf",
    summary: "weighted mean, outliers along the direction of largest variance losing weight",
    source: "Allouah, Guerraoui, Stephan, Towards Trustworthy Federated Learning with Untrusted \
             Participants, ICML 2025, Algorithm 2; the loop as in ByzFL",
    params: &[],
    build: Rule {
        formula: "c = 1; while Σc > n − 2f: μ weighted mean, (λ, v) top eigenpair of the weighted \
                  covariance, c_i ← c_i (1 − τ_i/max τ) with τ_i = ⟨x_i − μ, v⟩²; the μ of least λ",
        guarantee: "none stated here",
        cost: "O(n² d), then at most n rounds of O(n²) an iteration of the power method",
        certificate: Certificate { kappa: None, label: Label::None, breakdown: None },
        example: Example {
            rows: &[&[0.0], &[1.0], &[2.0], &[4.0], &[100.0]],
            f: 1,
            result: &[1.7646058],
        },
        bound: Bound::MAJORITY,
        is_self_centred: false,
        build: |_, population| {
            Ok(Box::new(Geometric::new(Caf { f: population.f(), ..Caf::default() })))
        },
    },
};

#[derive(Debug, Default)]
struct Caf {
    f: usize,
    /// c_i
    mass: Vec<f64>,
    spread: WeightedSpread,
}

impl GeometricRule for Caf {
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
        self.mass.clear();
        self.mass.extend((0..count).map(|i| if geometry.is_finite(i) { 1.0 } else { 0.0 }));
        let mut best = f64::INFINITY;
        let enough = (count - 2 * self.f) as f64;
        loop {
            let sum: f64 = self.mass.iter().sum();
            // The first round always counts, so that f = 0 gives the mean.
            if best.is_finite() && sum <= enough {
                return Ok(());
            }
            let value = self.spread.largest(geometry, &self.mass);
            if value < best {
                best = value;
                weights.copy_from_slice(self.spread.share());
            }
            if value == 0.0 {
                return Ok(());
            }
            // τ_i up to a common factor.
            let along = self.spread.along();
            let outlying = |i: usize| along[i] * along[i];
            let present = (0..count).filter(|&i| self.mass[i] > 0.0);
            let most = present.map(outlying).fold(0.0, f64::max);
            if most == 0.0 {
                return Ok(());
            }
            for (mass, image) in self.mass.iter_mut().zip(along) {
                if *mass > 0.0 {
                    *mass *= 1.0 - image * image / most;
                }
            }
        }
    }
}
