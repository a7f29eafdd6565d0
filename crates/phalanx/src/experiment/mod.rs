//! From a file that a person wrote to the runs that it asks for.
//!
//! ```text
//! file.toml → Table → Experiment { arms × sweep × seeds } → Run, checked and complete
//!   document.rs      expand.rs                              resolve.rs → written.rs
//! ```
pub mod document;
pub mod expand;
pub mod expectation;
pub mod file_kind;
pub mod points;
pub mod quick;
pub mod registries;
pub mod resolve;
pub mod select;
pub mod skip;
pub mod written;

pub use expand::{Arm, Experiment, Overrides, Skipped};
pub use expectation::{Bound, Expectation, Statistic};
pub use file_kind::{FileKind, is_safe_control};
pub use registries::{Kind, Listed, Registries};
pub use resolve::{Choice, Exchange, Network, Reach, Run, Wait};
pub use select::{Candidate, Selection};
