//! Vectors and Byzantine-robust aggregation.
//!
//! This crate knows slices of `f32` and nothing else: no node, no round, no loss, no file.
//!
//! Start reading at [`Vectors`], then [`Aggregator`] and one rule, such as `rule/krum.rs`;
//! [`GeometricRule`] explains why most rules never look at a coordinate.
pub mod args;
pub mod geometry;
pub mod kernel;
pub mod mixing;
pub mod population;
pub mod random;
mod recycle;
pub mod registry;
pub mod rule;
mod selection;
pub mod state;
pub mod vectors;

pub use args::{ArgError, Args, Param, ParamKind, Value};
pub use geometry::{Geometric, GeometricRule, Geometry, Gram, Needs, Pairs};
pub use mixing::{Chain, Mixing, Rows};
pub use population::{Bound, Population, PopulationError};
pub use random::Rng;
pub use registry::Entry;
pub use rule::{AggregateError, Aggregator, Effects, RULES, Rule};
pub use state::{StateError, StateReader, StateWriter};
pub use vectors::{ShapeError, Vector, Vectors};
