//! Frames: a version, a kind, and one message, read within limits that no sender can stretch.
//!
//! Whole numbers and floats are little-endian; a vector is its length in 32 bits and its raw
//! `f32` entries, finite ones only. A frame holds one message and nothing behind it. How long a
//! frame is, the transport must say.
use phalanx_robust::Vector;

use crate::direct::DirectMessage;
use crate::machine::{Malformed, Message, Reader, Writer};
use crate::signed_echo_message::SignedEchoMessage;

/// The first byte of every frame.
pub const VERSION: u8 = 1;

/// A message that has a kind, which is the second byte of its frames.
pub trait Framed: Message {
    /// No two kinds of message share one; a protocol above another one has both in its byte.
    const KIND: u8;
}

impl Framed for DirectMessage {
    const KIND: u8 = 0x01;
}

impl Framed for SignedEchoMessage {
    const KIND: u8 = 0x03;
}

/// What a frame may hold at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// n: no list of nodes is longer
    pub nodes: usize,
    /// d: every vector has exactly this length
    pub dim: usize,
    /// no frame is longer
    pub bytes_max: usize,
}

/// Why bytes are not the frame that was expected; only a faulty peer sends such.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum WireError {
    /// More bytes than a frame may have.
    #[error("the frame has `{found}` bytes: at most `{max}` are allowed")]
    TooLong {
        /// bytes of the frame
        found: usize,
        /// the limit
        max: usize,
    },
    /// Another version of the format.
    #[error("the frame has version `{found}`: only `{VERSION}` is known")]
    Version {
        /// its first byte
        found: u8,
    },
    /// Another kind of message than is spoken here.
    #[error("the frame holds a message of kind `{found:#04x}`, not `{expected:#04x}`")]
    Kind {
        /// its second byte
        found: u8,
        /// the kind that was asked for
        expected: u8,
    },
    /// It ends too early.
    #[error("the frame ends at byte `{end}`, but `{needed}` more were promised there")]
    Truncated {
        /// bytes of the frame
        end: usize,
        /// bytes that are missing
        needed: usize,
    },
    /// A vector of another model.
    #[error("the frame holds a vector of length `{found}`, not `{expected}`")]
    VectorLength {
        /// what it says
        found: usize,
        /// d
        expected: usize,
    },
    /// A vector that no honest node shares.
    #[error("entry `{index}` of the vector is not finite")]
    NotFinite {
        /// its first such entry
        index: usize,
    },
    /// Something is wrong with the message itself.
    #[error("the message is malformed: {what}")]
    Malformed {
        /// what
        what: Malformed,
    },
    /// Bytes behind the message.
    #[error("`{count}` bytes follow the message")]
    Trailing {
        /// how many
        count: usize,
    },
}

/// The frame of a message.
///
/// # Panics
/// When a vector has 2³² entries or more.
pub fn encode<M: Framed>(message: &M) -> Vec<u8> {
    let mut out = WireWriter { bytes: Vec::with_capacity(frame_bytes(message) as usize) };
    out.u8(VERSION);
    out.u8(M::KIND);
    message.write(&mut out);
    out.bytes
}

/// The message of a frame.
///
/// # Guarantee
/// Whatever the bytes are, this returns; it takes no more memory than a few times the frame's
/// own, and never more than the limits allow.
///
/// # Errors
/// [`WireError`] says what is wrong with the frame.
pub fn decode<M: Framed>(frame: &[u8], limits: &Limits) -> Result<M, WireError> {
    if frame.len() > limits.bytes_max {
        return Err(WireError::TooLong { found: frame.len(), max: limits.bytes_max });
    }
    let mut input = WireReader { frame, at: 0, limits };
    match input.u8()? {
        VERSION => {}
        found => return Err(WireError::Version { found }),
    }
    match input.u8()? {
        kind if kind == M::KIND => {}
        found => return Err(WireError::Kind { found, expected: M::KIND }),
    }
    let message = M::read(&mut input)?;
    match frame.len() - input.at {
        0 => Ok(message),
        count => Err(WireError::Trailing { count }),
    }
}

/// Bytes of the frame of a message, without making it.
pub fn frame_bytes<M: Framed>(message: &M) -> u64 {
    2 + message.bytes()
}

/// Writes the inside of a frame.
#[derive(Debug)]
struct WireWriter {
    bytes: Vec<u8>,
}

impl Writer for WireWriter {
    fn u8(&mut self, value: u8) {
        self.bytes.push(value);
    }
    fn u16(&mut self, value: u16) {
        self.bytes.extend_from_slice(&value.to_le_bytes());
    }
    fn u64(&mut self, value: u64) {
        self.bytes.extend_from_slice(&value.to_le_bytes());
    }
    fn array(&mut self, value: &[u8]) {
        self.bytes.extend_from_slice(value);
    }
    fn vector(&mut self, value: &Vector) {
        let length = u32::try_from(value.len()).expect("a model has fewer than 2^32 parameters");
        self.bytes.extend_from_slice(&length.to_le_bytes());
        self.bytes.extend(value.iter().flat_map(|entry| entry.to_le_bytes()));
    }
}

/// Reads the inside of a frame.
#[derive(Debug)]
struct WireReader<'a> {
    frame: &'a [u8],
    at: usize,
    limits: &'a Limits,
}

impl<'a> WireReader<'a> {
    fn take(&mut self, count: usize) -> Result<&'a [u8], WireError> {
        let rest = &self.frame[self.at..];
        let Some((taken, _)) = rest.split_at_checked(count) else {
            return Err(WireError::Truncated { end: self.frame.len(), needed: count - rest.len() });
        };
        self.at += count;
        Ok(taken)
    }
}

impl Reader for WireReader<'_> {
    type Error = WireError;

    fn u8(&mut self) -> Result<u8, WireError> {
        self.array().map(u8::from_le_bytes)
    }
    fn u16(&mut self) -> Result<u16, WireError> {
        self.array().map(u16::from_le_bytes)
    }
    fn u64(&mut self) -> Result<u64, WireError> {
        self.array().map(u64::from_le_bytes)
    }
    fn array<const N: usize>(&mut self) -> Result<[u8; N], WireError> {
        let taken = self.take(N)?;
        Ok(taken.try_into().expect("as many bytes were taken"))
    }
    fn vector(&mut self) -> Result<Vector, WireError> {
        let (found, expected) = (u32::from_le_bytes(self.array()?) as usize, self.limits.dim);
        if found != expected {
            return Err(WireError::VectorLength { found, expected });
        }
        let entries = self.take(expected.saturating_mul(4))?.as_chunks::<4>().0;
        let entries = entries.iter().map(|entry| f32::from_le_bytes(*entry)).collect();
        let vector = Vector::new(entries);
        if vector.is_finite() {
            return Ok(vector);
        }
        let index = vector.iter().position(|entry| !entry.is_finite());
        Err(WireError::NotFinite { index: index.expect("some entry is not finite") })
    }
    fn nodes_max(&self) -> usize {
        self.limits.nodes
    }
    fn malformed(&self, what: Malformed) -> WireError {
        WireError::Malformed { what }
    }
}
