//! Tables to bytes: optional columns in plain encoding, uncompressed, equal tables equal bytes.
//!
//! No dictionary and no statistics: tables are small, and what is not written cannot differ.
use std::ops::Range;
use std::sync::Arc;

use ::parquet::basic::{Compression, LogicalType, Repetition, Type as Physical};
use ::parquet::data_type::{BoolType, ByteArray, ByteArrayType, DataType, DoubleType, Int64Type};
use ::parquet::errors::Result;
use ::parquet::file::properties::{EnabledStatistics, WriterProperties, WriterVersion};
use ::parquet::file::writer::{SerializedColumnWriter, SerializedFileWriter};
use ::parquet::schema::types::{Type, TypePtr};

use crate::tidy::{Column, Table, Values};

const CREATED_BY: &str = "phalanx-report";
/// Rows of a group.
const GROUP_ROWS: usize = 1 << 16;

/// The bytes of a file.
pub(crate) fn file(table: &Table) -> Vec<u8> {
    written(table).expect("a buffer takes every byte, and columns are as long as the schema says")
}

fn written(table: &Table) -> Result<Vec<u8>> {
    let fields = table.columns().iter().map(field).collect::<Result<Vec<TypePtr>>>()?;
    let schema = Arc::new(Type::group_type_builder("table").with_fields(fields).build()?);
    let mut writer = SerializedFileWriter::new(Vec::new(), schema, Arc::new(properties()))?;
    for start in (0..table.rows()).step_by(GROUP_ROWS) {
        let rows = start..(start + GROUP_ROWS).min(table.rows());
        let mut group = writer.next_row_group()?;
        for column in table.columns() {
            let mut out = group.next_column()?.expect("one writer per column of the schema");
            write(&mut out, &column.values, rows.clone())?;
            out.close()?;
        }
        group.close()?;
    }
    writer.into_inner()
}

fn properties() -> WriterProperties {
    WriterProperties::builder()
        .set_writer_version(WriterVersion::PARQUET_1_0)
        .set_created_by(CREATED_BY.into())
        .set_compression(Compression::UNCOMPRESSED)
        .set_dictionary_enabled(false)
        .set_statistics_enabled(EnabledStatistics::None)
        .set_offset_index_disabled(true)
        .build()
}

fn field(column: &Column) -> Result<TypePtr> {
    let (physical, logical) = match &column.values {
        Values::Text(_) => (Physical::BYTE_ARRAY, Some(LogicalType::String)),
        Values::Count(_) => (Physical::INT64, Some(LogicalType::integer(64, false))),
        Values::Integer(_) => (Physical::INT64, Some(LogicalType::integer(64, true))),
        Values::Number(_) => (Physical::DOUBLE, None),
        Values::Flag(_) => (Physical::BOOLEAN, None),
    };
    let builder = Type::primitive_type_builder(&column.name, physical);
    let builder = builder.with_repetition(Repetition::OPTIONAL).with_logical_type(logical);
    builder.build().map(Arc::new)
}

fn write(out: &mut SerializedColumnWriter, values: &Values, rows: Range<usize>) -> Result<()> {
    match values {
        Values::Text(values) => {
            put::<ByteArrayType, _>(out, &values[rows], |text| ByteArray::from(text.as_str()))
        }
        Values::Count(values) => {
            put::<Int64Type, _>(out, &values[rows], |count| count.cast_signed())
        }
        Values::Integer(values) => put::<Int64Type, _>(out, &values[rows], |integer| *integer),
        Values::Number(values) => put::<DoubleType, _>(out, &values[rows], |number| *number),
        Values::Flag(values) => put::<BoolType, _>(out, &values[rows], |flag| *flag),
    }
}

/// Which values are there, and those that are.
fn put<T: DataType, V>(
    out: &mut SerializedColumnWriter,
    values: &[Option<V>],
    stored: impl Fn(&V) -> T::T,
) -> Result<()> {
    let levels: Vec<i16> = values.iter().map(|value| i16::from(value.is_some())).collect();
    let there: Vec<T::T> = values.iter().flatten().map(stored).collect();
    out.typed::<T>().write_batch(&there, Some(&levels), None).map(|_| ())
}
