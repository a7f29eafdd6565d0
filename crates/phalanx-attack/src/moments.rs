//! Mean and standard deviation per coordinate, column block by column block.
use phalanx_robust::kernel;
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

/// Mean and standard deviation per coordinate, the latter with the given divisor of the sum of
/// squares; a divisor of 0 (one row, sample deviation) yields deviation 0. Each is rounded once.
///
/// # Cost
/// Each row is read from memory once. Coordinates are independent, so the result does not depend
/// on the number of threads.
pub(crate) fn mean_and_deviation(rows: &[&[f32]], divisor: usize) -> (Vec<f32>, Vec<f32>) {
    let dim = rows[0].len();
    let (mut means, mut deviations) = (vec![0.0; dim], vec![0.0; dim]);
    let blocks = means.par_chunks_mut(BLOCK).zip(deviations.par_chunks_mut(BLOCK));
    blocks.enumerate().for_each(|(block, (means, deviations))| {
        let (first, width) = (block * BLOCK, means.len());
        let (mut mean, mut squares) = ([0.0; BLOCK], [0.0; BLOCK]);
        let (mean, squares) = (&mut mean[..width], &mut squares[..width]);
        mean_of_block(rows, first, mean);
        for row in rows {
            let row = &row[first..][..width];
            for ((square, mean), value) in squares.iter_mut().zip(&*mean).zip(row) {
                let difference = f64::from(*value) - mean;
                *square += difference * difference;
            }
        }
        let divisor = divisor.max(1) as f64;
        means.iter_mut().zip(mean).for_each(|(out, mean)| *out = *mean as f32);
        for (out, square) in deviations.iter_mut().zip(squares) {
            *out = (*square / divisor).sqrt() as f32;
        }
    });
    (means, deviations)
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
