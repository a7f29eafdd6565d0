//! How badly parameters explain one output: the negative logarithm of the marginal likelihood.
use std::f64::consts::TAU;

use super::covariance::{Gradient, Weights, fill};
use super::factor::{Columns, Scratch, factorise, invert, solve};
use super::kernel::Kernel;
use super::parameters::Parameters;
use super::pass::blocks;
use super::points::Points;

/// The likelihood of one output, with the memory that its evaluations share.
pub(super) struct Likelihood<'a> {
    kernel: Kernel,
    points: &'a Points,
    targets: &'a [f64],
    values: Columns,
    slopes: Columns,
    lower: Columns,
    inverse: Columns,
    scratch: Scratch,
    alpha: Vec<f64>,
}

/// The posterior of one output.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Posterior {
    /// `(K + s_n² I)⁻¹ y`
    pub alpha: Vec<f64>,
    /// the factor of `K + s_n² I`
    pub lower: Columns,
    /// what was added to its diagonal
    pub jitter: f64,
    /// the negative logarithm of the marginal likelihood, in standard units
    pub nlml: f64,
}

impl<'a> Likelihood<'a> {
    pub(super) fn new(kernel: Kernel, points: &'a Points, targets: &'a [f64]) -> Self {
        let empty = || Columns::new(points.rows);
        Self {
            kernel,
            points,
            targets,
            values: empty(),
            slopes: empty(),
            lower: empty(),
            inverse: empty(),
            scratch: Scratch::new(points.rows),
            alpha: vec![0.0; points.rows],
        }
    }

    /// The value alone; `None` when the covariance is not positive definite. Leaves factor and α.
    fn value(&mut self, weights: &Weights) -> Option<(f64, f64)> {
        fill(self.kernel, self.points, weights, (&mut self.values, &mut self.slopes));
        let jitter = factorise(&self.values, weights.variance, &mut self.scratch, &mut self.lower)?;
        self.alpha.copy_from_slice(self.targets);
        solve(&self.lower, &mut self.scratch, &mut self.alpha);
        let fit: f64 = self.targets.iter().zip(&self.alpha).map(|(y, alpha)| y * alpha).sum();
        let rows = self.points.rows;
        let half_determinant: f64 = (0..rows).map(|j| self.lower.diagonal(j).ln()).sum();
        let nlml = 0.5 * fit + half_determinant + 0.5 * rows as f64 * TAU.ln();
        nlml.is_finite().then_some((nlml, jitter))
    }

    /// The value, and the gradient by the logarithms of the parameters; `None` where there is no
    /// value.
    ///
    /// # Source
    /// Rasmussen and Williams, Gaussian Processes for Machine Learning, equations 5.8 and 5.9.
    pub(super) fn value_and_gradient(
        &mut self,
        parameters: &Parameters,
        gradient: &mut [f64],
    ) -> Option<f64> {
        let weights = Weights::new(parameters);
        let (nlml, _) = self.value(&weights)?;
        invert(&self.lower, &mut self.scratch, &mut self.inverse);
        let alpha = blocks(&self.alpha);
        let sums = Gradient {
            points: self.points,
            weights: &weights,
            alpha: &alpha,
            inverse: &self.inverse,
            values: &self.values,
            slopes: &self.slopes,
        }
        .sums();
        let inputs = self.points.inputs;
        gradient[..inputs].copy_from_slice(&sums.lengths);
        gradient[inputs] = sums.values - sums.slopes.iter().sum::<f64>();
        gradient[inputs + 1] = weights.noise * sums.trace;
        gradient[inputs + 2..].copy_from_slice(&sums.slopes);
        Some(nlml)
    }

    /// The posterior at these parameters; `None` when the covariance is not positive definite.
    pub(super) fn posterior(mut self, parameters: &Parameters) -> Option<Posterior> {
        let (nlml, jitter) = self.value(&Weights::new(parameters))?;
        Some(Posterior { alpha: self.alpha, lower: self.lower, jitter, nlml })
    }
}
