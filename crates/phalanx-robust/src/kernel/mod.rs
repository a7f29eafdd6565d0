//! Dense passes over vectors: sums in a fixed order, the same bits on every machine.
//!
//! All of them are bound by memory at the sizes that matter: a pass reads n · 4d bytes once.
mod combine;
mod distances;
mod lanes;
mod moments;
mod scale;
#[cfg(test)]
mod tests;

pub use combine::{Borrowed, Combination, Terms, combine, combine_many};
pub use distances::{
    Precision, Workspace, dot, geometry, squared_distance, squared_distances, squared_distances_in,
};
pub use moments::{Divisor, mean_and_deviation};
pub use scale::{scale, scale_by_norm, scale_by_norm_in_place, scale_in_place};

pub mod order;

/// Whether no entry is NaN or infinite.
pub fn is_finite(values: &[f32]) -> bool {
    // Blocks, so that the inner loop has no exit and is vectorised, and a bad entry ends it soon.
    values.chunks(1024).all(|block| block.iter().fold(true, |ok, value| ok & value.is_finite()))
}
