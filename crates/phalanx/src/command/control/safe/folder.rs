//! Folders of plans and models: files written in one piece each, read back and checked.
use std::fs;
use std::path::{Path, PathBuf};

use phalanx_report::control::safe::SafeSummary;
use phalanx_report::folder::{ENVIRONMENT, EXPERIMENT, read_json};
use serde::Serialize;

use crate::command::report::unreadable;
use crate::problem::Problem;

/// What a plan is in numbers.
pub(super) const PLAN: &str = "plan.json";
/// What a model knows about itself.
pub(super) const FIT: &str = "fit.json";
/// A fitted model.
pub(super) const MODEL: &str = "model.txt";

/// A folder that this process writes to.
#[derive(Debug, Clone)]
pub(super) struct Folder(PathBuf);

impl Folder {
    /// Creates the folder; one that holds something else is refused.
    ///
    /// # Errors
    /// When it cannot be written, or is somebody else's.
    pub(super) fn create(path: PathBuf) -> Result<Self, Problem> {
        fs::create_dir_all(&path).map_err(|error| {
            let problem = Problem::io("cannot create the run folder", &path, &error);
            problem.hint("choose a writable folder with `--runs` or `PHALANX_RUNS`")
        })?;
        let mut entries = fs::read_dir(&path)
            .map_err(|error| Problem::io("cannot read the run folder", &path, &error))?;
        let is_ours = path.join(EXPERIMENT).exists();
        if !is_ours && entries.next().is_some() {
            let problem = Problem::new("this folder is not empty, but not a run folder either");
            return Err(problem.at(path.display()).hint("choose another one with `--runs`"));
        }
        Ok(Self(path))
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }

    /// Writes a text in one piece.
    ///
    /// # Errors
    /// When it cannot be written; the former file is then still there.
    pub(super) fn write(&self, name: &str, text: &str) -> Result<(), Problem> {
        let (place, beside) = (self.0.join(name), self.0.join(format!(".{name}.part")));
        let written = fs::write(&beside, text).and_then(|()| fs::rename(&beside, &place));
        written.map_err(|error| {
            let _ = fs::remove_file(&beside);
            Problem::io("cannot write", &place, &error)
        })
    }

    /// Writes a JSON file in one piece.
    ///
    /// # Errors
    /// As [`Folder::write`].
    pub(super) fn write_json(&self, name: &str, value: &impl Serialize) -> Result<(), Problem> {
        let text = serde_json::to_string_pretty(value)
            .map_err(|error| Problem::new(error.to_string()).at(self.0.join(name).display()))?;
        self.write(name, &(text + "\n"))
    }

    /// Says where and by what command it was made.
    ///
    /// # Errors
    /// As [`Folder::write`].
    pub(super) fn write_environment(&self, value: &impl Serialize) -> Result<(), Problem> {
        self.write_json(ENVIRONMENT, value)
    }
}

/// Whether a folder holds a plan.
pub(super) fn holds_plan(folder: &Path) -> bool {
    folder.join(PLAN).is_file()
}

/// The plan of a folder, in numbers.
///
/// # Errors
/// When the folder holds none that this version reads.
pub(super) fn read_summary(folder: &Path) -> Result<SafeSummary, Problem> {
    if !holds_plan(folder) {
        let problem = Problem::new(format!("this folder holds no plan (no `{PLAN}`)"));
        return Err(problem.at(folder.display()).hint("`phalanx control plan FILE` makes one"));
    }
    let place = folder.join(PLAN);
    read_json(&place).map_err(|error| unreadable(&error))
}
