//! Matérn's covariance of order 5/2: functions with two derivatives.
use phalanx_robust::Entry;

use super::{Kernel, KernelRule, Profile};
use crate::safe_control::gp::exponential::exponential;

/// The registry entry.
pub(super) const ENTRY: Entry<KernelRule> = Entry {
    name: "matern-five-halves",
    summary: "functions with two derivatives; a length scale for each input",
    source: "Rasmussen and Williams, Gaussian Processes for Machine Learning, 2006, section 4.2.1",
    params: &[],
    build: KernelRule {
        formula: "k(a, b) = s_f² (1 + √(5s) + 5s/3) exp(−√(5s)), s = Σ_d (a_d − b_d)² / l_d²",
        kernel: Kernel::MaternFiveHalves,
    },
};

pub(in crate::safe_control::gp) struct MaternFiveHalves;

impl Profile for MaternFiveHalves {
    #[inline(always)]
    fn value_and_slope(s: f64) -> (f64, f64) {
        let root = (5.0 * s).sqrt();
        let fall = exponential(-root);
        ((1.0 + root + 5.0 / 3.0 * s) * fall, -5.0 / 6.0 * (1.0 + root) * fall)
    }

    #[inline(always)]
    fn slope_and_curvature(s: f64) -> (f64, f64) {
        let root = (5.0 * s).sqrt();
        let fall = exponential(-root);
        (-5.0 / 6.0 * (1.0 + root) * fall, 25.0 / 12.0 * fall)
    }
}
