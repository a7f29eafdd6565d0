//! Files of Parquet: what is written is read by the format's own reader of rows, and what others
//! write, whole or damaged, is read or refused.
use std::sync::Arc;

use parquet::basic::Compression;
use parquet::data_type::{DataType, DoubleType, FloatType, Int32Type, Int64Type};
use parquet::file::properties::WriterProperties;
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::file::writer::SerializedFileWriter;
use parquet::record::Field;
use parquet::schema::parser::parse_message_type;
use phalanx_report::parquet::{ParquetError, ParquetFile};
use phalanx_report::tidy::{Table, Values};

/// A value as a reader has it.
#[derive(Debug, Clone, PartialEq)]
pub enum Cell {
    Null,
    Text(String),
    Count(u64),
    Integer(i64),
    Number(f64),
    Flag(bool),
}

/// The columns of a file, by name.
pub fn read(file: &[u8]) -> Vec<(String, Vec<Cell>)> {
    let reader = SerializedFileReader::new(bytes::Bytes::copy_from_slice(file)).unwrap();
    let schema = reader.metadata().file_metadata().schema_descr();
    let names = schema.columns().iter().map(|column| column.name().to_owned());
    let mut columns: Vec<(String, Vec<Cell>)> = names.map(|name| (name, Vec::new())).collect();
    for row in reader.get_row_iter(None).unwrap() {
        let row = row.unwrap();
        assert_eq!(row.len(), columns.len());
        for ((name, column), (found, field)) in columns.iter_mut().zip(row.get_column_iter()) {
            assert_eq!(name, found);
            column.push(match field {
                Field::Null => Cell::Null,
                Field::Str(text) => Cell::Text(text.clone()),
                Field::ULong(count) => Cell::Count(*count),
                Field::Long(integer) => Cell::Integer(*integer),
                Field::Double(number) => Cell::Number(*number),
                Field::Bool(flag) => Cell::Flag(*flag),
                other => panic!("{other:?} is written by no table"),
            });
        }
    }
    columns
}

/// Columns `a` (a double), `b` (a float), `c` and `d` (integers of two widths), `e` (an unsigned
/// one), `t` (a time): dictionaries and statistics as others write them.
fn others(rows: usize, compression: Compression, absent: Option<usize>) -> Vec<u8> {
    let schema = "message m { optional double a; required float b; optional int32 c;
        optional int64 d; required int32 e (UINT_32); required int64 t (TIMESTAMP(NANOS,true)); }";
    let schema = Arc::new(parse_message_type(schema).unwrap());
    let properties = WriterProperties::builder().set_compression(compression).build();
    let mut writer = SerializedFileWriter::new(Vec::new(), schema, Arc::new(properties)).unwrap();
    for start in (0..rows).step_by(100) {
        let here = start..(start + 100).min(rows);
        let mut group = writer.next_row_group().unwrap();
        fn put<T: DataType>(
            group: &mut parquet::file::writer::SerializedRowGroupWriter<'_, Vec<u8>>,
            values: Vec<T::T>,
            levels: Option<&[i16]>,
        ) {
            let mut column = group.next_column().unwrap().unwrap();
            column.typed::<T>().write_batch(&values, levels, None).unwrap();
            column.close().unwrap();
        }
        let full = vec![1; here.len()];
        let levels: Vec<i16> = here.clone().map(|row| i16::from(absent != Some(row))).collect();
        let there = here.clone().filter(|row| absent != Some(*row));
        put::<DoubleType>(&mut group, there.map(|row| row as f64 / 3.0).collect(), Some(&levels));
        put::<FloatType>(&mut group, here.clone().map(|row| row as f32 / 4.0).collect(), None);
        let c = here.clone().map(|row| -(row as i32)).collect();
        put::<Int32Type>(&mut group, c, Some(&full));
        let d = here.clone().map(|row| (row % 3) as i64 - (1 << 40)).collect();
        put::<Int64Type>(&mut group, d, Some(&full));
        put::<Int32Type>(&mut group, here.clone().map(|row| -1 - row as i32).collect(), None);
        put::<Int64Type>(&mut group, here.clone().map(|row| row as i64).collect(), None);
        group.close().unwrap();
    }
    writer.into_inner().unwrap()
}

fn every_column(file: &[u8]) -> Result<Vec<Vec<f64>>, ParquetError> {
    let file = ParquetFile::open(file.to_vec(), 1000)?;
    ["a", "b", "c", "d", "e"].iter().map(|name| file.numbers(name)).collect()
}

#[test]
fn numbers_of_every_width_are_read_however_they_are_packed() {
    let gzip = Compression::GZIP(Default::default());
    for compression in [Compression::UNCOMPRESSED, Compression::SNAPPY, gzip] {
        let columns = every_column(&others(250, compression, None)).unwrap();
        for row in 0..250 {
            let unsigned = f64::from(u32::MAX) - row as f64;
            let whole = (row % 3) as f64 - (1_u64 << 40) as f64;
            let quarter = f64::from(row as f32 / 4.0);
            let expected = [row as f64 / 3.0, quarter, -(row as f64), whole, unsigned];
            let found: Vec<f64> = columns.iter().map(|column| column[row]).collect();
            assert_eq!(found, expected, "row {row}, {compression:?}");
        }
    }
}

#[test]
fn what_is_absent_not_finite_or_no_number_is_refused_with_its_place() {
    let file = ParquetFile::open(others(250, Compression::SNAPPY, Some(120)), 1000).unwrap();
    assert_eq!((file.rows(), file.names().len()), (250, 6));
    let refused = |name: &str| file.numbers(name).unwrap_err().to_string();
    assert_eq!(refused("a"), "column `a` is `null` in row `121`");
    assert_eq!(refused("x"), "there is no column `x`");
    assert!(refused("t").contains("Timestamp"), "{}", refused("t"));
    assert_eq!(file.words("d").unwrap()[1], "-1099511627775");
    let mut table = Table::default();
    table.push("x", Values::Number([0.0, 1.0, f64::NAN].map(Some).into()));
    table.push("flag", Values::Flag([true, false, true].map(Some).into()));
    table.push("text", Values::Text(["a", "", "é"].map(|text| Some(text.into())).into()));
    table.push("count", Values::Count([u64::MAX, 0, 1].map(Some).into()));
    let file = ParquetFile::open(table.parquet(), 3).unwrap();
    assert_eq!(file.numbers("x").unwrap_err().to_string(), "column `x` is `NaN` in row `3`");
    assert!(matches!(file.numbers("flag"), Err(ParquetError::Type { .. })));
    assert!(matches!(file.numbers("text"), Err(ParquetError::Type { .. })));
    assert_eq!(file.words("text").unwrap(), ["a", "", "é"]);
    assert_eq!(file.words("flag").unwrap(), ["true", "false", "true"]);
    assert_eq!(file.words("count").unwrap()[0], u64::MAX.to_string());
    let long = ParquetFile::open(table.parquet(), 2).err().unwrap();
    assert_eq!(long, ParquetError::Long { rows: 3, limit: 2 });
}

/// Says of a column that another codec packed it: a byte of the table of contents, where the last
/// part of the column's path is followed by field 4, the codec, an integer.
fn repacked(file: &[u8], column: u8, (from, to): (u8, u8)) -> Vec<u8> {
    let (pattern, mut file) = ([1, column, 0x15, from], file.to_vec());
    let found: Vec<usize> =
        (0..file.len()).filter(|at| file[*at..].starts_with(&pattern)).collect();
    assert!(!found.is_empty());
    found.into_iter().for_each(|at| file[at + 3] = to);
    file
}

#[test]
fn a_codec_that_is_not_read_is_refused_by_its_name_and_other_columns_are_read() {
    let file = others(250, Compression::SNAPPY, None);
    let codecs = [(6, "lzo"), (8, "brotli"), (10, "lz4"), (12, "zstd"), (14, "lz4")];
    for (number, codec) in codecs {
        let file = ParquetFile::open(repacked(&file, b'b', (2, number)), 1000).unwrap();
        let message = format!("column `b` is compressed by `{codec}`, which is not read");
        assert_eq!(file.numbers("b").unwrap_err().to_string(), message);
        assert_eq!(file.numbers("a").unwrap().len(), 250);
    }
}

#[test]
fn a_file_that_is_cut_off_anywhere_is_refused() {
    let file = others(120, Compression::SNAPPY, None);
    for length in 0..file.len() {
        let error = every_column(&file[..length]).unwrap_err();
        assert!(matches!(error, ParquetError::Broken(_)), "{length}: {error}");
    }
}

#[test]
fn a_damaged_byte_ends_in_numbers_or_in_an_error_never_in_a_panic() {
    for compression in [Compression::UNCOMPRESSED, Compression::SNAPPY] {
        let file = others(120, compression, None);
        let mut refused = 0;
        for at in 0..file.len() {
            for mask in [0x01, 0x80, 0xff] {
                let mut damaged = file.clone();
                damaged[at] ^= mask;
                match every_column(&damaged) {
                    Ok(columns) => {
                        let is_whole = |column: &Vec<f64>| column.iter().all(|x| x.is_finite());
                        assert!(columns.iter().all(is_whole));
                    }
                    Err(_) => refused += 1,
                }
            }
        }
        assert!(refused > file.len() / 2, "{refused} of {}", 3 * file.len());
    }
}
