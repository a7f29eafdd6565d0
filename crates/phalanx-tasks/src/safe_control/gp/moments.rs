//! What a model makes of an uncertain input: mean, covariance, and covariance with the input.
use std::sync::Arc;

use super::error::GpError;
use super::factor::{Columns, Scratch, invert};
use super::kernel::Kernel;
use super::model::GaussianProcess;
use super::predictor::Predictor;
use crate::control::{Cholesky, Matrix};

/// A normal distribution.
#[derive(Debug, Clone, PartialEq)]
pub struct Gaussian {
    /// its mean
    pub mean: Vec<f64>,
    /// its covariance, symmetric
    pub covariance: Matrix,
}

/// Moments of the outputs at a normal input; noise is not in them.
#[derive(Debug, Clone, PartialEq)]
pub struct Moments {
    /// mean of each output
    pub mean: Vec<f64>,
    /// outputs × outputs
    pub covariance: Matrix,
    /// inputs × outputs: covariance of input and output
    pub cross: Matrix,
}

impl Gaussian {
    fn check(&self, inputs: usize) -> Result<(), GpError> {
        let sizes = [
            ("means", self.mean.len()),
            ("rows of the covariance", self.covariance.rows()),
            ("columns of the covariance", self.covariance.columns()),
        ];
        for (what, found) in sizes {
            if found != inputs {
                return Err(GpError::Shape { what, expected: inputs, found });
            }
        }
        Ok(())
    }
}

impl Predictor {
    /// Moments of the straight line through the mean: `J Σ Jᵀ + diag(v)` and `Σ Jᵀ`.
    ///
    /// # Errors
    /// [`GpError::Shape`] when the input has another size.
    pub fn linearised_moments(&mut self, input: &Gaussian) -> Result<Moments, GpError> {
        let (inputs, outputs) = (self.model().inputs(), self.model().outputs());
        input.check(inputs)?;
        let (mut mean, mut variance) = (vec![0.0; outputs], vec![0.0; outputs]);
        let mut slope = Matrix::zeros(outputs, inputs);
        self.mean_and_slope(&input.mean, &mut mean, slope.entries_mut());
        self.variance(&input.mean, &mut variance);
        let cross = input.covariance.times_transposed(&slope);
        let covariance = slope.times(&cross).plus(1.0, &Matrix::diagonal(&variance)).symmetrised();
        Ok(Moments { mean, covariance, cross })
    }
}

/// Exact moments, which the squared exponential alone has in closed form.
#[derive(Debug, Clone)]
pub struct MomentMatching {
    model: Arc<GaussianProcess>,
    // Lower halves of `(K + s_n² I)⁻¹` of each output.
    inverses: Vec<Columns>,
}

/// One output's view of the input.
struct View {
    // `q_i`, `log k(z_i, μ)` and `Λ⁻¹ ν_i`, row by row.
    q: Vec<f64>,
    log_k: Vec<f64>,
    scaled: Vec<f64>,
    mean: f64,
}

impl MomentMatching {
    /// Moments by a model.
    ///
    /// # Errors
    /// [`GpError::Unsupported`] when its kernel has no closed form.
    pub fn new(model: Arc<GaussianProcess>) -> Result<Self, GpError> {
        if model.kernel() != Kernel::SquaredExponential {
            let (kernel, what) = (model.kernel().name(), "exact moments in closed form");
            return Err(GpError::Unsupported { kernel, what });
        }
        let rows = model.samples().rows();
        let mut scratch = Scratch::new(rows);
        let mut inverse = |output: usize| {
            let mut inverse = Columns::new(rows);
            invert(model.lower(output), &mut scratch, &mut inverse);
            inverse
        };
        let inverses = (0..model.outputs()).map(&mut inverse).collect();
        Ok(Self { model, inverses })
    }

    /// Mean, covariance and input-output covariance at a normal input.
    ///
    /// # Cost
    /// `O(N² D)` for each pair of outputs.
    ///
    /// # Source
    /// M. Deisenroth, Efficient Reinforcement Learning using Gaussian Processes, 2010, section
    /// 2.3.2 (recalled); tested against Monte Carlo.
    ///
    /// # Errors
    /// [`GpError`] when the input has another size or its covariance is not positive.
    pub fn moments(&self, input: &Gaussian) -> Result<Moments, GpError> {
        let (inputs, outputs) = (self.model.inputs(), self.model.outputs());
        input.check(inputs)?;
        let scales = self.model.standardisation();
        let pairs = input.mean.iter().zip(&scales.inputs);
        let at: Vec<f64> = pairs.map(|(mean, scale)| scale.standard(*mean)).collect();
        let units = Matrix::diagonal(
            &scales.inputs.iter().map(|scale| 1.0 / scale.deviation).collect::<Vec<f64>>(),
        );
        let spread = units.times(&input.covariance).times(&units).symmetrised();
        let mut cross = Matrix::zeros(inputs, outputs);
        let mut views = Vec::with_capacity(outputs);
        for e in 0..outputs {
            let (view, along) = self.view(e, &at, &spread)?;
            for d in 0..inputs {
                let unit = scales.inputs[d].deviation * scales.outputs[e].deviation;
                cross[(d, e)] = unit * along[d];
            }
            views.push(view);
        }
        let mut covariance = Matrix::zeros(outputs, outputs);
        for a in 0..outputs {
            for b in 0..=a {
                let standard = self.covariance((a, b), (&views[a], &views[b]), &spread)?;
                let unit = scales.outputs[a].deviation * scales.outputs[b].deviation;
                covariance[(a, b)] = unit * standard;
                covariance[(b, a)] = unit * standard;
            }
        }
        let unscaled =
            |(view, scale): (&View, &super::Scale)| scale.mean + scale.deviation * view.mean;
        let mean = views.iter().zip(&scales.outputs).map(unscaled).collect();
        Ok(Moments { mean, covariance, cross })
    }

    fn view(&self, e: usize, at: &[f64], spread: &Matrix) -> Result<(View, Vec<f64>), GpError> {
        let (points, parameters) = (&self.model.fast.points, &self.model.parameters()[e]);
        let lengths = &parameters.lengths;
        let squares: Vec<f64> = lengths.iter().map(|l| l * l).collect();
        let joint = spread.plus(1.0, &Matrix::diagonal(&squares));
        let factor = Cholesky::new(&joint).ok_or(not_positive())?;
        // |Σ Λ⁻¹ + I|^½.
        let widening: f64 = (0..at.len()).map(|d| factor.lower()[(d, d)] / lengths[d]).product();
        let variance = parameters.signal * parameters.signal;
        let inputs = at.len();
        let mut view = View {
            q: Vec::with_capacity(points.rows),
            log_k: Vec::with_capacity(points.rows),
            scaled: Vec::with_capacity(points.rows * inputs),
            mean: 0.0,
        };
        let mut pull = Matrix::zeros(inputs, 1);
        for (row, alpha) in self.model.alpha(e).iter().enumerate() {
            let off: Vec<f64> = (0..inputs).map(|d| points.at(row, d) - at[d]).collect();
            let off = Matrix::from_entries(inputs, 1, off);
            let solved = factor.solve(&off);
            let q = variance / widening * (-0.5 * off.inner(&solved)).exp();
            view.mean += alpha * q;
            pull.add(alpha * q, &solved);
            view.q.push(q);
            let pairs = || off.entries().iter().zip(&squares);
            let s: f64 = pairs().map(|(off, square)| off * off / square).sum();
            view.log_k.push(variance.ln() - 0.5 * s);
            view.scaled.extend(pairs().map(|(off, square)| off / square));
        }
        Ok((view, spread.times(&pull).entries().to_vec()))
    }

    /// Covariance of two outputs, in standard units.
    fn covariance(
        &self,
        (a, b): (usize, usize),
        (one, other): (&View, &View),
        spread: &Matrix,
    ) -> Result<f64, GpError> {
        let parameters = self.model.parameters();
        let inputs = spread.rows();
        let precision = |d: usize| {
            let [one, other] = [a, b].map(|e| parameters[e].lengths[d]);
            1.0 / (one * one) + 1.0 / (other * other)
        };
        let roots: Vec<f64> = (0..inputs).map(|d| precision(d).sqrt()).collect();
        // R⁻¹ Σ = P^-½ (I − (I + P^½ Σ P^½)⁻¹) P^-½, with P the sum of the precisions.
        let root = Matrix::diagonal(&roots);
        let identity = Matrix::scalar(inputs, 1.0);
        let widened = root.times(spread).times(&root).symmetrised().plus(1.0, &identity);
        let factor = Cholesky::new(&widened).ok_or(not_positive())?;
        let half_determinant: f64 = (0..inputs).map(|d| factor.lower()[(d, d)].ln()).sum();
        let unscaled = Matrix::diagonal(&roots.iter().map(|root| 1.0 / root).collect::<Vec<f64>>());
        let middle = identity.plus(-1.0, &factor.inverse());
        let middle = unscaled.times(&middle).times(&unscaled).symmetrised();
        let rows = one.log_k.len();
        // ½ (u + v)ᵀ M (u + v) = ½ uᵀ M u + ½ vᵀ M v + uᵀ M v.
        let [left, right] = [one, other].map(|view| {
            let scaled = Matrix::from_entries(rows, inputs, view.scaled.clone());
            let bent = scaled.times(&middle);
            let square = |i: usize| -> f64 {
                0.5 * bent.row(i).iter().zip(scaled.row(i)).map(|(x, y)| x * y).sum::<f64>()
            };
            let logs = (0..rows).map(|i| view.log_k[i] + square(i)).collect::<Vec<f64>>();
            (logs, bent)
        });
        let (alpha_a, alpha_b) = (self.model.alpha(a), self.model.alpha(b));
        let (mut total, mut known) = (0.0, 0.0);
        for i in 0..rows {
            let mut sum = 0.0;
            for j in 0..rows {
                let v = &other.scaled[j * inputs..(j + 1) * inputs];
                let inner: f64 = left.1.row(i).iter().zip(v).map(|(x, y)| x * y).sum();
                let q = (left.0[i] + right.0[j] + inner - half_determinant).exp();
                sum += alpha_b[j] * q;
                if a == b {
                    let (low, high) = (i.min(j), i.max(j));
                    known += self.inverses[a].below(low)[high - low] * q;
                }
            }
            total += alpha_a[i] * sum;
        }
        let doubt = match a == b {
            true => parameters[a].signal * parameters[a].signal - known,
            false => 0.0,
        };
        Ok(total - one.mean * other.mean + doubt)
    }
}

fn not_positive() -> GpError {
    let (name, needed) = ("a covariance of the input", "one without a negative direction");
    GpError::Option { name, value: f64::NAN, needed }
}
