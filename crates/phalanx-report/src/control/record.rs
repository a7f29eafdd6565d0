//! The record of a control run: one line per replication.
use serde::{Deserialize, Serialize};

use crate::real;

/// One line of `record.jsonl`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum ControlLine {
    /// a replication flown to the horizon
    Flight(FlightLine),
    /// a stabilisation phase by itself
    Trial(TrialLine),
}

/// Why and when a replication was lost.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Loss {
    /// simulated seconds
    pub seconds: f64,
    /// in words
    pub why: String,
}

/// A replication flown to the horizon.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FlightLine {
    /// which arm
    pub arm: String,
    /// which replication, from 0
    pub replication: u32,
    /// set when it did not reach the horizon
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub lost: Option<Loss>,
    /// the greatest coordinate of the state in size
    #[serde(with = "real")]
    pub peak: f64,
    /// decisions in order of time
    pub moments: Vec<Moment>,
}

/// One decision. In a fleet: means over the honest members, and sums of counts.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Moment {
    /// simulated seconds
    pub seconds: f64,
    /// cost so far minus that of the optimal controller on the same noise
    #[serde(with = "real")]
    pub regret: f64,
    /// excess of the average cost, added up over the episodes so far
    #[serde(with = "real")]
    pub stationary_regret: f64,
    /// distance of the applied estimate from the truth; nan where there was no estimate
    #[serde(with = "real")]
    pub error: f64,
    /// distance of the posterior's mean from the truth
    #[serde(with = "real")]
    pub mean_error: f64,
    /// share of gains that stabilise the true plant
    pub stable: f64,
    /// proposals without a trustworthy gain
    pub rejected: u32,
    /// gains that were kept because no proposal was accepted
    pub kept: u32,
    /// messages of honest members that were left out
    pub honest_left_out: u32,
    /// messages of Byzantine members that were used
    pub byzantine_used: u32,
}

/// A stabilisation phase by itself.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TrialLine {
    /// which arm
    pub arm: String,
    /// its length in simulated seconds
    pub seconds: f64,
    /// which replication, from 0
    pub replication: u32,
    /// set when the state ran away before its end
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub lost: Option<Loss>,
    /// whether the gain at its end stabilises the true plant
    pub is_stable: bool,
    /// distance of the estimate from the truth; nan where there was none
    #[serde(with = "real")]
    pub error: f64,
    /// the greatest coordinate of the state in size
    #[serde(with = "real")]
    pub peak: f64,
}
