//! Runs of learned control: their records, what these add up to, figures and a page.
//!
//! ```text
//! runs/<experiment>/control-<short hash>-s<seed>/
//! ├── experiment.toml   resolved, complete
//! ├── record.jsonl      one [`ControlLine`] per line, in a fixed order
//! ├── summary.json      [`ControlSummary`]
//! ├── environment.json  where it ran
//! ├── figures/          SVG and the CSV behind each
//! └── report.html
//! ```
mod chart;
mod figures;
mod page;
mod record;
pub mod safe;
mod summary;

pub use page::{control_tables, write_control_report};
pub use record::{ControlLine, FlightLine, Loss, Moment, TrialLine};
pub use summary::{ArmSummary, Band, ControlSummary, Statistic, TrialSummary, summarise};
