//! CSV of any bytes: a matrix or a problem, and a matrix survives being written.
#![no_main]
use libfuzzer_sys::fuzz_target;
use phalanx::matrix_file::{Format, Matrix, csv, write};

fuzz_target!(|bytes: &[u8]| {
    let Ok(matrix) = csv::parse("a.csv", bytes) else { return };
    let rows: Vec<&[f32]> = matrix.rows().collect();
    assert_eq!(rows.len(), matrix.count());
    assert!(matrix.count() * matrix.dim() <= bytes.len(), "more numbers than bytes");
    let mut written = Vec::new();
    write(&mut written, Format::Csv, &rows, ("a", true)).expect("memory takes all");
    let again = csv::parse("a.csv", &*written).expect("our own file");
    let bits = |matrix: &Matrix| {
        let canonical = |x: &f32| if x.is_nan() { u32::MAX } else { x.to_bits() };
        matrix.rows().flatten().map(canonical).collect::<Vec<_>>()
    };
    assert_eq!(bits(&matrix), bits(&again));
});
