//! MoNNA: momentum and nearest-neighbour averaging of half-step models.
use phalanx_robust::{Entry, Param};

use crate::algorithm::AlgorithmRule;
use crate::algorithm::half_step;

const PARAMS: [Param; 6] = half_step::params(0.99);

/// The registry entry.
pub const ENTRY: Entry<AlgorithmRule> = Entry {
    name: "monna",
    summary: "decentralised SGD with momentum, nearest-neighbour averaging of models",
    source: "Farhadkhani et al., Robust Collaborative Learning with Linear Gradient Overhead, \
             ICML 2023",
    params: &PARAMS,
    build: half_step::rule("nearest-neighbor-averaging"),
};
