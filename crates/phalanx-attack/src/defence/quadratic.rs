//! Displacement along a line from inner products alone: no pass over the coordinates per factor.
use phalanx_robust::{AggregateError, GeometricRule, Geometry, Vectors, kernel};

use crate::line::Line;

/// Inner products with, or coefficients of, the three vectors that everything on the line is made
/// of: the offset `base − x̄`, the direction, and x̄ itself.
type Products = [f64; 3];

/// Position of x̄ in [`Products`].
const MEAN: usize = 2;

/// A vector relative to x̄, as weights of the honest `x_i − x̄` and coefficients of the three.
#[derive(Debug, Clone)]
pub struct Combination {
    honest: Vec<f64>,
    rest: Products,
}

impl Combination {
    pub(super) fn minus(&self, other: &Self) -> Self {
        let honest = self.honest.iter().zip(&other.honest).map(|(a, b)| a - b).collect();
        let rest = std::array::from_fn(|k| self.rest[k] - other.rest[k]);
        Self { honest, rest }
    }
}

/// Evaluation without looking at a coordinate again.
///
/// Everything is relative to x̄: an honest row is `x_i − x̄`, and a point of the line is a
/// combination of offset and direction. When the weights of the output do not sum to 1, a
/// multiple of x̄ itself comes in.
pub(super) struct Quadratic {
    honest: usize,
    byzantine: usize,
    /// h, and three for base, direction and origin
    points: usize,
    /// `⟨x_i − x̄, x_j − x̄⟩`, points × points
    gram: Vec<f64>,
    /// `‖x_i − x_j‖²`, points × points
    distances: Vec<f64>,
    /// `⟨x_i − x̄, ·⟩`
    cross: Vec<Products>,
    /// among the three
    among: [Products; 3],
    /// largest magnitudes of base and direction, for overflow of `f32`
    largest: (f64, f64),
    geometry: Geometry,
    weights: Vec<f64>,
}

impl Quadratic {
    pub(super) fn new(honest: Vectors<'_>, byzantine: usize, line: &Line) -> Self {
        let h = honest.count();
        let zero = vec![0.0; honest.dim()];
        let mut points = honest.rows().to_vec();
        points.extend([&*line.base, &*line.direction, &*zero]);
        let distances = distances(&points);
        let gram = centred_gram(&distances, h);
        let (cross, among) = products(&gram, h);
        let largest = |values: &[f32]| {
            f64::from(values.iter().fold(0.0, |max: f32, value| max.max(value.abs())))
        };
        Self {
            honest: h,
            points: h + 3,
            byzantine,
            gram,
            distances,
            cross,
            among,
            largest: (largest(&line.base), largest(&line.direction)),
            geometry: Geometry::default(),
            weights: Vec::new(),
        }
    }

    /// Whether `a(c)` surely has no infinite entry, which f64 arithmetic would not notice.
    pub(super) fn is_within_range(&self, factor: f64) -> bool {
        self.largest.0 + factor.abs() * self.largest.1 < f64::from(f32::MAX)
    }

    /// What the honest nodes make of copies of `a(factor)`, on average, relative to x̄.
    pub(super) fn respond(
        &mut self,
        rule: &mut dyn GeometricRule,
        is_self_centred: bool,
        factor: f64,
    ) -> Result<Combination, AggregateError> {
        self.place(rule.needs().has_norms, factor);
        let count = self.honest + self.byzantine;
        let evaluations = if is_self_centred { self.honest } else { 1 };
        let mut sums = vec![0.0; count];
        for own in 0..evaluations {
            self.weights.clear();
            self.weights.resize(count, 0.0);
            rule.weights(&self.geometry, is_self_centred.then_some(own), &mut self.weights)?;
            sums.iter_mut().zip(&self.weights).for_each(|(sum, weight)| *sum += weight);
        }
        sums.iter_mut().for_each(|sum| *sum /= evaluations as f64);
        let copies: f64 = sums[self.honest..].iter().sum();
        let excess = sums.iter().sum::<f64>() - 1.0;
        sums.truncate(self.honest);
        Ok(Combination { honest: sums, rest: [copies, copies * factor, excess] })
    }

    /// `‖Σ w_i (x_i − x̄) + rest‖²`.
    pub(super) fn squared_norm(&self, combination: &Combination) -> f64 {
        let Combination { honest, rest } = combination;
        let among_honest: f64 = (0..self.honest)
            .map(|i| {
                let row = &self.gram[i * self.points..][..self.honest];
                honest[i] * row.iter().zip(honest).map(|(gram, w)| gram * w).sum::<f64>()
            })
            .sum();
        let across: f64 = self.cross.iter().zip(honest).map(|(c, w)| w * dot3(*c, *rest)).sum();
        at_least_0(among_honest + 2.0 * across + self.form(*rest))
    }

    /// The geometry of honest rows and copies of `a(factor)`.
    pub(super) fn geometry(&mut self, has_norms: bool, factor: f64) -> &Geometry {
        self.place(has_norms, factor);
        &self.geometry
    }

    /// Fills the geometry of honest rows and copies of `a(c)`.
    fn place(&mut self, has_norms: bool, factor: f64) {
        let h = self.honest;
        let relative: Products = [1.0, factor, 0.0];
        let squared_offset = self.form(relative);
        self.geometry.reset(h + self.byzantine);
        for i in 0..h {
            for j in 0..i {
                self.geometry.set_squared_distance((i, j), self.distances[i * self.points + j]);
            }
            let across = dot3(self.cross[i], relative);
            let distance = self.gram[i * self.points + i] - 2.0 * across + squared_offset;
            for copy in h..h + self.byzantine {
                self.geometry.set_squared_distance((i, copy), at_least_0(distance));
            }
        }
        for copy in h..h + self.byzantine {
            for other in h..copy {
                self.geometry.set_squared_distance((copy, other), 0.0);
            }
        }
        if has_norms {
            let squared_mean = self.among[MEAN][MEAN];
            for i in 0..h {
                let norm =
                    self.gram[i * self.points + i] + 2.0 * self.cross[i][MEAN] + squared_mean;
                self.geometry.set_squared_norm(i, at_least_0(norm));
            }
            let norm = at_least_0(self.form([1.0, factor, 1.0]));
            (h..h + self.byzantine).for_each(|copy| self.geometry.set_squared_norm(copy, norm));
        }
    }

    /// Squared norm of a combination of offset, direction and x̄.
    fn form(&self, coefficients: Products) -> f64 {
        (0..3).map(|i| coefficients[i] * dot3(self.among[i], coefficients)).sum()
    }
}

fn dot3(a: Products, b: Products) -> f64 {
    a[0] * b[0] + a[1] * b[1] + a[2] * b[2]
}

/// Rounding may leave a square slightly negative; NaN stays.
fn at_least_0(value: f64) -> f64 {
    if value < 0.0 { 0.0 } else { value }
}

/// Squared distances of all pairs, symmetric.
fn distances(points: &[&[f32]]) -> Vec<f64> {
    let count = points.len();
    let pairs: Vec<(usize, usize)> = (0..count).flat_map(|i| (0..i).map(move |j| (i, j))).collect();
    let mut found = vec![0.0; pairs.len()];
    kernel::squared_distances(points, &pairs, &mut found);
    let mut distances = vec![0.0; count * count];
    for ((i, j), value) in pairs.into_iter().zip(found) {
        distances[i * count + j] = value;
        distances[j * count + i] = value;
    }
    distances
}

/// Inner products of all points about the mean of the first h, from distances alone:
/// `‖y − x̄‖² = mean_j ‖y − x_j‖² − ½ mean_jk ‖x_j − x_k‖²`, the rest by polarisation.
fn centred_gram(distances: &[f64], h: usize) -> Vec<f64> {
    let count = h + 3;
    let mean = |values: &[f64]| values[..h].iter().sum::<f64>() / h as f64;
    let to_honest: Vec<f64> = distances.chunks_exact(count).map(mean).collect();
    let half_spread = mean(&to_honest) / 2.0;
    let entry = |i: usize, j: usize| {
        let to_mean = to_honest[i] + to_honest[j] - 2.0 * half_spread;
        (to_mean - distances[i * count + j]) / 2.0
    };
    (0..count * count).map(|at| entry(at / count, at % count)).collect()
}

/// Inner products with base − x̄, the direction, and x̄, of the honest rows and among themselves.
fn products(gram: &[f64], h: usize) -> (Vec<Products>, [Products; 3]) {
    // Relative to x̄, the origin is −x̄, and the direction is its point minus the origin.
    let of = |point: usize| -> Products {
        let row = &gram[point * (h + 3)..][..h + 3];
        [row[h], row[h + 1] - row[h + 2], -row[h + 2]]
    };
    let [base, direction, origin] = [of(h), of(h + 1), of(h + 2)];
    let along = std::array::from_fn(|k| direction[k] - origin[k]);
    ((0..h).map(of).collect(), [base, along, origin.map(|product| -product)])
}
