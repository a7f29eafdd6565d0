//! Bytes of known number, read front to back: never past their end, never all at once.
use std::io::{Read, Seek, SeekFrom};

use crate::matrix_file::Conversion;
use crate::problem::Problem;

/// Bytes that are converted at a time.
const CHUNK: usize = 1 << 20;

/// Types of numbers that files hold, little-endian.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Width {
    /// four bytes
    F32,
    /// eight bytes
    F64,
}

impl Width {
    /// Bytes of one number.
    pub fn bytes(self) -> usize {
        match self {
            Self::F32 => 4,
            Self::F64 => 8,
        }
    }
}

/// A file, or bytes in memory, with its position.
#[derive(Debug)]
pub struct Source<'a, R> {
    name: &'a str,
    read: R,
    at: u64,
    len: u64,
    chunk: Vec<u8>,
}

impl<'a, R: Read + Seek> Source<'a, R> {
    /// `read` is at its beginning and holds `len` bytes; `name` only names it in problems.
    pub fn new(name: &'a str, read: R, len: u64) -> Self {
        Self { name, read, at: 0, len, chunk: Vec::new() }
    }

    /// Position of the next byte.
    pub fn at(&self) -> u64 {
        self.at
    }

    /// Bytes that follow.
    pub fn left(&self) -> u64 {
        self.len - self.at
    }

    /// A problem at byte `at`.
    pub fn problem(&self, at: u64, message: impl Into<String>) -> Problem {
        Problem::new(message).at(format!("{}, byte {at}", self.name))
    }

    /// Says where `problem` is: at byte `at`.
    pub fn locate(&self, at: u64, problem: Problem) -> Problem {
        problem.at(format!("{}, byte {at}", self.name))
    }

    /// The next `count` bytes, which are `what`.
    ///
    /// # Errors
    /// When fewer follow; nothing is allocated then.
    pub fn take(&mut self, count: u64, what: &str) -> Result<Vec<u8>, Problem> {
        if count > self.left() {
            let (at, left) = (self.at, self.left());
            let message = format!("{what}: `{count}` bytes expected, `{left}` found");
            return Err(self.problem(at, message).hint("the file is truncated or damaged"));
        }
        let mut bytes = vec![0; count as usize];
        self.exact(&mut bytes)?;
        Ok(bytes)
    }

    /// Moves to a byte of the file.
    ///
    /// # Errors
    /// When the system cannot.
    pub fn go_to(&mut self, at: u64) -> Result<(), Problem> {
        if at != self.at {
            self.read.seek(SeekFrom::Start(at)).map_err(|error| self.refused(&error))?;
            self.at = at;
        }
        Ok(())
    }

    /// Fills `out` with the numbers that follow.
    ///
    /// # Errors
    /// When the file ends before.
    pub fn numbers(
        &mut self,
        width: Width,
        out: &mut [f32],
        conversion: &mut Conversion,
    ) -> Result<(), Problem> {
        let mut chunk = std::mem::take(&mut self.chunk);
        chunk.resize(CHUNK.min(out.len() * width.bytes()).max(chunk.len()), 0);
        for out in out.chunks_mut(CHUNK / width.bytes()) {
            let bytes = &mut chunk[..out.len() * width.bytes()];
            self.exact(bytes)?;
            match width {
                Width::F32 => convert(bytes, out, f32::from_le_bytes),
                Width::F64 => {
                    convert(bytes, out, |bytes| narrow(f64::from_le_bytes(bytes), conversion));
                    conversion.is_rounded = true;
                }
            }
        }
        self.chunk = chunk;
        Ok(())
    }

    fn exact(&mut self, bytes: &mut [u8]) -> Result<(), Problem> {
        self.read.read_exact(bytes).map_err(|error| self.refused(&error))?;
        self.at += bytes.len() as u64;
        Ok(())
    }

    fn refused(&self, error: &std::io::Error) -> Problem {
        let reason = match error.kind() {
            std::io::ErrorKind::UnexpectedEof => "it became shorter meanwhile".into(),
            _ => crate::problem::reason(error),
        };
        self.problem(self.at, format!("cannot read: {reason}"))
    }
}

fn convert<const N: usize>(bytes: &[u8], out: &mut [f32], mut from: impl FnMut([u8; N]) -> f32) {
    let (words, _) = bytes.as_chunks::<N>();
    words.iter().zip(out).for_each(|(word, out)| *out = from(*word));
}

/// Rounds to the nearest `f32`.
fn narrow(value: f64, conversion: &mut Conversion) -> f32 {
    let narrow = value as f32;
    conversion.overflowed += u64::from(narrow.is_infinite() && value.is_finite());
    narrow
}
