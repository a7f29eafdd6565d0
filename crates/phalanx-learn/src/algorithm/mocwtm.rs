//! MoCWTM: BRIDGE with momentum.
use phalanx_robust::{Entry, Param};

use crate::algorithm::AlgorithmRule;
use crate::algorithm::half_step;

const PARAMS: [Param; 6] = half_step::params(0.99);

/// The registry entry.
pub const ENTRY: Entry<AlgorithmRule> = Entry {
    name: "mocwtm",
    summary: "coordinate-wise trimmed mean of half-step models, with momentum",
    source: "Farhadkhani et al., Robust Collaborative Learning with Linear Gradient Overhead, \
             ICML 2023 (baseline)",
    params: &PARAMS,
    build: half_step::rule("trimmed-mean"),
};
