//! Rules that never look at a coordinate: distances in, weights out.
//!
//! Krum, MDA, nearest-neighbour averaging, the geometric median, clipping: each output is a
//! combination of the inputs whose weights depend on the inputs' geometry alone. Saying so in a
//! type pays three times: a simulator computes each distance once for all nodes, an attack
//! searches along a line without touching the d coordinates again, and mixings compose exactly.
use crate::kernel;
use crate::rule::{AggregateError, Aggregator};
use crate::vectors::Vectors;

/// Which pairs of rows a rule compares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pairs {
    /// none
    None,
    /// the own row (or row 0 when none is marked) with every other
    Own,
    /// every pair
    All,
}

/// What a geometric rule asks to be computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Needs {
    /// pairwise squared distances
    pub pairs: Pairs,
    /// squared distance of every row to the origin
    pub has_norms: bool,
}

/// Pairwise squared distances of `count` vectors, and their squared norms where asked for.
///
/// # Shape
/// `count × count`, symmetric, zero diagonal, in f64. `+∞` when either row is not finite;
/// NaN where [`Needs`] did not ask for the pair.
#[derive(Debug, Clone, Default)]
pub struct Geometry {
    count: usize,
    squared_distances: Vec<f64>,
    squared_norms: Vec<f64>,
}

impl Geometry {
    /// Everything unknown (NaN), the diagonal zero.
    pub fn unknown(count: usize) -> Self {
        let mut geometry = Self::default();
        geometry.reset(count);
        geometry
    }

    /// As [`Geometry::unknown`], keeping the allocation.
    pub fn reset(&mut self, count: usize) {
        self.count = count;
        self.squared_distances.clear();
        self.squared_distances.resize(count * count, f64::NAN);
        self.squared_norms.clear();
        self.squared_norms.resize(count, f64::NAN);
        (0..count).for_each(|i| self.squared_distances[i * count + i] = 0.0);
    }

    /// Number of vectors.
    pub fn count(&self) -> usize {
        self.count
    }

    /// `‖x_i − x_j‖²`.
    pub fn squared_distance(&self, i: usize, j: usize) -> f64 {
        self.squared_distances[i * self.count + j]
    }

    /// Distances of row `i` to all rows.
    pub fn squared_distances_of(&self, i: usize) -> &[f64] {
        &self.squared_distances[i * self.count..][..self.count]
    }

    /// `‖x_i‖²`.
    pub fn squared_norm(&self, i: usize) -> f64 {
        self.squared_norms[i]
    }

    /// Sets a pair, both ways. NaN becomes `+∞`: a vector that cannot be compared is far away.
    pub fn set_squared_distance(&mut self, (i, j): (usize, usize), value: f64) {
        let value = if value.is_nan() { f64::INFINITY } else { value };
        self.squared_distances[i * self.count + j] = value;
        self.squared_distances[j * self.count + i] = value;
    }

    /// Sets a squared norm. NaN becomes `+∞`.
    pub fn set_squared_norm(&mut self, i: usize, value: f64) {
        self.squared_norms[i] = if value.is_nan() { f64::INFINITY } else { value };
    }

    /// Computes from the vectors what `needs` asks for.
    ///
    /// # Cost
    /// `O(n² d)` for all pairs, `O(n d)` for the own row.
    pub fn compute(&mut self, vectors: Vectors<'_>, needs: Needs) {
        kernel::geometry(vectors, needs, self);
    }
}

/// A rule whose output is `Σ w_i x_i` with weights that depend on the geometry alone.
pub trait GeometricRule: Send {
    /// What must be computed before [`GeometricRule::weights`].
    fn needs(&self) -> Needs;

    /// Writes one weight per row. A row that is not finite (every distance `+∞`) gets exactly 0.
    ///
    /// # Errors
    /// When the number of rows is not admissible for the rule's f.
    fn weights(
        &mut self,
        geometry: &Geometry,
        own: Option<usize>,
        weights: &mut [f64],
    ) -> Result<(), AggregateError>;
}

/// Makes an [`Aggregator`] of a [`GeometricRule`]: geometry, weights, combination.
#[derive(Debug)]
pub struct Geometric<R> {
    rule: R,
    geometry: Geometry,
    weights: Vec<f64>,
}

impl<R: GeometricRule> Geometric<R> {
    /// Owns the workspace, so that later calls allocate nothing.
    pub fn new(rule: R) -> Self {
        Self { rule, geometry: Geometry::default(), weights: Vec::new() }
    }
}

impl<R: GeometricRule> Aggregator for Geometric<R> {
    fn aggregate(&mut self, vectors: Vectors<'_>, out: &mut [f32]) -> Result<(), AggregateError> {
        crate::rule::check_output(vectors, out)?;
        let needs = self.rule.needs();
        self.geometry.reset(vectors.count());
        self.geometry.compute(vectors, needs);
        self.weights.clear();
        self.weights.resize(vectors.count(), 0.0);
        self.rule.weights(&self.geometry, vectors.own_index(), &mut self.weights)?;
        kernel::combine(vectors.rows(), &self.weights, out);
        Ok(())
    }

    fn geometric(&mut self) -> Option<&mut dyn GeometricRule> {
        Some(&mut self.rule)
    }
}
