//! Lyapunov equations, continuous and discrete.
use super::{EigenError, Matrix, eigenvalues, spectral_abscissa};

/// Why a Lyapunov equation has no solution that means anything.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
pub enum LyapunovError {
    /// The flow or the step is not stable, so the sum that the solution stands for is infinite.
    #[error("the matrix is not stable: its worst pole is at `{worst}`")]
    NotStable {
        /// greatest real part (continuous), or greatest size (discrete), of a pole
        worst: f64,
    },
    /// The poles could not be found.
    #[error(transparent)]
    Poles(#[from] EigenError),
    /// The linear equations are singular in floating point.
    #[error("the equation is singular in floating point")]
    Singular,
}

/// Up to this order the equation is solved as n² linear equations; above it by doubling.
const DIRECT_ORDER_MAX: usize = 6;
/// Doublings after which a step with poles of size 1 − 1e-12 has settled.
const DOUBLINGS_MAX: usize = 60;

/// The `L` of `Fᵀ L + L F + Q = 0` for a stable `F` and a symmetric `Q`.
///
/// # Errors
/// [`LyapunovError::NotStable`] when a pole of `F` has no negative real part.
pub fn lyapunov(f: &Matrix, q: &Matrix) -> Result<Matrix, LyapunovError> {
    let worst = spectral_abscissa(f)?;
    if worst >= 0.0 {
        return Err(LyapunovError::NotStable { worst });
    }
    if f.rows() <= DIRECT_ORDER_MAX {
        return direct(f, q).ok_or(LyapunovError::Singular);
    }
    // The Cayley transform turns the flow into a step with the same solution.
    let shift = f.norm() / (f.rows() as f64).sqrt();
    let inverse = f.plus(-shift, &Matrix::scalar(f.rows(), 1.0)).inverse();
    let inverse = inverse.ok_or(LyapunovError::Singular)?;
    let step = f.plus(shift, &Matrix::scalar(f.rows(), 1.0)).times(&inverse);
    let source = inverse.congruence(q).scaled(2.0 * shift);
    Ok(doubled(step.transposed(), source))
}

/// The `S` of `S = Φ S Φᵀ + Q` for a step `Φ` whose poles lie inside the unit circle.
///
/// # Errors
/// [`LyapunovError::NotStable`] when a pole is not inside.
pub fn discrete_lyapunov(step: &Matrix, q: &Matrix) -> Result<Matrix, LyapunovError> {
    let worst = eigenvalues(step)?.iter().map(|pole| pole.re.hypot(pole.im)).fold(0.0, f64::max);
    if worst >= 1.0 {
        return Err(LyapunovError::NotStable { worst });
    }
    Ok(doubled(step.clone(), q.clone()))
}

/// `Σ Φᵏ Q Φᵏᵀ`, each round doubling the number of terms.
fn doubled(mut step: Matrix, mut sum: Matrix) -> Matrix {
    for _ in 0..DOUBLINGS_MAX {
        let more = step.times(&sum).times_transposed(&step);
        sum = sum.plus(1.0, &more).symmetrised();
        if more.greatest() <= 1e-18 * sum.greatest() {
            break;
        }
        step = step.times(&step);
    }
    sum
}

/// All entries of `L` as unknowns.
fn direct(f: &Matrix, q: &Matrix) -> Option<Matrix> {
    let n = f.rows();
    let mut system = Matrix::zeros(n * n, n * n);
    for i in 0..n {
        for j in 0..n {
            for k in 0..n {
                system[(i * n + j, k * n + j)] += f[(k, i)];
                system[(i * n + j, i * n + k)] += f[(k, j)];
            }
        }
    }
    let right = Matrix::from_entries(n * n, 1, q.scaled(-1.0).entries().to_vec());
    let solution = system.lu()?.solve(&right);
    let solution = Matrix::from_entries(n, n, solution.entries().to_vec()).symmetrised();
    solution.is_finite().then_some(solution)
}
