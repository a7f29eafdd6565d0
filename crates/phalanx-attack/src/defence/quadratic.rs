//! Displacement along a line from inner products alone: no pass over the coordinates per factor.
use phalanx_robust::{AggregateError, GeometricRule, Geometry, Vectors, kernel};
use rayon::prelude::*;

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
    /// `⟨x_i − x̄, x_j − x̄⟩`, h × h
    gram: Vec<f64>,
    /// `‖x_i − x_j‖²`, h × h
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
    pub(super) fn new(honest: Vectors<'_>, byzantine: usize, line: &Line, mean: &[f64]) -> Self {
        let rows = honest.rows();
        let distances = distances(rows);
        let gram = centred_gram(&distances, rows.len());
        let (cross, among) = products(rows, line, mean);
        let largest = |values: &[f64]| values.iter().fold(0.0, |max: f64, v| max.max(v.abs()));
        Self {
            honest: rows.len(),
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
                let row = &self.gram[i * self.honest..][..self.honest];
                honest[i] * row.iter().zip(honest).map(|(gram, w)| gram * w).sum::<f64>()
            })
            .sum();
        let across: f64 = self.cross.iter().zip(honest).map(|(c, w)| w * dot3(*c, *rest)).sum();
        at_least_0(among_honest + 2.0 * across + self.form(*rest))
    }

    /// Fills the geometry of honest rows and copies of `a(c)`.
    fn place(&mut self, has_norms: bool, factor: f64) {
        let h = self.honest;
        let relative: Products = [1.0, factor, 0.0];
        let squared_offset = self.form(relative);
        self.geometry.reset(h + self.byzantine);
        for i in 0..h {
            for j in 0..i {
                self.geometry.set_squared_distance((i, j), self.distances[i * h + j]);
            }
            let across = dot3(self.cross[i], relative);
            let distance = self.gram[i * h + i] - 2.0 * across + squared_offset;
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
                let norm = self.gram[i * h + i] + 2.0 * self.cross[i][MEAN] + squared_mean;
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

fn distances(rows: &[&[f32]]) -> Vec<f64> {
    let h = rows.len();
    let pairs: Vec<(usize, usize)> = (0..h).flat_map(|i| (0..i).map(move |j| (i, j))).collect();
    let mut found = vec![0.0; pairs.len()];
    kernel::squared_distances(rows, &pairs, &mut found);
    let mut distances = vec![0.0; h * h];
    for ((i, j), value) in pairs.into_iter().zip(found) {
        distances[i * h + j] = value;
        distances[j * h + i] = value;
    }
    distances
}

/// Inner products about the mean from distances alone: `−½ (D_ij − D_i· − D_·j + D_··)`.
fn centred_gram(distances: &[f64], h: usize) -> Vec<f64> {
    let row_means: Vec<f64> =
        distances.chunks_exact(h).map(|row| row.iter().sum::<f64>() / h as f64).collect();
    let mean = row_means.iter().sum::<f64>() / h as f64;
    let entry =
        |i: usize, j: usize| -0.5 * (distances[i * h + j] - row_means[i] - row_means[j] + mean);
    (0..h * h).map(|at| entry(at / h, at % h)).collect()
}

/// Columns per partial sum: fixed, so that sums do not depend on the number of threads.
const BLOCK: usize = 2048;

/// One pass over the vectors for every inner product with offset, direction and x̄.
fn products(rows: &[&[f32]], line: &Line, mean: &[f64]) -> (Vec<Products>, [Products; 3]) {
    let blocks: Vec<Vec<Products>> = (0..mean.len().div_ceil(BLOCK))
        .into_par_iter()
        .map(|block| products_of_block(rows, line, mean, block * BLOCK))
        .collect();
    let mut sums = vec![[0.0; 3]; rows.len() + 3];
    for block in blocks {
        for (sum, part) in sums.iter_mut().zip(block) {
            (0..3).for_each(|k| sum[k] += part[k]);
        }
    }
    let among = [sums[rows.len()], sums[rows.len() + 1], sums[rows.len() + 2]];
    sums.truncate(rows.len());
    (sums, among)
}

fn products_of_block(rows: &[&[f32]], line: &Line, mean: &[f64], first: usize) -> Vec<Products> {
    let range = first..(first + BLOCK).min(mean.len());
    let mean = &mean[range.clone()];
    let offset: Vec<f64> =
        line.base[range.clone()].iter().zip(mean).map(|(base, mean)| base - mean).collect();
    let three = [&*offset, &line.direction[range.clone()], mean];
    let mut centred = vec![0.0; mean.len()];
    let mut sums = Vec::with_capacity(rows.len() + 3);
    for row in rows {
        for ((centred, value), mean) in centred.iter_mut().zip(&row[range.clone()]).zip(mean) {
            *centred = f64::from(*value) - mean;
        }
        sums.push(three.map(|other| dot(&centred, other)));
    }
    sums.extend(three.map(|one| three.map(|other| dot(one, other))));
    sums
}

/// `Σ a_k b_k` in eight interleaved sums, which a compiler keeps in vector registers.
fn dot(a: &[f64], b: &[f64]) -> f64 {
    let (a, a_rest) = a.as_chunks::<8>();
    let (b, b_rest) = b.as_chunks::<8>();
    let mut sums = [0.0; 8];
    for (a, b) in a.iter().zip(b) {
        (0..8).for_each(|lane| sums[lane] += a[lane] * b[lane]);
    }
    let rest: f64 = a_rest.iter().zip(b_rest).map(|(a, b)| a * b).sum();
    sums.iter().sum::<f64>() + rest
}
