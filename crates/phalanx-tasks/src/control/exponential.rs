//! The exponential of a matrix, for flows that are linear over a step.
use super::Matrix;

/// Degree of numerator and denominator; at norm ½ the error is below the rounding of `f64`.
const DEGREE: usize = 8;

/// `exp(matrix)`, by scaling, a Padé fraction and squaring; `None` when it overflows.
///
/// # Source
/// C. Moler and C. Van Loan, Nineteen Dubious Ways to Compute the Exponential of a Matrix,
/// SIAM Review 1978, method 3.
pub fn exponential(matrix: &Matrix) -> Option<Matrix> {
    let n = matrix.rows();
    let row_sum = |i: usize| matrix.row(i).iter().map(|entry| entry.abs()).sum::<f64>();
    let size = (0..n).map(row_sum).fold(0.0, f64::max);
    if !matrix.is_finite() || size > 1e8 {
        return None;
    }
    let squarings = if size > 0.5 { (size / 0.5).log2().ceil() as i32 } else { 0 };
    let scaled = matrix.scaled(0.5f64.powi(squarings));
    let mut power = Matrix::scalar(n, 1.0);
    let (mut above, mut below) = (power.clone(), power.clone());
    let mut coefficient = 1.0;
    for k in 1..=DEGREE {
        coefficient *= (DEGREE - k + 1) as f64 / (k * (2 * DEGREE - k + 1)) as f64;
        power = power.times(&scaled);
        above.add(coefficient, &power);
        below.add(if k % 2 == 0 { coefficient } else { -coefficient }, &power);
    }
    let mut out = below.lu()?.solve(&above);
    for _ in 0..squarings {
        out = out.times(&out);
    }
    out.is_finite().then_some(out)
}
