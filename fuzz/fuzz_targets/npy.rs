//! Array files of any bytes: a matrix or a problem, and a matrix survives being written.
#![no_main]
use std::io::Cursor;

use libfuzzer_sys::fuzz_target;
use phalanx::matrix_file::{Format, Matrix, Source, npy, write};
use phalanx::problem::Problem;

fn read(bytes: &[u8]) -> Result<Matrix, Problem> {
    npy::parse(&mut Source::new("a.npy", Cursor::new(bytes), bytes.len() as u64))
}

fuzz_target!(|bytes: &[u8]| {
    let Ok(matrix) = read(bytes) else { return };
    let rows: Vec<&[f32]> = matrix.rows().collect();
    assert_eq!(rows.len(), matrix.count());
    assert!(4 * matrix.count() * matrix.dim() <= bytes.len(), "more numbers than bytes");
    let mut written = Vec::new();
    write(&mut written, Format::Npy, &rows, ("a", true)).expect("memory takes all");
    let again = read(&written).expect("our own file");
    let bits = |matrix: &Matrix| matrix.rows().flatten().map(|x| x.to_bits()).collect::<Vec<_>>();
    assert_eq!(bits(&matrix), bits(&again));
});
