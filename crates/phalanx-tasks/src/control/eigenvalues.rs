//! Eigenvalues: Francis' implicit double shift for general matrices, Jacobi for symmetric ones.
use super::Matrix;

/// An eigenvalue of a real matrix, such as a pole of a closed loop.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Pole {
    /// real part
    pub re: f64,
    /// imaginary part
    pub im: f64,
}

/// Why there are no eigenvalues.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum EigenError {
    /// An entry is NaN or infinite.
    #[error("the matrix is not finite")]
    NotFinite,
    /// The iteration did not converge.
    #[error("the eigenvalue iteration gave up after `{ITERATIONS_MAX}` steps")]
    NotConverged,
}

/// Double steps spent on one eigenvalue before giving up; two or three are usual.
const ITERATIONS_MAX: usize = 60;
/// After so many steps without success an unusual shift breaks a cycle.
const STALL: usize = 10;
/// Most rows of a general matrix.
const ROWS_MAX: usize = 4 * super::ORDER_MAX;
/// Sweeps after which the off-diagonal part of a symmetric matrix has vanished by far.
const SWEEPS_MAX: usize = 50;

/// The eigenvalues of a square matrix by decreasing real part, then decreasing imaginary part.
///
/// # Cost
/// About 10 n³.
///
/// # Errors
/// [`EigenError`] when an entry is not finite or the iteration does not converge.
///
/// # Panics
/// When the matrix is not square, or has more than 64 rows.
///
/// # Source
/// J. G. F. Francis, The QR transformation, The Computer Journal 1961 and 1962.
pub fn eigenvalues(matrix: &Matrix) -> Result<Vec<Pole>, EigenError> {
    assert!(matrix.is_square(), "only a square matrix has eigenvalues");
    assert!(matrix.rows() <= ROWS_MAX, "this solver is for small matrices");
    if !matrix.is_finite() {
        return Err(EigenError::NotFinite);
    }
    let mut poles = Hessenberg::of(matrix).deflate()?;
    poles.sort_by(|a, b| b.re.total_cmp(&a.re).then(b.im.total_cmp(&a.im)));
    Ok(poles)
}

/// The greatest real part of the eigenvalues; a negative one means a stable flow.
///
/// # Errors
/// As [`eigenvalues`].
pub fn spectral_abscissa(matrix: &Matrix) -> Result<f64, EigenError> {
    Ok(eigenvalues(matrix)?.first().map_or(f64::NEG_INFINITY, |pole| pole.re))
}

struct Hessenberg {
    h: Matrix,
    size: f64,
}

impl Hessenberg {
    fn of(matrix: &Matrix) -> Self {
        let mut this = Self { h: balanced(matrix), size: 0.0 };
        let n = this.h.rows();
        for k in 0..n.saturating_sub(2) {
            let column: Vec<f64> = (k + 1..n).map(|i| this.h[(i, k)]).collect();
            if column[1..].iter().any(|entry| *entry != 0.0) {
                this.reflect(&column, k + 1, (0, n));
                (k + 2..n).for_each(|i| this.h[(i, k)] = 0.0);
            }
        }
        this.size = this.h.norm().max(f64::MIN_POSITIVE);
        this
    }

    /// Applies from both sides the reflection that maps `column`, which stands in the rows from
    /// `first` on, to its first coordinate. Only rows and columns within `range` are touched.
    fn reflect(&mut self, column: &[f64], first: usize, range: (usize, usize)) {
        let greatest = column.iter().fold(0.0, |greatest: f64, entry| greatest.max(entry.abs()));
        if greatest == 0.0 {
            return;
        }
        let mut v = [0.0; ROWS_MAX];
        let v = &mut v[..column.len()];
        v.iter_mut().zip(column).for_each(|(entry, source)| *entry = source / greatest);
        let norm = v.iter().map(|entry| entry * entry).sum::<f64>().sqrt();
        v[0] += norm.copysign(v[0]);
        let scale = 2.0 / v.iter().map(|entry| entry * entry).sum::<f64>();
        let (from, to) = range;
        for j in from..to {
            let dot: f64 =
                v.iter().enumerate().map(|(i, entry)| entry * self.h[(first + i, j)]).sum();
            let factor = scale * dot;
            v.iter().enumerate().for_each(|(i, entry)| self.h[(first + i, j)] -= factor * entry);
        }
        for i in from..to {
            let dot: f64 =
                v.iter().enumerate().map(|(j, entry)| entry * self.h[(i, first + j)]).sum();
            let factor = scale * dot;
            v.iter().enumerate().for_each(|(j, entry)| self.h[(i, first + j)] -= factor * entry);
        }
    }

    /// Splits off eigenvalues at the lower end until none is left.
    fn deflate(mut self) -> Result<Vec<Pole>, EigenError> {
        let mut poles = Vec::with_capacity(self.h.rows());
        let (mut end, mut steps) = (self.h.rows(), 0);
        while end > 0 {
            let start = self.block_start(end);
            match end - start {
                1 => poles.push(Pole { re: self.h[(end - 1, end - 1)], im: 0.0 }),
                2 => poles.extend(self.pair(start)),
                _ if steps == ITERATIONS_MAX => return Err(EigenError::NotConverged),
                _ => {
                    steps += 1;
                    self.double_step(start, end, steps % STALL == 0);
                    continue;
                }
            }
            (end, steps) = (start, 0);
        }
        Ok(poles)
    }

    /// Where the last block without a negligible subdiagonal entry begins.
    fn block_start(&mut self, end: usize) -> usize {
        for i in (1..end).rev() {
            let around = self.h[(i - 1, i - 1)].abs() + self.h[(i, i)].abs();
            let around = if around == 0.0 { self.size } else { around };
            if self.h[(i, i - 1)].abs() <= f64::EPSILON * around {
                self.h[(i, i - 1)] = 0.0;
                return i;
            }
        }
        0
    }

    /// The eigenvalues of the 2 × 2 block at `start`.
    fn pair(&self, start: usize) -> [Pole; 2] {
        let (a, b) = (self.h[(start, start)], self.h[(start, start + 1)]);
        let (c, d) = (self.h[(start + 1, start)], self.h[(start + 1, start + 1)]);
        let half = 0.5 * (a - d);
        let discriminant = half * half + b * c;
        if discriminant < 0.0 {
            let (re, im) = (0.5 * (a + d), (-discriminant).sqrt());
            return [Pole { re, im }, Pole { re, im: -im }];
        }
        // The root of larger size first: the other one from the product, without cancellation.
        let far = half + discriminant.sqrt().copysign(half);
        let first = d + far;
        let second = if far == 0.0 { first } else { d - b * c / far };
        [Pole { re: first, im: 0.0 }, Pole { re: second, im: 0.0 }]
    }

    /// One implicit step with both shifts of the trailing 2 × 2 block.
    fn double_step(&mut self, start: usize, end: usize, is_unusual: bool) {
        let (last, h) = (end - 1, &self.h);
        let (mut sum, mut product) = (
            h[(last - 1, last - 1)] + h[(last, last)],
            h[(last - 1, last - 1)] * h[(last, last)] - h[(last - 1, last)] * h[(last, last - 1)],
        );
        if is_unusual {
            let size = h[(last, last - 1)].abs() + h[(last - 1, last - 2)].abs();
            (sum, product) = (1.5 * size, size * size);
        }
        let (a, b, c) = (h[(start, start)], h[(start, start + 1)], h[(start + 1, start)]);
        let mut bulge = [
            a * a + b * c - sum * a + product,
            c * (a + h[(start + 1, start + 1)] - sum),
            c * h[(start + 2, start + 1)],
        ];
        for k in start..last {
            let height = 3.min(end - k);
            if k > start {
                (0..height).for_each(|i| bulge[i] = self.h[(k + i, k - 1)]);
            }
            self.reflect(&bulge[..height], k, (start, end));
            if k > start {
                // Zero but for rounding.
                (1..height).for_each(|i| self.h[(k + i, k - 1)] = 0.0);
            }
        }
    }
}

/// A similar matrix whose rows and columns have norms of one size, scaled by powers of two.
fn balanced(matrix: &Matrix) -> Matrix {
    let (mut h, n) = (matrix.clone(), matrix.rows());
    for _ in 0..SWEEPS_MAX {
        let mut is_balanced = true;
        for i in 0..n {
            let others = || (0..n).filter(|j| *j != i);
            let row: f64 = others().map(|j| h[(i, j)].abs()).sum();
            let column: f64 = others().map(|j| h[(j, i)].abs()).sum();
            if row == 0.0 || column == 0.0 {
                continue;
            }
            let factor = (0.5 * (row / column).log2()).round().clamp(-300.0, 300.0).exp2();
            if column * factor + row / factor < 0.95 * (column + row) {
                is_balanced = false;
                (0..n).for_each(|j| h[(i, j)] /= factor);
                (0..n).for_each(|j| h[(j, i)] *= factor);
            }
        }
        if is_balanced {
            break;
        }
    }
    h
}

/// The eigenvalues of a symmetric matrix in increasing order; NaN where an entry is not finite.
///
/// # Source
/// C. G. J. Jacobi, Über ein leichtes Verfahren, Crelle 1846.
pub fn symmetric_eigenvalues(matrix: &Matrix) -> Vec<f64> {
    assert!(matrix.is_square(), "only a square matrix has eigenvalues");
    let (mut s, n) = (matrix.clone(), matrix.rows());
    if !s.is_finite() {
        return vec![f64::NAN; n];
    }
    for _ in 0..SWEEPS_MAX {
        let mut has_turned = false;
        for i in 1..n {
            for j in 0..i {
                has_turned |= rotate(&mut s, i, j);
            }
        }
        if !has_turned {
            break;
        }
    }
    let mut values: Vec<f64> = (0..n).map(|i| s[(i, i)]).collect();
    values.sort_by(f64::total_cmp);
    values
}

/// Makes one off-diagonal entry vanish; says whether there was anything to do.
fn rotate(s: &mut Matrix, i: usize, j: usize) -> bool {
    let entry = s[(i, j)];
    if entry.abs() <= f64::EPSILON * (s[(i, i)].abs() * s[(j, j)].abs()).sqrt().max(1e-300) {
        return false;
    }
    let cotangent = (s[(j, j)] - s[(i, i)]) / (2.0 * entry);
    let tangent = 1f64.copysign(cotangent) / (cotangent.abs() + cotangent.hypot(1.0));
    let cosine = 1.0 / tangent.hypot(1.0);
    let sine = tangent * cosine;
    for k in 0..s.rows() {
        let (a, b) = (s[(k, i)], s[(k, j)]);
        s[(k, i)] = cosine * a - sine * b;
        s[(k, j)] = sine * a + cosine * b;
    }
    for k in 0..s.rows() {
        let (a, b) = (s[(i, k)], s[(j, k)]);
        s[(i, k)] = cosine * a - sine * b;
        s[(j, k)] = sine * a + cosine * b;
    }
    true
}
