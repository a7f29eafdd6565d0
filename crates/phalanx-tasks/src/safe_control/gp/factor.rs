//! Cholesky factors of covariances of training rows.
//!
//! The factorisation is that of `faer` on one thread: the same bits for any number of threads, but
//! not on machines whose registers have other widths.
use faer::dyn_stack::{MemBuffer, MemStack, StackReq};
use faer::linalg::cholesky::llt::{factor, inverse, solve};
use faer::{MatMut, MatRef, Par};

use super::pass::{BLOCK, Pass, dispatch};

/// Lower halves of n × n matrices, column by column, each column with room for whole blocks.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Columns {
    pub rows: usize,
    pub stride: usize,
    pub entries: Vec<f64>,
}

impl Columns {
    pub(super) fn new(rows: usize) -> Self {
        let stride = rows.next_multiple_of(BLOCK);
        Self { rows, stride, entries: vec![0.0; rows * stride] }
    }

    fn as_mat(&self) -> MatRef<'_, f64> {
        let Self { rows, stride, entries } = self;
        MatRef::from_column_major_slice_with_stride(entries, *rows, *rows, *stride)
    }

    fn as_mat_mut(&mut self) -> MatMut<'_, f64> {
        let Self { rows, stride, entries } = self;
        MatMut::from_column_major_slice_with_stride_mut(entries, *rows, *rows, *stride)
    }

    /// Column j from the diagonal down.
    pub(super) fn below(&self, j: usize) -> &[f64] {
        &self.entries[j * self.stride + j..j * self.stride + self.rows]
    }

    pub(super) fn diagonal(&self, j: usize) -> f64 {
        self.entries[j * self.stride + j]
    }
}

/// Memory that factors need for their work.
pub(super) struct Scratch(MemBuffer);

impl Scratch {
    pub(super) fn new(rows: usize) -> Self {
        let factoring =
            factor::cholesky_in_place_scratch::<f64>(rows, Par::Seq, Default::default());
        let inverting = inverse::inverse_scratch::<f64>(rows, Par::Seq);
        let solving = solve::solve_in_place_scratch::<f64>(rows, 1, Par::Seq);
        Self(MemBuffer::new(StackReq::any_of(&[factoring, inverting, solving])))
    }
}

/// What is added to the diagonal at first, in standard units.
pub(super) const JITTER: f64 = 1e-10;
/// What is added when that is not enough, one after the other, in units of the signal's variance.
const JITTERS: [f64; 4] = [1e-12, 1e-10, 1e-8, 1e-6];
/// The largest of them.
pub(super) const JITTER_MAX: f64 = JITTERS[JITTERS.len() - 1];

/// Writes the factor of `covariance`, which already has [`JITTER`] on its diagonal, and returns
/// the jitter that it has at the end; `None` when it is not positive definite with any.
pub(super) fn factorise(
    covariance: &Columns,
    variance: f64,
    scratch: &mut Scratch,
    lower: &mut Columns,
) -> Option<f64> {
    let more = JITTERS.map(|jitter| jitter * variance).into_iter().filter(|more| *more > JITTER);
    for jitter in std::iter::once(JITTER).chain(more) {
        lower.entries.copy_from_slice(&covariance.entries);
        if jitter > JITTER {
            let step = lower.stride + 1;
            let diagonal = lower.entries.iter_mut().step_by(step).take(covariance.rows);
            diagonal.for_each(|entry| *entry += jitter - JITTER);
        }
        let stack = MemStack::new(&mut scratch.0);
        let auto = Default::default();
        let done = factor::cholesky_in_place(
            lower.as_mat_mut(),
            Default::default(),
            Par::Seq,
            stack,
            auto,
        );
        // A NaN is no pivot, but nor does it stop the factorisation.
        let is_sound = |j| lower.diagonal(j).is_finite() && lower.diagonal(j) > 0.0;
        if done.is_ok() && (0..lower.rows).all(is_sound) {
            return Some(jitter);
        }
    }
    None
}

/// `right ← (L Lᵀ)⁻¹ right`.
pub(super) fn solve(lower: &Columns, scratch: &mut Scratch, right: &mut [f64]) {
    let rows = lower.rows;
    let right = MatMut::from_column_major_slice_mut(right, rows, 1);
    solve::solve_in_place(lower.as_mat(), right, Par::Seq, MemStack::new(&mut scratch.0));
}

/// Writes the lower half of `(L Lᵀ)⁻¹`.
pub(super) fn invert(lower: &Columns, scratch: &mut Scratch, out: &mut Columns) {
    inverse::inverse(out.as_mat_mut(), lower.as_mat(), Par::Seq, MemStack::new(&mut scratch.0));
}

/// `right ← L⁻¹ right`, and returns the square of its length.
pub(super) fn solve_lower(lower: &Columns, right: &mut [f64]) -> f64 {
    dispatch(SolveLower { lower, right })
}

struct SolveLower<'a> {
    lower: &'a Columns,
    right: &'a mut [f64],
}

impl Pass for SolveLower<'_> {
    type Result = f64;

    #[inline(always)]
    fn run(self) -> f64 {
        let mut square = 0.0;
        for j in 0..self.lower.rows {
            let below = self.lower.below(j);
            let entry = self.right[j] / below[0];
            self.right[j] = entry;
            square += entry * entry;
            let rest = &mut self.right[j + 1..j + below.len()];
            rest.iter_mut().zip(&below[1..]).for_each(|(right, l)| *right -= l * entry);
        }
        square
    }
}
