//! Mean and standard deviation per coordinate, column block by column block.
use phalanx_robust::kernel::{self, Divisor};
use rayon::prelude::*;

/// Columns per block: with 26 rows of `f32` about 50 KiB, so that the second pass over a block
/// finds it in cache.
const BLOCK: usize = 512;

/// Mean of the rows per coordinate, rounded once.
///
/// # Guarantee
/// Rows that agree in a coordinate have exactly that value as their mean.
pub(crate) fn mean(rows: &[&[f32]]) -> Vec<f32> {
    let mut mean = vec![0.0; rows[0].len()];
    kernel::combine(rows, &vec![1.0 / rows.len() as f64; rows.len()], &mut mean);
    mean
}

/// Mean of the rows per coordinate, unrounded.
pub(crate) fn exact_mean(rows: &[&[f32]]) -> Vec<f64> {
    let mut mean = vec![0.0; rows[0].len()];
    mean.par_chunks_mut(BLOCK).enumerate().for_each(|(block, mean)| {
        mean_of_block(rows, block * BLOCK, mean);
    });
    mean
}

/// Mean and standard deviation per coordinate, each rounded once.
pub(crate) fn mean_and_deviation(rows: &[&[f32]], divisor: Divisor) -> (Vec<f32>, Vec<f32>) {
    let dim = rows[0].len();
    let (mut mean, mut deviation) = (vec![0.0; dim], vec![0.0; dim]);
    kernel::mean_and_deviation(rows, divisor, &mut mean, &mut deviation);
    (mean, deviation)
}

/// The sum of up to 2²⁹ equal `f32` is exact in `f64`, and so is its division by their number.
fn mean_of_block(rows: &[&[f32]], first: usize, mean: &mut [f64]) {
    for row in rows {
        let row = &row[first..][..mean.len()];
        mean.iter_mut().zip(row).for_each(|(sum, value)| *sum += f64::from(*value));
    }
    let count = rows.len() as f64;
    mean.iter_mut().for_each(|sum| *sum /= count);
}
