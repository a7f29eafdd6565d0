//! Gradient-PAC*: do a user's data pull towards the truth, with a force that grows like I?
//!
//! The property (recalled, the paper's body was not at hand): for all θ,
//! ⟨θ − θ†, ∇L(θ)⟩ ≥ A I min(‖θ − θ†‖, ‖θ − θ†‖²) − B I^α ‖θ − θ†‖ with α < 1.
use phalanx_robust::Rng;
use rand_distr::{Distribution, StandardNormal};

use super::federation::LocalLoss;
use super::regularizer::norm;

/// A, B and α of the inequality.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PacConstants {
    /// strength of the pull per point
    pub pull: f64,
    /// size of the noise
    pub noise: f64,
    /// how the noise grows with the number of points
    pub exponent: f64,
}

/// What a numerical check found.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PacFinding {
    /// greatest (A I min(r, r²) − ⟨θ − θ†, ∇L⟩) / r over the models tried: what the noise term
    /// has to cover
    pub violation: f64,
    /// B I^α
    pub allowed: f64,
    /// the greatest A for which the inequality holds at every model tried, given B and α
    pub pull: f64,
    /// how many models were tried
    pub tried: usize,
}

impl PacFinding {
    /// Whether the inequality holds at every model tried.
    pub fn holds(self) -> bool {
        self.violation <= self.allowed
    }
}

/// Distances at which models are tried: far beyond, around and far below the kink at 1.
const RADII: [f64; 7] = [1e-4, 1e-2, 0.1, 0.5, 1.0, 3.0, 30.0];

/// Tries models around the truth: along the slope there, which is where noise pulls hardest,
/// against it, and in `directions` random ones.
///
/// # Shape
/// `truth`: d.
///
/// # Cost
/// `7 · (2 + directions)` slopes of all points.
pub fn check(
    loss: &mut dyn LocalLoss,
    truth: &[f64],
    constants: PacConstants,
    (directions, rng): (usize, &mut Rng),
) -> PacFinding {
    let points = loss.points() as f64;
    let mut slope = vec![0.0; truth.len()];
    loss.add_slope(truth, None, &mut slope);
    let mut rays = vec![slope.clone(), slope.iter().map(|entry| -entry).collect()];
    rays.extend((0..directions).map(|_| {
        let normal = |_: &f64| -> f64 { StandardNormal.sample(rng) };
        truth.iter().map(normal).collect::<Vec<f64>>()
    }));
    let mut finding = PacFinding {
        violation: f64::NEG_INFINITY,
        allowed: constants.noise * points.powf(constants.exponent),
        pull: f64::INFINITY,
        tried: 0,
    };
    for mut ray in rays {
        let length = norm(&ray);
        if length <= 0.0 {
            continue;
        }
        ray.iter_mut().for_each(|entry| *entry /= length);
        for radius in RADII {
            let model: Vec<f64> = truth.iter().zip(&ray).map(|(x, u)| x + radius * u).collect();
            slope.fill(0.0);
            loss.add_slope(&model, None, &mut slope);
            let along: f64 = slope.iter().zip(&ray).map(|(g, u)| g * u).sum();
            let violation = constants.pull * points * radius.min(1.0) - along;
            finding.violation = finding.violation.max(violation);
            let pull = (along + finding.allowed) / (points * radius.min(1.0));
            finding.pull = finding.pull.min(pull);
            finding.tried += 1;
        }
    }
    finding
}

/// The exponent α that a power law fitted to (I, violation) has, by least squares of logarithms.
///
/// # Errors
/// `None` when fewer than two of the points have a positive violation.
pub fn noise_exponent(points: &[(usize, f64)]) -> Option<f64> {
    let logs = points.iter().filter(|(count, v)| *count > 0 && *v > 0.0);
    let logs: Vec<(f64, f64)> = logs.map(|(count, v)| ((*count as f64).ln(), v.ln())).collect();
    let mean =
        |pick: fn(&(f64, f64)) -> f64| logs.iter().map(pick).sum::<f64>() / logs.len() as f64;
    let (x, y) = (mean(|p| p.0), mean(|p| p.1));
    let spread: f64 = logs.iter().map(|p| (p.0 - x) * (p.0 - x)).sum();
    let shared: f64 = logs.iter().map(|p| (p.0 - x) * (p.1 - y)).sum();
    (logs.len() > 1 && spread > 0.0).then(|| shared / spread)
}
