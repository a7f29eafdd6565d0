//! Event files that TensorBoard reads: every score and the training loss over rounds.
//!
//! A file is a sequence of records: length (8 bytes), its checksum (4), an event (Protocol
//! Buffers), its checksum (4), all little-endian; checksums are masked CRC-32C. Values are single
//! precision, as TensorBoard's scalars are; the tidy tables hold them in full.
//!
//! # Source
//! TensorFlow: `record_writer`, `event.proto`, `summary.proto`.
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::folder::{FolderError, Line, RECORD, io, syntax};
use crate::read::LoadedRun;
use crate::record::{Lines, Tally};

/// Name of the file in a run's folder; `tfevents` makes it one for TensorBoard, and the zero is
/// the start of virtual time.
const FILE: &str = "events.out.tfevents.0.phalanx";
/// What a checksum is masked with, so that one over a checksum is not trivial.
const MASK: u32 = 0xa282_ead8;

/// Writes one event file per run, at `into/<experiment>/<run>/`; returns their paths.
///
/// Tags are `score/mean` and `score/worst` over honest nodes, and `training-loss/mean` and
/// `training-loss/worst`; steps are rounds. Wall time is *virtual* time: seconds since the start
/// of the run, at which the last node of the round was there. Equal runs give equal files.
///
/// # Errors
/// A record cannot be read again, or a file cannot be written.
pub fn write_events(into: &Path, runs: &[LoadedRun]) -> Result<Vec<PathBuf>, FolderError> {
    let mut paths = Vec::new();
    for run in runs {
        let experiment = into.join(crate::figure::safe(&run.summary.experiment));
        // Copies of a run from two places have the same name.
        let names = (1..).map(|place| match place {
            1 => run.name(),
            _ => format!("{}-{place}", run.name()),
        });
        let is_free = |folder: &PathBuf| !paths.contains(&folder.join(FILE));
        let folder = names.map(|name| experiment.join(name)).find(is_free).unwrap_or(experiment);
        std::fs::create_dir_all(&folder).map_err(|source| io(&folder, source))?;
        let path = folder.join(FILE);
        crate::page::write(&path, events(run)?)?;
        paths.push(path);
    }
    Ok(paths)
}

/// A curve's name and the round, as events are sorted: by round first.
type Place = (u32, String);

/// The bytes of a run's event file.
fn events(run: &LoadedRun) -> Result<Vec<u8>, FolderError> {
    let mut file = Vec::new();
    record(&mut file, &first());
    let times = times(&run.folder.join(RECORD))?;
    for ((round, score), tally) in tallies(run) {
        let value = tally.score(if score == LOSS { "loss" } else { &score });
        let time = times.get(&(round, score.clone())).copied().unwrap_or(0);
        for (part, value) in [("mean", value.mean), ("worst", value.worst)] {
            let tag = format!("{score}/{part}");
            record(&mut file, &event(time, round, (&tag, value as f32)));
        }
    }
    Ok(file)
}

/// What the loss on mini-batches is called beside scores of evaluations.
const LOSS: &str = "training-loss";

fn tallies(run: &LoadedRun) -> BTreeMap<Place, &Tally> {
    let history = &run.history;
    let scores = history.scores.iter().flat_map(|(score, curve)| {
        curve.iter().map(move |(&round, tally)| ((round, score.clone()), tally))
    });
    let losses = history.loss.iter().map(|(&round, tally)| ((round, LOSS.to_owned()), tally));
    scores.chain(losses).collect()
}

/// When the last node was at a point of a curve, in virtual nanoseconds.
fn times(path: &Path) -> Result<BTreeMap<Place, u64>, FolderError> {
    let mut lines = Lines::open(path)?;
    let mut times: BTreeMap<Place, u64> = BTreeMap::new();
    while let Some(raw) = lines.next()? {
        let line: Line = match serde_json::from_slice(raw.bytes) {
            Ok(line) => line,
            // As where curves are read: a record may be cut off in its last line.
            Err(_) if !raw.complete => break,
            Err(error) => return Err(syntax(path, raw.number.saturating_sub(1), &error)),
        };
        let Some(round) = line.round else { continue };
        let mut note = |name: String| {
            let time = times.entry((round, name)).or_default();
            *time = line.t.max(*time);
        };
        match line.event.as_str() {
            "proposed" if line.loss.is_some() => note(LOSS.into()),
            "evaluated" => line.scores.keys().for_each(|name| note(name.clone())),
            _ => {}
        }
    }
    Ok(times)
}

/// The event that opens every file.
fn first() -> Vec<u8> {
    let mut bytes = Vec::new();
    double(&mut bytes, 1, 0.0);
    text(&mut bytes, 3, "brain.Event:2");
    bytes
}

fn event(nanoseconds: u64, round: u32, (tag, value): (&str, f32)) -> Vec<u8> {
    let mut scalar = Vec::new();
    text(&mut scalar, 1, tag);
    key(&mut scalar, 2, FIXED_32);
    scalar.extend(value.to_le_bytes());
    let mut summary = Vec::new();
    block(&mut summary, 1, &scalar);
    let mut bytes = Vec::new();
    double(&mut bytes, 1, nanoseconds as f64 / 1e9);
    key(&mut bytes, 2, VARINT);
    varint(&mut bytes, u64::from(round));
    block(&mut bytes, 5, &summary);
    bytes
}

/// Wire types of Protocol Buffers.
const VARINT: u64 = 0;
const FIXED_64: u64 = 1;
const BLOCK: u64 = 2;
const FIXED_32: u64 = 5;

fn key(bytes: &mut Vec<u8>, field: u64, kind: u64) {
    varint(bytes, field << 3 | kind);
}

fn double(bytes: &mut Vec<u8>, field: u64, value: f64) {
    key(bytes, field, FIXED_64);
    bytes.extend(value.to_le_bytes());
}

fn text(bytes: &mut Vec<u8>, field: u64, value: &str) {
    block(bytes, field, value.as_bytes());
}

fn block(bytes: &mut Vec<u8>, field: u64, value: &[u8]) {
    key(bytes, field, BLOCK);
    varint(bytes, value.len() as u64);
    bytes.extend(value);
}

fn varint(bytes: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        bytes.push(value as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
}

fn record(file: &mut Vec<u8>, event: &[u8]) {
    let length = (event.len() as u64).to_le_bytes();
    file.extend(length);
    file.extend(masked(&length).to_le_bytes());
    file.extend(event);
    file.extend(masked(event).to_le_bytes());
}

fn masked(bytes: &[u8]) -> u32 {
    crc32c::crc32c(bytes).rotate_right(15).wrapping_add(MASK)
}

#[cfg(test)]
mod tests {
    use super::*;

    // The check value of CRC-32C; the masked form turned by 15 bits and moved by the constant.
    #[test]
    fn the_checksum_is_the_standards() {
        assert_eq!(crc32c::crc32c(b"123456789"), 0xe306_9283);
        let back = masked(b"123456789").wrapping_sub(MASK).rotate_left(15);
        assert_eq!(back, 0xe306_9283);
    }

    #[test]
    fn an_event_is_the_protocols() {
        let bytes = event(1_500_000_000, 300, ("a/b", 0.5));
        let mut expected = vec![0x09];
        expected.extend(1.5f64.to_le_bytes());
        expected.extend([0x10, 0xac, 0x02, 0x2a, 0x0c, 0x0a, 0x0a]);
        expected.extend([0x0a, 0x03, b'a', b'/', b'b', 0x15, 0, 0, 0, 0x3f]);
        assert_eq!(bytes, expected);
        let mut file = Vec::new();
        record(&mut file, &bytes);
        assert_eq!(file.len(), 8 + 4 + bytes.len() + 4);
        assert_eq!(file[..8], (bytes.len() as u64).to_le_bytes());
    }
}
