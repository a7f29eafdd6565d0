//! A normal belief about the state, carried one step ahead.
use std::sync::Arc;

use super::error::GpError;
use super::model::GaussianProcess;
use super::moments::{Gaussian, MomentMatching, Moments};
use super::predictor::Predictor;
use crate::control::Matrix;

/// Carries beliefs by a model of increments.
#[derive(Debug, Clone)]
pub enum BeliefPropagation {
    /// along the straight line through the mean: any kernel
    Linearised(Predictor),
    /// by exact moments: the squared exponential
    Exact(MomentMatching),
}

/// How the input follows the state: `u = input + gain (x − mean)`.
#[derive(Debug, Clone, Copy)]
pub struct Feedback<'a> {
    /// m
    pub input: &'a [f64],
    /// m × n, or none
    pub gain: Option<&'a Matrix>,
}

impl BeliefPropagation {
    /// Along the straight line through the mean.
    pub fn linearised(model: Arc<GaussianProcess>) -> Self {
        Self::Linearised(Predictor::new(model))
    }

    /// By exact moments.
    ///
    /// # Errors
    /// [`GpError::Unsupported`] when the model's kernel has no closed form.
    pub fn exact(model: Arc<GaussianProcess>) -> Result<Self, GpError> {
        MomentMatching::new(model).map(Self::Exact)
    }

    /// The belief one step later; `noise` is the covariance of what else moves the state.
    ///
    /// # Source
    /// `Σ⁺ = Σ + cov(m) + cov(x, m) + cov(m, x) + noise`. Y. Pan and E. Theodorou, Probabilistic
    /// Differential Dynamic Programming, NeurIPS 2014, for the idea.
    ///
    /// # Errors
    /// [`GpError`] when sizes do not fit or a covariance is not positive.
    pub fn step(
        &mut self,
        belief: &Gaussian,
        feedback: Feedback<'_>,
        noise: &Matrix,
    ) -> Result<Gaussian, GpError> {
        let (n, m) = (belief.mean.len(), feedback.input.len());
        let mut joint = Matrix::zeros(n + m, n);
        joint.place((0, 0), &Matrix::scalar(n, 1.0));
        if let Some(gain) = feedback.gain {
            if (gain.rows(), gain.columns()) != (m, n) {
                let (expected, found) = (m * n, gain.rows() * gain.columns());
                return Err(GpError::Shape { what: "entries of the gain", expected, found });
            }
            joint.place((n, 0), gain);
        }
        let spread = belief.covariance.rows();
        if (spread, belief.covariance.columns()) != (n, n)
            || (noise.rows(), noise.columns()) != (n, n)
        {
            let what = "rows and columns of the covariances";
            return Err(GpError::Shape { what, expected: n, found: spread.min(noise.rows()) });
        }
        let covariance = joint.times(&belief.covariance).times_transposed(&joint).symmetrised();
        let mean = belief.mean.iter().chain(feedback.input).copied().collect();
        let moments = self.moments(&Gaussian { mean, covariance })?;
        if moments.mean.len() != n {
            let (what, expected) = ("states of the belief", moments.mean.len());
            return Err(GpError::Shape { what, expected, found: n });
        }
        let along = moments.cross.part((0, n), (0, n));
        let covariance = belief
            .covariance
            .plus(1.0, &moments.covariance)
            .plus(1.0, &along)
            .plus(1.0, &along.transposed())
            .plus(1.0, noise)
            .symmetrised();
        let mean = belief.mean.iter().zip(&moments.mean).map(|(x, step)| x + step).collect();
        Ok(Gaussian { mean, covariance })
    }

    /// Moments of the increment at a normal (state, input).
    ///
    /// # Errors
    /// [`GpError`] when sizes do not fit or the covariance is not positive.
    pub fn moments(&mut self, input: &Gaussian) -> Result<Moments, GpError> {
        match self {
            Self::Linearised(predictor) => predictor.linearised_moments(input),
            Self::Exact(exact) => exact.moments(input),
        }
    }
}
