//! SCC: self-centred clipping of half-step models.
use phalanx_robust::{Entry, Param};

use crate::algorithm::AlgorithmRule;
use crate::algorithm::half_step;

const PARAMS: [Param; 6] = half_step::params(0.9);

/// The registry entry.
pub const ENTRY: Entry<AlgorithmRule> = Entry {
    name: "scc",
    summary: "self-centred clipping of half-step models, with momentum",
    source: "He, Karimireddy and Jaggi, Byzantine-Robust Decentralized Learning via \
             ClippedGossip, 2022",
    params: &PARAMS,
    build: half_step::rule("self-centered-clipping"),
};
