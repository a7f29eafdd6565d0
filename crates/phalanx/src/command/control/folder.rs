//! The run folder of a control experiment: its record is its checkpoint, line by line.
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{ErrorKind, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use phalanx_report::control::ControlLine;
use phalanx_report::folder::{ENVIRONMENT, EXPERIMENT, RECORD, SUMMARY};
use serde::Serialize;

use super::file::ControlExperiment;
use super::work::Job;
use crate::problem::Problem;

/// How often, and after which pause, a lock is asked for again.
const LOCK_ATTEMPTS: u32 = 20;
const LOCK_PAUSE: Duration = Duration::from_millis(50);

/// A folder that this process may write to; the record is locked as long as this lives.
#[derive(Debug)]
pub(super) struct Folder {
    path: PathBuf,
    record: File,
}

impl Folder {
    /// Opens or creates the folder; returns what its record holds already. What an interrupted
    /// process left of a line is cut off.
    ///
    /// # Errors
    /// When it cannot be written, another process writes it, or it holds something else.
    pub(super) fn open(
        path: PathBuf,
        experiment: &ControlExperiment,
        (jobs, is_forced): (&[Job<'_>], bool),
    ) -> Result<(Self, Vec<ControlLine>), Problem> {
        let writable = |problem: Problem| {
            problem.hint("choose a writable folder with `--runs` or `PHALANX_RUNS`")
        };
        fs::create_dir_all(&path).map_err(|error| {
            writable(Problem::io("cannot create the run folder", &path, &error))
        })?;
        let text = experiment.to_toml();
        let is_same = match fs::read_to_string(path.join(EXPERIMENT)) {
            Ok(found) => found == text,
            Err(error) if error.kind() == ErrorKind::NotFound => {
                require_empty(&path)?;
                true
            }
            Err(error) => return Err(Problem::io("cannot read", &path.join(EXPERIMENT), &error)),
        };
        if !is_same && !is_forced {
            let problem = Problem::new("this run folder holds another experiment");
            let hint = "choose another folder with `--runs`, or replace this one with `--force`";
            return Err(problem.at(path.display()).hint(hint));
        }
        let record = path.join(RECORD);
        let options =
            OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&record);
        let file = options
            .map_err(|error| writable(Problem::io("cannot write the record", &record, &error)))?;
        lock(&file, &path)?;
        let mut folder = Self { path, record: file };
        if is_forced {
            folder.cut(0)?;
            folder.remove(SUMMARY)?;
        }
        folder.write_atomically(EXPERIMENT, text.as_bytes())?;
        let lines = folder.read(jobs)?;
        Ok((folder, lines))
    }

    /// Where it is.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    fn read(&mut self, jobs: &[Job<'_>]) -> Result<Vec<ControlLine>, Problem> {
        let place = self.path.join(RECORD);
        let text = fs::read(&place).map_err(|error| Problem::io("cannot read", &place, &error))?;
        let mut lines = Vec::new();
        let mut end = 0;
        for line in text.split_inclusive(|byte| *byte == b'\n') {
            if line.last() != Some(&b'\n') {
                break;
            }
            let foreign = |why: String| {
                let place = format!("{}:{}", place.display(), lines.len() + 1);
                let hint = "`--force` starts again";
                Problem::new(format!("the record does not fit: {why}")).at(place).hint(hint)
            };
            let parsed: ControlLine =
                serde_json::from_slice(line).map_err(|error| foreign(error.to_string()))?;
            let is_expected = jobs.get(lines.len()).is_some_and(|job| job.is_of(&parsed));
            if !is_expected {
                return Err(foreign("another line was expected here".into()));
            }
            end += line.len() as u64;
            lines.push(parsed);
        }
        self.cut(end)?;
        Ok(lines)
    }

    fn cut(&mut self, end: u64) -> Result<(), Problem> {
        let cut = self.record.set_len(end).and_then(|()| self.record.seek(SeekFrom::Start(end)));
        cut.map(|_| ()).map_err(|error| self.unrecorded(&error))
    }

    /// Appends lines and gives them to the operating system.
    ///
    /// # Errors
    /// When there is no room.
    pub(super) fn append(&mut self, lines: &[ControlLine]) -> Result<(), Problem> {
        let mut text = Vec::new();
        for line in lines {
            serde_json::to_writer(&mut text, line)
                .map_err(|error| Problem::new(format!("a line is not JSON: {error}")))?;
            text.push(b'\n');
        }
        self.record.write_all(&text).map_err(|error| self.unrecorded(&error))
    }

    fn unrecorded(&self, error: &std::io::Error) -> Problem {
        Problem::io("cannot record the run", &self.path.join(RECORD), error)
            .hint("what was recorded is still valid; make room and run the same command again")
    }

    /// Writes a JSON file in one piece.
    ///
    /// # Errors
    /// When it cannot be written; the former file is then still there.
    pub(super) fn write_json(&self, name: &str, value: &impl Serialize) -> Result<(), Problem> {
        let mut text = serde_json::to_vec_pretty(value)
            .map_err(|error| Problem::new(error.to_string()).at(self.path.join(name).display()))?;
        text.push(b'\n');
        self.write_atomically(name, &text)
    }

    /// Whether the folder holds the environment of a finished run.
    pub(super) fn is_complete(&self) -> bool {
        self.path.join(SUMMARY).exists() && self.path.join(ENVIRONMENT).exists()
    }

    fn write_atomically(&self, name: &str, bytes: &[u8]) -> Result<(), Problem> {
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

    fn remove(&self, name: &str) -> Result<(), Problem> {
        let place = self.path.join(name);
        match fs::remove_file(&place) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                Err(Problem::io("cannot remove", &place, &error))
            }
            _ => Ok(()),
        }
    }
}

/// A folder without an experiment must hold nothing but what a process that was killed at once
/// left.
fn require_empty(path: &Path) -> Result<(), Problem> {
    let left = [RECORD.to_owned(), format!(".{EXPERIMENT}.part")];
    let holds_something = fs::read_dir(path).is_ok_and(|mut entries| {
        entries.any(|entry| {
            entry.is_ok_and(|entry| !left.iter().any(|name| entry.file_name() == name.as_str()))
        })
    });
    if holds_something {
        let problem = Problem::new("this folder is not empty, but not a run folder either");
        return Err(problem.at(path.display()).hint("choose another one with `--runs`"));
    }
    Ok(())
}

fn lock(record: &File, folder: &Path) -> Result<(), Problem> {
    for _ in 0..LOCK_ATTEMPTS {
        match record.try_lock() {
            Err(TryLockError::WouldBlock) => std::thread::sleep(LOCK_PAUSE),
            // Some file systems have no locks; there is then nobody to warn.
            Ok(()) | Err(TryLockError::Error(_)) => return Ok(()),
        }
    }
    let problem = Problem::new("another process is recording this run");
    Err(problem.at(folder.display()).hint("wait for it, or stop it first"))
}
