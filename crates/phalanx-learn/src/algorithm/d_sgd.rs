//! D-SGD: every node averages all models it receives; one Byzantine node suffices to break it.
use phalanx_robust::{Entry, Param};

use crate::algorithm::AlgorithmRule;
use crate::algorithm::half_step;

const PARAMS: [Param; 6] = half_step::params(0.99);

/// The registry entry.
pub const ENTRY: Entry<AlgorithmRule> = Entry {
    name: "d-sgd",
    summary: "decentralised SGD with momentum and plain averaging of models",
    source: "Lian et al., Can Decentralized Algorithms Outperform Centralized Algorithms?, NIPS \
             2017; momentum as in the MoNNA campaign",
    params: &PARAMS,
    build: half_step::rule("average"),
};
