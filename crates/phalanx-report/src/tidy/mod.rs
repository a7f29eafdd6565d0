//! Tidy tables of a campaign: one row per run, one per evaluation, one per cost; CSV and Parquet.
//!
//! | table | one row per | holds |
//! | --- | --- | --- |
//! | `results` | run | what varies, final scores, traffic |
//! | `curves` | run, score and evaluation | that score over the honest nodes |
//! | `costs` | run | wall-clock and processor time, where it ran |
//!
//! Rows are sorted by experiment, arm, folder and seed. `results` and `curves` are functions of the
//! runs alone: equal runs give equal files, byte for byte. `run` is the name of the run's folder
//! and joins the three.
mod column;
mod tables;

use std::path::{Path, PathBuf};

pub(crate) use column::apart;
pub use column::{Column, Table, Values};
pub use tables::{costs, curves, results};

use crate::folder::{FolderError, io};
use crate::read::LoadedRun;

/// How a tidy table is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// comma-separated values; numbers come back exactly, what is absent is empty
    Csv,
    /// Apache Parquet, uncompressed, with types; what is absent is null
    Parquet,
}

impl Format {
    /// Ending of its file names.
    pub fn ending(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::Parquet => "parquet",
        }
    }
}

/// Writes the three tables into a folder, in each format; returns their paths.
///
/// # Errors
/// A file cannot be written, or an experiment is not TOML.
pub fn write_tables(
    folder: &Path,
    runs: &[LoadedRun],
    formats: &[Format],
) -> Result<Vec<PathBuf>, FolderError> {
    std::fs::create_dir_all(folder).map_err(|source| io(folder, source))?;
    let tables = [("results", results(runs)?), ("curves", curves(runs)), ("costs", costs(runs))];
    let mut paths = Vec::new();
    for (name, table) in &tables {
        for format in formats {
            let path = folder.join(format!("{name}.{}", format.ending()));
            let bytes = match format {
                Format::Csv => table.csv().into_bytes(),
                Format::Parquet => table.parquet(),
            };
            crate::page::write(&path, &bytes)?;
            paths.push(path);
        }
    }
    Ok(paths)
}
