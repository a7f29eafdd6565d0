//! A vote on a gain: each member tries it on draws from what it knows by itself.
use crate::control::{Matrix, spectral_abscissa};
use crate::diffusion_control::normals::Normals;
use crate::diffusion_control::posterior::Posterior;

/// How a fleet votes (chosen).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Vote {
    /// draws that each member tries the gain on
    pub draws: usize,
    /// share of the draws that it must stabilise
    pub share: f64,
}

impl Default for Vote {
    fn default() -> Self {
        Self { draws: 40, share: 0.95 }
    }
}

/// Whether a member accepts a gain: it stabilises enough draws from its own posterior.
pub fn accepts(
    vote: Vote,
    posterior: &Posterior,
    gain: &Matrix,
    normals: &mut dyn Normals,
) -> bool {
    let (p, n) = (gain.columns(), posterior.mean.rows());
    let is_stabilised = |theta: &Matrix| {
        let a = theta.part((0, p), (0, p)).transposed();
        let b = theta.part((p, n), (0, p)).transposed();
        spectral_abscissa(&a.plus(1.0, &b.times(gain))).is_ok_and(|worst| worst < 0.0)
    };
    let held = (0..vote.draws).filter(|_| is_stabilised(&posterior.sample(normals))).count();
    held as f64 >= vote.share * vote.draws as f64
}

/// Whether a fleet applies a gain: more than two thirds of all members accept it.
pub fn vote(accepted: usize, members: usize) -> bool {
    3 * accepted > 2 * members
}
