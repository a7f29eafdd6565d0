//! Columns of a file by name, as numbers or as words; a file that is broken is an error.
//!
//! The crate below answers most of what is broken with an error and some of it with a panic, so
//! every call into it is guarded.
use std::cell::Cell;
use std::fmt::Display;
use std::panic::{AssertUnwindSafe, catch_unwind, set_hook, take_hook};
use std::sync::Once;

use ::parquet::basic::{Compression, ConvertedType, LogicalType, Type as Physical};
use ::parquet::column::reader::get_typed_column_reader;
use ::parquet::data_type::{
    BoolType, ByteArrayType, DataType, DoubleType, FloatType, Int32Type, Int64Type,
};
use ::parquet::errors::{ParquetError as Lower, Result as LowerResult};
use ::parquet::file::reader::{FileReader, SerializedFileReader};
use ::parquet::schema::types::ColumnDescriptor;
use bytes::Bytes;

/// Records that are asked for at once: what a broken file can claim beyond what it holds.
const BATCH: usize = 1 << 16;

/// Why a file or one of its columns cannot be read.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum ParquetError {
    /// it is no file of this format, or damaged
    #[error("this is no Parquet file that can be read: {0}")]
    Broken(String),
    /// a column is compressed in a way that is not read
    #[error("column `{column}` is compressed by `{codec}`, which is not read")]
    Codec {
        /// its name
        column: String,
        /// as those who write such files call it
        codec: &'static str,
    },
    /// more rows than the reader wants
    #[error("there are `{rows}` rows, but at most `{limit}` are read")]
    Long {
        /// how many there are
        rows: u64,
        /// how many are read
        limit: usize,
    },
    /// no column has the name
    #[error("there is no column `{0}`")]
    Missing(String),
    /// the values of a column are something else
    #[error("column `{column}` holds {found}, but {wanted} are needed")]
    Type {
        /// its name
        column: String,
        /// its type
        found: String,
        /// what was asked for
        wanted: &'static str,
    },
    /// a value is absent, or no finite number
    #[error("column `{column}` is `{found}` in row `{row}`")]
    Value {
        /// its name
        column: String,
        /// counted from 1
        row: usize,
        /// `null`, `NaN`, `inf` or `-inf`
        found: String,
    },
}

/// A file in memory, with its table of contents read.
pub struct ParquetFile {
    reader: SerializedFileReader<Bytes>,
    rows: usize,
}

impl ParquetFile {
    /// Reads the table of contents.
    ///
    /// # Errors
    /// When the bytes are no such file, or it says that it has more rows than `rows_max`.
    pub fn open(bytes: Vec<u8>, rows_max: usize) -> Result<Self, ParquetError> {
        let reader = guarded(|| SerializedFileReader::new(Bytes::from(bytes)))?;
        let mut rows: u64 = 0;
        for group in reader.metadata().row_groups() {
            let here = u64::try_from(group.num_rows())
                .map_err(|_| broken("a row group has a negative number of rows"))?;
            rows = rows.saturating_add(here);
            if group.num_columns() != group.schema_descr().num_columns() {
                return Err(broken("a row group has another number of columns than the schema"));
            }
        }
        match usize::try_from(rows) {
            Ok(rows) if rows <= rows_max => Ok(Self { reader, rows }),
            _ => Err(ParquetError::Long { rows, limit: rows_max }),
        }
    }

    /// How many rows there are.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// The names of all columns, dotted where they are nested, in their order.
    pub fn names(&self) -> Vec<String> {
        let schema = self.reader.metadata().file_metadata().schema_descr();
        schema.columns().iter().map(|column| column.path().parts().join(".")).collect()
    }

    /// A column of finite numbers, whole ones included.
    ///
    /// # Errors
    /// When there is none of this name, it holds something else, a row is absent or not finite, or
    /// the file is damaged.
    pub fn numbers(&self, name: &str) -> Result<Vec<f64>, ParquetError> {
        let found = self.column(name)?;
        let values = match self.kind(found) {
            Some(Kind::F64) => self.values::<DoubleType, _>(found, |value| value)?,
            Some(Kind::F32) => self.values::<FloatType, _>(found, f64::from)?,
            Some(Kind::I32) => self.values::<Int32Type, _>(found, f64::from)?,
            Some(Kind::U32) => {
                self.values::<Int32Type, _>(found, |value| f64::from(value.cast_unsigned()))?
            }
            Some(Kind::I64) => self.values::<Int64Type, _>(found, |value| value as f64)?,
            Some(Kind::U64) => {
                self.values::<Int64Type, _>(found, |value| value.cast_unsigned() as f64)?
            }
            Some(Kind::Flag | Kind::Text) | None => return Err(self.unfit(found, "numbers")),
        };
        match values.iter().position(|value| !value.is_finite()) {
            None => Ok(values),
            Some(place) => Err(self.value(found, place, &values[place])),
        }
    }

    /// A column of names: text, or numbers as text.
    ///
    /// # Errors
    /// As [`ParquetFile::numbers`].
    pub fn words(&self, name: &str) -> Result<Vec<String>, ParquetError> {
        let found = self.column(name)?;
        match self.kind(found) {
            Some(Kind::Text) => {
                let values = self.values::<ByteArrayType, _>(found, |value| {
                    value.as_utf8().map(str::to_owned)
                })?;
                let text = |value: LowerResult<String>| value.map_err(|error| broken(&error));
                values.into_iter().map(text).collect()
            }
            Some(Kind::Flag) => self.values::<BoolType, _>(found, |value| value.to_string()),
            // Exactly, where a double would round.
            Some(Kind::I64) => self.values::<Int64Type, _>(found, |value| value.to_string()),
            Some(Kind::U64) => {
                self.values::<Int64Type, _>(found, |value| value.cast_unsigned().to_string())
            }
            Some(Kind::F64 | Kind::F32 | Kind::I32 | Kind::U32) => {
                Ok(self.numbers(name)?.iter().map(f64::to_string).collect())
            }
            None => Err(self.unfit(found, "words or numbers")),
        }
    }

    fn descriptor(&self, column: usize) -> &ColumnDescriptor {
        &self.reader.metadata().file_metadata().schema_descr().columns()[column]
    }

    fn column(&self, name: &str) -> Result<usize, ParquetError> {
        let found = self.names().iter().position(|column| column == name);
        found.ok_or_else(|| ParquetError::Missing(name.into()))
    }

    /// How the values of a column are to be understood; `None` where they are not read.
    fn kind(&self, column: usize) -> Option<Kind> {
        let column = self.descriptor(column);
        let is_flat = column.path().parts().len() == 1 && column.max_rep_level() == 0;
        if !is_flat || column.max_def_level() > 1 {
            return None;
        }
        let logical = column.logical_type_ref();
        match (column.physical_type(), column.converted_type()) {
            (Physical::DOUBLE, _) => Some(Kind::F64),
            (Physical::FLOAT, _) => Some(Kind::F32),
            (Physical::BOOLEAN, _) => Some(Kind::Flag),
            (Physical::BYTE_ARRAY, ConvertedType::UTF8 | ConvertedType::ENUM) => Some(Kind::Text),
            (Physical::BYTE_ARRAY, _) if matches!(logical, Some(LogicalType::String)) => {
                Some(Kind::Text)
            }
            (Physical::INT32 | Physical::INT64, converted) => whole(column, converted),
            _ => None,
        }
    }

    fn unfit(&self, column: usize, wanted: &'static str) -> ParquetError {
        let descriptor = self.descriptor(column);
        let logical = descriptor.logical_type_ref().map(|logical| format!("{logical:?}"));
        let converted = match descriptor.converted_type() {
            ConvertedType::NONE => None,
            converted => Some(converted.to_string()),
        };
        let is_flat = descriptor.max_rep_level() == 0 && descriptor.path().parts().len() == 1;
        let found = match (is_flat, converted.or(logical)) {
            (false, _) => "lists or structures".to_owned(),
            (true, Some(meaning)) => format!("values of type `{meaning}`"),
            (true, None) => format!("values of type `{}`", descriptor.physical_type()),
        };
        ParquetError::Type { column: descriptor.path().parts().join("."), found, wanted }
    }

    fn value(&self, column: usize, place: usize, found: &impl Display) -> ParquetError {
        let column = self.descriptor(column).path().parts().join(".");
        ParquetError::Value { column, row: place + 1, found: found.to_string() }
    }

    /// Refuses a codec that this build leaves out, by its name.
    fn require_codec(&self, column: usize) -> Result<(), ParquetError> {
        let groups = self.reader.metadata().row_groups().iter();
        let unread = groups.map(|group| match group.column(column).compression() {
            Compression::UNCOMPRESSED | Compression::SNAPPY | Compression::GZIP(_) => None,
            Compression::LZO => Some("lzo"),
            Compression::BROTLI(_) => Some("brotli"),
            Compression::LZ4 | Compression::LZ4_RAW => Some("lz4"),
            Compression::ZSTD(_) => Some("zstd"),
        });
        let Some(codec) = unread.flatten().next() else { return Ok(()) };
        let column = self.descriptor(column).path().parts().join(".");
        Err(ParquetError::Codec { column, codec })
    }

    /// The values of a column, none of which may be absent.
    fn values<T: DataType, V>(
        &self,
        column: usize,
        value: impl Fn(T::T) -> V,
    ) -> Result<Vec<V>, ParquetError> {
        self.require_codec(column)?;
        let mut values = Vec::new();
        let groups = self.reader.metadata().row_groups();
        for (place, group) in groups.iter().enumerate() {
            // Not negative: `open` has seen to it.
            let end = values.len() + group.num_rows() as usize;
            let mut reader = guarded(|| {
                let group = self.reader.get_row_group(place)?;
                group.get_column_reader(column).map(get_typed_column_reader::<T>)
            })?;
            loop {
                let (mut levels, mut batch) = (Vec::new(), Vec::new());
                let (records, _, _) =
                    guarded(|| reader.read_records(BATCH, Some(&mut levels), None, &mut batch))?;
                if records == 0 {
                    break;
                }
                if let Some(absent) = levels.iter().position(|level| *level == 0) {
                    return Err(self.value(column, values.len() + absent, &"null"));
                }
                if batch.len() != records || values.len() + records > end {
                    return Err(broken("a column has more values than rows"));
                }
                values.extend(batch.into_iter().map(&value));
            }
            if values.len() != end {
                return Err(broken("a column has fewer values than rows"));
            }
        }
        Ok(values)
    }
}

/// What the values of a column are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    F64,
    F32,
    I32,
    U32,
    I64,
    U64,
    Flag,
    Text,
}

/// Whole numbers; not dates, times or decimals, which are stored as such.
fn whole(column: &ColumnDescriptor, converted: ConvertedType) -> Option<Kind> {
    let is_signed = match (column.logical_type_ref(), converted) {
        (Some(LogicalType::Integer(integer)), _) => integer.is_signed,
        (Some(_), _) => return None,
        (None, ConvertedType::UINT_8 | ConvertedType::UINT_16) => false,
        (None, ConvertedType::UINT_32 | ConvertedType::UINT_64) => false,
        (None, ConvertedType::NONE | ConvertedType::INT_8 | ConvertedType::INT_16) => true,
        (None, ConvertedType::INT_32 | ConvertedType::INT_64) => true,
        (None, _) => return None,
    };
    Some(match (column.physical_type() == Physical::INT32, is_signed) {
        (true, true) => Kind::I32,
        (true, false) => Kind::U32,
        (false, true) => Kind::I64,
        (false, false) => Kind::U64,
    })
}

fn broken(reason: impl Display) -> ParquetError {
    ParquetError::Broken(reason.to_string())
}

thread_local! {
    /// Whether a panic of this thread is caught below and so need not be shown.
    static IS_GUARDED: Cell<bool> = const { Cell::new(false) };
}

/// Calls into the crate; both its errors and its panics are errors.
fn guarded<T>(call: impl FnOnce() -> LowerResult<T>) -> Result<T, ParquetError> {
    static QUIET: Once = Once::new();
    QUIET.call_once(|| {
        let shown = take_hook();
        set_hook(Box::new(move |panic| {
            if !IS_GUARDED.get() {
                shown(panic);
            }
        }));
    });
    let before = IS_GUARDED.replace(true);
    // What the call leaves half done is not used again: every error ends the reading.
    let result = catch_unwind(AssertUnwindSafe(call));
    IS_GUARDED.set(before);
    match result {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(Lower::General(reason) | Lower::EOF(reason) | Lower::NYI(reason))) => {
            Err(ParquetError::Broken(reason))
        }
        Ok(Err(error)) => Err(broken(error)),
        Err(_) => Err(broken("its parts contradict each other")),
    }
}
