//! A fleet: members that fly copies of one plant pool what they know although some of them lie.
//!
//! Each member keeps its own `∫ Z Zᵀ dt` and `∫ Z dXᵀ` without prior. At the end of each episode
//! every member sends both to every other; the exchange is taken to be reliable, so that all
//! honest members pool the same messages. Each then draws its own estimate from the pooled
//! posterior, so that the fleet explores in many directions at once.
//!
//! The whole of it is derived or chosen for this library; no published algorithm is claimed.
mod attack;
mod pooling;
mod reference;
mod vote;
mod voyage;

pub use attack::{FLEET_ATTACKS, FleetAttack, FleetAttackRule, FleetView};
pub use pooling::{POOLINGS, Pool, PoolError, Pooled, Pooling, PoolingRule, Pools};
pub(crate) use reference::geometric_median;
pub use vote::{Vote, accepts, vote};
pub use voyage::{Fleet, FleetError, FleetHistory, FleetUpdate, fleet_regulate};
