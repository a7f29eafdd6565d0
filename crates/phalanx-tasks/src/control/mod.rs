//! Linear algebra of control for small dense systems: Riccati, Lyapunov, poles, exponentials.
//!
//! Everything is in-house, `f64` and in one fixed order, so that a result has the same bits on
//! every machine; the sizes are those of plants (at most [`ORDER_MAX`] states), where calls into
//! a library for large matrices cost more than the arithmetic.
mod care;
mod cholesky;
mod eigenvalues;
mod exponential;
mod lyapunov;
mod matrix;
mod stabilisability;

pub use care::{Care, CareError, Regulator, care};
pub use cholesky::Cholesky;
pub use eigenvalues::{EigenError, Pole, eigenvalues, spectral_abscissa, symmetric_eigenvalues};
pub use exponential::exponential;
pub use lyapunov::{LyapunovError, discrete_lyapunov, lyapunov};
pub use matrix::{Lu, Matrix, MatrixError};
pub use stabilisability::{Unstabilisable, check_stabilisable};

/// Most states and most inputs of a plant.
pub const ORDER_MAX: usize = 16;
