//! Tables as files of Apache Parquet, and columns of such files that others wrote.
//!
//! The format is the crate `parquet`'s; this module says which part of it is written and read.
mod read;
mod write;

pub use read::{ParquetError, ParquetFile};
pub(crate) use write::file;
