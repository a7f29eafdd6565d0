//! The runs that an experiment asks for, and where each of them stands.
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use phalanx_report::Summary;

use crate::experiment::{Experiment, Run};
use crate::problem::Problem;
use crate::run::folder::{State, path_of, state_of};

/// What a run's folder says of it.
#[derive(Debug)]
pub enum Standing {
    /// it is complete
    Complete(Box<Summary>),
    /// a checkpoint is there
    Resumable {
        /// rounds that every honest node had done
        rounds_done: u32,
    },
    /// nothing is there, or a beginning without checkpoint
    Missing,
    /// something is there that must not be overwritten
    Refused(Problem),
}

impl Standing {
    /// One word for it.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Complete(_) => "complete",
            Self::Resumable { .. } => "resumable",
            Self::Missing => "missing",
            Self::Refused(_) => "refused",
        }
    }

    /// Rounds that need not be done again.
    pub fn rounds_done(&self) -> u32 {
        match self {
            Self::Complete(summary) => summary.rounds_done,
            Self::Resumable { rounds_done } => *rounds_done,
            Self::Missing | Self::Refused(_) => 0,
        }
    }
}

/// One run of a plan.
#[derive(Debug)]
pub struct Planned {
    /// what to run
    pub run: Run,
    /// where it belongs
    pub folder: PathBuf,
    /// where it stands
    pub standing: Standing,
}

impl Planned {
    /// Looks at a run's folder; with `is_forced` whatever it holds counts for nothing.
    pub fn new(root: &Path, run: Run, is_forced: bool) -> Self {
        Self::within(path_of(root, &run), run, is_forced)
    }

    /// The same in a folder of its own.
    pub fn within(folder: PathBuf, run: Run, is_forced: bool) -> Self {
        let standing = if is_forced { Standing::Missing } else { standing(&folder, &run) };
        Self { run, folder, standing }
    }

    /// Looks again, after somebody else may have worked on it.
    pub fn look_again(&mut self) {
        self.standing = standing(&self.folder, &self.run);
    }

    /// Whether there is work left that can be done.
    pub fn is_open(&self) -> bool {
        matches!(self.standing, Standing::Missing | Standing::Resumable { .. })
    }
}

fn standing(folder: &Path, run: &Run) -> Standing {
    match state_of(folder, run) {
        Ok(State::Done(summary)) => Standing::Complete(summary),
        Ok(State::Resumable(checkpoint)) => {
            Standing::Resumable { rounds_done: checkpoint.tally.rounds_done() }
        }
        Ok(State::Fresh) => Standing::Missing,
        Err(problem) => Standing::Refused(problem),
    }
}

/// Every run that was asked for, in the order of the file.
#[derive(Debug)]
pub struct Plan {
    /// arms × sweep × seeds
    pub runs: Vec<Planned>,
}

/// How many runs stand where.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Census {
    /// complete
    pub complete: usize,
    /// with a checkpoint
    pub resumable: usize,
    /// still to be begun
    pub missing: usize,
    /// that must not be overwritten
    pub refused: usize,
}

impl Plan {
    /// Looks at the folder of every run, or of those of a shard.
    pub fn new(
        root: &Path,
        experiment: &Experiment,
        shard: Option<&BTreeSet<&str>>,
        is_forced: bool,
    ) -> Self {
        let runs = experiment.runs().map(|(_, run)| run);
        let mine =
            runs.filter(|run| shard.is_none_or(|part| part.contains(run.folder_name().as_str())));
        Self { runs: mine.map(|run| Planned::new(root, run, is_forced)).collect() }
    }

    /// How many runs stand where.
    pub fn census(&self) -> Census {
        let count = |word: &str| self.runs.iter().filter(|p| p.standing.word() == word).count();
        Census {
            complete: count("complete"),
            resumable: count("resumable"),
            missing: count("missing"),
            refused: count("refused"),
        }
    }

    /// Indices of the runs that are still to be done.
    pub fn open(&self) -> Vec<usize> {
        (0..self.runs.len()).filter(|index| self.runs[*index].is_open()).collect()
    }
}
