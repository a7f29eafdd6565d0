//! A straight line through the middle of the data and a smooth deviation from it.
use phalanx_robust::Entry;

use super::{Kernel, KernelRule};

/// The registry entry.
pub(super) const ENTRY: Entry<KernelRule> = Entry {
    name: "squared-exponential-linear",
    summary: "nearly linear functions; a length scale and a slope's size for each input",
    source: "Rasmussen and Williams, Gaussian Processes for Machine Learning, 2006, section 4.2",
    params: &[],
    build: KernelRule {
        formula: "k(a, b) = s_f² exp(−½ Σ_d (a_d − b_d)² / l_d²) + Σ_d c_d² a_d b_d",
        kernel: Kernel::SquaredExponentialLinear,
    },
};
