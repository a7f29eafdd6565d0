//! `phalanx export tensorboard`: event files.
use std::path::PathBuf;

use clap::Args;
use phalanx_report::tensorboard::write_events;

use super::{found, say_written};
use crate::command::Verdict;
use crate::command::report::unreadable;
use crate::printer::Printer;
use crate::problem::Problem;

const AFTER_HELP: &str = "\
Each run becomes a folder `<experiment>/<run>` with the mean and the worst honest node of every
score and of the training loss; steps are rounds. Wall time is the virtual time of the simulated
network in seconds, so that TensorBoard's `relative` axis shows it and dates lie in 1970.

Examples:
  phalanx export tensorboard runs/quickstart -o events && tensorboard --logdir events
  phalanx export tensorboard quickstart monna-mnist -o events
  phalanx export tensorboard runs/quickstart/monna-0a1b2c3d4e-s1 -o events";

/// Write event files that TensorBoard reads
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub struct Tensorboard {
    /// Run folders, folders of experiments, or names of experiments
    #[arg(value_name = "RUN", required = true)]
    folders: Vec<PathBuf>,
    /// Write into this folder
    #[arg(short, long, value_name = "DIR", required = true)]
    output: PathBuf,
    /// Look for experiments by name in this folder [default: PHALANX_RUNS, else runs]
    #[arg(long, value_name = "DIR")]
    runs: Option<PathBuf>,
}

impl Tensorboard {
    /// Writes one event file per run.
    ///
    /// # Errors
    /// When no run can be read, or a file cannot be written.
    pub fn carry_out(self, printer: &mut Printer) -> Result<Verdict, Problem> {
        let (_, found) = found(printer, self.folders, self.runs)?;
        let paths = write_events(&self.output, &found.runs).map_err(|error| unreadable(&error))?;
        say_written(printer, &paths);
        Ok(Verdict::Yes)
    }
}
