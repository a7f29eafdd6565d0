//! A run folder on disk: created, locked, written so that no file is ever half a file.
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use phalanx_report::{FolderError, Status, Summary, folder::read_json};
use serde::Serialize;

use crate::experiment::Run;
use crate::experiment::written::experiment_folder;
use crate::problem::Problem;
use crate::run::checkpoint::Checkpoint;

/// The resolved experiment.
pub const EXPERIMENT: &str = "experiment.toml";
/// The events.
pub const RECORD: &str = "record.jsonl";
/// The results.
pub const SUMMARY: &str = "summary.json";
/// Where it ran.
pub const ENVIRONMENT: &str = "environment.json";
/// What is left when writing the experiment was cut short.
const PART_OF_EXPERIMENT: &str = ".experiment.toml.part";
/// Only while the run is incomplete.
pub const CHECKPOINT: &str = "checkpoint.bin";

/// What a run folder already holds.
#[derive(Debug)]
pub enum State {
    /// nothing, or a beginning without checkpoint
    Fresh,
    /// a checkpoint to go on from
    Resumable(Box<Checkpoint>),
    /// a complete run
    Done(Box<Summary>),
}

/// A folder that this process may write to; the record is locked as long as this lives.
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
    record: File,
}

/// Where a run's folder is.
pub fn path_of(root: &Path, run: &Run) -> PathBuf {
    experiment_path(root, &run.experiment).join(run.folder_name())
}

/// Where the folders of an experiment are.
pub fn experiment_path(root: &Path, experiment: &str) -> PathBuf {
    root.join(experiment_folder(experiment))
}

/// What the run's folder holds, without changing anything.
///
/// # Errors
/// When it holds something that must not be overwritten.
pub fn state_of(path: &Path, run: &Run) -> Result<State, Problem> {
    let elsewhere = "choose another folder with `--runs`, or replace this one with `--force`";
    match fs::read_to_string(path.join(EXPERIMENT)) {
        Ok(text) => require_same(&text, run).map_err(|p| p.at(path.display()).hint(elsewhere))?,
        Err(error) if is_absent(&error) => return require_empty(path).map(|()| State::Fresh),
        Err(error) => return Err(Problem::io("cannot read", &path.join(EXPERIMENT), &error)),
    }
    let summary = path.join(SUMMARY);
    if summary.exists() {
        let summary: Summary = read_json(&summary).map_err(|error| refused(&error, elsewhere))?;
        if summary.status != Status::Interrupted {
            return Ok(State::Done(Box::new(summary)));
        }
    }
    let checkpoint = path.join(CHECKPOINT);
    match fs::read(&checkpoint) {
        Ok(bytes) => {
            let read = Checkpoint::from_bytes(&bytes, run);
            let read = read.map_err(|problem| problem.at(checkpoint.display()))?;
            Ok(State::Resumable(Box::new(read)))
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(State::Fresh),
        Err(error) => Err(Problem::io("cannot read", &checkpoint, &error)),
    }
}

// That a parent is a file is found, and told better, when the folder is created.
fn is_absent(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

// A folder without an experiment must hold nothing but a record that was just begun.
fn require_empty(path: &Path) -> Result<(), Problem> {
    let is_foreign = |name: &std::ffi::OsStr| name != RECORD && name != PART_OF_EXPERIMENT;
    let holds_something = fs::read_dir(path).is_ok_and(|mut entries| {
        entries.any(|entry| entry.is_ok_and(|entry| is_foreign(&entry.file_name())))
    });
    if holds_something {
        let problem = Problem::new("this folder is not empty, but not a run folder either");
        return Err(problem.at(path.display()).hint("choose another one with `--runs`"));
    }
    Ok(())
}

/// A report's folder error as a problem.
pub fn refused(error: &FolderError, hint: &str) -> Problem {
    Problem::new(error.to_string()).hint(hint)
}

fn require_same(text: &str, run: &Run) -> Result<(), Problem> {
    if text == run.to_toml() {
        return Ok(());
    }
    let format = |text: &str| {
        let line = text.lines().find(|line| line.starts_with("format"));
        line.and_then(|line| line.split_once('=')).map(|(_, value)| value.trim().to_owned())
    };
    let (found, ours) = (format(text), format(&run.to_toml()));
    Err(Problem::new(match (found, ours) {
        (Some(found), Some(ours)) if found != ours => {
            format!("this run folder has format `{found}`, but this version reads `{ours}`")
        }
        _ => "this run folder holds another experiment".into(),
    }))
}

/// How often, and after which pause, a lock is asked for again: a process that was just stopped
/// holds its lock for a moment longer.
const LOCK_ATTEMPTS: u32 = 20;
const LOCK_PAUSE: Duration = Duration::from_millis(50);

fn lock(record: &File, folder: &Path) -> Result<(), Problem> {
    for _ in 0..LOCK_ATTEMPTS {
        match record.try_lock() {
            Err(TryLockError::WouldBlock) => std::thread::sleep(LOCK_PAUSE),
            // Some file systems have no locks; there is then nobody to warn.
            Ok(()) | Err(TryLockError::Error(_)) => return Ok(()),
        }
    }
    Err(Problem::new(LOCKED).at(folder.display()).hint("wait for it, or stop it first"))
}

const LOCKED: &str = "another process is recording this run";

/// Whether a run was not begun because another process is at it.
pub fn is_locked(problem: &Problem) -> bool {
    problem.message == LOCKED
}

impl Folder {
    /// Creates the folder where needed and locks its record. With `is_forced`, whatever a run
    /// left there is removed first.
    ///
    /// # Errors
    /// When it cannot be written, another process writes it, or it holds something else.
    pub fn open(path: PathBuf, run: &Run, is_forced: bool) -> Result<(Self, State), Problem> {
        let writable = |problem: Problem| {
            problem.hint("choose a writable folder with `--runs` or `PHALANX_RUNS`")
        };
        fs::create_dir_all(&path).map_err(|error| {
            writable(Problem::io("cannot create the run folder", &path, &error))
        })?;
        if is_forced && !path.join(EXPERIMENT).exists() {
            require_empty(&path)?;
        } else if !is_forced {
            state_of(&path, run)?;
        }
        let record = path.join(RECORD);
        let options = OpenOptions::new().write(true).create(true).truncate(false).open(&record);
        let file = options
            .map_err(|error| writable(Problem::io("cannot write the record", &record, &error)))?;
        lock(&file, &path)?;
        let folder = Self { path, record: file };
        let state = if is_forced {
            folder.remove_old()?;
            State::Fresh
        } else {
            state_of(&folder.path, run)?
        };
        if matches!(state, State::Fresh) {
            folder.write_atomically(EXPERIMENT, run.to_toml().as_bytes())?;
        }
        Ok((folder, state))
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The record, opened for writing.
    ///
    /// # Errors
    /// When the operating system has no more handles.
    pub fn record(&self) -> Result<File, Problem> {
        self.record.try_clone().map_err(|error| {
            Problem::io("cannot write the record", &self.path.join(RECORD), &error)
        })
    }

    /// Writes a JSON file in one piece.
    ///
    /// # Errors
    /// When it cannot be written; the former file is then still there.
    pub fn write_json(&self, name: &str, value: &impl Serialize) -> Result<(), Problem> {
        let mut text = serde_json::to_vec_pretty(value)
            .map_err(|error| Problem::new(error.to_string()).at(self.path.join(name).display()))?;
        text.push(b'\n');
        self.write_atomically(name, &text)
    }

    /// Writes a file beside its place, then moves it there.
    ///
    /// # Errors
    /// When it cannot be written; the former file is then still there.
    pub fn write_atomically(&self, name: &str, bytes: &[u8]) -> Result<(), Problem> {
        let (place, beside) = (self.path.join(name), self.path.join(format!(".{name}.part")));
        let written = File::create(&beside).and_then(|mut file| {
            file.write_all(bytes)?;
            file.sync_all()
        });
        written.and_then(|()| fs::rename(&beside, &place)).map_err(|error| {
            let _ = fs::remove_file(&beside);
            Problem::io("cannot write", &place, &error)
        })
    }

    /// Removes a file, if it is there.
    ///
    /// # Errors
    /// When it is there and cannot be removed.
    pub fn remove(&self, name: &str) -> Result<(), Problem> {
        let place = self.path.join(name);
        match fs::remove_file(&place) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(Problem::io("cannot remove", &place, &error))
            }
            _ => Ok(()),
        }
    }

    // The record stays: it is locked, and the recorder cuts it to its beginning. The experiment
    // stays until it is replaced: it is what makes this a run folder.
    fn remove_old(&self) -> Result<(), Problem> {
        [SUMMARY, CHECKPOINT, ENVIRONMENT].iter().try_for_each(|name| self.remove(name))
    }
}
