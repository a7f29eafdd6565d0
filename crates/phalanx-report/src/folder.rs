//! The format of a run folder: plain files that a person can open.
//!
//! ```text
//! runs/<experiment>/<arm>-<short hash>-s<seed>/
//! ├── experiment.toml   resolved, complete
//! ├── record.jsonl      one [`Line`] per line
//! ├── summary.json      [`Summary`]
//! ├── environment.json  [`Environment`]; not part of what `compare` compares
//! ├── checkpoint.bin    only while the run is incomplete
//! ├── figures/          SVG and the CSV behind each
//! └── report.html       the page of this run
//! runs/<experiment>/figures/
//! runs/<experiment>/report.html
//! ```
//!
//! A number that JSON cannot hold is the string `nan`, `inf` or `-inf`.
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use phalanx_learn::Event;
use serde::{Deserialize, Serialize};

use crate::real;

/// Version of the format; a folder with another one is refused, never guessed at.
pub const FORMAT: u32 = 1;

/// The resolved experiment, inside a run folder.
pub const EXPERIMENT: &str = "experiment.toml";
/// One [`Line`] per line, inside a run folder.
pub const RECORD: &str = "record.jsonl";
/// The [`Summary`], inside a run folder.
pub const SUMMARY: &str = "summary.json";
/// The [`Environment`], inside a run folder.
pub const ENVIRONMENT: &str = "environment.json";
/// State of an incomplete run, inside a run folder.
pub const CHECKPOINT: &str = "checkpoint.bin";
/// SVG and CSV, inside a run folder or an experiment folder.
pub const FIGURES: &str = "figures";
/// The page, inside a run folder or an experiment folder.
pub const REPORT: &str = "report.html";

/// Why a run folder cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    /// The operating system refused.
    #[error("{source}: {}", path.display())]
    Io {
        /// which file
        path: PathBuf,
        /// what it said
        source: std::io::Error,
    },
    /// The file is not what it should be.
    #[error("{reason} in line `{line}`: {}", path.display())]
    Syntax {
        /// which file
        path: PathBuf,
        /// which line, from 1
        line: usize,
        /// what is wrong
        reason: String,
    },
    /// Another version of Phalanx wrote it.
    #[error("format `{found}`, but this version reads `{FORMAT}`: {}", path.display())]
    Format {
        /// which file
        path: PathBuf,
        /// its format
        found: u64,
    },
    /// No run is where one was looked for.
    #[error("no run folder (a folder with a `{SUMMARY}`): {}", path.display())]
    Empty {
        /// where it was looked for
        path: PathBuf,
    },
    /// Two things that cannot be compared with each other.
    #[error("{reason}: {} and {}", left.display(), right.display())]
    Unlike {
        /// the first
        left: PathBuf,
        /// the second
        right: PathBuf,
        /// what is unlike
        reason: String,
    },
}

/// One line of `record.jsonl`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Line {
    /// virtual nanoseconds since the start
    pub t: u64,
    /// where it happened
    pub node: u16,
    /// proposed, collected, evaluated, rejected, failed or finished
    pub event: String,
    /// learning iteration
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub round: Option<u32>,
    /// exchange within the round
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub phase: Option<u16>,
    /// batch loss
    #[serde(skip_serializing_if = "Option::is_none", default, with = "real::option")]
    pub loss: Option<f64>,
    /// senders of what was collected, or the one sender of what was refused
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub from: Vec<u16>,
    /// scores of an evaluation
    #[serde(skip_serializing_if = "BTreeMap::is_empty", default, with = "real::map")]
    pub scores: BTreeMap<String, f64>,
    /// why something failed or was refused
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub reason: Option<String>,
}

impl Line {
    /// The line for an event; `None` for events that are only counted (absorbed, discarded).
    pub fn of(t: u64, node: u16, event: &Event) -> Option<Self> {
        let name = match event {
            Event::Proposed { .. } => "proposed",
            Event::Collected { .. } => "collected",
            Event::Evaluated { .. } => "evaluated",
            Event::Rejected { .. } => "rejected",
            Event::Accused { .. } => "accused",
            Event::Failed { .. } => "failed",
            Event::Finished { .. } => "finished",
            Event::Absorbed { .. } | Event::Discarded { .. } => return None,
        };
        let mut line = Self {
            t,
            node,
            event: name.into(),
            round: None,
            phase: None,
            loss: None,
            from: Vec::new(),
            scores: BTreeMap::new(),
            reason: None,
        };
        let mut turn = None;
        match event {
            Event::Proposed { turn: at, loss } => {
                turn = Some(*at);
                line.loss = *loss;
            }
            Event::Collected { turn: at, from } => {
                turn = Some(*at);
                line.from = from.iter().map(|node| node.0).collect();
            }
            Event::Evaluated { round, scores } => {
                line.round = Some(round.0);
                line.scores.clone_from(scores);
            }
            Event::Rejected { from, reason } => {
                line.from = vec![from.0];
                line.reason = Some(format!("{reason:?}"));
            }
            Event::Accused { evidence } => {
                turn = Some(evidence.turn);
                line.from = vec![evidence.accused.0];
                line.reason = Some(evidence.to_string());
            }
            Event::Failed { turn: at, reason } => {
                turn = Some(*at);
                line.reason = Some(reason.clone());
            }
            Event::Finished { round } => line.round = Some(round.0),
            Event::Absorbed { .. } | Event::Discarded { .. } => {}
        }
        if let Some(turn) = turn {
            line.round = Some(turn.round.0);
            line.phase = Some(turn.phase.0);
        }
        Some(line)
    }
}

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Status {
    /// every honest node did all its rounds
    Finished,
    /// at least one honest node failed: its training diverged or its rule refused
    Diverged,
    /// nobody failed, but some waited for ever
    Stalled,
    /// a person interrupted it; it can be resumed
    Interrupted,
}

/// One score over the honest nodes. `worst` is the least for accuracies, the greatest for losses.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Score {
    /// arithmetic mean over honest nodes
    #[serde(with = "real")]
    pub mean: f64,
    /// the worst honest node
    #[serde(with = "real")]
    pub worst: f64,
    /// the best honest node
    #[serde(with = "real")]
    pub best: f64,
    /// standard deviation over honest nodes, divisor n
    #[serde(with = "real")]
    pub deviation: f64,
}

/// Whether less of this score is better, which shows in its name.
pub fn less_is_better(name: &str) -> bool {
    ["loss", "error", "distance", "excess", "regret"].iter().any(|word| name.ends_with(word))
}

impl Score {
    /// Summarises one score over nodes. A value that is not a number makes all four not a number:
    /// no node's failure hides behind the others. So does an empty slice.
    pub fn over(name: &str, values: &[f64]) -> Self {
        if values.is_empty() || values.iter().any(|value| value.is_nan()) {
            return Self { mean: f64::NAN, worst: f64::NAN, best: f64::NAN, deviation: f64::NAN };
        }
        let count = values.len() as f64;
        let mean = values.iter().sum::<f64>() / count;
        let deviation = (values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / count).sqrt();
        let least = values.iter().copied().fold(f64::INFINITY, f64::min);
        let greatest = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let (worst, best) =
            if less_is_better(name) { (greatest, least) } else { (least, greatest) };
        Self { mean, worst, best, deviation }
    }
}

/// What became of one honest node.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NodeSummary {
    /// its index
    pub node: u16,
    /// rounds done
    pub rounds: u32,
    /// scores of its last evaluation
    #[serde(with = "real::map")]
    pub scores: BTreeMap<String, f64>,
    /// how often each sender (by index, `n` entries or `n + 1` with a hub) was among what it
    /// collected
    pub heard: Vec<u64>,
    /// why it failed, if it did
    pub failed: Option<String>,
}

/// What went over the (simulated) wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Traffic {
    /// messages sent by honest nodes
    pub messages: u64,
    /// their bytes
    pub bytes: u64,
    /// messages lost by the network and sent again
    pub lost: u64,
    /// messages sent by Byzantine nodes
    pub byzantine_messages: u64,
    /// messages that proved their sender faulty
    pub rejected: u64,
    /// messages dropped without blame (late, too early, duplicate)
    pub discarded: u64,
}

/// `summary.json`: a function of experiment, seed and commit, nothing else.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// [`FORMAT`]
    pub format: u32,
    /// name of the experiment: its file's stem
    pub experiment: String,
    /// name of the arm, or of the point of a sweep
    pub arm: String,
    /// seed of this run
    pub seed: u64,
    /// how it ended
    pub status: Status,
    /// why, when it did not finish
    pub reason: Option<String>,
    /// rounds that every honest node has done
    pub rounds_done: u32,
    /// rounds asked for
    pub rounds: u32,
    /// nodes
    pub n: usize,
    /// tolerated Byzantine nodes
    pub f: usize,
    /// Byzantine nodes that attack
    pub byzantine: usize,
    /// names: task, algorithm, rule, mixing, attack, exchange
    pub names: BTreeMap<String, String>,
    /// last scores over honest nodes
    pub scores: BTreeMap<String, Score>,
    /// each honest node
    pub nodes: Vec<NodeSummary>,
    /// what was sent
    pub traffic: Traffic,
    /// virtual seconds until the last node was done
    #[serde(with = "real")]
    pub virtual_seconds: f64,
    /// bytes that one honest node holds, by purpose
    pub node_memory_bytes: BTreeMap<String, u64>,
}

/// `environment.json`: where it ran; may differ between equal runs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Environment {
    /// version of Phalanx
    pub version: String,
    /// commit it was built from, where known
    pub commit: Option<String>,
    /// compiler
    pub toolchain: String,
    /// operating system and architecture
    pub platform: String,
    /// threads used
    pub threads: usize,
    /// wall-clock seconds, over all resumes
    pub wall_seconds: f64,
    /// processor seconds of all threads, over all resumes; 0 where the system does not tell
    #[serde(default)]
    pub cpu_seconds: f64,
    /// how to run it again
    pub command: String,
}

/// Reads a JSON file of this format.
///
/// # Errors
/// [`FolderError`] names the file, and the line where its syntax breaks.
pub fn read_json<T: for<'de> Deserialize<'de>>(path: &Path) -> Result<T, FolderError> {
    /// What every version has in common.
    #[derive(Deserialize)]
    struct Versioned {
        format: Option<serde_json::Value>,
    }
    let text = read_text(path)?;
    let head: Versioned = serde_json::from_str(&text).map_err(|error| syntax(path, 0, &error))?;
    match head.format.as_ref().and_then(serde_json::Value::as_u64) {
        Some(found) if found != u64::from(FORMAT) => {
            Err(FolderError::Format { path: path.into(), found })
        }
        _ => serde_json::from_str(&text).map_err(|error| syntax(path, 0, &error)),
    }
}

/// Reads a whole small text file.
pub(crate) fn read_text(path: &Path) -> Result<String, FolderError> {
    std::fs::read_to_string(path).map_err(|source| io(path, source))
}

/// The error for a file that the operating system refuses.
pub(crate) fn io(path: &Path, source: std::io::Error) -> FolderError {
    FolderError::Io { path: path.into(), source }
}

/// The error for JSON that breaks `above` lines further down than the parser thinks.
pub(crate) fn syntax(path: &Path, above: usize, error: &serde_json::Error) -> FolderError {
    let place = format!(" at line {} column {}", error.line(), error.column());
    FolderError::Syntax {
        path: path.into(),
        line: above + error.line(),
        reason: error.to_string().replace(&place, ""),
    }
}
