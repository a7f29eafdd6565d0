//! GM: geometric median of half-step models, no momentum.
use phalanx_robust::{Entry, Param};

use crate::algorithm::AlgorithmRule;
use crate::algorithm::half_step;

const PARAMS: [Param; 6] = half_step::params(0.0);

/// The registry entry.
pub const ENTRY: Entry<AlgorithmRule> = Entry {
    name: "gm",
    summary: "geometric median of half-step models",
    source: "Farhadkhani et al., Robust Collaborative Learning with Linear Gradient Overhead, \
             ICML 2023 (baseline)",
    params: &PARAMS,
    build: half_step::rule("geometric-median"),
};
