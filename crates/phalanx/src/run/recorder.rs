//! Events as they happen: one JSON line each, and the counters that they add up to.
use std::fs::File;
use std::io::{self, Seek as _, SeekFrom, Write as _};

use phalanx_learn::{Event, Sink};
use phalanx_protocol::{NodeId, Time};
use phalanx_report::Line;

use crate::run::tally::Tally;

/// Bytes that are gathered before they are written.
const BUFFER_BYTES: usize = 1 << 16;

/// Writes `record.jsonl`. After a failure it takes no more events, and what was written before
/// remains a whole number of lines.
#[derive(Debug)]
pub struct Recorder {
    file: File,
    buffer: Vec<u8>,
    written: u64,
    failure: Option<io::Error>,
    /// what the events add up to
    pub tally: Tally,
}

impl Recorder {
    /// Goes on at `offset`; what the file holds beyond is dropped.
    ///
    /// # Errors
    /// When the file is shorter, or cannot be written.
    pub fn at(mut file: File, offset: u64, tally: Tally) -> io::Result<Self> {
        if file.metadata()?.len() < offset {
            let message = "it is shorter than the checkpoint says";
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, message));
        }
        file.set_len(offset)?;
        file.seek(SeekFrom::Start(offset))?;
        let buffer = Vec::with_capacity(BUFFER_BYTES + BUFFER_BYTES / 8);
        Ok(Self { file, buffer, written: offset, failure: None, tally })
    }

    /// Whether a write has failed.
    pub fn has_failed(&self) -> bool {
        self.failure.is_some()
    }

    /// Writes what was gathered and says how many bytes the record has.
    ///
    /// # Errors
    /// The first failure to write.
    pub fn flush(&mut self) -> io::Result<u64> {
        self.write_out();
        self.failure.take().map_or(Ok(self.written), Err)
    }

    /// Also waits until the device has it.
    ///
    /// # Errors
    /// The first failure to write.
    pub fn sync(&mut self) -> io::Result<u64> {
        let written = self.flush()?;
        self.file.sync_data()?;
        Ok(written)
    }

    fn write_out(&mut self) {
        if self.failure.is_some() || self.buffer.is_empty() {
            return;
        }
        match self.file.write_all(&self.buffer) {
            Ok(()) => self.written += self.buffer.len() as u64,
            Err(error) => {
                self.cut_to_whole_lines();
                self.failure = Some(error);
            }
        }
        self.buffer.clear();
    }

    // A full disk takes part of a buffer; the torn line at its end is given up.
    fn cut_to_whole_lines(&mut self) {
        let length = self.file.metadata().map_or(self.written, |metadata| metadata.len());
        let taken = length.saturating_sub(self.written) as usize;
        let taken = &self.buffer[..taken.min(self.buffer.len())];
        let whole = taken.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        self.written += whole as u64;
        // Should that fail too, a reader still finds every line but the last.
        let _ = self.file.set_len(self.written);
    }
}

impl Sink for Recorder {
    fn record(&mut self, at: Time, node: NodeId, event: &Event) {
        if self.failure.is_some() {
            return;
        }
        self.tally.note(node, event);
        let Some(line) = Line::of(at.0, node.0, event) else { return };
        match serde_json::to_writer(&mut self.buffer, &line) {
            Ok(()) => self.buffer.push(b'\n'),
            Err(error) => self.failure = Some(error.into()),
        }
        if self.buffer.len() >= BUFFER_BYTES {
            self.write_out();
        }
    }
}
