//! Mixings that are distances in, weights out, composed with a rule of that kind.
//!
//! Where every mixture is `y_a = Σ W_aj x_j` with weights from the geometry alone, the distances
//! among the mixtures are quadratic forms of the distances among the inputs, and the rule's
//! weights of the mixtures are weights of the inputs: nobody ever writes a mixture down.
use crate::geometry::{GeometricRule, Geometry, Needs, Pairs};
use crate::rule::AggregateError;

/// Weights of all mixtures.
///
/// # Shape
/// `count × inputs`, row-major; each row sums to 1.
#[derive(Debug, Clone, Default)]
pub struct Mixtures {
    inputs: usize,
    weights: Vec<f64>,
}

impl Mixtures {
    /// `count` mixtures of `inputs` vectors, all weights 0.
    pub fn reset(&mut self, count: usize, inputs: usize) {
        self.inputs = inputs;
        self.weights.clear();
        self.weights.resize(count * inputs, 0.0);
    }

    /// Weights of mixture `a`.
    pub fn row_mut(&mut self, a: usize) -> &mut [f64] {
        &mut self.weights[a * self.inputs..][..self.inputs]
    }

    /// Weights of mixture `a`.
    pub fn row(&self, a: usize) -> &[f64] {
        &self.weights[a * self.inputs..][..self.inputs]
    }

    /// Number of mixtures.
    pub fn count(&self) -> usize {
        self.weights.len() / self.inputs.max(1)
    }

    /// Makes each vector its own mixture.
    fn identity(&mut self, inputs: usize) {
        self.reset(inputs, inputs);
        (0..inputs).for_each(|i| self.row_mut(i)[i] = 1.0);
    }

    /// Mixtures of these mixtures, in terms of what these are made of.
    fn followed_by(&self, next: &Self, out: &mut Self) {
        out.reset(next.count(), self.inputs);
        for b in 0..next.count() {
            self.combine(next.row(b), out.row_mut(b));
        }
    }

    /// `Σ_a weights_a W_a`.
    fn combine(&self, weights: &[f64], out: &mut [f64]) {
        out.fill(0.0);
        for (a, weight) in weights.iter().enumerate().filter(|(_, weight)| **weight != 0.0) {
            out.iter_mut().zip(self.row(a)).for_each(|(out, share)| *out += weight * share);
        }
    }
}

/// A mixing whose output is `Σ W_aj x_j` with weights that depend on the geometry alone.
pub trait GeometricMixing: Send {
    /// Which distances it looks at.
    fn pairs(&self) -> Pairs {
        Pairs::All
    }

    /// Writes the weights of all mixtures, each of which sums to 1.
    ///
    /// # Errors
    /// When the number of rows is not admissible for the mixing's f.
    fn mixtures(
        &mut self,
        geometry: &Geometry,
        own: Option<usize>,
        out: &mut Mixtures,
    ) -> Result<(), AggregateError>;
}

/// Room for the composition of mixings with a rule.
#[derive(Debug, Clone, Default)]
pub(super) struct Composition {
    /// mixtures in terms of the inputs, so far
    total: Mixtures,
    step: Mixtures,
    next: Mixtures,
    mixed: Geometry,
    difference: Vec<(usize, f64)>,
    weights: Vec<f64>,
    is_mixed: bool,
    has_norms: bool,
}

impl Composition {
    pub(super) fn start(&mut self, inputs: usize, has_norms: bool) {
        (self.is_mixed, self.has_norms) = (false, has_norms);
        self.total.identity(inputs);
    }

    /// Applies one more mixing to what is there; `geometry` is that of the inputs.
    pub(super) fn mix(
        &mut self,
        mixing: &mut dyn GeometricMixing,
        geometry: &Geometry,
        own: Option<usize>,
    ) -> Result<(), AggregateError> {
        self.mix_only(mixing, geometry, own)?;
        self.measure(geometry);
        Ok(())
    }

    /// As [`Composition::mix`], for a last mixing: nobody asks how far its mixtures lie.
    pub(super) fn mix_only(
        &mut self,
        mixing: &mut dyn GeometricMixing,
        geometry: &Geometry,
        own: Option<usize>,
    ) -> Result<(), AggregateError> {
        let current = if self.is_mixed { &self.mixed } else { geometry };
        mixing.mixtures(current, own, &mut self.step)?;
        self.total.followed_by(&self.step, &mut self.next);
        std::mem::swap(&mut self.total, &mut self.next);
        self.is_mixed = true;
        Ok(())
    }

    /// The mixtures so far in terms of the inputs.
    pub(super) fn total(&self) -> &Mixtures {
        &self.total
    }

    /// The geometry of the mixtures from that of the inputs: with `c = W_a − W_b`, which sums
    /// to 0, `‖y_a − y_b‖² = −½ Σ c_i c_j ‖x_i − x_j‖²`. Inputs that both mixtures share cancel
    /// exactly, however far they lie.
    pub(super) fn measure(&mut self, geometry: &Geometry) {
        let count = self.total.count();
        self.mixed.reset(count);
        for a in 0..count {
            let row = self.total.row(a);
            let is_finite = (0..row.len()).all(|i| row[i] == 0.0 || geometry.is_finite(i));
            if !is_finite {
                self.mixed.mark_not_finite(a);
                continue;
            }
            self.mixed.mark_finite(a);
            for b in 0..a {
                if !self.mixed.is_finite(b) {
                    self.mixed.set_squared_distance((a, b), f64::INFINITY);
                    continue;
                }
                let pairs = row.iter().zip(self.total.row(b)).enumerate();
                self.difference.clear();
                self.difference.extend(
                    pairs.map(|(i, (a, b))| (i, a - b)).filter(|(_, weight)| *weight != 0.0),
                );
                let squared = -spread(geometry, &self.difference);
                self.mixed.set_squared_distance((a, b), squared.max(0.0));
            }
            if self.has_norms {
                self.difference.clear();
                let terms = row.iter().copied().enumerate().filter(|(_, weight)| *weight != 0.0);
                self.difference.extend(terms);
                let mean: f64 =
                    self.difference.iter().map(|(i, w)| w * geometry.squared_norm(*i)).sum();
                let squared = mean - spread(geometry, &self.difference);
                self.mixed.set_squared_norm(a, squared.max(0.0));
            }
        }
    }

    /// The rule's weights of the mixtures as weights of the inputs.
    pub(super) fn finish(
        &mut self,
        rule: &mut dyn GeometricRule,
        own: Option<usize>,
        weights: &mut [f64],
    ) -> Result<(), AggregateError> {
        self.weights.clear();
        self.weights.resize(self.total.count(), 0.0);
        rule.weights(&self.mixed, own, &mut self.weights)?;
        self.total.combine(&self.weights, weights);
        Ok(())
    }
}

/// `½ Σ c_i c_j ‖x_i − x_j‖²`.
fn spread(geometry: &Geometry, terms: &[(usize, f64)]) -> f64 {
    let mut sum = 0.0;
    for (at, (i, weight)) in terms.iter().enumerate() {
        let distances = geometry.squared_distances_of(*i);
        let inner: f64 = terms[..at].iter().map(|(j, weight)| weight * distances[*j]).sum();
        sum += weight * inner;
    }
    sum
}

/// What a chain of geometric mixings asks for: distances that will be subtracted.
pub(super) fn needs(rule: Needs) -> Needs {
    Needs { pairs: Pairs::Exact, ..rule }
}
