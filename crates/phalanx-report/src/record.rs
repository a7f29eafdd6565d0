//! Reading `record.jsonl` line by line into curves, in memory that grows with rounds, not events.
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use crate::folder::{FolderError, Line, Score, io, less_is_better, syntax};

/// Longest line of a record; a longer one is not ours.
const LINE_BYTES_MAX: u64 = 16 << 20;
/// Distinct reasons of rejection that are counted apart.
const REASONS_MAX: usize = 32;

/// Lines of a file, one at a time, each of bounded length.
pub(crate) struct Lines {
    reader: BufReader<File>,
    path: PathBuf,
    buffer: Vec<u8>,
    number: usize,
}

/// One line as it lies in the file.
pub(crate) struct RawLine<'a> {
    /// without its line feed
    pub(crate) bytes: &'a [u8],
    /// from 1
    pub(crate) number: usize,
    /// whether a line feed ended it
    pub(crate) complete: bool,
}

impl Lines {
    pub(crate) fn open(path: &Path) -> Result<Self, FolderError> {
        let file = File::open(path).map_err(|source| io(path, source))?;
        let reader = BufReader::with_capacity(1 << 16, file);
        Ok(Self { reader, path: path.into(), buffer: Vec::new(), number: 0 })
    }

    pub(crate) fn next(&mut self) -> Result<Option<RawLine<'_>>, FolderError> {
        self.buffer.clear();
        let read = (&mut self.reader)
            .take(LINE_BYTES_MAX + 1)
            .read_until(b'\n', &mut self.buffer)
            .map_err(|source| io(&self.path, source))?;
        if read == 0 {
            return Ok(None);
        }
        self.number += 1;
        let complete = self.buffer.last() == Some(&b'\n');
        if complete {
            self.buffer.pop();
        } else if read as u64 > LINE_BYTES_MAX {
            return Err(FolderError::Syntax {
                path: self.path.clone(),
                line: self.number,
                reason: format!("more than {LINE_BYTES_MAX} bytes"),
            });
        }
        Ok(Some(RawLine { bytes: &self.buffer, number: self.number, complete }))
    }
}

/// A running summary of one quantity over nodes at one round.
#[derive(Debug, Clone, PartialEq)]
pub struct Tally {
    /// how many nodes
    pub count: u32,
    sum: f64,
    centre: f64,
    squares: f64,
    least: f64,
    greatest: f64,
    has_nan: bool,
}

impl Tally {
    fn new() -> Self {
        Self {
            count: 0,
            sum: 0.0,
            centre: 0.0,
            squares: 0.0,
            least: f64::INFINITY,
            greatest: f64::NEG_INFINITY,
            has_nan: false,
        }
    }

    fn add(&mut self, value: f64) {
        self.count += 1;
        self.sum += value;
        let before = value - self.centre;
        self.centre += before / f64::from(self.count);
        self.squares += before * (value - self.centre);
        self.least = self.least.min(value);
        self.greatest = self.greatest.max(value);
        self.has_nan |= value.is_nan();
    }

    /// As a score of this name; not a number if any value was not.
    pub fn score(&self, name: &str) -> Score {
        if self.has_nan || self.count == 0 {
            return Score::over(name, &[]);
        }
        let (worst, best) = if less_is_better(name) {
            (self.greatest, self.least)
        } else {
            (self.least, self.greatest)
        };
        let count = f64::from(self.count);
        let deviation = (self.squares / count).max(0.0).sqrt();
        Score { mean: self.sum / count, worst, best, deviation }
    }
}

/// The first honest node that could not go on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// learning iteration
    pub round: u32,
    /// which node
    pub node: u16,
    /// why, for a person
    pub reason: String,
}

/// What a record says, condensed by round.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct History {
    /// evaluations: score, round, over nodes
    pub scores: BTreeMap<String, BTreeMap<u32, Tally>>,
    /// batch losses: round, over nodes
    pub loss: BTreeMap<u32, Tally>,
    /// the failure of the earliest round
    pub failure: Option<Failure>,
    /// how many failed
    pub failures: u32,
    /// messages that proved their sender faulty, by sender
    pub rejected_from: BTreeMap<u16, u64>,
    /// the same, by reason
    pub rejected_why: BTreeMap<String, u64>,
    /// nodes that a transferable proof accuses: how many honest nodes hold one, and one of them
    pub accused: BTreeMap<u16, (u64, String)>,
    /// complete lines read
    pub lines: u64,
    /// whether the last line was cut off, as an interruption leaves it
    pub truncated: bool,
}

impl History {
    /// Reads a record.
    ///
    /// # Errors
    /// A line that is not an event, other than a last one without line feed, is refused with its
    /// number.
    pub fn read(path: &Path) -> Result<Self, FolderError> {
        let mut lines = Lines::open(path)?;
        let mut history = Self::default();
        while let Some(raw) = lines.next()? {
            match serde_json::from_slice::<Line>(raw.bytes) {
                Ok(line) => history.add(line).map_err(|reason| FolderError::Syntax {
                    path: path.into(),
                    line: raw.number,
                    reason,
                })?,
                Err(_) if !raw.complete => {
                    history.truncated = true;
                    break;
                }
                Err(error) if error.line() == 0 => return Err(syntax(path, raw.number, &error)),
                Err(error) => return Err(syntax(path, raw.number - 1, &error)),
            }
        }
        Ok(history)
    }

    /// Takes one event in; says what is wrong with one that is none.
    fn add(&mut self, line: Line) -> Result<(), String> {
        self.lines += 1;
        match (line.event.as_str(), line.round) {
            ("proposed", Some(round)) => {
                if let Some(loss) = line.loss {
                    self.loss.entry(round).or_insert_with(Tally::new).add(loss);
                }
            }
            ("evaluated", Some(round)) => {
                for (name, value) in line.scores {
                    let curve = self.scores.entry(name).or_default();
                    curve.entry(round).or_insert_with(Tally::new).add(value);
                }
            }
            ("failed", Some(round)) => self.add_failure(round, line.node, line.reason),
            ("rejected", _) => {
                for from in line.from {
                    *self.rejected_from.entry(from).or_default() += 1;
                }
                let mut reason = line.reason.unwrap_or_else(|| "no reason recorded".into());
                let known = self.rejected_why.contains_key(&reason);
                if !known && self.rejected_why.len() >= REASONS_MAX {
                    reason = "other reasons".into();
                }
                *self.rejected_why.entry(reason).or_default() += 1;
            }
            ("accused", _) => {
                for accused in line.from {
                    let proof = || line.reason.clone().unwrap_or_else(|| "not recorded".into());
                    self.accused.entry(accused).or_insert_with(|| (0, proof())).0 += 1;
                }
            }
            ("collected" | "finished", Some(_)) => {}
            ("proposed" | "collected" | "evaluated" | "failed" | "finished", None) => {
                return Err(format!("`{}` without its round", line.event));
            }
            (other, _) => return Err(format!("no event is called `{other}`")),
        }
        Ok(())
    }

    fn add_failure(&mut self, round: u32, node: u16, reason: Option<String>) {
        self.failures += 1;
        if self.failure.as_ref().is_none_or(|first| round < first.round) {
            let reason = reason.unwrap_or_else(|| "no reason recorded".into());
            self.failure = Some(Failure { round, node, reason });
        }
    }
}
