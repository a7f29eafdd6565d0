//! `phalanx sweep`: a whole experiment, planned, shared out, resumed and merged.
mod plan;
mod work;

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use crate::command::check::{Choice, tell_skips};
use crate::command::{Verdict, data};
use crate::environment;
use crate::experiment::{Experiment, Registries};
use crate::printer::Printer;
use crate::problem::Problem;
use crate::run::Interrupt;
use crate::run::folder::experiment_path;
use crate::sweep::Plan;
use crate::sweep::pool::Crew;

const AFTER_HELP: &str = "\
The file and the run folders are those of `phalanx run`; runs that are complete are not done again,
interrupted ones go on at their checkpoint. Results do not depend on the number of jobs.

Exit codes: 0 all expectations met; 1 one was missed; 2 a run could not be done; 130 interrupted.

Examples:
  phalanx sweep experiments/quickstart.toml --plan
  phalanx sweep experiments/quickstart.toml --jobs 2
  phalanx sweep experiments/quickstart.toml --arm monna --checkpoint-every 300";

/// Run a campaign: plan it, share it out, resume it, merge it
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub struct Sweep {
    /// Experiment file
    #[arg(value_name = "FILE")]
    file: PathBuf,
    #[command(flatten)]
    choice: Choice,
    /// Show what would be run, what it would cost, and run nothing
    #[arg(long)]
    plan: bool,
    /// Carry out so many runs at a time [default: one per core]; results do not depend on it
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    jobs: Option<u16>,
    /// Write run folders below this folder [default: PHALANX_RUNS, else runs]
    #[arg(long, value_name = "DIR")]
    runs: Option<PathBuf>,
    /// Look for data sets in this folder [default: PHALANX_DATA, else data]
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Run again what is already complete
    #[arg(long)]
    force: bool,
    /// Write a checkpoint of every run at hand every so many seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 30)]
    checkpoint_every: u32,
}

impl Sweep {
    /// Plans, and unless only the plan was asked for, runs and concludes.
    ///
    /// # Errors
    /// When the file is wrong, data are missing or a folder cannot be written.
    pub fn carry_out(self, printer: &mut Printer) -> Result<Verdict, Problem> {
        let experiment = Experiment::load(&self.file, &self.choice.overrides(), &Registries::ALL)?;
        tell_skips(printer, &experiment);
        let data = data::folder(self.data.clone())?;
        let root = environment::runs(self.runs.clone());
        let interrupt = Interrupt::install()?;
        let mut plan = Plan::new(&root, &experiment, self.force);
        let open = plan.open();
        let crew = Crew::new(self.jobs.map(usize::from), cores(), open.len());
        let folder = experiment_path(&root, &experiment.name);
        if !self.plan {
            fs::create_dir_all(&folder).map_err(|error| {
                let problem = Problem::io("cannot create the folder of runs", &folder, &error);
                problem.hint("choose a writable folder with `--runs` or `PHALANX_RUNS`")
            })?;
        }
        let probing = plan::Probing { folder: &folder, data: &data, crew, interrupt: &interrupt };
        let costs = probing.costs(printer, &plan)?;
        if interrupt.is_asked() {
            return Ok(Verdict::Interrupted);
        }
        plan::show(printer, &experiment, &plan, (&costs, crew), self.plan);
        if self.plan {
            return Ok(Verdict::Yes);
        }
        let conditions = work::Conditions {
            file: &self.file,
            choice: &self.choice,
            data: &data,
            is_forced: self.force,
            checkpoint_every: Duration::from_secs(u64::from(self.checkpoint_every)),
            interrupt: &interrupt,
        };
        let toll = work::carry_out(printer, &mut plan, (&costs, crew), &conditions)?;
        work::conclude(printer, &experiment, (&root, plan), toll)
    }
}

fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}
