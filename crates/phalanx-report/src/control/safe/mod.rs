//! Plans that stay clear of obstacles: their records, statistics of trials, figures and a page.
//!
//! ```text
//! runs/<experiment>/safe-<short hash>-s<seed>/
//! ├── experiment.toml   resolved, complete
//! ├── plan.json         [`SafeSummary`]
//! ├── trajectory.csv    one row per step: state, input, barrier states, clearance, deviation
//! ├── gains.csv         one row per step and input: feedback on states and barrier states
//! ├── trajectory.parquet, gains.parquet: the same columns and numbers
//! ├── iterations.csv    one row per iteration of the planner
//! ├── model.json        the learnt model, where there is one
//! ├── trials.csv        one row per trial and step, once trials were flown
//! ├── environment.json  where it ran
//! ├── figures/          SVG and the CSV behind each
//! └── report.html
//! ```
mod figures;
mod files;
mod fit;
mod page;
mod rate;
mod record;
mod scene;
mod trials;

pub use files::{
    GAINS, ITERATIONS, TRAJECTORY, TRIALS, read_iterations, read_plan, write_plan, write_trials,
};
pub use fit::{FitSummary, OutputFit, write_fit_report};
pub use page::{MODEL, PLANT, fit_table, safe_tables, write_safe_report};
pub use rate::{Rate, wilson};
pub use record::{
    Attempt, Flight, Iteration, Names, Obstacle, Plan, PlanSummary, RoundSummary, SafeRecord,
    SafeSummary, Scene, Trial, TrialsSummary,
};
