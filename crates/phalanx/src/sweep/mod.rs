//! Campaigns: what is left of an experiment, what it will cost, and how it is shared out.
//!
//! ```text
//! Experiment → Plan (which runs, where they stand) → Costs (probe.rs) → pool.rs, run by run
//! ```
pub mod plan;
pub mod pool;
pub mod probe;

pub use plan::{Plan, Planned, Standing};
pub use probe::{Cost, Costs};
