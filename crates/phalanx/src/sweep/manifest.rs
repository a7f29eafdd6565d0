//! The manifest of a campaign: every run of an experiment file, whoever does it.
//!
//! It is a function of the experiment file and the settings of the command line, not of the
//! machine, so that shards on different machines write the same manifest byte for byte.
use std::collections::BTreeSet;
use std::fs;
use std::path::{Component, Path};

use phalanx_report::folder::read_json;
use phalanx_report::{FORMAT, FolderError};
use serde::{Deserialize, Serialize};

use crate::experiment::{Experiment, Run};
use crate::problem::Problem;
use crate::sweep::probe::kind_of;

/// Its name, in the folder of the experiment.
pub const MANIFEST: &str = "manifest.json";

/// Every run of an experiment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// [`FORMAT`]
    pub format: u32,
    /// the experiment's name
    pub experiment: String,
    /// of the resolved text of every run
    pub digest: String,
    /// in the order of the file
    pub runs: Vec<Entry>,
}

/// One run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// name of its folder
    pub folder: String,
    /// short hash of everything but the seed
    pub id: String,
    /// name of its arm
    pub arm: String,
    /// its seed
    pub seed: u64,
    /// rounds times nodes
    pub weight: u64,
    /// runs of one kind cost alike, round by round
    pub kind: String,
    /// of its resolved text
    pub digest: String,
}

/// Characters of a kind's hash.
const KIND_CHARACTERS: usize = 8;

impl Entry {
    fn of(run: &Run) -> Self {
        let kind = blake3::hash(kind_of(run).as_bytes()).to_hex();
        Self {
            folder: run.folder_name(),
            id: run.id(),
            arm: run.arm.clone(),
            seed: run.seed,
            weight: u64::from(run.plan.rounds) * run.population.n() as u64,
            kind: kind[..KIND_CHARACTERS].into(),
            digest: digest_of(run.to_toml().as_bytes()),
        }
    }
}

/// The digest of a resolved text.
pub fn digest_of(text: &[u8]) -> String {
    blake3::hash(text).to_hex().to_string()
}

fn digest_over(runs: &[Entry]) -> String {
    let mut hasher = blake3::Hasher::new();
    for entry in runs {
        hasher.update(entry.digest.as_bytes());
    }
    hasher.finalize().to_hex().to_string()
}

impl Manifest {
    /// Of all runs of an experiment.
    pub fn of(experiment: &Experiment) -> Self {
        let runs: Vec<Entry> = experiment.runs().map(|(_, run)| Entry::of(&run)).collect();
        let digest = digest_over(&runs);
        Self { format: FORMAT, experiment: experiment.name.clone(), digest, runs }
    }

    /// The manifest in a folder, if there is one.
    ///
    /// # Errors
    /// When it is there and cannot be read, or was changed by another hand.
    pub fn read(folder: &Path) -> Result<Option<Self>, Problem> {
        match read_json::<Self>(&folder.join(MANIFEST)) {
            Ok(manifest) => match manifest.flaw() {
                None => Ok(Some(manifest)),
                Some(flaw) => Err(Problem::new(format!("this manifest {flaw}"))
                    .at(folder.join(MANIFEST).display())
                    .hint("remove it: `phalanx sweep FILE` writes it again")),
            },
            Err(FolderError::Io { source, .. })
                if source.kind() == std::io::ErrorKind::NotFound =>
            {
                Ok(None)
            }
            // Nothing to remove: the folder itself is none, or is not to be read.
            Err(FolderError::Io { path, source }) => {
                Err(Problem::io("cannot read the manifest", &path, &source))
            }
            Err(error) => Err(Problem::new(error.to_string())
                .hint("remove it: `phalanx sweep FILE` writes it again")),
        }
    }

    /// What no manifest that a sweep wrote says; it may have come from anywhere.
    fn flaw(&self) -> Option<String> {
        if self.runs.is_empty() {
            return Some("has no runs".into());
        }
        let mut folders = BTreeSet::new();
        for Entry { folder, .. } in &self.runs {
            let mut parts = Path::new(folder).components();
            let is_name = match (parts.next(), parts.next()) {
                (Some(Component::Normal(name)), None) => name == folder.as_str(),
                _ => false,
            };
            if !is_name {
                return Some(format!("places a run at `{}`", folder.escape_debug()));
            }
            if !folders.insert(folder) {
                return Some(format!("names the run `{folder}` twice"));
            }
        }
        (self.digest != digest_over(&self.runs)).then(|| "does not match its digest".into())
    }

    /// Writes it into a folder, in one piece.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write(&self, folder: &Path) -> Result<(), Problem> {
        let place = folder.join(MANIFEST);
        // Several shards of one disk write the same bytes; each its own file until it is whole.
        let beside = folder.join(format!(".{MANIFEST}.{}.part", std::process::id()));
        let mut text = serde_json::to_vec_pretty(self)
            .map_err(|error| Problem::new(error.to_string()).at(place.display()))?;
        text.push(b'\n');
        fs::write(&beside, text).and_then(|()| fs::rename(&beside, &place)).map_err(|error| {
            let _ = fs::remove_file(&beside);
            Problem::io("cannot write the manifest", &place, &error)
        })
    }

    /// Refuses another manifest than this one.
    ///
    /// # Errors
    /// Says what differs.
    pub fn require_same(&self, other: &Self, place: &Path) -> Result<(), Problem> {
        if self == other {
            return Ok(());
        }
        let problem = Problem::new(if self.experiment == other.experiment {
            let (ours, theirs) = (self.runs.len(), other.runs.len());
            format!(
                "this manifest is of another form of experiment `{}`: `{theirs}` runs with digest \
                 `{}`, not `{ours}` with `{}`",
                self.experiment,
                &other.digest[..other.digest.len().min(KIND_CHARACTERS)],
                &self.digest[..KIND_CHARACTERS],
            )
        } else {
            format!(
                "this manifest is of experiment `{}`, not `{}`",
                other.experiment, self.experiment
            )
        });
        Err(problem.at(place.join(MANIFEST).display()).hint(
            "shards and folders of one campaign need the same file, version and `--set` options; \
             else choose another folder with `--runs`",
        ))
    }
}
