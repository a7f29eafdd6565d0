//! Why a data set cannot be used.
use std::path::PathBuf;

/// A data set that is absent or damaged; every case names the file and what was expected.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DatasetError {
    /// Files are absent.
    #[error(
        "data set `{dataset}` is incomplete: no `{file}` in {}\nhint: {hint}",
        searched.iter().map(|folder| folder.display().to_string()).collect::<Vec<_>>().join(", ")
    )]
    Missing {
        /// name of the data set
        dataset: &'static str,
        /// first file that was not found
        file: &'static str,
        /// folders that were searched
        searched: Vec<PathBuf>,
        /// how to get it
        hint: &'static str,
    },
    /// No data set has that name.
    #[error("there is no data set `{name}`; known are {known}")]
    Unknown {
        /// what was asked for
        name: String,
        /// every name, with commas
        known: String,
    },
    /// The operating system refused.
    #[error("cannot read: {reason}: {}", file.display())]
    Read {
        /// the file
        file: PathBuf,
        /// what the system said
        reason: String,
    },
    /// A file of an impossible size, or a header that promises one.
    #[error("`{promised}` bytes of data, but at most `{limit}` are possible: {}", file.display())]
    Oversized {
        /// the file
        file: PathBuf,
        /// size that the file or its header promises
        promised: u128,
        /// what it can hold at most
        limit: u64,
    },
    /// The file ends before its header says.
    #[error("truncated: `{expected}` bytes expected, `{found}` found: {}", file.display())]
    Truncated {
        /// the file
        file: PathBuf,
        /// bytes expected, header included, after decompression
        expected: u64,
        /// bytes found
        found: u64,
    },
    /// The file goes on after its header says it ends.
    #[error("bytes follow after offset `{expected}`, the end of the data: {}", file.display())]
    Trailing {
        /// the file
        file: PathBuf,
        /// bytes expected, header included, after decompression
        expected: u64,
    },
    /// A file of another kind.
    #[error("starts with `{found:02x?}`, expected `{expected:02x?}`: {}", file.display())]
    Magic {
        /// the file
        file: PathBuf,
        /// its first bytes
        found: [u8; 4],
        /// the IDX magic
        expected: [u8; 4],
    },
    /// The gzip stream is damaged.
    #[error("damaged gzip stream after `{at}` unpacked bytes: {reason}: {}", file.display())]
    Gzip {
        /// the file
        file: PathBuf,
        /// unpacked bytes before the damage
        at: u64,
        /// what the decoder said
        reason: String,
    },
    /// A label outside the classes.
    #[error("label `{label}` at offset `{at}`, expected 0 to {}: {}", classes - 1, file.display())]
    Label {
        /// the file
        file: PathBuf,
        /// offset of the label, after decompression
        at: u64,
        /// the label
        label: u8,
        /// number of classes
        classes: usize,
    },
    /// Dimensions other than the data set has.
    #[error("{what} is `{found}`, expected {expected}: {}", file.display())]
    Shape {
        /// the file
        file: PathBuf,
        /// which dimension
        what: &'static str,
        /// what the file says
        found: usize,
        /// what the data set has
        expected: String,
    },
}
