//! Expectations of an experiment as they were judged, kept beside its runs.
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::folder::FolderError;

/// What was judged last, inside an experiment folder.
pub const EXPECTATIONS: &str = "expectations.json";

/// One expectation and what became of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Judgement {
    /// of which arm
    pub arm: String,
    /// what was expected
    pub expected: String,
    /// what was found
    pub found: String,
    /// whether it holds
    pub is_met: bool,
}

/// Writes what was judged into an experiment folder, in place of what was judged before.
///
/// # Errors
/// The file cannot be written.
pub fn write_expectations(folder: &Path, judged: &[Judgement]) -> Result<PathBuf, FolderError> {
    let path = folder.join(EXPECTATIONS);
    let text = serde_json::to_string_pretty(judged).expect("strings and flags are JSON");
    crate::page::write(&path, text + "\n")?;
    Ok(path)
}
