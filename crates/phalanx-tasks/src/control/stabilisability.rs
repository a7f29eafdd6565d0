//! Whether feedback can stabilise a plant: Hautus' test of every mode that does not decay.
use super::{EigenError, Matrix, Pole, eigenvalues, symmetric_eigenvalues};

/// Why no feedback stabilises a plant.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
pub enum Unstabilisable {
    /// A mode that does not decay cannot be reached by the input.
    #[error(
        "no feedback stabilises it: the input does not reach the mode at `{:.6}{:+.6}i`",
        pole.re, pole.im
    )]
    Mode {
        /// the mode
        pole: Pole,
    },
    /// The poles could not be found.
    #[error(transparent)]
    Poles(#[from] EigenError),
}

/// A mode closer to the imaginary axis than this, relative to the size of `A`, does not decay.
const AXIS: f64 = 1e-10;
/// A mode whose distance from being unreachable is smaller than this, relative to the sizes of
/// `A` and `B`, is not reached.
const REACH: f64 = 1e-7;

/// Finds the modes of `A` that neither decay by themselves nor are reached through `B`.
///
/// # Errors
/// [`Unstabilisable`] names the first such mode.
///
/// # Source
/// M. L. J. Hautus, Stabilization, controllability and observability of linear autonomous
/// systems, Indagationes Mathematicae 1970.
pub fn check_stabilisable(a: &Matrix, b: &Matrix) -> Result<(), Unstabilisable> {
    let (size_a, size_b) = (a.norm(), b.norm());
    let input = if size_b > 0.0 { b.scaled(1.0 / size_b) } else { b.clone() };
    let scale = if size_a > 0.0 { 1.0 / size_a } else { 1.0 };
    for pole in eigenvalues(a)? {
        if pole.re < -AXIS * size_a || pole.im < 0.0 {
            continue;
        }
        if distance_from_unreachable(&a.scaled(scale), &input, (pole.re * scale, pole.im * scale))
            <= REACH
        {
            return Err(Unstabilisable::Mode { pole });
        }
    }
    Ok(())
}

/// The least singular value of `[A − λ I, B]`, the complex matrix written as a real one.
fn distance_from_unreachable(a: &Matrix, b: &Matrix, (re, im): (f64, f64)) -> f64 {
    let n = a.rows();
    let shifted = a.plus(-re, &Matrix::scalar(n, 1.0));
    let mut whole = Matrix::zeros(2 * n, 2 * (n + b.columns()));
    whole.place((0, 0), &shifted);
    whole.place((n, n), &shifted);
    whole.place((0, n), &Matrix::scalar(n, im));
    whole.place((n, 0), &Matrix::scalar(n, -im));
    whole.place((0, 2 * n), b);
    whole.place((n, 2 * n + b.columns()), b);
    let gram = whole.times_transposed(&whole).symmetrised();
    symmetric_eigenvalues(&gram).first().copied().unwrap_or(0.0).max(0.0).sqrt()
}
