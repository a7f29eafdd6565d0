//! IDX files, the format of MNIST, raw or in gzip: read strictly and within bounds.
use std::io::{ErrorKind, Read};
use std::path::Path;

use flate2::bufread::GzDecoder;

use crate::dataset::DatasetError;

/// No data set that we know of comes near this size in one file.
pub(crate) const BYTES_MAX: u64 = 1 << 31;
/// Deflate cannot pack better than 1032 to 1, so a file's size bounds its content.
const DEFLATE_RATIO_MAX: u64 = 1032;

/// The content of an IDX file of unsigned bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Idx {
    /// length of each dimension, first is the number of samples
    pub dims: Vec<usize>,
    /// values, last dimension fastest
    pub values: Vec<u8>,
}

impl Idx {
    /// Bytes of the header: magic and dimensions.
    pub fn header_len(&self) -> u64 {
        4 + 4 * self.dims.len() as u64
    }
}

/// Reads an IDX file of unsigned bytes with `rank` dimensions; `file` only names it in errors.
///
/// # Cost
/// Memory grows with what the bytes really hold, whatever the header promises.
///
/// # Errors
/// [`DatasetError`] for anything but one complete IDX file and nothing after it.
pub fn parse(file: &Path, bytes: &[u8], rank: u8) -> Result<Idx, DatasetError> {
    let size = bytes.len() as u64;
    if !bytes.starts_with(&[0x1f, 0x8b]) {
        return Source { file, read: bytes, at: 0, limit: BYTES_MAX }.idx(rank);
    }
    let limit = BYTES_MAX.min(size.saturating_mul(DEFLATE_RATIO_MAX));
    let mut source = Source { file, read: GzDecoder::new(bytes), at: 0, limit };
    let idx = source.idx(rank)?;
    if !source.read.into_inner().is_empty() {
        return Err(DatasetError::Trailing { file: file.into(), expected: source.at });
    }
    Ok(idx)
}

struct Source<'a, R> {
    file: &'a Path,
    read: R,
    at: u64,
    limit: u64,
}

impl<R: Read> Source<'_, R> {
    fn idx(&mut self, rank: u8) -> Result<Idx, DatasetError> {
        let expected = [0, 0, 8, rank];
        let header = 4 + 4 * u64::from(rank);
        let found = self.word(header)?;
        if found != expected {
            return Err(DatasetError::Magic { file: self.file.into(), found, expected });
        }
        let mut dims = Vec::with_capacity(rank.into());
        for _ in 0..rank {
            dims.push(u32::from_be_bytes(self.word(header)?));
        }
        let promised = dims
            .iter()
            .try_fold(1u128, |product, dim| product.checked_mul((*dim).into()))
            .unwrap_or(u128::MAX);
        let (file, limit) = (self.file, self.limit);
        let promised = u64::try_from(promised)
            .ok()
            .filter(|promised| *promised <= limit)
            .ok_or_else(|| DatasetError::Oversized { file: file.into(), promised, limit })?;
        let values = self.take(promised, header + promised)?;
        self.end()?;
        Ok(Idx { dims: dims.iter().map(|dim| *dim as usize).collect(), values })
    }

    fn word(&mut self, expected: u64) -> Result<[u8; 4], DatasetError> {
        let word = self.take(4, expected)?;
        Ok(word.try_into().expect("four bytes were taken"))
    }

    /// Reads `count` bytes; the vector grows with the bytes that arrive, not with the promise.
    fn take(&mut self, count: u64, expected: u64) -> Result<Vec<u8>, DatasetError> {
        let mut values = Vec::new();
        let outcome = self.read.by_ref().take(count).read_to_end(&mut values);
        self.at += values.len() as u64;
        match outcome {
            Err(error) if error.kind() != ErrorKind::UnexpectedEof => Err(self.damage(&error)),
            Ok(read) if read as u64 == count => Ok(values),
            _ => {
                let file = self.file.into();
                Err(DatasetError::Truncated { file, expected, found: self.at })
            }
        }
    }

    /// Demands the end; for gzip this is also what checks length and checksum.
    fn end(&mut self) -> Result<(), DatasetError> {
        match self.read.read(&mut [0]) {
            Ok(0) => Ok(()),
            Ok(_) => Err(DatasetError::Trailing { file: self.file.into(), expected: self.at }),
            Err(error) => Err(self.damage(&error)),
        }
    }

    fn damage(&self, error: &std::io::Error) -> DatasetError {
        DatasetError::Gzip { file: self.file.into(), at: self.at, reason: error.to_string() }
    }
}
