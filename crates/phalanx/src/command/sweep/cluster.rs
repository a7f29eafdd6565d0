//! `phalanx sweep cluster`: files that start the shards of a campaign elsewhere.
use std::fs;
use std::path::PathBuf;

use clap::Args;

use crate::command::Verdict;
use crate::command::check::{Choice, tell_skips};
use crate::environment;
use crate::experiment::{Experiment, Registries};
use crate::printer::Printer;
use crate::problem::Problem;
use crate::sweep::cluster::{Campaign, Kind};
use crate::sweep::shard::SHARDS_MAX;

const AFTER_HELP: &str = "\
The files are complete but for what only you know of your cluster; comments in them say what.
Every shard runs `phalanx sweep FILE --shard I/N`, which is safe to be killed and started again.

Examples:
  phalanx sweep cluster experiments/quickstart.toml --kind slurm --shards 20 -o cluster
  phalanx sweep cluster experiments/quickstart.toml --kind kubernetes --shards 8 -o cluster
  phalanx sweep cluster experiments/quickstart.toml --kind parallel --shards 4 -o cluster";

/// Write the files that run a campaign on a cluster
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub struct Cluster {
    /// Experiment file, by a path that the cluster knows, too
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// slurm: a job array; kubernetes: an indexed job; parallel: a list for GNU parallel
    #[arg(long, value_name = "KIND", hide_possible_values = true)]
    kind: Kind,
    /// Share the runs out among so many jobs
    #[arg(long, value_name = "N")]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=SHARDS_MAX as i64))]
    shards: u32,
    /// Write the files into this folder
    #[arg(short, long, value_name = "DIR")]
    out: PathBuf,
    /// Override a setting of every arm, as in `--set algorithm.learning-rate=0.1`
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// Take the quick form that the file describes under `quick`
    #[arg(long)]
    quick: bool,
    /// Run folders go below this folder there [default: PHALANX_RUNS, else runs]
    #[arg(long, value_name = "DIR")]
    runs: Option<PathBuf>,
    /// Data sets are in this folder there
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
}

impl Cluster {
    /// Checks the file and writes what starts it.
    ///
    /// # Errors
    /// When the experiment file is wrong, or a file is already there or cannot be written.
    pub fn carry_out(self, printer: &mut Printer) -> Result<Verdict, Problem> {
        let choice = Choice::of_whole(self.set, self.quick);
        let experiment = Experiment::load(&self.file, &choice.whole(), &Registries::ALL)?;
        tell_skips(printer, &experiment);
        let runs = experiment.runs().count();
        if self.shards as usize > runs {
            printer.warning(format!("{} shards, but only {runs} runs", self.shards));
        }
        let campaign = Campaign {
            name: experiment.name,
            file: self.file,
            options: choice.options(),
            runs: environment::runs(self.runs),
            data: self.data,
            shards: self.shards as usize,
        };
        fs::create_dir_all(&self.out)
            .map_err(|error| Problem::io("cannot create the folder", &self.out, &error))?;
        for (name, text) in campaign.files(self.kind) {
            let path = self.out.join(name);
            fs::write(&path, text).map_err(|error| Problem::io("cannot write", &path, &error))?;
            printer.result(path.display());
        }
        Ok(Verdict::Yes)
    }
}
