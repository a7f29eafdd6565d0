//! `phalanx sweep`: a whole experiment, planned, shared out, resumed and merged.
mod cluster;
mod collect;
mod plan;
mod select;
mod work;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Args, Subcommand};

use crate::command::check::{Choice, quoted, tell_skips};
use crate::command::columns::counted;
use crate::command::{Verdict, data};
use crate::environment;
use crate::experiment::{Experiment, Registries};
use crate::printer::Printer;
use crate::problem::Problem;
use crate::run::Interrupt;
use crate::run::folder::{EXPERIMENT, experiment_path};
use crate::sweep::collect::foreign_runs;
use crate::sweep::pool::Crew;
use crate::sweep::{Manifest, Plan, Planned, Shard};

const AFTER_HELP: &str = "\
The file and the run folders are those of `phalanx run`. Complete runs are not done again, and
interrupted ones go on at their checkpoint, also after a kill. Results do not depend on the jobs.

Keys of an experiment file for campaigns:
  sweep   lists of values, all combinations; `points` sets several keys together:
          sweep = { \"attack.name\" = [\"none\", \"gaussian\"],
                    points = [{ \"population.f\" = 2, \"attack.count\" = 1 }, ..] }
  skip    combinations to leave out, where all conditions of an entry hold; conditions are a value,
          a list, or { min, max, not, above, below, equals, differs }, the last four name a key:
          skip = [{ \"attack.count\" = { above = \"population.f\" }, \"rule.name\" = \"krum\" }]
  quick   settings for `--quick`, and `arms`, `sweep`, `expect` of its own:
          quick = { \"run.rounds\" = 20, \"run.seeds\" = [1], arms = [\"monna\"] }
  select  hyper-parameters chosen per group of arms by the worst arm on held-out training samples,
          before the final runs; trials lie in `selection`, the choice in `selection.json`:
          select = { over = { \"algorithm.learning-rate\" = [0.1, 0.5] }, seeds = [101],
                     for-each = [\"rule.name\"], validation = 0.2, score = \"accuracy\",
                     at = \"last\" }   # or \"best\": which evaluation counts

Exit codes: 0 all expectations met; 1 one was missed; 2 a run could not be done; 130 interrupted.

Examples:
  phalanx sweep experiments/quickstart.toml --plan
  phalanx sweep experiments/quickstart.toml --jobs 2 --checkpoint-every 300
  phalanx sweep experiments/quickstart.toml --shard 1/4";

/// Run a campaign: plan it, share it out, resume it, merge it
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
#[command(disable_help_subcommand = true)]
pub struct Sweep {
    #[command(subcommand)]
    command: Option<Command>,
    /// Experiment file
    #[arg(value_name = "FILE", required = true)]
    file: Option<PathBuf>,
    #[command(flatten)]
    choice: Choice,
    /// Show what would be run and what it would cost, and run nothing; `-v` lists the runs
    #[arg(long)]
    plan: bool,
    /// Carry out so many runs at a time [default: one per core]; results do not depend on it
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    jobs: Option<u16>,
    /// Do part I of N only; the parts are disjoint and alike on every machine
    #[arg(long, value_name = "I/N")]
    shard: Option<Shard>,
    /// Write run folders below this folder [default: PHALANX_RUNS, else runs]
    #[arg(long, value_name = "DIR")]
    runs: Option<PathBuf>,
    /// Look for data sets in this folder [default: PHALANX_DATA, else data]
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Select hyper-parameters, as the file describes under `select`, and stop there
    #[arg(long)]
    select_only: bool,
    /// Run again what is already complete
    #[arg(long)]
    force: bool,
    /// Write a checkpoint of every run at hand every so many seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 30)]
    checkpoint_every: u32,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Write the files that run a campaign on a cluster
    Cluster(cluster::Cluster),
    /// Merge the run folders of many machines and check that nothing is missing or inconsistent
    Collect(collect::Collect),
}

impl Sweep {
    /// Plans, and unless only the plan was asked for, runs and concludes.
    ///
    /// # Errors
    /// When the file is wrong, data are missing or a folder cannot be written.
    pub fn carry_out(mut self, printer: &mut Printer) -> Result<Verdict, Problem> {
        match (self.command.take(), self.file.take()) {
            (Some(Command::Cluster(cluster)), _) => cluster.carry_out(printer),
            (Some(Command::Collect(collect)), _) => collect.carry_out(printer),
            (None, file) => self.sweep(printer, &file.expect("clap requires it")),
        }
    }

    fn sweep(&self, printer: &mut Printer, file: &Path) -> Result<Verdict, Problem> {
        let whole = Experiment::load(file, &self.choice.whole(), &Registries::ALL)?;
        tell_skips(printer, &whole);
        let mut experiment = match self.choice.is_whole() {
            true => whole.clone(),
            false => Experiment::load(file, &self.choice.overrides(), &Registries::ALL)?,
        };
        let data = data::folder(self.data.clone())?;
        let root = environment::runs(self.runs.clone());
        let folder = experiment_path(&root, &experiment.name);
        let interrupt = Interrupt::install()?;
        let ground = Ground {
            sweep: self,
            root: &root,
            folder: &folder,
            data: &data,
            interrupt: &interrupt,
        };
        let manifest = match &whole.selection {
            None if self.select_only => {
                let problem = Problem::new("this file selects nothing").at(file.display());
                return Err(problem.hint("`phalanx sweep --help` shows the form of `select`"));
            }
            None => Manifest::of(&whole),
            Some(selection) => match ground.settle(printer, &whole, selection)? {
                select::Settled::Open(verdict) => return Ok(verdict),
                select::Settled::Chosen(_) if self.select_only => return Ok(Verdict::Yes),
                select::Settled::Chosen(chosen) => {
                    experiment.take_settings(&chosen);
                    Manifest::of(&chosen)
                }
            },
        };
        self.prepare(&folder, &manifest)?;
        let part = self.shard.map(|shard| shard.part(&manifest));
        let mut plan = Plan::new(&root, &experiment, part.as_ref(), self.force);
        let crew = ground.crew(&plan);
        let costs = ground.costs(printer, &plan, crew)?;
        if interrupt.is_asked() {
            return Ok(Verdict::Interrupted);
        }
        let title = plan::title(&experiment, self.shard, &plan);
        plan::show(printer, &title, &plan, (&costs, crew), self.plan);
        if self.plan {
            return Ok(Verdict::Yes);
        }
        let replay = |planned: &Planned| match whole.selection {
            // What was selected is not in the file.
            Some(_) => Ground::replay_folder(planned),
            None => self.choice.replay(file, &planned.run),
        };
        let conditions = ground.conditions(&replay);
        let toll = work::carry_out(printer, &mut plan, (&costs, crew), &conditions)?;
        let verdict = work::conclude(printer, (&experiment, self.shard), (&root, plan), toll)?;
        if self.shard.is_none() && matches!(verdict, Verdict::Yes | Verdict::No) {
            tell_strangers(printer, &folder, &manifest)?;
        }
        Ok(verdict)
    }

    /// The folder and its manifest. A shard keeps to the manifest that it finds; a sweep that has
    /// all runs to itself may also change it.
    fn prepare(&self, folder: &Path, manifest: &Manifest) -> Result<(), Problem> {
        let found = Manifest::read(folder)?;
        if let (Some(found), Some(_)) = (&found, self.shard) {
            manifest.require_same(found, folder)?;
        }
        if self.plan || found.as_ref() == Some(manifest) {
            return Ok(());
        }
        fs::create_dir_all(folder).map_err(|error| {
            let problem = Problem::io("cannot create the folder of runs", folder, &error);
            problem.hint("choose a writable folder with `--runs` or `PHALANX_RUNS`")
        })?;
        manifest.write(folder)
    }
}

/// Runs of an earlier form of the file stay where they are, and the page shows whatever lies there.
fn tell_strangers(
    printer: &mut Printer,
    folder: &Path,
    manifest: &Manifest,
) -> Result<(), Problem> {
    let strangers = foreign_runs(folder, manifest)?.len();
    if strangers > 0 {
        let runs = counted(strangers, "run");
        printer.warning(format!(
            "{runs} in {} not of this form of the campaign; page and tables show them, too",
            folder.display()
        ));
        printer.hint("move them away and `phalanx report`, or choose another folder by `--runs`");
    }
    Ok(())
}

/// What all phases of a sweep stand on.
struct Ground<'a> {
    sweep: &'a Sweep,
    root: &'a Path,
    /// of the experiment
    folder: &'a Path,
    data: &'a Path,
    interrupt: &'a Interrupt,
}

impl<'a> Ground<'a> {
    fn crew(&self, plan: &Plan) -> Crew {
        Crew::new(self.sweep.jobs.map(usize::from), cores(), plan.open().len())
    }

    fn conditions(&self, replay: &'a (dyn Fn(&Planned) -> String + Sync)) -> work::Conditions<'a> {
        work::Conditions {
            replay,
            data: self.data,
            is_forced: self.sweep.force,
            checkpoint_every: Duration::from_secs(u64::from(self.sweep.checkpoint_every)),
            interrupt: self.interrupt,
        }
    }

    /// From the resolved text in its folder.
    fn replay_folder(planned: &Planned) -> String {
        let file = planned.folder.join(EXPERIMENT);
        format!("phalanx run {}", quoted(&file.display().to_string()))
    }
}

fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}
