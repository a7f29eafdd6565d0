//! Random features: a smooth kernel as an inner product of as many cosines as one likes.
use std::f64::consts::TAU;

use super::error::GpError;
use super::samples::Samples;
use crate::control::Matrix;
use crate::safe_control::stream::Stream;

/// Most features.
pub const FEATURES_MAX: usize = 4096;

/// φ(z) = √(2/D) cos(W z + b), for which `E φ(a)ᵀ φ(b)` is the squared exponential of unit signal.
///
/// Whoever has seed, count and length scales has the same features: statistics of several members
/// then add up.
///
/// # Source
/// A. Rahimi and B. Recht, Random Features for Large-Scale Kernel Machines, NeurIPS 2007.
#[derive(Debug, Clone, PartialEq)]
pub struct RandomFeatures {
    inputs: usize,
    // W, features × inputs, and b.
    waves: Vec<f64>,
    phases: Vec<f64>,
}

impl RandomFeatures {
    /// Features of a seed. `lengths` are in the units of the inputs.
    ///
    /// # Errors
    /// [`GpError`] when there is none or too many, or a length scale is not positive.
    pub fn new(seed: u64, count: usize, lengths: &[f64]) -> Result<Self, GpError> {
        if count == 0 || lengths.is_empty() {
            let what = if count == 0 { "features" } else { "inputs" };
            return Err(GpError::Empty { what });
        }
        if count > FEATURES_MAX {
            let (limit, hint) = (FEATURES_MAX, "the precision has their square of entries");
            return Err(GpError::TooMany { what: "features", found: count, limit, hint });
        }
        if let Some(value) = lengths.iter().copied().find(|l| !l.is_normal() || *l < 0.0) {
            let (name, needed) = ("a length scale", "a number above 0");
            return Err(GpError::Option { name, value, needed });
        }
        let (inputs, mut stream) = (lengths.len(), Stream::new(seed));
        let mut waves = vec![0.0; count * inputs];
        stream.normals(&mut waves);
        for row in waves.chunks_exact_mut(inputs) {
            row.iter_mut().zip(lengths).for_each(|(wave, length)| *wave /= length);
        }
        let phases = (0..count).map(|_| TAU * stream.uniform()).collect();
        Ok(Self { inputs, waves, phases })
    }

    /// D.
    pub fn count(&self) -> usize {
        self.phases.len()
    }

    /// Number of inputs.
    pub fn inputs(&self) -> usize {
        self.inputs
    }

    pub(super) fn wave(&self, feature: usize) -> &[f64] {
        &self.waves[feature * self.inputs..(feature + 1) * self.inputs]
    }

    pub(super) fn amplitude(&self) -> f64 {
        (2.0 / self.count() as f64).sqrt()
    }

    /// `w_k z + b_k`.
    pub(super) fn angle(&self, feature: usize, at: &[f64]) -> f64 {
        let along: f64 = self.wave(feature).iter().zip(at).map(|(wave, at)| wave * at).sum();
        along + self.phases[feature]
    }

    /// Writes φ(z).
    ///
    /// # Panics
    /// When a slice has another size.
    pub fn write(&self, at: &[f64], features: &mut [f64]) {
        assert_eq!(at.len(), self.inputs, "one number for each input");
        assert_eq!(features.len(), self.count(), "one number for each feature");
        let amplitude = self.amplitude();
        for (k, feature) in features.iter_mut().enumerate() {
            *feature = amplitude * self.angle(k, at).cos();
        }
    }
}

/// What rows say about weights of features: sums that add up over rows and over members.
#[derive(Debug, Clone, PartialEq)]
pub struct FeatureStatistics {
    /// `A = Σ φ φᵀ`, features × features
    pub precision: Matrix,
    /// `c = Σ φ yᵀ`, features × outputs
    pub evidence: Matrix,
    /// number of rows, as a number because a claim may be anything
    pub rows: f64,
}

impl FeatureStatistics {
    /// Of no rows.
    pub fn none(features: usize, outputs: usize) -> Self {
        let precision = Matrix::zeros(features, features);
        Self { precision, evidence: Matrix::zeros(features, outputs), rows: 0.0 }
    }

    /// Of rows, whose outputs are divided by `scale`.
    ///
    /// # Cost
    /// `O(N D²)`.
    ///
    /// # Errors
    /// [`GpError::Shape`] when the rows have other inputs than the features.
    pub fn of(features: &RandomFeatures, samples: &Samples, scale: f64) -> Result<Self, GpError> {
        let (expected, found) = (features.inputs(), samples.inputs());
        if expected != found {
            return Err(GpError::Shape { what: "inputs", expected, found });
        }
        let (count, outputs) = (features.count(), samples.outputs());
        let mut this = Self::none(count, outputs);
        let mut phi = vec![0.0; count];
        for row in 0..samples.rows() {
            features.write(samples.input(row), &mut phi);
            let below = this.precision.entries_mut().chunks_exact_mut(count);
            for (k, entries) in below.enumerate() {
                let along = phi[k];
                entries[..=k].iter_mut().zip(&phi).for_each(|(sum, other)| *sum += along * other);
            }
            let evidence = this.evidence.entries_mut().chunks_exact_mut(outputs);
            for (k, entries) in evidence.enumerate() {
                let targets = samples.output(row);
                entries.iter_mut().zip(targets).for_each(|(sum, y)| *sum += phi[k] * y / scale);
            }
        }
        for k in 0..count {
            for l in 0..k {
                this.precision[(l, k)] = this.precision[(k, l)];
            }
        }
        this.rows = samples.rows() as f64;
        Ok(this)
    }

    /// Adds other rows.
    pub fn add(&mut self, other: &Self) {
        self.precision.add(1.0, &other.precision);
        self.evidence.add(1.0, &other.evidence);
        self.rows += other.rows;
    }

    /// Whether every number is finite.
    pub fn is_finite(&self) -> bool {
        self.precision.is_finite() && self.evidence.is_finite() && self.rows.is_finite()
    }

    /// `c − A w`: what is left of the evidence.
    pub fn score(&self, weights: &Matrix) -> Matrix {
        self.evidence.plus(-1.0, &self.precision.times(weights))
    }
}
