//! Initial parameters: uniform in ±1/√fan-in for weights and biases alike.
use phalanx_robust::Rng;

/// Draws weights and bias of a layer that reads `fan_in` numbers per output.
///
/// # Source
/// The default of PyTorch's linear and convolution layers (Kaiming uniform with a = √5).
pub(super) fn fill_uniform(rng: &mut Rng, fan_in: usize, out: &mut [f32]) {
    let bound = 1.0 / (fan_in as f64).sqrt();
    out.fill_with(|| ((2.0 * rng.unit() - 1.0) * bound) as f32);
}
