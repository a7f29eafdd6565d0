//! The matrix product in f64 of the exact losses.
use gemm::Parallelism;

/// A row-major matrix, or its transpose.
#[derive(Debug, Clone, Copy)]
pub(super) struct Matrix<'a> {
    entries: &'a [f64],
    rows: usize,
    cols: usize,
    is_transposed: bool,
}

impl<'a> Matrix<'a> {
    pub(super) fn new(entries: &'a [f64], rows: usize, cols: usize) -> Self {
        assert_eq!(entries.len(), rows * cols, "a matrix fills its slice");
        Self { entries, rows, cols, is_transposed: false }
    }

    pub(super) fn transposed(self) -> Self {
        Self { is_transposed: !self.is_transposed, ..self }
    }

    fn size(self) -> (usize, usize) {
        if self.is_transposed { (self.cols, self.rows) } else { (self.rows, self.cols) }
    }

    /// (row stride, column stride)
    fn strides(self) -> (isize, isize) {
        let along = self.cols as isize;
        if self.is_transposed { (1, along) } else { (along, 1) }
    }
}

/// `out = lhs · rhs`, or `out += lhs · rhs`, on the calling thread; `out` is row-major.
pub(super) fn multiply(lhs: Matrix<'_>, rhs: Matrix<'_>, is_added: bool, out: &mut [f64]) {
    let ((rows, inner), (inner_too, cols)) = (lhs.size(), rhs.size());
    assert!(inner == inner_too && out.len() == rows * cols, "the shapes of a product agree");
    let (left, right) = (lhs.strides(), rhs.strides());
    // SAFETY: each matrix fills its slice, `out` is borrowed exclusively and holds rows × cols.
    unsafe {
        gemm::gemm(
            rows,
            cols,
            inner,
            out.as_mut_ptr(),
            1,
            cols as isize,
            is_added,
            lhs.entries.as_ptr(),
            left.1,
            left.0,
            rhs.entries.as_ptr(),
            right.1,
            right.0,
            1.0,
            1.0,
            false,
            false,
            false,
            Parallelism::None,
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_orientation_is_the_textbooks() {
        let (a, b) = ([1.0, 2.0, 3.0, 4.0, 5.0, 6.0], [1.0, -1.0, 2.0, 0.0, 1.0, 3.0]);
        let mut out = [0.0; 4];
        multiply(Matrix::new(&a, 2, 3), Matrix::new(&b, 3, 2), false, &mut out);
        assert_eq!(out, [8.0, 8.0, 20.0, 14.0]);
        multiply(Matrix::new(&a, 2, 3), Matrix::new(&b, 2, 3).transposed(), true, &mut out);
        assert_eq!(out, [8.0 + 5.0, 8.0 + 11.0, 20.0 + 11.0, 14.0 + 23.0]);
        let mut square = [0.0; 9];
        multiply(Matrix::new(&a, 2, 3).transposed(), Matrix::new(&b, 2, 3), false, &mut square);
        assert_eq!(square, [1.0, 3.0, 14.0, 2.0, 3.0, 19.0, 3.0, 3.0, 24.0]);
    }
}
