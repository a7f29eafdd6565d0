//! What data say about the plant: natural parameters, and the Gaussian posterior made of them.
use super::normals::Normals;
use crate::control::{Cholesky, Matrix};

/// ∫ Z Zᵀ dt and ∫ Z dXᵀ of a path, without any prior. They add up over paths of one plant.
#[derive(Debug, Clone, PartialEq)]
pub struct Information {
    /// ∫ Z Zᵀ dt, (p + q) × (p + q)
    pub precision: Matrix,
    /// ∫ Z dXᵀ, (p + q) × p
    pub evidence: Matrix,
}

impl Information {
    /// That of no data.
    pub fn none(states: usize, inputs: usize) -> Self {
        let joint = states + inputs;
        let (precision, evidence) = (Matrix::zeros(joint, joint), Matrix::zeros(joint, states));
        Self { precision, evidence }
    }

    /// Adds that of other data, multiplied by `weight`.
    pub fn add(&mut self, weight: f64, other: &Self) {
        self.precision.add(weight, &other.precision);
        self.evidence.add(weight, &other.evidence);
    }

    /// ψ(θ) = S − V θ: zero on average at the truth, whoever collected the data.
    pub fn score(&self, theta: &Matrix) -> Matrix {
        self.evidence.plus(-1.0, &self.precision.times(theta))
    }

    /// Whether every entry is finite.
    pub fn is_finite(&self) -> bool {
        self.precision.is_finite() && self.evidence.is_finite()
    }
}

/// Independent columns of θ, each normal with this mean and the inverse of this precision.
#[derive(Debug, Clone, PartialEq)]
pub struct Prior {
    /// μ₀, (p + q) × p
    pub mean: Matrix,
    /// Σ₀, (p + q) × (p + q)
    pub precision: Matrix,
}

impl Prior {
    /// Mean zero and precision `scale` times the identity; 1 is chosen, the paper's is unknown.
    pub fn isotropic(states: usize, inputs: usize, scale: f64) -> Self {
        let mean = Matrix::zeros(states + inputs, states);
        Self { mean, precision: Matrix::scalar(states + inputs, scale) }
    }
}

/// Which covariance between the columns of θ the posterior takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoiseModel {
    /// the identity, whatever the noise: recalled as the paper's
    Agnostic,
    /// that of the noise, which the quadratic variation of a path reveals: exact Bayes (derived)
    Aware,
}

/// Matrix normal: mean M, covariance V⁻¹ between rows and R between columns.
#[derive(Debug, Clone)]
pub struct Posterior {
    /// M = V⁻¹ S
    pub mean: Matrix,
    /// the Cholesky factor of V
    pub factor: Cholesky,
    /// R^½, where R is not the identity
    column_factor: Option<Matrix>,
}

impl Posterior {
    /// Prior and data together; `None` when V has lost its positive definiteness, as it does
    /// when the path ran away. `noise_factor` is C where the model is aware of the noise.
    pub fn new(
        prior: &Prior,
        information: &Information,
        noise_factor: Option<&Matrix>,
    ) -> Option<Self> {
        let precision = prior.precision.plus(1.0, &information.precision).symmetrised();
        let evidence = prior.precision.times(&prior.mean).plus(1.0, &information.evidence);
        let factor = Cholesky::new(&precision)?;
        let mean = factor.solve(&evidence);
        let column_factor = noise_factor.cloned();
        mean.is_finite().then_some(Self { mean, factor, column_factor })
    }

    /// A draw: M + L⁻ᵀ G R^½ᵀ with G of standard normals, row by row.
    pub fn sample(&self, normals: &mut dyn Normals) -> Matrix {
        let mut draw = Matrix::zeros(self.mean.rows(), self.mean.columns());
        normals.fill(draw.entries_mut());
        let mut spread = self.factor.solve_upper(&draw);
        if let Some(root) = &self.column_factor {
            spread = spread.times_transposed(root);
        }
        self.mean.plus(1.0, &spread)
    }
}
