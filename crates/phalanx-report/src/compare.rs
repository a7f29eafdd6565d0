//! Whether two runs are the same to the last bit, and if not, where they part.
use std::collections::BTreeSet;
use std::fmt;
use std::fs::File;
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::folder::{CHECKPOINT, FolderError, RECORD, SUMMARY, Summary, io, read_json};
use crate::read::run_folders;
use crate::record::Lines;

/// Characters of a value that are shown.
const SHOWN: usize = 160;

/// The outcome of [`compare`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Comparison {
    /// no difference
    Equal {
        /// pairs of run folders
        runs: u64,
        /// lines of their records
        lines: u64,
    },
    /// the first difference
    Different {
        /// where, on the left: a file, or a folder that only one side has
        file: PathBuf,
        /// which line of the record, from 1; zero elsewhere
        line: u64,
        /// which value
        what: String,
        /// its value on the left; `None` where there is none
        left: Option<String>,
        /// its value on the right
        right: Option<String>,
    },
}

impl Comparison {
    /// Whether there is no difference.
    pub fn is_equal(&self) -> bool {
        matches!(self, Self::Equal { .. })
    }
}

impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Equal { runs, lines } => {
                let plural = if *runs == 1 { "" } else { "s" };
                write!(f, "equal: {runs} run{plural}, {lines} lines of record")
            }
            Self::Different { file, line, what, left, right } => {
                write!(f, "different: {what}")?;
                if *line > 0 {
                    write!(f, ", line {line}")?;
                }
                let show = |side: &Option<String>| match side {
                    Some(value) => shorten(value),
                    None => "(absent)".into(),
                };
                write!(f, ": {}\n  left:  {}\n  right: {}", file.display(), show(left), show(right))
            }
        }
    }
}

fn shorten(text: &str) -> String {
    let clean = |c: char| if c.is_control() { '\u{fffd}' } else { c };
    let mut short: String = text.chars().take(SHOWN).map(clean).collect();
    if text.chars().nth(SHOWN).is_some() {
        short.push('…');
    }
    short
}

/// Compares two run folders, or two experiment folders run by run: records line by line, summaries
/// value by value, checkpoints where both have one. Environments may differ.
///
/// # Errors
/// A folder is absent or unreadable, or only one of the two is a run folder.
pub fn compare(a: &Path, b: &Path) -> Result<Comparison, FolderError> {
    let is_run = |path: &Path| path.join(SUMMARY).is_file();
    if !is_run(a) && !is_run(b) {
        return compare_experiments(a, b);
    }
    let (left, right) = (run_folders(a)?, run_folders(b)?);
    if is_run(a) != is_run(b) {
        return Err(FolderError::Unlike {
            left: a.into(),
            right: b.into(),
            reason: "a run folder and an experiment folder".into(),
        });
    }
    debug_assert!(left.len() == 1 && right.len() == 1, "each is one run folder");
    compare_runs(a, b)
}

fn compare_experiments(a: &Path, b: &Path) -> Result<Comparison, FolderError> {
    let names = |path: &Path| -> Result<BTreeSet<PathBuf>, FolderError> {
        let folders = run_folders(path)?;
        Ok(folders.iter().filter_map(|folder| folder.file_name()).map(PathBuf::from).collect())
    };
    let (left, right) = (names(a)?, names(b)?);
    let (mut runs, mut lines) = (0, 0);
    for name in left.union(&right) {
        let side = |names: &BTreeSet<PathBuf>| {
            names.contains(name).then(|| name.to_string_lossy().into_owned())
        };
        if !left.contains(name) || !right.contains(name) {
            return Ok(Comparison::Different {
                file: a.join(name),
                line: 0,
                what: "run folder".into(),
                left: side(&left),
                right: side(&right),
            });
        }
        match compare_runs(&a.join(name), &b.join(name))? {
            Comparison::Equal { lines: more, .. } => {
                runs += 1;
                lines += more;
            }
            different @ Comparison::Different { .. } => return Ok(different),
        }
    }
    Ok(Comparison::Equal { runs, lines })
}

fn compare_runs(a: &Path, b: &Path) -> Result<Comparison, FolderError> {
    // Both must be runs of this format before their files are taken for records.
    let _: (Summary, Summary) = (read_json(&a.join(SUMMARY))?, read_json(&b.join(SUMMARY))?);
    let lines = match compare_records(&a.join(RECORD), &b.join(RECORD))? {
        Ok(lines) => lines,
        Err(different) => return Ok(different),
    };
    let (left, right): (Value, Value) =
        (read_json(&a.join(SUMMARY))?, read_json(&b.join(SUMMARY))?);
    if let Some((what, left, right)) = first_difference("", &left, &right) {
        return Ok(Comparison::Different { file: a.join(SUMMARY), line: 0, what, left, right });
    }
    let checkpoints = [a.join(CHECKPOINT), b.join(CHECKPOINT)];
    if checkpoints.iter().all(|path| path.is_file())
        && let Some(different) = compare_bytes(&checkpoints[0], &checkpoints[1])?
    {
        return Ok(different);
    }
    Ok(Comparison::Equal { runs: 1, lines })
}

/// The number of lines, or the first difference.
fn compare_records(a: &Path, b: &Path) -> Result<Result<u64, Comparison>, FolderError> {
    let (mut left, mut right) = (Lines::open(a)?, Lines::open(b)?);
    let mut lines = 0;
    loop {
        let (one, other) = (left.next()?, right.next()?);
        let (one, other) = match (one, other) {
            (None, None) => return Ok(Ok(lines)),
            (one, other) => (one, other),
        };
        lines += 1;
        if let (Some(one), Some(other)) = (&one, &other) {
            if one.bytes == other.bytes && one.complete == other.complete {
                continue;
            }
            if let Some(found) = line_difference(a, lines, one.bytes, other.bytes) {
                return Ok(Err(found));
            }
        }
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let same = matches!((&one, &other), (Some(one), Some(other)) if one.bytes == other.bytes);
        return Ok(Err(Comparison::Different {
            file: a.into(),
            line: lines,
            what: if same { "line feed at the end" } else { "event" }.into(),
            left: one.map(|line| text(line.bytes)),
            right: other.map(|line| text(line.bytes)),
        }));
    }
}

/// The first value that differs between two lines that are both JSON, with the event it is of.
fn line_difference(file: &Path, line: u64, one: &[u8], other: &[u8]) -> Option<Comparison> {
    let one: Value = serde_json::from_slice(one).ok()?;
    let other: Value = serde_json::from_slice(other).ok()?;
    let (what, left, right) = first_difference("", &one, &other)?;
    let of = |key: &str| one.get(key).filter(|value| other.get(key) == Some(value));
    let mut context = String::new();
    for key in ["event", "node", "round"] {
        if let Some(value) = of(key) {
            context.push_str(&format!(" {key} {}", bare(value)));
        }
    }
    let what = if context.is_empty() { what } else { format!("{what} of{context}") };
    Some(Comparison::Different { file: file.into(), line, what, left, right })
}

fn bare(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// Path and both sides of the first value that differs, to the last bit.
fn first_difference(
    path: &str,
    left: &Value,
    right: &Value,
) -> Option<(String, Option<String>, Option<String>)> {
    let below = |key: &str| if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") };
    let either = |path: String, left: Option<&Value>, right: Option<&Value>| match (left, right) {
        (Some(left), Some(right)) => first_difference(&path, left, right),
        (left, right) => Some((path, left.map(Value::to_string), right.map(Value::to_string))),
    };
    match (left, right) {
        (Value::Object(left), Value::Object(right)) => {
            let keys: BTreeSet<&String> = left.keys().chain(right.keys()).collect();
            keys.into_iter().find_map(|key| either(below(key), left.get(key), right.get(key)))
        }
        (Value::Array(left), Value::Array(right)) => (0..left.len().max(right.len()))
            .find_map(|place| either(below(&place.to_string()), left.get(place), right.get(place))),
        // As text, because -0.0 equals 0.0 and a run that turns one into the other has changed.
        _ => {
            let (left, right) = (left.to_string(), right.to_string());
            (left != right).then(|| (path.to_owned(), Some(left), Some(right)))
        }
    }
}

fn compare_bytes(a: &Path, b: &Path) -> Result<Option<Comparison>, FolderError> {
    let open = |path: &Path| File::open(path).map_err(|source| io(path, source));
    let mut left = BufReader::new(open(a)?).bytes();
    let mut right = BufReader::new(open(b)?).bytes();
    for place in 1.. {
        let one = left.next().transpose().map_err(|source| io(a, source))?;
        let other = right.next().transpose().map_err(|source| io(b, source))?;
        if one != other {
            let show = |byte: Option<u8>| byte.map(|byte| format!("{byte:#04x}"));
            return Ok(Some(Comparison::Different {
                file: a.into(),
                line: 0,
                what: format!("byte {place} of the checkpoint"),
                left: show(one),
                right: show(other),
            }));
        }
        if one.is_none() {
            break;
        }
    }
    Ok(None)
}
