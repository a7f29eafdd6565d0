//! A fleet: members with equal plants and private data learn one model although some of them lie.
//!
//! ```text
//! agree on scales          common_standardisation: medians of what members claim
//! agree on length scales   HyperParameters: gradients of likelihoods through a robust rule
//! pool what rows say       POOLINGS over FeatureStatistics: screen, then sum
//! or ask experts           Experts: product with capped precision, or weighted median
//! fly                      check_plan: members veto what their own model finds unsafe
//! ```
//!
//! All of it is derived or chosen for this library; the published method knows one member alone.
mod attack;
mod experts;
mod gp_hyper_parameters;
mod hyper_parameters;
mod pooling;
mod scales;
mod shares;
mod vote;

pub use attack::{STATISTICS_ATTACKS, StatisticsAttack, StatisticsAttackRule, StatisticsView};
pub use experts::{Expert, ExpertError, Experts};
pub use gp_hyper_parameters::ENTRY;
pub use hyper_parameters::{HyperParameters, HyperParametersError, Member};
pub use pooling::{POOLINGS, Pool, PoolError, Pooled, Pooling, PoolingRule, PublicBounds};
pub use scales::{ScalesError, common_standardisation};
pub use shares::{Split, shares};
pub use vote::{Veto, check_plan, is_rejected};
