//! CIFAR-10 in its binary version: records of one label byte and 3 × 32 × 32 pixels.
use std::path::Path;

use crate::dataset::{DatasetError, Shape, check_labels};

/// Bytes of one record.
pub const RECORD: usize = 1 + Shape::CIFAR.len();
/// Number of classes.
pub const CLASSES: usize = 10;

/// Appends the samples of one file; `file` only names it in errors.
///
/// # Errors
/// When the bytes are no whole records, there are none, or a label is out of range.
pub fn parse(
    file: &Path,
    bytes: &[u8],
    images: &mut Vec<u8>,
    labels: &mut Vec<u8>,
) -> Result<(), DatasetError> {
    let (records, rest) = bytes.as_chunks::<RECORD>();
    if records.is_empty() || !rest.is_empty() {
        let expected = (records.len() + 1) as u64 * RECORD as u64;
        let found = bytes.len() as u64;
        return Err(DatasetError::Truncated { file: file.into(), expected, found });
    }
    let first = labels.len();
    labels.extend(records.iter().map(|record| record[0]));
    check_labels(file, &labels[first..], CLASSES, |index| (index * RECORD) as u64)?;
    images.reserve_exact(records.len() * Shape::CIFAR.len());
    images.extend(records.iter().flat_map(|record| &record[1..]));
    Ok(())
}
