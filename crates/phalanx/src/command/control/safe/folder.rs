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

/// Where files wait until all of them are written.
const STAGED: &str = ".plan.part";

/// Whether a name is one of a file or folder that was not completed.
fn is_part(name: &str) -> bool {
    name.starts_with('.') && name.ends_with(".part")
}

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
        // What a kill has left of a beginning is nobody's.
        let is_foreign = |entry: std::io::Result<fs::DirEntry>| {
            entry.is_ok_and(|entry| !is_part(&entry.file_name().to_string_lossy()))
        };
        if !is_ours && entries.any(is_foreign) {
            let problem = Problem::new("this folder is not empty, but not a run folder either");
            return Err(problem.at(path.display()).hint("choose another one with `--runs`"));
        }
        Ok(Self(path))
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }

    /// Replaces what an earlier process wrote, once all of the new files are written: a full disk
    /// leaves it as it was, and a kill leaves either or neither, and no mixture.
    ///
    /// A folder with the file `last` is whole; files of `gone` belong to what is replaced alone.
    ///
    /// # Errors
    /// When a file cannot be written or put in its place.
    pub(super) fn replace(
        &self,
        (last, gone): (&str, &[&str]),
        write: impl FnOnce(&Self) -> Result<(), Problem>,
    ) -> Result<(), Problem> {
        let staged = self.staged()?;
        if let Err(problem) = write(&staged) {
            staged.discard();
            return Err(problem);
        }
        // First away and last there again.
        self.remove(last)?;
        gone.iter().try_for_each(|name| self.remove(name))?;
        self.take(&staged, last)
    }

    /// An empty folder within it, whose files [`Folder::take`] puts in their place.
    fn staged(&self) -> Result<Self, Problem> {
        let staged = Self(self.0.join(STAGED));
        staged.discard();
        fs::create_dir(&staged.0)
            .map_err(|error| Problem::io("cannot create the folder", &staged.0, &error))?;
        Ok(staged)
    }

    /// Removes it and what it holds.
    fn discard(&self) {
        // What is left is in nobody's way, and removed before it is used again.
        let _ = fs::remove_dir_all(&self.0);
    }

    /// Removes a file, if there is one.
    ///
    /// # Errors
    /// When it is there and cannot be removed.
    pub(super) fn remove(&self, name: &str) -> Result<(), Problem> {
        let place = self.0.join(name);
        match fs::remove_file(&place) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(Problem::io("cannot remove", &place, &error))
            }
            _ => Ok(()),
        }
    }

    /// Puts every file of another folder in its place, `last` after all others.
    fn take(&self, staged: &Self, last: &str) -> Result<(), Problem> {
        let failed = |error| Problem::io("cannot move the files", &staged.0, &error);
        let mut names = Vec::new();
        for entry in fs::read_dir(&staged.0).map_err(failed)? {
            names.push(entry.map_err(failed)?.file_name());
        }
        names.sort_by_key(|name| name == last);
        for name in &names {
            fs::rename(staged.0.join(name), self.0.join(name)).map_err(failed)?;
        }
        staged.discard();
        Ok(())
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
