//! Vectors to files: beside their place first, so that no file is ever half a file.
use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use serde_json::json;

use crate::matrix_file::{Format, is_stream, npy};
use crate::problem::Problem;

/// Where vectors go and how; checked before anything is computed.
#[derive(Debug)]
pub struct Writer {
    path: PathBuf,
    format: Format,
}

impl Writer {
    /// Checks that `path` names a format, lies in a folder and is not the file `input`.
    ///
    /// # Errors
    /// A [`Problem`] about the path.
    pub fn new(path: &Path, input: &Path) -> Result<Self, Problem> {
        let format = Format::of(path)?;
        if is_stream(path) {
            return Ok(Self { path: path.into(), format });
        }
        let same = |path: &Path| fs::canonicalize(path).ok();
        if same(path).is_some_and(|path| Some(path) == same(input)) {
            let problem = Problem::new("the output would replace the input").at(path.display());
            return Err(problem.hint("give `-o` another name"));
        }
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        if let Some(folder) = folder.filter(|folder| !folder.is_dir()) {
            let problem = Problem::new("the folder of the output does not exist");
            return Err(problem.at(folder.display()));
        }
        if path.is_dir() {
            return Err(Problem::new("the output is a directory").at(path.display()));
        }
        Ok(Self { path: path.into(), format })
    }

    /// Writes rows of equal length under the name `tensor`; without `is_matrix` the only row as
    /// one vector.
    ///
    /// # Errors
    /// When it cannot be written; a former file is then still there.
    pub fn write(&self, rows: &[&[f32]], tensor: &str, is_matrix: bool) -> Result<(), Problem> {
        let cannot = |error: io::Error| Problem::io("cannot write", &self.path, &error);
        // A pipe or a device cannot be replaced.
        if fs::metadata(&self.path).is_ok_and(|about| !about.is_file()) {
            let file = fs::OpenOptions::new().write(true).open(&self.path).map_err(cannot)?;
            let mut out = BufWriter::new(file);
            let written = write(&mut out, self.format, rows, (tensor, is_matrix));
            return written.and_then(|()| out.flush()).map_err(cannot);
        }
        // Where a link leads, so that the link stays.
        let place = fs::canonicalize(&self.path).unwrap_or_else(|_| self.path.clone());
        let name = place.file_name().unwrap_or_default().to_string_lossy();
        let beside = place.with_file_name(format!(".{name}.part"));
        let written = File::create(&beside).and_then(|file| {
            let mut out = BufWriter::with_capacity(1 << 18, file);
            write(&mut out, self.format, rows, (tensor, is_matrix))?;
            out.into_inner()?.sync_all()
        });
        written.and_then(|()| fs::rename(&beside, &place)).map_err(|error| {
            let _ = fs::remove_file(&beside);
            cannot(error)
        })
    }
}

/// Writes rows of equal length in a format; see [`Writer::write`].
///
/// # Errors
/// Those of `out`.
pub fn write(
    out: &mut impl Write,
    format: Format,
    rows: &[&[f32]],
    (tensor, is_matrix): (&str, bool),
) -> io::Result<()> {
    let dim = rows.first().map_or(0, |row| row.len());
    let shape = if is_matrix { vec![rows.len(), dim] } else { vec![dim] };
    match format {
        Format::Npy => out.write_all(&npy_header(&shape))?,
        Format::Safetensors => {
            out.write_all(&safetensors_header(tensor, &shape, rows.len() * dim))?
        }
        Format::Csv => {
            return rows.iter().try_for_each(|row| {
                csv_line(out, row)?;
                out.write_all(b"\n")
            });
        }
    }
    let mut bytes = Vec::with_capacity(1 << 16);
    for values in rows.iter().flat_map(|row| row.chunks(1 << 14)) {
        bytes.clear();
        bytes.extend(values.iter().flat_map(|value| value.to_le_bytes()));
        out.write_all(&bytes)?;
    }
    Ok(())
}

/// Version 1.0, the data aligned to 64 bytes.
fn npy_header(shape: &[usize]) -> Vec<u8> {
    let sizes: Vec<String> = shape.iter().map(usize::to_string).collect();
    let comma = if shape.len() == 1 { "," } else { "" };
    let shape = format!("({}{comma})", sizes.join(", "));
    let text = format!("{{'descr': '<f4', 'fortran_order': False, 'shape': {shape}, }}");
    let before = npy::MAGIC.len() + 4;
    let length = (before + text.len() + 1).next_multiple_of(64) - before;
    let mut header = npy::MAGIC.to_vec();
    header.extend([1, 0]);
    header.extend((length as u16).to_le_bytes());
    header.extend(format!("{text:<width$}\n", width = length - 1).into_bytes());
    header
}

/// The data aligned to 8 bytes, as the format asks for.
fn safetensors_header(tensor: &str, shape: &[usize], numbers: usize) -> Vec<u8> {
    let about = json!({ "dtype": "F32", "shape": shape, "data_offsets": [0, 4 * numbers] });
    let text = json!({ tensor: about }).to_string();
    let length = text.len().next_multiple_of(8);
    let mut header = (length as u64).to_le_bytes().to_vec();
    header.extend(format!("{text:<length$}").into_bytes());
    header
}

/// One vector as CSV, each number in its shortest form that reads back as the same.
fn csv_line(out: &mut impl Write, row: &[f32]) -> io::Result<()> {
    for (k, value) in row.iter().enumerate() {
        let comma = if k == 0 { "" } else { "," };
        let size = value.abs();
        if size == 0.0 || (1e-5..1e16).contains(&size) || !value.is_finite() {
            write!(out, "{comma}{value}")?;
        } else {
            write!(out, "{comma}{value:e}")?;
        }
    }
    Ok(())
}
