//! Files of vectors: NumPy, safetensors and CSV in, one contiguous matrix of `f32` out, and back.
//!
//! A file is read once, front to back, into one buffer: memory peaks near its size in `f32`,
//! whatever its layout. Mapping it would save that buffer, but a file that shrinks meanwhile would
//! kill the process, and half of the layouts (`f64`, Fortran order, CSV) need it anyway. What a
//! header promises is compared with the length of the file before anything is allocated.
use std::fmt;
use std::fs::File;
use std::io::{BufReader, Read, Seek};
use std::path::Path;

use crate::problem::Problem;

pub mod csv;
pub mod npy;
pub mod safetensors;
mod source;
mod write;

pub use source::Source;
pub use write::{Writer, write};

/// Most rows of a file: rules compare all pairs of them.
pub const ROWS_MAX: u64 = 1 << 14;

/// Vectors from a file.
///
/// # Shape
/// `count × dim`, row-major, `count ≥ 1`, `dim ≥ 1`; entries may be any bit pattern.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Matrix {
    count: usize,
    dim: usize,
    values: Vec<f32>,
    /// names of the rows, where the file has them
    pub names: Option<Vec<String>>,
    /// what became of numbers that are not `f32`
    pub conversion: Conversion,
}

/// What became of numbers that are not `f32`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Conversion {
    /// `f64` was rounded to `f32`
    pub is_rounded: bool,
    /// finite numbers beyond the range of `f32`, now infinite
    pub overflowed: u64,
}

impl Matrix {
    /// Number of vectors.
    pub fn count(&self) -> usize {
        self.count
    }

    /// Length of each vector.
    pub fn dim(&self) -> usize {
        self.dim
    }

    /// All rows, in order.
    pub fn rows(&self) -> impl Iterator<Item = &[f32]> {
        self.values.chunks_exact(self.dim.max(1))
    }
}

/// Layouts of a file, told by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// NumPy's array file
    Npy,
    /// named tensors
    Safetensors,
    /// numbers with commas
    Csv,
}

impl Format {
    /// The format that the name's ending tells; `-` stands for CSV on a standard stream.
    ///
    /// # Errors
    /// For any other ending.
    pub fn of(path: &Path) -> Result<Self, Problem> {
        if is_stream(path) {
            return Ok(Self::Csv);
        }
        let ending = path.extension().map(|ending| ending.to_string_lossy().to_lowercase());
        match ending.as_deref() {
            Some("npy") => Ok(Self::Npy),
            Some("safetensors") => Ok(Self::Safetensors),
            Some("csv") => Ok(Self::Csv),
            _ => {
                let problem = Problem::new("the ending is none of `.npy`, `.safetensors`, `.csv`");
                let problem = problem.at(path.display());
                Err(match ending.as_deref() {
                    Some("npz") => problem.hint("save one array with `numpy.save`"),
                    _ => problem.hint("the ending tells the format; `-` stands for CSV"),
                })
            }
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Npy => ".npy",
            Self::Safetensors => ".safetensors",
            Self::Csv => ".csv",
        })
    }
}

/// Whether a path stands for a standard stream.
pub fn is_stream(path: &Path) -> bool {
    path.as_os_str() == "-"
}

/// Reads the vectors of a file; `tensor` chooses one of a safetensors file.
///
/// # Cost
/// Memory: 4 bytes a number, once.
///
/// # Errors
/// A [`Problem`] that names file, byte or line, value and expectation.
pub fn read(path: &Path, tensor: Option<&str>) -> Result<Matrix, Problem> {
    let format = Format::of(path)?;
    if tensor.is_some() && format != Format::Safetensors {
        let problem = Problem::new(format!("a `{format}` file has no named tensors"));
        return Err(problem.at("--tensor").hint("leave `--tensor` out"));
    }
    if is_stream(path) {
        return csv::parse("stdin", std::io::stdin().lock());
    }
    let name = path.display().to_string();
    let cannot = |error| Problem::io("cannot read", path, &error);
    let file = File::open(path).map_err(cannot)?;
    let about = file.metadata().map_err(cannot)?;
    if about.is_dir() {
        return Err(Problem::new("cannot read: is a directory").at(name));
    }
    if format == Format::Csv {
        return csv::parse(&name, BufReader::with_capacity(1 << 18, file));
    }
    if !about.is_file() {
        let problem = Problem::new(format!("a `{format}` file has to be a regular file"));
        return Err(problem.at(name).hint("its length is compared with what its header promises"));
    }
    parse(format, tensor, &mut Source::new(&name, file, about.len()))
}

fn parse<R: Read + Seek>(
    format: Format,
    tensor: Option<&str>,
    source: &mut Source<'_, R>,
) -> Result<Matrix, Problem> {
    match format {
        Format::Npy => npy::parse(source),
        _ => safetensors::parse(source, tensor),
    }
}

/// Checks the numbers of rows and columns that a file promises, in whatever order it says them.
fn check_shape(rows: u64, columns: u64) -> Result<(usize, usize), Problem> {
    let of = format!("`{rows}` x `{columns}` numbers");
    if rows == 0 || columns == 0 {
        return Err(Problem::new(format!("{of}: at least one vector of length 1 is needed")));
    }
    if rows > ROWS_MAX {
        let problem = Problem::new(format!("{of}: at most `{ROWS_MAX}` vectors can be compared"));
        return Err(problem.hint("rows are vectors; transpose the matrix if columns are"));
    }
    match (usize::try_from(rows), usize::try_from(columns)) {
        (Ok(rows), Ok(columns)) if rows.checked_mul(columns).is_some() => Ok((rows, columns)),
        _ => Err(Problem::new(format!("{of} have no room in memory"))),
    }
}

/// Zeros, or a problem where the system has no room for them.
fn zeros(count: usize) -> Result<Vec<f32>, Problem> {
    let is_room = Vec::<f32>::new().try_reserve_exact(count).is_ok();
    if is_room { Ok(vec![0.0; count]) } else { Err(no_room(count)) }
}

fn no_room(count: usize) -> Problem {
    Problem::new(format!("no memory for `{count}` numbers of 4 bytes"))
}
