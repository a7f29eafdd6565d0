//! Strided views of flat slices and the one product that every layer is made of.
use gemm::Parallelism;

/// A matrix inside a slice: entry (r, c) lies at `r · row_stride + c · col_stride`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Layout {
    rows: usize,
    cols: usize,
    row_stride: usize,
    col_stride: usize,
}

impl Layout {
    /// Rows one after the other.
    pub(super) fn row_major(rows: usize, cols: usize) -> Self {
        Self { rows, cols, row_stride: cols, col_stride: 1 }
    }

    /// Columns one after the other.
    pub(super) fn column_major(rows: usize, cols: usize) -> Self {
        Self { rows, cols, row_stride: 1, col_stride: rows }
    }

    fn transposed(self) -> Self {
        Self {
            rows: self.cols,
            cols: self.rows,
            row_stride: self.col_stride,
            col_stride: self.row_stride,
        }
    }

    fn fits(self, len: usize) -> bool {
        self.rows == 0
            || self.cols == 0
            || (self.rows - 1) * self.row_stride + (self.cols - 1) * self.col_stride < len
    }
}

/// A matrix to read.
#[derive(Debug, Clone, Copy)]
pub(super) struct View<'a> {
    entries: &'a [f32],
    layout: Layout,
}

impl<'a> View<'a> {
    pub(super) fn new(entries: &'a [f32], layout: Layout) -> Self {
        assert!(layout.fits(entries.len()), "a matrix view lies inside its slice");
        Self { entries, layout }
    }

    pub(super) fn transposed(self) -> Self {
        Self { layout: self.layout.transposed(), ..self }
    }

    pub(super) fn rows(self) -> usize {
        self.layout.rows
    }
}

/// A matrix to write.
#[derive(Debug)]
pub(super) struct ViewMut<'a> {
    entries: &'a mut [f32],
    layout: Layout,
}

impl<'a> ViewMut<'a> {
    pub(super) fn new(entries: &'a mut [f32], layout: Layout) -> Self {
        assert!(layout.fits(entries.len()), "a matrix view lies inside its slice");
        Self { entries, layout }
    }
}

/// What becomes of the entries that the product meets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Write {
    Replace,
    Add,
}

impl Write {
    /// The first part of a sum replaces what a buffer held, the others add.
    pub(super) fn part(index: usize) -> Self {
        if index == 0 { Self::Replace } else { Self::Add }
    }
}

/// `out = lhs · rhs`, or `out += lhs · rhs`, on the calling thread.
///
/// # Guarantee
/// The same operands give the same bits on the same CPU type: the kernel and the blocking of
/// the inner sum follow the instruction set and the cache sizes, nothing else.
///
/// # Cost
/// `2 · rows · cols · inner` operations. Fastest when `out` and `lhs` are contiguous along
/// the same index (or `out` and `rhs` along the other).
pub(super) fn multiply(lhs: View<'_>, rhs: View<'_>, write: Write, out: ViewMut<'_>) {
    let (left, right, to) = (lhs.layout, rhs.layout, out.layout);
    assert!(
        left.rows == to.rows && right.cols == to.cols && left.cols == right.rows,
        "the shapes of a product agree"
    );
    // SAFETY: every view was checked to lie inside its slice, `out` is borrowed exclusively,
    // and strides of real slices fit in `isize`.
    unsafe {
        gemm::gemm(
            to.rows,
            to.cols,
            left.cols,
            out.entries.as_mut_ptr(),
            to.col_stride as isize,
            to.row_stride as isize,
            write == Write::Add,
            lhs.entries.as_ptr(),
            left.col_stride as isize,
            left.row_stride as isize,
            rhs.entries.as_ptr(),
            right.col_stride as isize,
            right.row_stride as isize,
            1.0,
            1.0,
            false,
            false,
            false,
            Parallelism::None,
        );
    }
}
