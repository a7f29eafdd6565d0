//! Safetensors files of any bytes: a matrix or a problem, and a matrix survives being written.
#![no_main]
use std::io::Cursor;

use libfuzzer_sys::fuzz_target;
use phalanx::matrix_file::{Format, Matrix, Source, safetensors, write};
use phalanx::problem::Problem;

fn read(bytes: &[u8], tensor: Option<&str>) -> Result<Matrix, Problem> {
    let mut source = Source::new("a.safetensors", Cursor::new(bytes), bytes.len() as u64);
    safetensors::parse(&mut source, tensor)
}

fuzz_target!(|bytes: &[u8]| {
    let _ = read(bytes, Some("a"));
    let Ok(matrix) = read(bytes, None) else { return };
    let rows: Vec<&[f32]> = matrix.rows().collect();
    assert_eq!(rows.len(), matrix.count());
    assert!(4 * matrix.count() * matrix.dim() <= bytes.len(), "more numbers than bytes");
    let mut written = Vec::new();
    write(&mut written, Format::Safetensors, &rows, ("a", true)).expect("memory takes all");
    let again = read(&written, Some("a")).expect("our own file");
    let bits = |matrix: &Matrix| matrix.rows().flatten().map(|x| x.to_bits()).collect::<Vec<_>>();
    assert_eq!(bits(&matrix), bits(&again));
});
