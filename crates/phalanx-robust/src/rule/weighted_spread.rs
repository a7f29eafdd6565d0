//! The direction of the largest weighted variance, from distances alone.
use crate::geometry::Geometry;

/// Most iterations of the power method in one call.
const ITERATIONS_MAX: usize = 1000;
/// Relative change of the eigenvalue at which it stops.
const TOLERANCE: f64 = 1e-13;

/// The weighted covariance of a family, in the basis of its rows.
#[derive(Debug, Default)]
pub(super) struct WeightedSpread {
    /// the weights, scaled to sum to 1
    share: Vec<f64>,
    /// ⟨x_i − μ, x_j − μ⟩
    products: Vec<f64>,
    /// the eigenvector in the basis of the rows
    vector: Vec<f64>,
    image: Vec<f64>,
}

impl WeightedSpread {
    /// The largest eigenvalue λ of the covariance under `weights`, of which not all are 0; it is 0
    /// where all rows with weight agree.
    pub(super) fn largest(&mut self, geometry: &Geometry, weights: &[f64]) -> f64 {
        let sum: f64 = weights.iter().sum();
        self.share.clear();
        self.share.extend(weights.iter().map(|weight| weight / sum));
        self.centre(geometry);
        self.top_eigenvalue()
    }

    /// The weights of the last call, scaled to sum to 1.
    pub(super) fn share(&self) -> &[f64] {
        &self.share
    }

    /// `⟨x_i − μ, v⟩`, up to one common factor, after [`WeightedSpread::largest`]; v is the
    /// eigenvector of λ and μ the weighted mean. Rows of weight 0 have 0.
    pub(super) fn along(&self) -> &[f64] {
        &self.image
    }

    /// Inner products around the weighted mean, from the distances of the rows that have weight;
    /// computed anew in every call, so that a row that is out costs no accuracy.
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

    /// Leaves ⟨x_i − μ, v⟩ √λ in `image`; returns λ.
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
