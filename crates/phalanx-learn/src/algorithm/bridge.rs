//! BRIDGE as the MoNNA campaign runs it: trimmed mean of half-step models, no momentum.
use phalanx_robust::{Entry, Param};

use crate::algorithm::AlgorithmRule;
use crate::algorithm::half_step;

const PARAMS: [Param; 6] = half_step::params(0.0);

/// The registry entry.
pub const ENTRY: Entry<AlgorithmRule> = Entry {
    name: "bridge",
    summary: "coordinate-wise trimmed mean of half-step models",
    source: "Yang and Bajwa, BRIDGE, 2019; there the gradient step comes after the screening, \
             here before it",
    params: &PARAMS,
    build: half_step::rule("trimmed-mean"),
};
