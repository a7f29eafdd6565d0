//! Snapshots: what lives between two steps, written and read in one order.
//!
//! A value that the next step depends on must be saved, or a resumed run differs from an
//! uninterrupted one; the conformance tests of resume find what was forgotten.
use std::collections::BTreeMap;

use crate::vectors::Vector;

/// Why a snapshot cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum StateError {
    /// It ends too early.
    #[error("the snapshot is truncated at byte `{at}`")]
    Truncated {
        /// where the next value should have begun
        at: usize,
    },
    /// It belongs to something else.
    #[error("the snapshot does not fit: {what}")]
    Mismatch {
        /// what differs
        what: &'static str,
    },
}

/// Appends values; a [`Vector`] that many hold is written once.
#[derive(Debug, Default)]
pub struct StateWriter {
    bytes: Vec<u8>,
    shared: BTreeMap<usize, u64>,
    // Keeps every shared vector alive, so that an address cannot be reused while writing.
    held: Vec<Vector>,
}

impl StateWriter {
    /// The finished snapshot.
    pub fn finish(self) -> Vec<u8> {
        self.bytes
    }
    /// Appends a whole number.
    pub fn u64(&mut self, value: u64) {
        self.bytes.extend_from_slice(&value.to_le_bytes());
    }
    /// Appends a number, bit for bit.
    pub fn f64(&mut self, value: f64) {
        self.u64(value.to_bits());
    }
    /// Appends a flag.
    pub fn flag(&mut self, value: bool) {
        self.u64(u64::from(value));
    }
    /// Appends length and bytes.
    pub fn bytes(&mut self, value: &[u8]) {
        self.u64(value.len() as u64);
        self.bytes.extend_from_slice(value);
    }
    /// Appends length and entries, bit for bit.
    pub fn f32s(&mut self, values: &[f32]) {
        self.u64(values.len() as u64);
        self.bytes.extend(values.iter().flat_map(|value| value.to_le_bytes()));
    }
    /// Appends length and entries, bit for bit.
    pub fn f64s(&mut self, values: &[f64]) {
        self.u64(values.len() as u64);
        self.bytes.extend(values.iter().flat_map(|value| value.to_le_bytes()));
    }
    /// Appends a shared vector, or a reference to where it was written before.
    pub fn vector(&mut self, vector: &Vector) {
        let next = self.shared.len() as u64;
        match self.shared.get(&vector.address()) {
            Some(index) => self.u64(*index),
            None => {
                self.shared.insert(vector.address(), next);
                self.held.push(vector.clone());
                self.u64(next);
                self.f32s(vector);
            }
        }
    }
}

/// Reads what a [`StateWriter`] wrote.
#[derive(Debug)]
pub struct StateReader<'a> {
    bytes: &'a [u8],
    at: usize,
    shared: Vec<Vector>,
}

impl<'a> StateReader<'a> {
    /// Starts at the beginning.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0, shared: Vec::new() }
    }

    fn take(&mut self, count: usize) -> Result<&'a [u8], StateError> {
        let rest = &self.bytes[self.at..];
        let (taken, _) =
            rest.split_at_checked(count).ok_or(StateError::Truncated { at: self.at })?;
        self.at += count;
        Ok(taken)
    }

    fn length(&mut self, size: usize) -> Result<usize, StateError> {
        let count = usize::try_from(self.u64()?).unwrap_or(usize::MAX);
        count.checked_mul(size).ok_or(StateError::Truncated { at: self.at })
    }

    /// # Errors
    /// When the snapshot ends; likewise below.
    pub fn u64(&mut self) -> Result<u64, StateError> {
        let bytes = self.take(8)?;
        Ok(u64::from_le_bytes(bytes.try_into().expect("eight bytes were taken")))
    }
    /// A number, bit for bit.
    pub fn f64(&mut self) -> Result<f64, StateError> {
        Ok(f64::from_bits(self.u64()?))
    }
    /// A flag.
    pub fn flag(&mut self) -> Result<bool, StateError> {
        Ok(self.u64()? != 0)
    }
    /// A whole number that counts things.
    pub fn usize(&mut self) -> Result<usize, StateError> {
        usize::try_from(self.u64()?).map_err(|_| StateError::Mismatch { what: "a count" })
    }
    /// Length and bytes.
    pub fn bytes(&mut self) -> Result<&'a [u8], StateError> {
        let length = self.length(1)?;
        self.take(length)
    }
    /// Length and entries.
    pub fn f32s(&mut self) -> Result<Vec<f32>, StateError> {
        let length = self.length(4)?;
        let entries = self.take(length)?.as_chunks::<4>().0;
        Ok(entries.iter().map(|entry| f32::from_le_bytes(*entry)).collect())
    }
    /// Length and entries.
    pub fn f64s(&mut self) -> Result<Vec<f64>, StateError> {
        let length = self.length(8)?;
        let entries = self.take(length)?.as_chunks::<8>().0;
        Ok(entries.iter().map(|entry| f64::from_le_bytes(*entry)).collect())
    }
    /// Entries into a buffer of known length.
    pub fn f32s_into(&mut self, out: &mut [f32]) -> Result<(), StateError> {
        let values = self.f32s()?;
        if values.len() != out.len() {
            return Err(StateError::Mismatch { what: "a vector's length" });
        }
        out.copy_from_slice(&values);
        Ok(())
    }
    /// A shared vector.
    pub fn vector(&mut self) -> Result<Vector, StateError> {
        let index = self.usize()?;
        if index == self.shared.len() {
            let vector = Vector::new(self.f32s()?);
            self.shared.push(vector);
        }
        self.shared.get(index).cloned().ok_or(StateError::Mismatch { what: "a shared vector" })
    }
    /// Whether everything was read.
    pub fn is_at_end(&self) -> bool {
        self.at == self.bytes.len()
    }
}
