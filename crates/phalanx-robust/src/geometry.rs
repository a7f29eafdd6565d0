//! Rules that never look at a coordinate: distances in, weights out.
//!
//! Krum, MDA, nearest-neighbour averaging, the geometric median, clipping: each output is a
//! combination of the inputs whose weights depend on the inputs' geometry alone. Saying so in a
//! type pays three times: a simulator computes each distance once for all nodes, an attack
//! searches along a line without touching the d coordinates again, and mixings compose exactly.
use crate::kernel::{self, Precision};
use crate::rule::{AggregateError, Aggregator, Effects, check_length, check_output};
use crate::state::{StateError, StateReader, StateWriter};
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
    /// every pair in f64: where distances are not only compared but subtracted, as for a [`Gram`]
    /// matrix, in which the relative error of a far row would swallow the products of near ones
    Exact,
}

/// What a geometric rule asks to be computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Needs {
    /// pairwise squared distances
    pub pairs: Pairs,
    /// squared distance of every row to the origin
    pub has_norms: bool,
}

impl Needs {
    /// How the distances are to be computed: norms beside distances mean inner products, too.
    pub fn precision(self) -> Precision {
        match self.pairs == Pairs::Exact || self.has_norms {
            true => Precision::Double,
            false => Precision::Single,
        }
    }
}

/// Pairwise squared distances of `count` vectors, and their squared norms where asked for.
///
/// # Shape
/// `count × count`, symmetric, zero diagonal. `+∞` when either row is not finite, on the
/// diagonal too; NaN where [`Needs`] did not ask for the pair.
#[derive(Debug, Clone, Default)]
pub struct Geometry {
    count: usize,
    squared_distances: Vec<f64>,
    squared_norms: Vec<f64>,
    finite: Vec<Option<bool>>,
    edge_weights: Vec<f64>,
    workspace: kernel::Workspace,
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
        self.finite.clear();
        self.finite.resize(count, None);
        self.edge_weights.clear();
        self.edge_weights.resize(count, 1.0 / count as f64);
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

    /// Weight of the edge to row `i` in a weighted graph; all weights sum to 1.
    pub fn edge_weight(&self, i: usize) -> f64 {
        self.edge_weights[i]
    }

    /// Sets the edge weights, scaled so that they sum to 1; equal ones otherwise.
    ///
    /// # Panics
    /// Unless there is one weight per row.
    pub fn set_edge_weights(&mut self, weights: &[f64]) {
        assert_eq!(weights.len(), self.count, "one weight per row");
        let sum: f64 = weights.iter().sum();
        self.edge_weights.clear();
        self.edge_weights.extend(weights.iter().map(|weight| weight / sum));
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

    /// Sets everything about row `i` to `+∞`: it holds NaN or infinity.
    pub fn mark_not_finite(&mut self, i: usize) {
        for j in 0..self.count {
            self.squared_distances[i * self.count + j] = f64::INFINITY;
            self.squared_distances[j * self.count + i] = f64::INFINITY;
        }
        self.squared_norms[i] = f64::INFINITY;
        self.finite[i] = Some(false);
    }

    /// Row `i` was looked at and is finite, even if nothing else is.
    pub fn mark_finite(&mut self, i: usize) {
        self.finite[i] = Some(true);
    }

    /// Whether row `i` is finite. Without a mark: unless its norm, or every distance from it
    /// that is known, is infinite.
    pub fn is_finite(&self, i: usize) -> bool {
        self.finite[i].unwrap_or_else(|| {
            let others = self.squared_distances_of(i).iter().enumerate();
            let mut known = others.filter(|(j, value)| *j != i && !value.is_nan()).peekable();
            let is_alone = known.peek().is_none();
            self.squared_norms[i] != f64::INFINITY
                && (is_alone || known.any(|(_, value)| value.is_finite()))
        })
    }

    /// Number of finite rows.
    ///
    /// # Errors
    /// When more than `f` rows are not finite: nothing can be promised then.
    pub fn finite_count(&self, f: usize) -> Result<usize, AggregateError> {
        let finite = (0..self.count).filter(|&i| self.is_finite(i)).count();
        let found = self.count - finite;
        if found > f {
            return Err(AggregateError::TooManyNotFinite { found, tolerated: f });
        }
        Ok(finite)
    }

    /// Computes from the vectors what `needs` asks for.
    ///
    /// # Cost
    /// `O(n² d)` for all pairs, `O(n d)` for the own row.
    pub fn compute(&mut self, vectors: Vectors<'_>, needs: Needs) {
        let mut workspace = std::mem::take(&mut self.workspace);
        self.reset(vectors.count());
        if let Some(weights) = vectors.weights() {
            self.set_edge_weights(weights);
        }
        kernel::geometry(vectors, needs, &mut workspace, self);
        self.workspace = workspace;
    }
}

/// Inner products of rows around one of them: `⟨x_i − x_r, x_j − x_r⟩`, from distances alone.
///
/// Combinations with weights that sum to 1 live here: distances from `z = Σ w_j x_j` cost `O(n²)`
/// instead of `O(n d)`. Rows that are not finite take no part and are at distance `+∞`.
#[derive(Debug, Clone, Default)]
pub struct Gram {
    count: usize,
    products: Vec<f64>,
}

impl Gram {
    /// Centres at row `reference`, which must be finite, keeping the allocation.
    ///
    /// Distances of a far row lose the direction of what is close (1e12 − 1e12 says nothing about
    /// 1), so each product is held to the bound of Cauchy and Schwarz: an error then stays in
    /// proportion to the rows that it is about, however far a Byzantine row may lie.
    pub fn centre(&mut self, geometry: &Geometry, reference: usize) {
        let count = geometry.count();
        self.count = count;
        self.products.clear();
        self.products.resize(count * count, f64::INFINITY);
        let from = geometry.squared_distances_of(reference);
        for i in (0..count).filter(|&i| geometry.is_finite(i)) {
            for j in (0..=i).filter(|&j| geometry.is_finite(j)) {
                let product = 0.5 * (from[i] + from[j] - geometry.squared_distance(i, j));
                let bound = (from[i] * from[j]).sqrt();
                let product = if i == j { from[i] } else { product.clamp(-bound, bound) };
                self.products[i * count + j] = product;
                self.products[j * count + i] = product;
            }
        }
    }

    /// `⟨x_i − x_r, x_j − x_r⟩`.
    pub fn product(&self, i: usize, j: usize) -> f64 {
        self.products[i * self.count + j]
    }

    /// `‖Σ w_j (x_j − x_r)‖²`; rows that are not finite have weight 0.
    pub fn squared_norm(&self, weights: &[f64]) -> f64 {
        let mut sum = 0.0;
        for i in (0..self.count).filter(|&i| weights[i] != 0.0) {
            let terms = (0..self.count).filter(|&j| weights[j] != 0.0);
            let inner: f64 = terms.map(|j| weights[j] * self.product(i, j)).sum();
            sum += weights[i] * inner;
        }
        sum.max(0.0)
    }

    /// Squared distances from `Σ w_j x_j` to every row; the weights sum to 1, and rows that are
    /// not finite have weight 0. Returns `‖Σ w_j x_j − x_r‖²`.
    pub fn squared_distances_to(&self, weights: &[f64], out: &mut [f64]) -> f64 {
        let mut squared_norm = 0.0;
        for i in 0..self.count {
            let products = &self.products[i * self.count..][..self.count];
            let terms = products.iter().zip(weights).filter(|(_, weight)| **weight != 0.0);
            out[i] = terms.map(|(product, weight)| weight * product).sum();
            if weights[i] != 0.0 {
                squared_norm += weights[i] * out[i];
            }
        }
        for i in 0..self.count {
            let own = self.products[i * self.count + i];
            let is_finite = own.is_finite();
            out[i] = if is_finite { (squared_norm - 2.0 * out[i] + own).max(0.0) } else { own };
        }
        squared_norm.max(0.0)
    }
}

/// A rule whose output is `Σ w_i x_i` with weights that depend on the geometry alone.
pub trait GeometricRule: Send {
    /// What must be computed before [`GeometricRule::weights`].
    fn needs(&self) -> Needs;

    /// Whether [`Geometry::edge_weight`] counts.
    fn uses_edge_weights(&self) -> bool {
        false
    }

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

    /// By which factor each row was clipped in the last iteration of the last call.
    fn factors(&self) -> Option<&[f64]> {
        None
    }

    /// Writes what the next call depends on; nothing for almost every rule.
    fn save(&self, _out: &mut StateWriter) {}

    /// # Errors
    /// When the snapshot does not fit.
    fn load(&mut self, _input: &mut StateReader<'_>) -> Result<(), StateError> {
        Ok(())
    }
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
        match self.rule.uses_edge_weights() {
            true => check_length(vectors, out)?,
            false => check_output(vectors, out)?,
        }
        let needs = self.rule.needs();
        self.geometry.compute(vectors, needs);
        self.weights.clear();
        self.weights.resize(vectors.count(), 0.0);
        self.rule.weights(&self.geometry, vectors.own_index(), &mut self.weights)?;
        kernel::combine(vectors.rows(), &self.weights, out);
        // Where nothing was compared, a row that is not finite shows only now.
        if vectors.count() > 1 && (needs.pairs != Pairs::None || needs.has_norms) {
            return Ok(());
        }
        if !kernel::is_finite(out) {
            for (i, row) in vectors.rows().iter().enumerate() {
                match kernel::is_finite(row) {
                    true => self.geometry.mark_finite(i),
                    false => self.geometry.mark_not_finite(i),
                }
            }
            self.rule.weights(&self.geometry, vectors.own_index(), &mut self.weights)?;
            kernel::combine(vectors.rows(), &self.weights, out);
        }
        Ok(())
    }

    fn geometric(&mut self) -> Option<&mut dyn GeometricRule> {
        Some(&mut self.rule)
    }

    fn uses_edge_weights(&self) -> bool {
        self.rule.uses_edge_weights()
    }

    fn effects(&self) -> Option<Effects<'_>> {
        Some(Effects { weights: &self.weights, factors: self.rule.factors() })
    }

    fn save(&self, out: &mut StateWriter) {
        self.rule.save(out);
    }

    fn load(&mut self, input: &mut StateReader<'_>) -> Result<(), StateError> {
        self.rule.load(input)
    }
}
