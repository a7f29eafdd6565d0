//! A small dense matrix of `f64`, row by row, and its LU factors.
use std::ops::{Index, IndexMut};

/// Why rows are no matrix.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum MatrixError {
    /// There is no entry.
    #[error("it has no entries")]
    Empty,
    /// Rows of different lengths.
    #[error("row `{row}` has `{found}` entries, but the first row has `{expected}`")]
    Ragged {
        /// which row, from 1
        row: usize,
        /// entries of the first row
        expected: usize,
        /// entries of this row
        found: usize,
    },
}

/// A dense matrix.
#[derive(Debug, Clone, PartialEq)]
pub struct Matrix {
    rows: usize,
    columns: usize,
    entries: Vec<f64>,
}

impl Matrix {
    /// All zero.
    pub fn zeros(rows: usize, columns: usize) -> Self {
        Self { rows, columns, entries: vec![0.0; rows * columns] }
    }

    /// `scale` on the diagonal.
    pub fn scalar(order: usize, scale: f64) -> Self {
        Self::diagonal(&vec![scale; order])
    }

    /// These numbers on the diagonal.
    pub fn diagonal(entries: &[f64]) -> Self {
        let mut matrix = Self::zeros(entries.len(), entries.len());
        entries.iter().enumerate().for_each(|(i, entry)| matrix[(i, i)] = *entry);
        matrix
    }

    /// From rows of equal length.
    ///
    /// # Errors
    /// [`MatrixError`] when there is nothing or a row has another length.
    pub fn from_rows<R: AsRef<[f64]>>(rows: &[R]) -> Result<Self, MatrixError> {
        let columns = rows.first().map_or(0, |row| row.as_ref().len());
        if columns == 0 {
            return Err(MatrixError::Empty);
        }
        let mut entries = Vec::with_capacity(rows.len() * columns);
        for (place, row) in rows.iter().map(AsRef::as_ref).enumerate() {
            if row.len() != columns {
                let (row, found) = (place + 1, row.len());
                return Err(MatrixError::Ragged { row, expected: columns, found });
            }
            entries.extend_from_slice(row);
        }
        Ok(Self { rows: rows.len(), columns, entries })
    }

    /// From entries row by row.
    ///
    /// # Panics
    /// When their number is not `rows × columns`.
    pub fn from_entries(rows: usize, columns: usize, entries: Vec<f64>) -> Self {
        assert_eq!(entries.len(), rows * columns, "a matrix has rows × columns entries");
        Self { rows, columns, entries }
    }

    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Number of columns.
    pub fn columns(&self) -> usize {
        self.columns
    }

    /// Whether rows and columns are as many.
    pub fn is_square(&self) -> bool {
        self.rows == self.columns
    }

    /// Entries row by row.
    pub fn entries(&self) -> &[f64] {
        &self.entries
    }

    /// Entries row by row.
    pub fn entries_mut(&mut self) -> &mut [f64] {
        &mut self.entries
    }

    /// One row.
    pub fn row(&self, row: usize) -> &[f64] {
        &self.entries[row * self.columns..(row + 1) * self.columns]
    }

    /// The part with these corners: rows `rows.0..rows.1`, columns `columns.0..columns.1`.
    pub fn part(&self, rows: (usize, usize), columns: (usize, usize)) -> Self {
        let mut part = Self::zeros(rows.1 - rows.0, columns.1 - columns.0);
        for i in rows.0..rows.1 {
            for j in columns.0..columns.1 {
                part[(i - rows.0, j - columns.0)] = self[(i, j)];
            }
        }
        part
    }

    /// Writes a matrix into this one, its first entry at `(row, column)`.
    pub fn place(&mut self, (row, column): (usize, usize), part: &Self) {
        for i in 0..part.rows {
            for j in 0..part.columns {
                self[(row + i, column + j)] = part[(i, j)];
            }
        }
    }

    /// Rows become columns.
    pub fn transposed(&self) -> Self {
        let mut out = Self::zeros(self.columns, self.rows);
        for i in 0..self.rows {
            for j in 0..self.columns {
                out[(j, i)] = self[(i, j)];
            }
        }
        out
    }

    /// `self · right`.
    ///
    /// # Panics
    /// When the inner sizes differ.
    pub fn times(&self, right: &Self) -> Self {
        assert_eq!(self.columns, right.rows, "inner sizes of a product are equal");
        let mut out = Self::zeros(self.rows, right.columns);
        let columns = right.columns;
        for i in 0..self.rows {
            let target = &mut out.entries[i * columns..(i + 1) * columns];
            for (k, left) in self.row(i).iter().enumerate() {
                let source = &right.entries[k * columns..(k + 1) * columns];
                target.iter_mut().zip(source).for_each(|(sum, entry)| *sum += left * entry);
            }
        }
        out
    }

    /// `self · rightᵀ`.
    pub fn times_transposed(&self, right: &Self) -> Self {
        self.times(&right.transposed())
    }

    /// `selfᵀ · right`.
    pub fn transposed_times(&self, right: &Self) -> Self {
        self.transposed().times(right)
    }

    /// `selfᵀ · middle · self`, made symmetric.
    pub fn congruence(&self, middle: &Self) -> Self {
        self.transposed_times(&middle.times(self)).symmetrised()
    }

    /// `self + scale · other`.
    ///
    /// # Panics
    /// When the sizes differ.
    pub fn plus(&self, scale: f64, other: &Self) -> Self {
        let mut out = self.clone();
        out.add(scale, other);
        out
    }

    /// `self ← self + scale · other`.
    ///
    /// # Panics
    /// When the sizes differ.
    pub fn add(&mut self, scale: f64, other: &Self) {
        assert_eq!((self.rows, self.columns), (other.rows, other.columns), "sizes are equal");
        let pairs = self.entries.iter_mut().zip(&other.entries);
        pairs.for_each(|(sum, entry)| *sum += scale * entry);
    }

    /// `scale · self`.
    pub fn scaled(&self, scale: f64) -> Self {
        let entries = self.entries.iter().map(|entry| scale * entry).collect();
        Self { entries, ..*self }
    }

    /// `½ (self + selfᵀ)`.
    pub fn symmetrised(mut self) -> Self {
        for i in 0..self.rows {
            for j in 0..i {
                let mean = 0.5 * (self[(i, j)] + self[(j, i)]);
                self[(i, j)] = mean;
                self[(j, i)] = mean;
            }
        }
        self
    }

    /// Whether it equals its transpose up to `tolerance` times its greatest entry.
    pub fn is_symmetric(&self, tolerance: f64) -> bool {
        let bound = tolerance * self.greatest();
        let is_paired = |i: usize, j: usize| (self[(i, j)] - self[(j, i)]).abs() <= bound;
        self.is_square() && (0..self.rows).all(|i| (0..i).all(|j| is_paired(i, j)))
    }

    /// Sum of the diagonal.
    pub fn trace(&self) -> f64 {
        (0..self.rows.min(self.columns)).map(|i| self[(i, i)]).sum()
    }

    /// `Σ self_ij other_ij`, the trace of `selfᵀ · other`.
    pub fn inner(&self, other: &Self) -> f64 {
        self.entries.iter().zip(&other.entries).map(|(a, b)| a * b).sum()
    }

    /// Frobenius norm.
    pub fn norm(&self) -> f64 {
        self.entries.iter().map(|entry| entry * entry).sum::<f64>().sqrt()
    }

    /// Greatest absolute value; NaN when one entry is.
    pub fn greatest(&self) -> f64 {
        self.entries.iter().fold(0.0, |greatest: f64, entry| {
            if entry.is_nan() || greatest.is_nan() { f64::NAN } else { greatest.max(entry.abs()) }
        })
    }

    /// Whether every entry is a finite number.
    pub fn is_finite(&self) -> bool {
        self.entries.iter().all(|entry| entry.is_finite())
    }

    /// The greatest singular value.
    pub fn spectral_norm(&self) -> f64 {
        let gram = self.transposed_times(self).symmetrised();
        super::symmetric_eigenvalues(&gram).last().copied().unwrap_or(0.0).max(0.0).sqrt()
    }

    /// LU factors with row exchanges; `None` when a pivot vanishes or is not a number.
    ///
    /// # Panics
    /// When it is not square.
    pub fn lu(self) -> Option<Lu> {
        Lu::new(self)
    }

    /// The inverse; `None` where there is none.
    pub fn inverse(&self) -> Option<Self> {
        Some(self.clone().lu()?.solve(&Self::scalar(self.rows, 1.0)))
    }
}

impl Index<(usize, usize)> for Matrix {
    type Output = f64;
    fn index(&self, (row, column): (usize, usize)) -> &f64 {
        debug_assert!(column < self.columns, "a column of the matrix");
        &self.entries[row * self.columns + column]
    }
}

impl IndexMut<(usize, usize)> for Matrix {
    fn index_mut(&mut self, (row, column): (usize, usize)) -> &mut f64 {
        debug_assert!(column < self.columns, "a column of the matrix");
        &mut self.entries[row * self.columns + column]
    }
}

/// LU factors of a square matrix with exchanged rows.
#[derive(Debug, Clone)]
pub struct Lu {
    factors: Matrix,
    order: Vec<usize>,
}

impl Lu {
    fn new(mut factors: Matrix) -> Option<Self> {
        assert!(factors.is_square(), "only a square matrix has LU factors");
        let n = factors.rows;
        let mut order: Vec<usize> = (0..n).collect();
        for step in 0..n {
            let size = |row: usize| factors[(row, step)].abs();
            let pivot = (step..n).max_by(|a, b| size(*a).total_cmp(&size(*b)))?;
            if !size(pivot).is_finite() || size(pivot) == 0.0 {
                return None;
            }
            if pivot != step {
                order.swap(pivot, step);
                (0..n).for_each(|j| factors.entries.swap(pivot * n + j, step * n + j));
            }
            let inverse = 1.0 / factors[(step, step)];
            let (above, below) = factors.entries.split_at_mut((step + 1) * n);
            let source = &above[step * n..];
            for row in below.chunks_exact_mut(n) {
                let factor = row[step] * inverse;
                row[step] = factor;
                let pairs = row[step + 1..].iter_mut().zip(&source[step + 1..]);
                pairs.for_each(|(entry, above)| *entry -= factor * above);
            }
        }
        Some(Self { factors, order })
    }

    /// The `x` of `matrix · x = right`.
    ///
    /// # Panics
    /// When the rows of `right` are not as many as those of the matrix.
    pub fn solve(&self, right: &Matrix) -> Matrix {
        let (n, columns) = (self.factors.rows, right.columns);
        assert_eq!(n, right.rows, "the right side has as many rows as the matrix");
        let mut out = Matrix::zeros(n, columns);
        for (place, source) in self.order.iter().enumerate() {
            out.entries[place * columns..(place + 1) * columns].copy_from_slice(right.row(*source));
        }
        for i in 0..n {
            let (above, row) = out.entries.split_at_mut(i * columns);
            for (k, source) in above.chunks_exact(columns).enumerate() {
                subtract(&mut row[..columns], self.factors[(i, k)], source);
            }
        }
        for i in (0..n).rev() {
            let (head, below) = out.entries.split_at_mut((i + 1) * columns);
            let row = &mut head[i * columns..];
            for (k, source) in below.chunks_exact(columns).enumerate() {
                subtract(row, self.factors[(i, i + 1 + k)], source);
            }
            let pivot = self.factors[(i, i)];
            row.iter_mut().for_each(|entry| *entry /= pivot);
        }
        out
    }
}

fn subtract(row: &mut [f64], factor: f64, source: &[f64]) {
    row.iter_mut().zip(source).for_each(|(entry, other)| *entry -= factor * other);
}
