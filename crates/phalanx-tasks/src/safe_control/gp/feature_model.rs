//! A model of weights on random features: for many rows, and for what several members know.
use std::sync::Arc;

use super::dynamics::add_state;
use super::error::GpError;
use super::features::{FeatureStatistics, RandomFeatures};
use crate::control::{Cholesky, Matrix};
use crate::safe_control::dynamics::{Dynamics, DynamicsError, Linearised, check_finite};

/// The posterior of weights `w = (A + λ I)⁻¹ c`, as motion by increments.
#[derive(Debug, Clone)]
pub struct FeatureModel {
    features: Arc<RandomFeatures>,
    // Features × outputs, in units of the outputs.
    weights: Matrix,
    factor: Cholesky,
    // Deviation of the noise of each output, in its units.
    noise: Vec<f64>,
    buffers: Buffers,
}

#[derive(Debug, Clone)]
struct Buffers {
    point: Vec<f64>,
    phi: Vec<f64>,
    slope: Vec<f64>,
}

/// As messages name it.
const NAME: &str = "random-features";

/// What statistics mean: the scale of their outputs, and what is believed without data.
#[derive(Debug, Clone, PartialEq)]
pub struct FeaturePrior {
    /// λ, the noise's variance over the signal's
    pub ridge: f64,
    /// what outputs were divided by
    pub scale: f64,
    /// deviation of the noise of each output, in its units
    pub noise: Vec<f64>,
}

impl FeatureModel {
    /// The posterior that statistics give.
    ///
    /// # Cost
    /// `O(D³)`.
    ///
    /// # Errors
    /// [`GpError`] when sizes do not fit, or `A + λ I` is not positive definite.
    pub fn new(
        features: Arc<RandomFeatures>,
        statistics: &FeatureStatistics,
        prior: &FeaturePrior,
    ) -> Result<Self, GpError> {
        let (count, outputs) = (features.count(), statistics.evidence.columns());
        let sizes = [
            ("rows of A", count, statistics.precision.rows()),
            ("columns of A", count, statistics.precision.columns()),
            ("rows of c", count, statistics.evidence.rows()),
            ("deviations of noise", outputs, prior.noise.len()),
        ];
        for (what, expected, found) in sizes {
            if expected != found {
                return Err(GpError::Shape { what, expected, found });
            }
        }
        let options = [("the ridge", prior.ridge), ("the scale of outputs", prior.scale)];
        for (name, value) in options {
            if !value.is_normal() || value < 0.0 {
                return Err(GpError::Option { name, value, needed: "a number above 0" });
            }
        }
        let ridge = Matrix::scalar(count, prior.ridge);
        let factor = Cholesky::new(&statistics.precision.plus(1.0, &ridge));
        let factor = factor.filter(|_| statistics.is_finite());
        let factor = factor.ok_or(GpError::NotDefinite { output: 1, jitter: prior.ridge })?;
        let weights = factor.solve(&statistics.evidence).scaled(prior.scale);
        let inputs = features.inputs();
        let buffers = Buffers {
            point: vec![0.0; inputs],
            phi: vec![0.0; count],
            slope: vec![0.0; outputs * inputs],
        };
        Ok(Self { features, weights, factor, noise: prior.noise.clone(), buffers })
    }

    /// Number of inputs.
    pub fn columns(&self) -> usize {
        self.features.inputs()
    }

    /// Number of outputs.
    pub fn outputs(&self) -> usize {
        self.weights.columns()
    }

    /// Writes the mean of each output at a point.
    ///
    /// # Panics
    /// When a slice does not have one number for each input or output.
    pub fn mean(&mut self, at: &[f64], mean: &mut [f64]) {
        assert_eq!(mean.len(), self.outputs(), "one number for each output");
        self.features.write(at, &mut self.buffers.phi);
        mean.fill(0.0);
        for (k, phi) in self.buffers.phi.iter().enumerate() {
            let weights = self.weights.row(k);
            mean.iter_mut().zip(weights).for_each(|(mean, weight)| *mean += phi * weight);
        }
    }

    /// Writes mean and slope of each output, outputs × inputs, at a point.
    ///
    /// # Panics
    /// When a slice has another size.
    pub fn mean_and_slope(&mut self, at: &[f64], mean: &mut [f64], slope: &mut [f64]) {
        let (inputs, outputs) = (self.columns(), self.outputs());
        assert_eq!((mean.len(), slope.len()), (outputs, outputs * inputs), "sizes of the model");
        let amplitude = self.features.amplitude();
        mean.fill(0.0);
        slope.fill(0.0);
        for k in 0..self.features.count() {
            let (sine, cosine) = self.features.angle(k, at).sin_cos();
            for (e, weight) in self.weights.row(k).iter().enumerate() {
                mean[e] += amplitude * cosine * weight;
                let along = -amplitude * sine * weight;
                let slope = &mut slope[e * inputs..(e + 1) * inputs];
                let waves = self.features.wave(k);
                slope.iter_mut().zip(waves).for_each(|(slope, wave)| *slope += along * wave);
            }
        }
    }

    /// Writes the variance of each output's value at a point, without noise:
    /// `s_n² φᵀ (A + λ I)⁻¹ φ`.
    ///
    /// # Panics
    /// When a slice does not have one number for each input or output.
    pub fn variance(&mut self, at: &[f64], variance: &mut [f64]) {
        assert_eq!(variance.len(), self.outputs(), "one number for each output");
        self.features.write(at, &mut self.buffers.phi);
        let count = self.features.count();
        let phi = Matrix::from_entries(count, 1, self.buffers.phi.clone());
        let half = self.factor.solve_lower(&phi);
        let doubt = half.inner(&half);
        for (variance, noise) in variance.iter_mut().zip(&self.noise) {
            *variance = noise * noise * doubt;
        }
    }

    fn place(&mut self, state: &[f64], input: &[f64]) -> Result<(), DynamicsError> {
        let n = self.outputs();
        let sizes = [("states", n, state.len()), ("inputs", self.inputs(), input.len())];
        for (what, expected, found) in sizes {
            if expected != found {
                return Err(DynamicsError::Shape { model: NAME, what, expected, found });
            }
        }
        self.buffers.point[..n].copy_from_slice(state);
        self.buffers.point[n..].copy_from_slice(input);
        Ok(())
    }
}

impl Dynamics for FeatureModel {
    fn name(&self) -> &'static str {
        NAME
    }

    fn states(&self) -> usize {
        self.outputs()
    }

    fn inputs(&self) -> usize {
        self.columns().saturating_sub(self.outputs())
    }

    fn step(
        &mut self,
        state: &[f64],
        input: &[f64],
        next: &mut [f64],
    ) -> Result<(), DynamicsError> {
        self.place(state, input)?;
        let point = std::mem::take(&mut self.buffers.point);
        self.mean(&point, next);
        self.buffers.point = point;
        next.iter_mut().zip(state).for_each(|(next, state)| *next += state);
        check_finite(NAME, "next state", next)
    }

    fn linearise(
        &mut self,
        state: &[f64],
        input: &[f64],
        into: Linearised<'_>,
    ) -> Result<(), DynamicsError> {
        self.place(state, input)?;
        let Buffers { point, slope, .. } = &mut self.buffers;
        let (point, mut slope) = (std::mem::take(point), std::mem::take(slope));
        self.mean_and_slope(&point, into.next, &mut slope);
        let next = add_state(state, &slope, into);
        let finite = check_finite(NAME, "derivative", &slope);
        (self.buffers.point, self.buffers.slope) = (point, slope);
        check_finite(NAME, "next state", next)?;
        finite
    }

    fn curve(
        &mut self,
        state: &[f64],
        input: &[f64],
        weights: &[f64],
        hessian: &mut [f64],
    ) -> Result<bool, DynamicsError> {
        self.place(state, input)?;
        let (amplitude, order) = (self.features.amplitude(), self.columns());
        hessian.fill(0.0);
        for k in 0..self.features.count() {
            let along: f64 =
                self.weights.row(k).iter().zip(weights).map(|(weight, w)| weight * w).sum();
            let bent = -amplitude * self.features.angle(k, &self.buffers.point).cos() * along;
            let wave = self.features.wave(k);
            for (d, row) in hessian.chunks_exact_mut(order).enumerate() {
                let scaled = bent * wave[d];
                row.iter_mut().zip(wave).for_each(|(entry, wave)| *entry += scaled * wave);
            }
        }
        check_finite(NAME, "second derivative", hessian).map(|()| true)
    }

    fn variance(
        &mut self,
        state: &[f64],
        input: &[f64],
        variance: &mut [f64],
    ) -> Result<bool, DynamicsError> {
        self.place(state, input)?;
        let point = std::mem::take(&mut self.buffers.point);
        Self::variance(self, &point, variance);
        self.buffers.point = point;
        check_finite(NAME, "variance", variance).map(|()| true)
    }
}
