//! Files of vectors: what others wrote is read exactly, and nothing broken is read at all.
use std::io::Cursor;
use std::path::{Path, PathBuf};

use phalanx::matrix_file::{
    Conversion, Format, Matrix, Source, csv, npy, read, safetensors, write,
};
use phalanx::problem::Problem;
use phalanx_robust::Rng;

use crate::program::Scratch;

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/matrix").join(name)
}

const ROWS: [[f32; 3]; 4] = [[1.0, 2.0, 3.0], [4.0, 5.0, 6.0], [7.0, 8.0, 9.0], [-1.5, 0.1, 1e-40]];

fn rows(matrix: &Matrix) -> Vec<&[f32]> {
    matrix.rows().collect()
}

fn npy_of(bytes: &[u8]) -> Result<Matrix, Problem> {
    npy::parse(&mut Source::new("a.npy", Cursor::new(bytes), bytes.len() as u64))
}

fn safetensors_of(bytes: &[u8]) -> Result<Matrix, Problem> {
    safetensors::parse(&mut Source::new("a", Cursor::new(bytes), bytes.len() as u64), None)
}

fn csv_of(text: &[u8]) -> Result<Matrix, Problem> {
    csv::parse("a.csv", text)
}

/// An array file with this header and data.
fn array(header: &str, data: &[u8]) -> Vec<u8> {
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend((header.len() as u16).to_le_bytes());
    bytes.extend(header.bytes());
    bytes.extend(data);
    bytes
}

fn tensors(header: &str, data: &[u8]) -> Vec<u8> {
    let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
    bytes.extend(header.bytes());
    bytes.extend(data);
    bytes
}

#[test]
fn what_numpy_and_safetensors_wrote_is_read_exactly() {
    for name in [
        "c_f4.npy",
        "fortran_f4.npy",
        "c_f8.npy",
        "fortran_f8.npy",
        "version_2.npy",
        "version_3.npy",
        "matrix.safetensors",
        "savetxt.csv",
    ] {
        let matrix = read(&fixture(name), None).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(rows(&matrix), ROWS, "{name}");
        assert_eq!((matrix.count(), matrix.dim()), (4, 3), "{name}");
        assert_eq!(matrix.conversion.is_rounded, name.contains("f8"), "{name}");
    }
    let matrix = read(&fixture("mixed.safetensors"), Some("models")).unwrap();
    assert_eq!(rows(&matrix), ROWS);
    let matrix = read(&fixture("rows.safetensors"), None).unwrap();
    assert_eq!(rows(&matrix), &ROWS[..2], "by name, although `b` of eight bytes lies first");
    assert_eq!(matrix.names, Some(vec!["a".into(), "b".into()]));
}

#[test]
fn numbers_beyond_f32_are_counted() {
    let matrix = read(&fixture("beyond_f4.npy"), None).unwrap();
    assert_eq!(matrix.conversion, Conversion { is_rounded: true, overflowed: 2 });
    let row = rows(&matrix)[0];
    assert!(row[..3] == [f32::INFINITY, f32::NEG_INFINITY, f32::INFINITY] && row[3].is_nan());
    let matrix = csv_of(b"1e39,inf,-Infinity,-1e40,nan,3e38\n").unwrap();
    assert_eq!(matrix.conversion.overflowed, 2);
    let scratch = Scratch::new();
    let file = fixture("beyond_f4.npy");
    let words = ["aggregate", "--rule", "average", "-f", "0", file.to_str().unwrap(), "-o", "-"];
    let said = scratch.phalanx(&words);
    assert!(said.err.contains("the numbers are `f64` and were rounded to `f32`"), "{}", said.err);
    assert!(said.err.contains("warning: `2` finite numbers are beyond"), "{}", said.err);
}

#[test]
fn what_is_not_a_matrix_of_floats_is_refused_with_a_way_out() {
    let cases = [
        ("big_endian_f4.npy", "numbers of type `>f4`, but little-endian", "a.astype('<f4')"),
        ("half.npy", "numbers of type `<f2`", "a.astype('<f4')"),
        ("whole.npy", "numbers of type `<i4`", "a.astype('<f4')"),
        ("structured.npy", "a structured type", "a['field']"),
        ("scalar.npy", "an array of shape `()`", "rows are vectors"),
        ("vector.npy", "an array of shape `(3,)`", "a[None, :]"),
        ("cube.npy", "an array of shape `(2, 2, 2)`", "a.reshape(len(a), -1)"),
        ("no_rows.npy", "`0` x `3` numbers: at least one vector", ""),
        ("no_columns.npy", "`3` x `0` numbers: at least one vector", ""),
        ("half.safetensors", "tensor `half` is of type `F16`", "convert"),
        ("mixed.safetensors", "`2` tensors that are not all vectors: `models`, `step`", "--tensor"),
        ("unequal.safetensors", "tensor `b` has length `2`, but `a` has length `3`", ""),
        ("generate.py", "the ending is none of", ""),
    ];
    for (name, message, hint) in cases {
        let problem = read(&fixture(name), None).unwrap_err();
        assert!(problem.to_string().contains(message), "{name}: {problem}");
        assert!(problem.to_string().contains(name), "{name}: {problem}");
        assert!(problem.hint.as_deref().unwrap_or("").contains(hint), "{name}: {problem:?}");
    }
    let chosen = |tensor| read(&fixture("mixed.safetensors"), Some(tensor)).unwrap_err();
    assert!(chosen("modles").hint.unwrap().contains("`models`"));
    assert!(chosen("step").to_string().contains("has shape `[1]`, but a matrix is needed"));
}

#[test]
fn no_prefix_and_no_longer_file_is_read() {
    for name in ["c_f4.npy", "fortran_f8.npy", "version_2.npy"] {
        let bytes = std::fs::read(fixture(name)).unwrap();
        for length in 0..bytes.len() {
            let problem = npy_of(&bytes[..length]).unwrap_err();
            assert!(problem.place.unwrap().starts_with("a.npy, byte "), "{name} {length}");
        }
        assert!(npy_of(&[&bytes[..], b"\0"].concat()).is_err(), "{name}");
    }
    for name in ["matrix.safetensors", "rows.safetensors"] {
        let bytes = std::fs::read(fixture(name)).unwrap();
        for length in 0..bytes.len() {
            let problem = safetensors_of(&bytes[..length]).unwrap_err();
            assert!(problem.place.unwrap().starts_with("a, byte "), "{name} {length}");
        }
        assert!(safetensors_of(&[&bytes[..], b"\0"].concat()).is_err(), "{name}");
    }
}

#[test]
fn a_changed_byte_of_a_header_never_panics() {
    for name in ["c_f4.npy", "version_3.npy", "rows.safetensors", "matrix.safetensors"] {
        let bytes = std::fs::read(fixture(name)).unwrap();
        for at in 0..bytes.len() {
            for value in 0..=255 {
                let mut bytes = bytes.clone();
                bytes[at] = value;
                let _ = npy_of(&bytes);
                let _ = safetensors_of(&bytes);
            }
        }
    }
}

#[test]
fn headers_that_promise_the_impossible_are_refused() {
    let header =
        |shape: &str| format!("{{'descr': '<f4', 'fortran_order': False, 'shape': {shape}, }}");
    let cases: &[(&str, &str)] = &[
        ("(100, 1000000000000)", "truncated: the header promises `400000000000000` bytes"),
        ("(2, 9223372036854775807)", "promises `73786976294838206456` bytes"),
        ("(18446744073709551615, 18446744073709551615)", "at most `16384` vectors"),
        ("(3, 9223372036854775807)", "numbers have no room in memory"),
        ("(99999999999999999999, 1)", "size `99999999999999999999` needs more than 64 bits"),
        ("(16385, 1)", "at most `16384` vectors can be compared"),
        ("(-1, 1)", "`-` in the header where a size is expected"),
        ("(1, 1", "`}` in the header where a size is expected"),
        ("1", "`1` in the header where `(` is expected"),
    ];
    for (shape, message) in cases {
        let problem = npy_of(&array(&header(shape), &[0; 4])).unwrap_err();
        assert!(problem.message.contains(message), "{shape}: {problem}");
    }
    let mut long = b"\x93NUMPY\x02\x00".to_vec();
    long.extend(u32::MAX.to_le_bytes());
    assert!(npy_of(&long).unwrap_err().message.contains("a header of `4294967295` bytes"));
    let problem = safetensors_of(&[255; 8]).unwrap_err();
    assert!(problem.message.contains("a header of `18446744073709551615` bytes"), "{problem}");
    let tensor = |shape: &str, to: u64| {
        format!(r#"{{"a":{{"dtype":"F32","shape":{shape},"data_offsets":[0,{to}]}}}}"#)
    };
    let cases = [
        (tensor("[4294967296,4294967296,2]", 8), "`8` bytes for shape"),
        (tensor("[1,1000000]", 4_000_000), "truncated: the header promises `4000000` bytes"),
        (tensor("[1,2]", 4), "`4` bytes for shape `[1, 2]`"),
        (tensor("[1,1]", 4).replace("[0,4]", "[4,8]"), "lies at `4` to `8`"),
        (tensor("[1,1]", 4).replace("F32\",", "F32\",\"more\":1,"), "unknown field `more`"),
        (tensor("[1,1]", 4).replace("F32", "F33"), "of type `F33`, but `F32` or `F64`"),
        ("{}".into(), "the file holds no tensor"),
        ("[]".into(), "expected tensors by name"),
    ];
    for (header, message) in cases {
        let data: &[u8] = if header.len() == 2 { &[] } else { &[0; 4] };
        let problem = safetensors_of(&tensors(&header, data)).unwrap_err();
        assert!(problem.message.contains(message), "{header}: {problem}");
    }
    let one = r#""a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}"#;
    let twice = format!("{{{one},{one}}}");
    let problem = safetensors_of(&tensors(&twice, &[0; 4])).unwrap_err();
    assert!(problem.message.contains("`a` is there twice"), "{problem}");
}

#[test]
fn a_header_is_a_python_literal_and_nothing_more() {
    let read = |header: &str| npy_of(&array(header, &2.5f32.to_le_bytes()));
    for header in [
        "{'descr': '<f4', 'fortran_order': False, 'shape': (1, 1), }    \n",
        "{\"shape\":(1L,1L),\"fortran_order\":True,\"descr\":\"<f4\"}",
    ] {
        assert_eq!(rows(&read(header).unwrap()), [[2.5]], "{header}");
    }
    for (header, message) in [
        ("", "the header ends in the header where `{`"),
        ("{'descr': '<f4', 'fortran_order': False}", "the header has no `shape`"),
        ("{'descr': '<f4', 'descr': '<f4'}", "key `descr` of the header twice"),
        ("{'description': '<f4'}", "unknown key `description`"),
        ("{'descr': '<f4}", "the type of the numbers without an end"),
        ("{'fortran_order': 1}", "`1` in the header where `True` or `False`"),
        (
            "{'descr': '<f4', 'fortran_order': False, 'shape': (1, 1)} 1",
            "`1` in the header where nothing after",
        ),
    ] {
        let problem = read(header).unwrap_err();
        assert!(problem.message.contains(message), "{header}: {problem}");
    }
    let problem = npy_of(b"PK\x03\x04 a zip file").unwrap_err();
    assert!(problem.message.starts_with("starts with `PK\\x03\\x04 a`"), "{problem}");
    let problem = npy_of(b"\x93NUMPY\x04\x00").unwrap_err();
    assert!(problem.message.starts_with("version `4.0`"), "{problem}");
}

#[test]
fn csv_is_read_line_by_line() {
    let same = [
        "1,2\n3,4\n",
        "1,2\n3,4",
        "1,2\r\n3,4\r\n",
        "\u{feff}1,2\n3,4\n\n\n",
        "a,b\n1,2\n3,4\n",
        "# a, 1\n1,2\n# between\n3,4\n# after",
        "\u{feff}# a\n x , \"y\" \n 1 ,\t2\n+3,4.\n",
    ];
    for text in same {
        assert_eq!(rows(&csv_of(text.as_bytes()).unwrap()), [[1.0, 2.0], [3.0, 4.0]], "{text}");
    }
    let long = format!("{},1\n", "1".repeat(3000));
    let cases: &[(&[u8], &str, &str)] = &[
        (b"1,2\n3\n", "a.csv:2", "`1` fields, but `2` in the lines before"),
        (b"a,b,c\n1,2\n", "a.csv:2", "`2` fields, but `3` in the lines before"),
        (b"1,2\n3,x\n", "a.csv:2", "column 2: `x` is not a number"),
        (b"1,2\n3,\n", "a.csv:2", "column 2: nothing where a number is expected"),
        (b"1;2\n", "a.csv", "no line of numbers"),
        (b"1,2\n1;2,3\n", "a.csv:2", "column 1: `1;2` is not a number"),
        (b"a,1\n", "a.csv:1", "column 2: the number `1` in a line that began as a header"),
        (b"1,a\n", "a.csv:1", "column 2: `a` is not a number"),
        (b"1,2\n\n3,4\n", "a.csv:3", "a vector after the empty line 2"),
        (b"1,\xff\n", "a.csv:1", "is not a number"),
        (b"", "a.csv", "no line of numbers"),
        (b"a,b\n", "a.csv", "no line of numbers"),
        (b"\n\n", "a.csv", "no line of numbers"),
        (long.as_bytes(), "a.csv:1", "column 1: more than `2048` characters"),
    ];
    for (text, place, message) in cases {
        let problem = csv_of(text).unwrap_err();
        assert_eq!(problem.place.as_deref(), Some(*place), "{problem}");
        assert!(problem.message.contains(message), "{problem}");
    }
    let many = "1\n".repeat(16_385);
    assert!(csv_of(many.as_bytes()).unwrap_err().message.contains("more than `16384` vectors"));
}

#[test]
fn what_is_written_is_read_back_bit_for_bit() {
    let mut rng = Rng::stream(3, 0, "round trip");
    for (count, dim) in [(1, 1), (3, 5), (7, 40_000)] {
        let mut values: Vec<f32> =
            (0..count * dim).map(|_| f32::from_bits(rng.below(1 << 32) as u32)).collect();
        values[0] = -0.0;
        let given: Vec<&[f32]> = values.chunks(dim).collect();
        for format in [Format::Npy, Format::Safetensors, Format::Csv] {
            let mut bytes = Vec::new();
            write(&mut bytes, format, &given, ("a", true)).unwrap();
            let matrix = match format {
                Format::Npy => npy_of(&bytes),
                Format::Safetensors => safetensors_of(&bytes),
                Format::Csv => csv_of(&bytes),
            };
            let matrix = matrix.unwrap();
            assert_eq!((matrix.count(), matrix.dim()), (count, dim));
            for (a, b) in given.iter().copied().flatten().zip(matrix.rows().flatten()) {
                let is_same = a.to_bits() == b.to_bits();
                assert!(is_same || (format == Format::Csv && a.is_nan() && b.is_nan()), "{a} {b}");
            }
        }
    }
}

/// Large enough for several tiles and several chunks.
#[test]
fn fortran_order_is_turned_at_any_size() {
    for (count, dim) in [(3, 200_001), (5000, 130), (16_384, 17)] {
        let value = |i: usize, k: usize| (i * 31 + k * 7) as f32;
        let mut data = Vec::with_capacity(4 * count * dim);
        for k in 0..dim {
            (0..count).for_each(|i| data.extend(value(i, k).to_le_bytes()));
        }
        let header =
            format!("{{'descr': '<f4', 'fortran_order': True, 'shape': ({count}, {dim}), }}");
        let matrix = npy_of(&array(&header, &data)).unwrap();
        for (i, row) in matrix.rows().enumerate() {
            assert!(row.iter().enumerate().all(|(k, found)| *found == value(i, k)), "row {i}");
        }
    }
}

#[test]
fn results_are_one_dimensional_and_replace_a_file_whole() {
    let scratch = Scratch::new();
    scratch.write("in.csv", "1,2,3\n4,5,6\n7,8,9\n");
    for name in ["out.npy", "out.safetensors", "out.csv"] {
        scratch.write(name, "something else");
        let words = ["aggregate", "--rule", "meamed", "-f", "1", "in.csv", "-o", name];
        let said = scratch.phalanx(&words);
        assert_eq!((said.code, said.out.as_str()), (Some(0), ""), "{}", said.err);
        assert_eq!(said.err, format!("meamed of 3 vectors of length 3, f = 1: {name}\n"));
    }
    let bytes = std::fs::read(scratch.path().join("out.npy")).unwrap();
    assert_eq!(bytes.len(), 128 + 12);
    let text = String::from_utf8_lossy(&bytes[10..128]).into_owned();
    let header = "{'descr': '<f4', 'fortran_order': False, 'shape': (3,), }";
    assert_eq!(text.trim_end(), header);
    assert!(text.ends_with('\n'));
    assert_eq!(bytes[128..132], 2.5f32.to_le_bytes());
    let matrix = read(&scratch.path().join("out.safetensors"), None).unwrap();
    assert_eq!(rows(&matrix), [[2.5, 3.5, 4.5]]);
    assert_eq!(matrix.names, Some(vec!["aggregate".into()]));
    let text = std::fs::read_to_string(scratch.path().join("out.csv")).unwrap();
    assert_eq!(text, "2.5,3.5,4.5\n");
    assert_eq!(std::fs::read_dir(scratch.path()).unwrap().count(), 4, "no parts are left");
}
