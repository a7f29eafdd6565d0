//! Campaigns: what is left of an experiment, what it will cost, and how it is shared out.
//!
//! ```text
//! Experiment → Plan (which runs, where they stand) → Costs (probe.rs) → pool.rs, run by run
//!     │
//!     └──────→ Manifest → Shard, one per machine → collect.rs, all machines
//! ```
pub mod cluster;
pub mod collect;
pub mod manifest;
pub mod plan;
pub mod pool;
pub mod probe;
pub mod selection;
pub mod shard;

pub use manifest::Manifest;
pub use plan::{Plan, Planned, Standing};
pub use probe::{Cost, Costs};
pub use shard::Shard;
