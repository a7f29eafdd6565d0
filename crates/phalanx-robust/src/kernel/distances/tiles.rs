//! Sums of squared differences for a few rows at once, in either precision.
use std::ops::Range;

use super::{BLOCK, LEAST_TRUSTED, Precision, RUN, SIDE, Tile, entry};
use crate::kernel::lanes::{LANES, Machine, SINGLES};

/// Rows of a tile: left, right, and how to subtract them.
pub(super) type Sides<'a> = ([&'a [f32]; SIDE], [&'a [f32]; SIDE], Precision);

/// Rows as whole groups of lanes; what is left over.
type Groups<'a, const L: usize, const R: usize> = ([&'a [[f32; L]]; R], [&'a [f32]; R]);

#[inline(always)]
fn groups<const L: usize, const R: usize>(rows: [&[f32]; R]) -> Groups<'_, L, R> {
    let (mut whole, mut rest) = ([&[][..]; R], [&[][..]; R]);
    let steps = rows[0].len() / L;
    for i in 0..R {
        let (chunks, tail) = rows[i].as_chunks::<L>();
        whole[i] = &chunks[..steps];
        rest[i] = tail;
    }
    (whole, rest)
}

/// The first `R` rows, cut to some columns.
#[inline(always)]
fn cut<'a, const R: usize>(rows: &[&'a [f32]; SIDE], columns: &Range<usize>) -> [&'a [f32]; R] {
    std::array::from_fn(|i| &rows[i][columns.clone()])
}

/// Whether a block's sum in single precision is within its bound: `+∞`, NaN and tiny ones are not.
#[inline(always)]
fn is_trusted(sum: f64) -> bool {
    (LEAST_TRUSTED..=f64::MAX).contains(&sum)
}

#[inline(always)]
pub(super) fn rectangle<M: Machine, const R: usize, const C: usize>(
    machine: M,
    (left, right, precision): Sides<'_>,
    tile: &Tile,
    out: &mut [f64],
) {
    let count = left[0].len();
    for start in (0..count).step_by(BLOCK) {
        let columns = start..(start + BLOCK).min(count);
        let (a, b) = (cut::<R>(&left, &columns), cut::<C>(&right, &columns));
        let mut sums = [[0.0; C]; R];
        let mut is_fine = false;
        if precision == Precision::Single {
            sums = rectangle_single(machine, a, b);
            is_fine = sums.as_flattened().iter().fold(true, |fine, sum| fine & is_trusted(*sum));
        }
        if !is_fine {
            let exact = rectangle_double(machine, a, b);
            for (sum, exact) in sums.as_flattened_mut().iter_mut().zip(exact.as_flattened()) {
                *sum = if is_trusted(*sum) { *sum } else { *exact };
            }
        }
        for i in 0..R {
            for j in 0..C {
                out[entry(tile.left[i] as usize, tile.right[j] as usize)] += sums[i][j];
            }
        }
    }
}

#[inline(always)]
fn rectangle_single<M: Machine, const R: usize, const C: usize>(
    machine: M,
    a: [&[f32]; R],
    b: [&[f32]; C],
) -> [[f64; C]; R] {
    let ((a, a_rest), (b, b_rest)) = (groups::<SINGLES, R>(a), groups::<SINGLES, C>(b));
    let count = a[0].len();
    let mut totals = [[machine.no_singles(); C]; R];
    for start in (0..count).step_by(RUN) {
        let mut sums = [[machine.no_singles(); C]; R];
        for k in start..(start + RUN).min(count) {
            let row: [M::Singles; R] = std::array::from_fn(|i| machine.load_singles(&a[i][k]));
            for j in 0..C {
                let other = machine.load_singles(&b[j][k]);
                for i in 0..R {
                    sums[i][j] = machine.add_squared(row[i], other, sums[i][j]);
                }
            }
        }
        for i in 0..R {
            for j in 0..C {
                totals[i][j] = machine.add_singles(totals[i][j], sums[i][j]);
            }
        }
    }
    let mut result = [[0.0; C]; R];
    for i in 0..R {
        for j in 0..C {
            let mut total = totals[i][j];
            if !a_rest[i].is_empty() {
                let row = machine.load_singles_part(a_rest[i]);
                total = machine.add_squared(row, machine.load_singles_part(b_rest[j]), total);
            }
            result[i][j] = machine.sum(machine.widen(total));
        }
    }
    result
}

#[inline(always)]
fn rectangle_double<M: Machine, const R: usize, const C: usize>(
    machine: M,
    a: [&[f32]; R],
    b: [&[f32]; C],
) -> [[f64; C]; R] {
    let ((a, a_rest), (b, b_rest)) = (groups::<LANES, R>(a), groups::<LANES, C>(b));
    let mut sums = [[machine.splat(0.0); C]; R];
    for k in 0..a[0].len() {
        let row: [M::Lanes; R] = std::array::from_fn(|i| machine.load(&a[i][k]));
        for j in 0..C {
            let other = machine.load(&b[j][k]);
            for i in 0..R {
                let difference = machine.sub(row[i], other);
                sums[i][j] = machine.fma(difference, difference, sums[i][j]);
            }
        }
    }
    let mut result = [[0.0; C]; R];
    for i in 0..R {
        for j in 0..C {
            // Lanes behind the end differ by 0 and add 0, which changes no bit of a sum ≥ 0.
            let row = machine.load_part(a_rest[i]);
            let difference = machine.sub(row, machine.load_part(b_rest[j]));
            result[i][j] = machine.sum(machine.fma(difference, difference, sums[i][j]));
        }
    }
    result
}

#[inline(always)]
pub(super) fn triangle<M: Machine, const R: usize>(
    machine: M,
    (left, _, precision): Sides<'_>,
    tile: &Tile,
    out: &mut [f64],
) {
    let count = left[0].len();
    for start in (0..count).step_by(BLOCK) {
        let columns = start..(start + BLOCK).min(count);
        let a = cut::<R>(&left, &columns);
        let mut sums = [[0.0; R]; R];
        let mut is_fine = false;
        if precision == Precision::Single {
            sums = triangle_single(machine, a);
            let lower = (1..R).flat_map(|i| (0..i).map(move |j| (i, j)));
            is_fine = lower.fold(true, |fine, (i, j)| fine & is_trusted(sums[i][j]));
        }
        if !is_fine {
            let exact = triangle_double(machine, a);
            for (sum, exact) in sums.as_flattened_mut().iter_mut().zip(exact.as_flattened()) {
                *sum = if is_trusted(*sum) { *sum } else { *exact };
            }
        }
        for i in 1..R {
            for j in 0..i {
                out[entry(tile.left[i] as usize, tile.left[j] as usize)] += sums[i][j];
            }
        }
    }
}

#[inline(always)]
fn triangle_single<M: Machine, const R: usize>(machine: M, a: [&[f32]; R]) -> [[f64; R]; R] {
    let (a, rest) = groups::<SINGLES, R>(a);
    let count = a[0].len();
    let mut totals = [[machine.no_singles(); R]; R];
    for start in (0..count).step_by(RUN) {
        let mut sums = [[machine.no_singles(); R]; R];
        for k in start..(start + RUN).min(count) {
            let row: [M::Singles; R] = std::array::from_fn(|i| machine.load_singles(&a[i][k]));
            for i in 1..R {
                for j in 0..i {
                    sums[i][j] = machine.add_squared(row[i], row[j], sums[i][j]);
                }
            }
        }
        for i in 1..R {
            for j in 0..i {
                totals[i][j] = machine.add_singles(totals[i][j], sums[i][j]);
            }
        }
    }
    let mut result = [[0.0; R]; R];
    for i in 1..R {
        for j in 0..i {
            let mut total = totals[i][j];
            if !rest[i].is_empty() {
                let row = machine.load_singles_part(rest[i]);
                total = machine.add_squared(row, machine.load_singles_part(rest[j]), total);
            }
            result[i][j] = machine.sum(machine.widen(total));
        }
    }
    result
}

#[inline(always)]
fn triangle_double<M: Machine, const R: usize>(machine: M, a: [&[f32]; R]) -> [[f64; R]; R] {
    let (a, rest) = groups::<LANES, R>(a);
    let mut sums = [[machine.splat(0.0); R]; R];
    for k in 0..a[0].len() {
        let row: [M::Lanes; R] = std::array::from_fn(|i| machine.load(&a[i][k]));
        for i in 1..R {
            for j in 0..i {
                let difference = machine.sub(row[i], row[j]);
                sums[i][j] = machine.fma(difference, difference, sums[i][j]);
            }
        }
    }
    let mut result = [[0.0; R]; R];
    for i in 1..R {
        for j in 0..i {
            let row = machine.load_part(rest[i]);
            let difference = machine.sub(row, machine.load_part(rest[j]));
            result[i][j] = machine.sum(machine.fma(difference, difference, sums[i][j]));
        }
    }
    result
}
