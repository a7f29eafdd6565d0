//! Cholesky factors of symmetric positive definite matrices, and the solves that they allow.
use super::Matrix;

/// The lower factor `L` of `V = L Lᵀ`.
#[derive(Debug, Clone, PartialEq)]
pub struct Cholesky {
    lower: Matrix,
}

impl Cholesky {
    /// Factors the symmetric matrix whose lower half this is; `None` when it is not positive
    /// definite in floating point, or not finite.
    ///
    /// # Panics
    /// When it is not square.
    pub fn new(matrix: &Matrix) -> Option<Self> {
        Self::with_floor(matrix, None)
    }

    /// The same for a matrix that may be singular: a pivot under `floor` times its diagonal entry
    /// counts as zero. `None` when a pivot is clearly negative or not finite.
    pub fn semidefinite(matrix: &Matrix, floor: f64) -> Option<Self> {
        Self::with_floor(matrix, Some(floor))
    }

    fn with_floor(matrix: &Matrix, floor: Option<f64>) -> Option<Self> {
        assert!(matrix.is_square(), "only a square matrix has a Cholesky factor");
        let n = matrix.rows();
        let mut lower = Matrix::zeros(n, n);
        for j in 0..n {
            let row = &lower.row(j)[..j];
            let pivot = matrix[(j, j)] - row.iter().map(|entry| entry * entry).sum::<f64>();
            if !pivot.is_finite() {
                return None;
            }
            match floor.map(|floor| floor * matrix[(j, j)].abs()) {
                None if pivot <= 0.0 => return None,
                Some(least) if pivot < -least => return None,
                // Nothing varies in this direction.
                Some(least) if pivot <= least => continue,
                _ => {}
            }
            let root = pivot.sqrt();
            lower[(j, j)] = root;
            for i in j + 1..n {
                let pairs = lower.row(i)[..j].iter().zip(&lower.row(j)[..j]);
                let sum: f64 = pairs.map(|(a, b)| a * b).sum();
                lower[(i, j)] = (matrix[(i, j)] - sum) / root;
            }
        }
        Some(Self { lower })
    }

    /// `L`.
    pub fn lower(&self) -> &Matrix {
        &self.lower
    }

    /// `V⁻¹ · right`.
    pub fn solve(&self, right: &Matrix) -> Matrix {
        self.solve_upper(&self.solve_lower(right))
    }

    /// `L⁻¹ · right`.
    pub fn solve_lower(&self, right: &Matrix) -> Matrix {
        let mut out = right.clone();
        for i in 0..self.lower.rows() {
            for j in 0..right.columns() {
                let sum: f64 = (0..i).map(|k| self.lower[(i, k)] * out[(k, j)]).sum();
                out[(i, j)] = (out[(i, j)] - sum) / self.lower[(i, i)];
            }
        }
        out
    }

    /// `L⁻ᵀ · right`.
    pub fn solve_upper(&self, right: &Matrix) -> Matrix {
        let (mut out, n) = (right.clone(), self.lower.rows());
        for i in (0..n).rev() {
            for j in 0..right.columns() {
                let sum: f64 = (i + 1..n).map(|k| self.lower[(k, i)] * out[(k, j)]).sum();
                out[(i, j)] = (out[(i, j)] - sum) / self.lower[(i, i)];
            }
        }
        out
    }

    /// `V⁻¹`.
    pub fn inverse(&self) -> Matrix {
        self.solve(&Matrix::scalar(self.lower.rows(), 1.0)).symmetrised()
    }

    /// The greatest eigenvalue of `V⁻¹ M` for a symmetric `M`.
    pub fn greatest_relative_eigenvalue(&self, matrix: &Matrix) -> f64 {
        let half = self.solve_lower(matrix).transposed();
        let whitened = self.solve_lower(&half).symmetrised();
        super::symmetric_eigenvalues(&whitened).last().copied().unwrap_or(f64::NAN)
    }
}
