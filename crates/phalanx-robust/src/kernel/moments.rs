//! Coordinate-wise mean and standard deviation in one pass over memory.
use rayon::prelude::*;

use crate::kernel::lanes::{Kernel, LANES, Machine, Path};

/// Columns of one block: 25 rows of it stay in a second-level cache between mean and deviation.
const BLOCK: usize = 2048;
const LEAST_PARALLEL: usize = 1 << 19;

/// What the sum of squared deviations is divided by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Divisor {
    /// `h`, the number of rows
    Count,
    /// `h − 1`; the deviation of a single row is 0
    CountLessOne,
}

/// Mean and standard deviation of each coordinate; two passes over a block, sums in f64 in row
/// order, deviations taken from the unrounded mean, hence exactly 0 where all rows agree.
///
/// # Panics
/// When there is no row, or lengths differ.
pub fn mean_and_deviation(
    rows: &[&[f32]],
    divisor: Divisor,
    mean: &mut [f32],
    deviation: &mut [f32],
) {
    moments_on(Path::best(), rows, divisor, (mean, deviation));
}

pub(super) fn moments_on(
    path: Path,
    rows: &[&[f32]],
    divisor: Divisor,
    (mean, deviation): (&mut [f32], &mut [f32]),
) {
    assert!(!rows.is_empty(), "the mean of nothing");
    let dim = rows[0].len();
    assert!(mean.len() == dim && deviation.len() == dim, "an output is as long as a row");
    let squares = match divisor {
        Divisor::Count => rows.len(),
        Divisor::CountLessOne => (rows.len() - 1).max(1),
    };
    let scales = (1.0 / rows.len() as f64, 1.0 / squares as f64);
    let fill = |(index, (mean, deviation)): (usize, (&mut [f32], &mut [f32]))| {
        path.run(Block { rows, start: index * BLOCK, scales, mean, deviation });
    };
    if rows.len() * dim < LEAST_PARALLEL {
        let blocks = mean.chunks_mut(BLOCK).zip(deviation.chunks_mut(BLOCK));
        blocks.enumerate().for_each(fill);
    } else {
        let blocks = mean.par_chunks_mut(BLOCK).zip(deviation.par_chunks_mut(BLOCK));
        blocks.enumerate().for_each(fill);
    }
}

struct Block<'a> {
    rows: &'a [&'a [f32]],
    start: usize,
    scales: (f64, f64),
    mean: &'a mut [f32],
    deviation: &'a mut [f32],
}

impl Kernel for Block<'_> {
    #[inline(always)]
    fn run<M: Machine>(self, machine: M) {
        let Self { rows, mut start, scales, mean, deviation } = self;
        let (means, mean_rest) = mean.as_chunks_mut::<LANES>();
        let (deviations, deviation_rest) = deviation.as_chunks_mut::<LANES>();
        for (mean, deviation) in means.iter_mut().zip(deviations) {
            group(machine, (rows, start, LANES), scales, (mean, deviation));
            start += LANES;
        }
        let (mut mean, mut deviation) = ([0.0; LANES], [0.0; LANES]);
        group(machine, (rows, start, mean_rest.len()), scales, (&mut mean, &mut deviation));
        mean_rest.copy_from_slice(&mean[..mean_rest.len()]);
        deviation_rest.copy_from_slice(&deviation[..deviation_rest.len()]);
    }
}

/// At most eight columns.
#[inline(always)]
fn group<M: Machine>(
    machine: M,
    (rows, start, width): (&[&[f32]], usize, usize),
    (per_row, per_square): (f64, f64),
    (mean, deviation): (&mut [f32; LANES], &mut [f32; LANES]),
) {
    // Deviations from row 0 are exact, so that equal rows have the deviation 0.
    let zero = machine.splat(0.0);
    let first = load(machine, &rows[0][start..start + width]);
    let mut sum = zero;
    for row in &rows[1..] {
        let shifted = machine.sub(load(machine, &row[start..start + width]), first);
        sum = machine.fma(shifted, machine.splat(1.0), sum);
    }
    let shift = machine.fma(sum, machine.splat(per_row), zero);
    let mut squares = zero;
    for row in rows {
        let shifted = machine.sub(load(machine, &row[start..start + width]), first);
        let difference = machine.sub(shifted, shift);
        squares = machine.fma(difference, difference, squares);
    }
    let centre = machine.fma(shift, machine.splat(1.0), first);
    machine.store(centre, mean);
    let variance = machine.to_array(machine.fma(squares, machine.splat(per_square), zero));
    for lane in 0..LANES {
        deviation[lane] = variance[lane].sqrt() as f32;
    }
}

#[inline(always)]
fn load<M: Machine>(machine: M, values: &[f32]) -> M::Lanes {
    match values.first_chunk::<LANES>() {
        Some(values) => machine.load(values),
        None => machine.load_part(values),
    }
}
