//! Plants that must stay clear of obstacles: models learnt from data, barrier states, planners.
//!
//! ```text
//! data → Gaussian process ┐
//! plant ──────────────────┴→ Dynamics → with barrier states → planner → plan and gains → flight
//! ```
pub mod barrier;
pub mod dynamics;
pub mod fleet;
pub mod gp;
pub mod learning;
pub mod planner;
pub mod plant;
pub mod stream;
