//! Products of many small matrices, one per frequency, whose sums stay in registers.
use super::super::elementwise::widened;
use super::{FREQUENCIES, LANES, Lanes, add_products, load, spaced};

/// One product among many: `out = lhs · rhs`, rows × inner times inner × width.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shape {
    pub(super) rows: usize,
    pub(super) inner: usize,
    /// from one line of the left matrix as it is stored to the next
    pub(super) step: usize,
    /// a multiple of [`LANES`]
    pub(super) width: usize,
}

widened! {
    /// `out = lhs · rhs` for every frequency.
    ///
    /// # Shape
    /// `lhs`: frequencies × rows × step; `rhs`: frequencies × inner × width; `out`: frequencies ×
    /// rows × width.
    pub(super) fn products(shape: Shape, lhs: &[f32], rhs: &[f32], out: &mut [f32]) {
        // With a step that is known, all lines are at hand from one address.
        match shape.step {
            20 => each_product(Shape { step: 20, ..shape }, lhs, rhs, out),
            64 => each_product(Shape { step: 64, ..shape }, lhs, rhs, out),
            _ => each_product(shape, lhs, rhs, out),
        }
    }
}

#[inline(always)]
fn each_product(shape: Shape, lhs: &[f32], rhs: &[f32], out: &mut [f32]) {
    let Shape { rows, inner, step, width } = shape;
    let lhs = lhs.chunks_exact(spaced(rows * step));
    let rhs = rhs.chunks_exact(spaced(inner * width));
    let out = out.chunks_exact_mut(spaced(rows * width));
    for ((lhs, rhs), out) in lhs.zip(rhs).zip(out).take(FREQUENCIES) {
        let rhs = &rhs[..inner * width];
        let mut start = 0;
        while start < width {
            // As many sums as registers hold beside what they are made of.
            start += match width - start {
                LANES => lines::<12, 1>(shape, (lhs, rhs), start, out),
                32 => lines::<10, 2>(shape, (lhs, rhs), start, out),
                48 => lines::<8, 3>(shape, (lhs, rhs), start, out),
                _ => lines::<5, 4>(shape, (lhs, rhs), start, out),
            };
        }
    }
}

widened! {
    /// `out += lhsᵀ · rhs` for every frequency.
    ///
    /// # Shape
    /// `lhs`: frequencies × inner × step, of which the first rows count; `rhs`: frequencies ×
    /// inner × width; `out`: frequencies × rows × width.
    pub(super) fn add_transposed_products(
        shape: Shape,
        lhs: &[f32],
        rhs: &[f32],
        out: &mut [f32],
    ) {
        let Shape { rows, inner, step, width } = shape;
        let lhs = lhs.chunks_exact(spaced(inner * step));
        let rhs = rhs.chunks_exact(spaced(inner * width));
        let out = out.chunks_exact_mut(spaced(rows * width));
        for ((lhs, rhs), out) in lhs.zip(rhs).zip(out).take(FREQUENCIES) {
            let (lhs, rhs) = (&lhs[..inner * step], &rhs[..inner * width]);
            let mut start = 0;
            while start < width {
                start += match width - start {
                    LANES => columns::<10, 1>(shape, (lhs, rhs), start, out),
                    32 => columns::<10, 2>(shape, (lhs, rhs), start, out),
                    48 => columns::<5, 3>(shape, (lhs, rhs), start, out),
                    _ => columns::<5, 4>(shape, (lhs, rhs), start, out),
                };
            }
        }
    }
}

/// Some columns of a product, `R` lines at a time; returns how many columns.
#[inline(always)]
fn lines<const R: usize, const W: usize>(
    shape: Shape,
    (lhs, rhs): (&[f32], &[f32]),
    start: usize,
    out: &mut [f32],
) -> usize {
    let mut row = 0;
    while row + R <= shape.rows {
        lines_at_once::<R, W>(shape, (lhs, rhs), (row, start), out);
        row += R;
    }
    while row + 4 <= shape.rows {
        lines_at_once::<4, W>(shape, (lhs, rhs), (row, start), out);
        row += 4;
    }
    while row < shape.rows {
        lines_at_once::<1, W>(shape, (lhs, rhs), (row, start), out);
        row += 1;
    }
    W * LANES
}

#[inline(always)]
fn lines_at_once<const R: usize, const W: usize>(
    Shape { inner, step, width, .. }: Shape,
    (lhs, rhs): (&[f32], &[f32]),
    (row, start): (usize, usize),
    out: &mut [f32],
) {
    let lhs: [&[f32]; R] = std::array::from_fn(|r| &lhs[(row + r) * step..][..inner]);
    let mut sums = [[[0.0f32; LANES]; W]; R];
    for k in 0..inner {
        let right: [Lanes; W] = std::array::from_fn(|w| load(rhs, k * width + start + w * LANES));
        for r in 0..R {
            add_products(lhs[r][k], &right, &mut sums[r]);
        }
    }
    for r in 0..R {
        let out = &mut out[(row + r) * width + start..][..W * LANES];
        for w in 0..W {
            for lane in 0..LANES {
                out[w * LANES + lane] = sums[r][w][lane];
            }
        }
    }
}

/// Some columns of a transposed product, `R` lines at a time; returns how many columns.
#[inline(always)]
fn columns<const R: usize, const W: usize>(
    shape: Shape,
    (lhs, rhs): (&[f32], &[f32]),
    start: usize,
    out: &mut [f32],
) -> usize {
    let mut row = 0;
    while row + R <= shape.rows {
        columns_at_once::<R, W>(shape, (lhs, rhs), (row, start), out);
        row += R;
    }
    while row < shape.rows {
        columns_at_once::<1, W>(shape, (lhs, rhs), (row, start), out);
        row += 1;
    }
    W * LANES
}

#[inline(always)]
fn columns_at_once<const R: usize, const W: usize>(
    Shape { step, width, .. }: Shape,
    (lhs, rhs): (&[f32], &[f32]),
    (row, start): (usize, usize),
    out: &mut [f32],
) {
    let mut sums = [[[0.0f32; LANES]; W]; R];
    for (lhs, rhs) in lhs.chunks_exact(step).zip(rhs.chunks_exact(width)) {
        let lhs = &lhs[row..row + R];
        let right: [Lanes; W] = std::array::from_fn(|w| load(rhs, start + w * LANES));
        for r in 0..R {
            add_products(lhs[r], &right, &mut sums[r]);
        }
    }
    for r in 0..R {
        let out = &mut out[(row + r) * width + start..][..W * LANES];
        for w in 0..W {
            for lane in 0..LANES {
                out[w * LANES + lane] += sums[r][w][lane];
            }
        }
    }
}
