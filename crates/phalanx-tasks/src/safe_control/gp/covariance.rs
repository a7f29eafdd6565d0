//! The covariance of the training rows, and the gradient of the likelihood by its parameters.
use std::marker::PhantomData;

use super::factor::{Columns, JITTER};
use super::kernel::{Kernel, MaternFiveHalves, Profile, SquaredExponential};
use super::parameters::Parameters;
use super::pass::{BLOCK, Block, LANES, Lanes, Pass, add_product, dispatch, total, width};
use super::points::Points;

/// Parameters as sums need them.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Weights {
    /// `1 / l²`
    pub inverse_squares: Vec<f64>,
    /// `s_f²`
    pub variance: f64,
    /// `s_n²`
    pub noise: f64,
    /// `c²`, or none
    pub slopes: Vec<f64>,
}

impl Weights {
    pub(super) fn new(parameters: &Parameters) -> Self {
        Self {
            inverse_squares: parameters.lengths.iter().map(|l| 1.0 / (l * l)).collect(),
            variance: parameters.signal * parameters.signal,
            noise: parameters.noise * parameters.noise,
            slopes: parameters.slopes.iter().map(|c| c * c).collect(),
        }
    }
}

/// Writes the lower halves of `K + s_n² I + jitter I` and of `s_f² dk/ds`.
pub(super) fn fill(
    kernel: Kernel,
    points: &Points,
    weights: &Weights,
    (values, slopes): (&mut Columns, &mut Columns),
) {
    match kernel {
        Kernel::SquaredExponential | Kernel::SquaredExponentialLinear => dispatch(Fill {
            points,
            weights,
            values,
            slopes,
            profile: PhantomData::<SquaredExponential>,
        }),
        Kernel::MaternFiveHalves => dispatch(Fill {
            points,
            weights,
            values,
            slopes,
            profile: PhantomData::<MaternFiveHalves>,
        }),
    }
}

struct Fill<'a, P> {
    points: &'a Points,
    weights: &'a Weights,
    values: &'a mut Columns,
    slopes: &'a mut Columns,
    profile: PhantomData<P>,
}

impl<P: Profile> Pass for Fill<'_, P> {
    type Result = ();

    #[inline(always)]
    fn run(self) {
        let Self { points, weights, values, slopes, .. } = self;
        let (rows, inputs, stride) = (points.rows, points.inputs, values.stride);
        let width = width();
        for j in 0..rows {
            for b in j / BLOCK..points.blocks() {
                let block = points.block(b);
                let (mut s, mut line): (Block, Block) = ([0.0; BLOCK], [0.0; BLOCK]);
                for d in 0..inputs {
                    let (at, weight) = (points.at(j, d), weights.inverse_squares[d]);
                    for (s, row) in s[..width].iter_mut().zip(&block[d][..width]) {
                        let t = row - at;
                        *s += weight * (t * t);
                    }
                }
                for (d, weight) in weights.slopes.iter().enumerate() {
                    let at = weight * points.at(j, d);
                    let line = line[..width].iter_mut();
                    line.zip(&block[d][..width]).for_each(|(line, row)| *line += at * row);
                }
                let place = j * stride + b * BLOCK;
                let value = values.entries[place..place + width].iter_mut();
                let slope = &mut slopes.entries[place..place + width];
                let known = s[..width].iter().zip(&line[..width]);
                for ((value, slope), (s, line)) in value.zip(slope).zip(known) {
                    let (k, g) = P::value_and_slope(*s);
                    *value = weights.variance * k + line;
                    *slope = weights.variance * g;
                }
            }
            values.entries[j * stride + j] += weights.noise + JITTER;
        }
    }
}

/// What the gradient of the likelihood is made of; `Q = (K + s_n² I)⁻¹ − α αᵀ`.
pub(super) struct Slopes {
    /// by each logarithm of a length scale
    pub lengths: Vec<f64>,
    /// `Σ Q ∘ K` without noise, the line included
    pub values: f64,
    /// by each logarithm of a slope's size, or none
    pub slopes: Vec<f64>,
    /// `tr Q`
    pub trace: f64,
}

/// Everything that the gradient sums over.
pub(super) struct Gradient<'a> {
    pub points: &'a Points,
    pub weights: &'a Weights,
    pub alpha: &'a [Block],
    pub inverse: &'a Columns,
    pub values: &'a Columns,
    pub slopes: &'a Columns,
}

impl Gradient<'_> {
    pub(super) fn sums(self) -> Slopes {
        dispatch(self)
    }

    /// Q in one block of column j, below the diagonal; zero elsewhere.
    #[inline(always)]
    fn q(&self, (j, b): (usize, usize), width: usize) -> Block {
        let place = j * self.inverse.stride + b * BLOCK;
        let inverse = &self.inverse.entries[place..place + width];
        let (alpha, own) = (&self.alpha[b][..width], self.alpha[j / BLOCK][j % BLOCK]);
        let mut q = [0.0; BLOCK];
        let terms = inverse.iter().zip(alpha);
        q[..width]
            .iter_mut()
            .zip(terms)
            .for_each(|(q, (inverse, alpha))| *q = inverse - alpha * own);
        // Only the first block has rows above the diagonal, only the last has none behind it.
        let (above, rows) = ((j + 1).saturating_sub(b * BLOCK), self.points.rows - b * BLOCK);
        q[..above.min(BLOCK)].fill(0.0);
        q[rows.min(BLOCK)..].fill(0.0);
        q
    }
}

impl Pass for Gradient<'_> {
    type Result = Slopes;

    #[inline(always)]
    fn run(self) -> Slopes {
        let (points, weights, inputs) = (self.points, self.weights, self.points.inputs);
        let width = width();
        let mut lengths: Vec<Lanes> = vec![[0.0; LANES]; inputs];
        let mut lines: Vec<Lanes> = vec![[0.0; LANES]; weights.slopes.len()];
        let mut line_diagonal = vec![0.0; weights.slopes.len()];
        let (mut values, mut trace, mut diagonal) = ([0.0; LANES], 0.0, 0.0);
        for j in 0..points.rows {
            for b in j / BLOCK..points.blocks() {
                let (block, q) = (points.block(b), self.q((j, b), width));
                let place = j * self.values.stride + b * BLOCK;
                let (q, mut weighted): (_, Block) = (&q[..width], [0.0; BLOCK]);
                let slope = &self.slopes.entries[place..place + width];
                let terms = q.iter().zip(slope);
                weighted[..width].iter_mut().zip(terms).for_each(|(w, (q, g))| *w = q * g);
                add_product(&mut values, q, &self.values.entries[place..place + width]);
                let mut other: Block = [0.0; BLOCK];
                let other = &mut other[..width];
                for d in 0..inputs {
                    let at = points.at(j, d);
                    for (square, row) in other.iter_mut().zip(&block[d][..width]) {
                        let t = row - at;
                        *square = t * t;
                    }
                    add_product(&mut lengths[d], &weighted[..width], other);
                }
                for (d, line) in lines.iter_mut().enumerate() {
                    let at = points.at(j, d);
                    let products = other.iter_mut().zip(&block[d][..width]);
                    products.for_each(|(product, row)| *product = at * row);
                    add_product(line, q, other);
                }
            }
            let own = self.alpha[j / BLOCK][j % BLOCK];
            let q = self.inverse.diagonal(j) - own * own;
            trace += q;
            diagonal += q * (self.values.diagonal(j) - weights.noise - JITTER);
            for (d, line) in line_diagonal.iter_mut().enumerate() {
                *line += q * points.at(j, d) * points.at(j, d);
            }
        }
        // Both halves of a symmetric sum; ½ of the gradient's formula is in the factors.
        let by_length = |d: usize| -2.0 * weights.inverse_squares[d] * total(lengths[d]);
        let by_line = |d: usize| weights.slopes[d] * (2.0 * total(lines[d]) + line_diagonal[d]);
        Slopes {
            lengths: (0..inputs).map(by_length).collect(),
            values: 2.0 * total(values) + diagonal,
            slopes: (0..weights.slopes.len()).map(by_line).collect(),
            trace,
        }
    }
}
