//! Options that the commands of safe control share.
use std::path::{Path, PathBuf};

use clap::Args;

use super::file::SafeExperiment;
use crate::environment;
use crate::experiment::written::experiment_folder;
use crate::problem::Problem;

#[derive(Debug, Args)]
pub(super) struct Options {
    /// Change a setting of the file
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub(super) settings: Vec<String>,
    /// Use so many threads [default: one per core]; results do not depend on it
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    threads: Option<u16>,
    /// Write the run folder below this folder [default: PHALANX_RUNS, else runs]
    #[arg(long, value_name = "DIR")]
    runs: Option<PathBuf>,
}

impl Options {
    /// Starts the threads of this process.
    ///
    /// # Errors
    /// When the operating system refuses.
    pub(super) fn start_threads(&self) -> Result<(), Problem> {
        let threads = usize::from(self.threads.unwrap_or(0));
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads);
        pool.build_global().map_err(|error| Problem::new(format!("cannot start threads: {error}")))
    }

    /// Where a folder of an experiment lies.
    pub(super) fn folder(&self, experiment: &SafeExperiment, name: String) -> PathBuf {
        environment::runs(self.runs.clone()).join(experiment_folder(&experiment.name)).join(name)
    }

    /// How a person would start a command again.
    pub(super) fn command(&self, command: &str, file: &Path) -> String {
        let mut text = format!("phalanx control {command} {}", file.display());
        for setting in &self.settings {
            text.push_str(&format!(" --set {setting}"));
        }
        text
    }
}
