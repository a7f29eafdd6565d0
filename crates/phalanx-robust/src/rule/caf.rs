//! CAF, covariance-bound agnostic filter: weights fall where the variance is largest.
use crate::geometry::{Geometric, GeometricRule, Geometry, Needs, Pairs};
use crate::population::{Bound, Population};
use crate::registry::Entry;
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

/// Most iterations of the power method in one round.
const ITERATIONS_MAX: usize = 1000;
/// Relative change of the eigenvalue at which it stops.
const TOLERANCE: f64 = 1e-13;

#[derive(Debug, Default)]
struct Caf {
    f: usize,
    /// c_i
    mass: Vec<f64>,
    /// c_i / Σc
    share: Vec<f64>,
    /// ⟨x_i − μ, x_j − μ⟩
    products: Vec<f64>,
    /// the eigenvector in the basis of the rows
    vector: Vec<f64>,
    image: Vec<f64>,
}

impl Caf {
    /// Inner products around the weighted mean, from the distances of the rows that still have
    /// weight; computed anew in every round, so that a row that is out costs no accuracy.
    fn centre(&mut self, geometry: &Geometry) {
        let count = geometry.count();
        let present = |i: &usize| self.share[*i] != 0.0;
        let (mut means, mut mean) = (std::mem::take(&mut self.image), 0.0);
        means.clear();
        means.resize(count, 0.0);
        for i in (0..count).filter(present) {
            let terms = (0..count).filter(present);
            means[i] = terms.map(|j| self.share[j] * geometry.squared_distance(i, j)).sum();
            mean += self.share[i] * means[i];
        }
        self.products.clear();
        self.products.resize(count * count, 0.0);
        for i in (0..count).filter(present) {
            for j in (0..count).filter(present) {
                let doubled = means[i] + means[j] - mean - geometry.squared_distance(i, j);
                self.products[i * count + j] = 0.5 * doubled;
            }
        }
        self.image = means;
    }

    /// Leaves ⟨x_i − μ, v⟩ √λ in `image`; returns λ, the largest eigenvalue of the weighted
    /// covariance, 0 where all rows agree.
    fn top_eigenvalue(&mut self) -> f64 {
        let count = self.share.len();
        // Start along the row farthest from the mean: never orthogonal to all of the spread.
        let far = (0..count).max_by(|&a, &b| {
            let spread = |i: usize| self.share[i] * self.products[i * count + i];
            spread(a).total_cmp(&spread(b)).then(b.cmp(&a))
        });
        let Some(far) = far else { return 0.0 };
        self.vector.clear();
        self.vector.extend((0..count).map(|i| self.products[i * count + far]));
        let mut value = 0.0;
        for _ in 0..ITERATIONS_MAX {
            // v = Σ a_i (x_i − μ) with a = share · vector; one product with K gives ⟨x_i − μ, v⟩.
            let norm = self.vector.iter().fold(0.0f64, |norm, x| norm.max(x.abs()));
            if norm == 0.0 || !norm.is_finite() {
                return 0.0;
            }
            self.vector.iter_mut().for_each(|x| *x /= norm);
            for i in 0..count {
                let products = &self.products[i * count..][..count];
                let terms = products.iter().zip(&self.share).zip(&self.vector);
                self.image[i] = terms.map(|((product, share), x)| product * share * x).sum();
            }
            let weighted = self.share.iter().zip(&self.vector);
            let (mut above, mut below) = (0.0, 0.0);
            for ((share, x), image) in weighted.zip(&self.image) {
                above += share * x * image;
                below += share * x * x;
            }
            let next = above / below;
            std::mem::swap(&mut self.vector, &mut self.image);
            let is_settled = (next - value).abs() <= TOLERANCE * next;
            value = next;
            if is_settled {
                break;
            }
        }
        std::mem::swap(&mut self.vector, &mut self.image);
        value.max(0.0)
    }
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
            self.share.clear();
            self.share.extend(self.mass.iter().map(|mass| mass / sum));
            self.centre(geometry);
            let value = self.top_eigenvalue();
            if value < best {
                best = value;
                weights.copy_from_slice(&self.share);
            }
            if value == 0.0 {
                return Ok(());
            }
            // τ_i up to a common factor.
            let outlying = |i: usize| self.image[i] * self.image[i];
            let present = (0..count).filter(|&i| self.mass[i] > 0.0);
            let most = present.map(outlying).fold(0.0, f64::max);
            if most == 0.0 {
                return Ok(());
            }
            for (mass, image) in self.mass.iter_mut().zip(&self.image) {
                if *mass > 0.0 {
                    *mass *= 1.0 - image * image / most;
                }
            }
        }
    }
}
