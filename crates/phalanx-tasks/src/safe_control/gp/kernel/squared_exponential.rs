//! The squared exponential: functions with all derivatives.
use phalanx_robust::Entry;

use super::{Kernel, KernelRule, Profile};
use crate::safe_control::gp::exponential::exponential;

/// The registry entry.
pub(super) const ENTRY: Entry<KernelRule> = Entry {
    name: "squared-exponential",
    summary: "smooth functions; a length scale for each input",
    source: "Rasmussen and Williams, Gaussian Processes for Machine Learning, 2006, section 4.2.1",
    params: &[],
    build: KernelRule {
        formula: "k(a, b) = s_f² exp(−½ s), s = Σ_d (a_d − b_d)² / l_d²",
        kernel: Kernel::SquaredExponential,
    },
};

pub(in crate::safe_control::gp) struct SquaredExponential;

impl Profile for SquaredExponential {
    #[inline(always)]
    fn value_and_slope(s: f64) -> (f64, f64) {
        let value = exponential(-0.5 * s);
        (value, -0.5 * value)
    }

    #[inline(always)]
    fn slope_and_curvature(s: f64) -> (f64, f64) {
        let value = exponential(-0.5 * s);
        (-0.5 * value, 0.25 * value)
    }
}
