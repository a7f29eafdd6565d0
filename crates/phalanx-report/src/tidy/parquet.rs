//! A writer of Apache Parquet for tables of plain columns: uncompressed, one page per column.
//!
//! Of the format it uses the least that holds these tables: optional columns of five types, values
//! in `PLAIN` encoding, definition levels as runs, no dictionary, no statistics. Every reader
//! takes that, and equal tables are equal bytes.
//!
//! # Source
//! Apache Parquet, file format 2.10: `parquet.thrift`, Encodings.md; Apache Thrift, compact
//! protocol.
use super::column::{Column, Table, Values};

const MAGIC: &[u8; 4] = b"PAR1";
const CREATED_BY: &str = "phalanx-report";
/// Rows of a group; a page holds one column of a group and must stay under 2 GiB.
const GROUP_ROWS: usize = 1 << 16;

/// Physical types.
const BOOLEAN: i64 = 0;
const INT64: i64 = 2;
const DOUBLE: i64 = 5;
const BYTE_ARRAY: i64 = 6;
/// Encodings.
const PLAIN: i64 = 0;
const RLE: i64 = 3;
/// Repetition of an optional column.
const OPTIONAL: i64 = 1;
/// Converted types, for readers that do not know logical ones.
const UTF8: i64 = 0;
const UINT_64: i64 = 14;
const INT_64: i64 = 18;

/// The bytes of a file.
pub(super) fn file(table: &Table) -> Vec<u8> {
    let mut bytes = MAGIC.to_vec();
    let rows = table.rows();
    let starts: Vec<usize> = (0..rows).step_by(GROUP_ROWS).collect();
    let groups: Vec<Group> = starts
        .into_iter()
        .map(|start| {
            let range = start..(start + GROUP_ROWS).min(rows);
            let chunk = |column: &Column| Chunk::write(&mut bytes, column, range.clone());
            let chunks = table.columns().iter().map(chunk).collect();
            Group { rows: range.len(), chunks }
        })
        .collect();
    let footer = footer(table, &groups);
    bytes.extend(&footer);
    bytes.extend((footer.len() as u32).to_le_bytes());
    bytes.extend(MAGIC);
    bytes
}

/// One row group, as the footer describes it.
struct Group {
    rows: usize,
    chunks: Vec<Chunk>,
}

/// Where a column of a group lies in the file.
struct Chunk {
    offset: usize,
    length: usize,
}

impl Chunk {
    fn write(bytes: &mut Vec<u8>, column: &Column, rows: std::ops::Range<usize>) -> Self {
        let offset = bytes.len();
        let count = rows.len() as i64;
        let page = page(&column.values, rows);
        let mut header = Thrift::default();
        header.integer(1, 0); // a data page
        header.integer(2, page.len() as i64);
        header.integer(3, page.len() as i64);
        header.structure(5, |data| {
            data.integer(1, count);
            data.integer(2, PLAIN);
            data.integer(3, RLE);
            data.integer(4, RLE);
        });
        bytes.extend(header.finish());
        bytes.extend(page);
        Self { offset, length: bytes.len() - offset }
    }
}

/// Definition levels, then the values that are there.
fn page(values: &Values, rows: std::ops::Range<usize>) -> Vec<u8> {
    let mut plain = Vec::new();
    let levels = match values {
        Values::Text(values) => levels(&values[rows], |text| {
            plain.extend((text.len() as u32).to_le_bytes());
            plain.extend(text.as_bytes());
        }),
        Values::Count(values) => levels(&values[rows], |value| plain.extend(value.to_le_bytes())),
        Values::Integer(values) => levels(&values[rows], |value| plain.extend(value.to_le_bytes())),
        Values::Number(values) => levels(&values[rows], |value| plain.extend(value.to_le_bytes())),
        Values::Flag(values) => {
            let mut place = 0;
            levels(&values[rows], |value| {
                if place % 8 == 0 {
                    plain.push(0);
                }
                if let Some(last) = plain.last_mut() {
                    *last |= u8::from(*value) << (place % 8);
                }
                place += 1;
            })
        }
    };
    let mut page = (levels.len() as u32).to_le_bytes().to_vec();
    page.extend(levels);
    page.extend(plain);
    page
}

/// Runs of values that are there (1) or not (0); hands those that are to `write`.
fn levels<T>(values: &[Option<T>], mut write: impl FnMut(&T)) -> Vec<u8> {
    values.iter().flatten().for_each(&mut write);
    let mut levels = Vec::new();
    for run in values.chunk_by(|a, b| a.is_some() == b.is_some()) {
        varint(&mut levels, (run.len() as u64) << 1);
        levels.push(u8::from(run[0].is_some()));
    }
    levels
}

fn footer(table: &Table, groups: &[Group]) -> Vec<u8> {
    let mut footer = Thrift::default();
    footer.integer(1, 2);
    let mut schema = vec![root(table)];
    schema.extend(table.columns().iter().map(schema_of));
    footer.list(2, &schema);
    footer.long(3, table.rows() as i64);
    let group = |group: &Group| {
        let mut out = Thrift::default();
        let chunks = table.columns().iter().zip(&group.chunks);
        let chunks: Vec<_> = chunks.map(|(column, chunk)| meta(column, chunk, group)).collect();
        out.list(1, &chunks);
        let size: usize = group.chunks.iter().map(|chunk| chunk.length).sum();
        out.long(2, size as i64);
        out.long(3, group.rows as i64);
        out.finish()
    };
    footer.list(4, &groups.iter().map(group).collect::<Vec<_>>());
    footer.text(6, CREATED_BY);
    footer.finish()
}

fn root(table: &Table) -> Vec<u8> {
    let mut root = Thrift::default();
    root.text(4, "table");
    root.integer(5, table.columns().len() as i64);
    root.finish()
}

fn physical(values: &Values) -> i64 {
    match values {
        Values::Text(_) => BYTE_ARRAY,
        Values::Count(_) | Values::Integer(_) => INT64,
        Values::Number(_) => DOUBLE,
        Values::Flag(_) => BOOLEAN,
    }
}

fn schema_of(column: &Column) -> Vec<u8> {
    let mut element = Thrift::default();
    element.integer(1, physical(&column.values));
    element.integer(3, OPTIONAL);
    element.text(4, &column.name);
    let whole = |element: &mut Thrift, converted: i64, is_signed: bool| {
        element.integer(6, converted);
        element.structure(10, |logical| {
            logical.structure(10, |integer| {
                integer.byte(1, 64);
                integer.flag(2, is_signed);
            });
        });
    };
    match column.values {
        Values::Text(_) => {
            element.integer(6, UTF8);
            element.structure(10, |logical| logical.structure(1, |_| {}));
        }
        Values::Count(_) => whole(&mut element, UINT_64, false),
        Values::Integer(_) => whole(&mut element, INT_64, true),
        Values::Number(_) | Values::Flag(_) => {}
    }
    element.finish()
}

fn meta(column: &Column, chunk: &Chunk, group: &Group) -> Vec<u8> {
    let mut out = Thrift::default();
    out.long(2, chunk.offset as i64);
    out.structure(3, |meta| {
        meta.integer(1, physical(&column.values));
        meta.integers(2, &[PLAIN, RLE]);
        meta.texts(3, &[&column.name]);
        meta.integer(4, 0); // not compressed
        meta.long(5, group.rows as i64);
        meta.long(6, chunk.length as i64);
        meta.long(7, chunk.length as i64);
        meta.long(9, chunk.offset as i64);
    });
    out.finish()
}

/// Types of Thrift's compact protocol.
const TRUE: u8 = 1;
const FALSE: u8 = 2;
const BYTE: u8 = 3;
const I32: u8 = 5;
const I64: u8 = 6;
const BINARY: u8 = 8;
const LIST: u8 = 9;
const STRUCT: u8 = 12;

/// A structure of Thrift's compact protocol under construction; fields come in rising order.
#[derive(Default)]
struct Thrift {
    bytes: Vec<u8>,
    last: u8,
}

impl Thrift {
    fn field(&mut self, id: u8, kind: u8) {
        let step = id - self.last;
        debug_assert!((1..=15).contains(&step), "fields rise in small steps");
        self.bytes.push(step << 4 | kind);
        self.last = id;
    }

    fn byte(&mut self, id: u8, value: u8) {
        self.field(id, BYTE);
        self.bytes.push(value);
    }

    fn flag(&mut self, id: u8, value: bool) {
        self.field(id, if value { TRUE } else { FALSE });
    }

    fn integer(&mut self, id: u8, value: i64) {
        self.field(id, I32);
        zigzag(&mut self.bytes, value);
    }

    fn long(&mut self, id: u8, value: i64) {
        self.field(id, I64);
        zigzag(&mut self.bytes, value);
    }

    fn text(&mut self, id: u8, value: &str) {
        self.field(id, BINARY);
        binary(&mut self.bytes, value);
    }

    fn structure(&mut self, id: u8, fill: impl FnOnce(&mut Self)) {
        self.field(id, STRUCT);
        let mut inner = Self::default();
        fill(&mut inner);
        self.bytes.extend(inner.finish());
    }

    /// A list of finished structures.
    fn list(&mut self, id: u8, items: &[Vec<u8>]) {
        self.head(id, items.len(), STRUCT);
        items.iter().for_each(|item| self.bytes.extend(item));
    }

    fn integers(&mut self, id: u8, items: &[i64]) {
        self.head(id, items.len(), I32);
        items.iter().for_each(|item| zigzag(&mut self.bytes, *item));
    }

    fn texts(&mut self, id: u8, items: &[&str]) {
        self.head(id, items.len(), BINARY);
        items.iter().for_each(|item| binary(&mut self.bytes, item));
    }

    fn head(&mut self, id: u8, count: usize, kind: u8) {
        self.field(id, LIST);
        if count < 15 {
            self.bytes.push((count as u8) << 4 | kind);
        } else {
            self.bytes.push(0xf0 | kind);
            varint(&mut self.bytes, count as u64);
        }
    }

    fn finish(mut self) -> Vec<u8> {
        self.bytes.push(0);
        self.bytes
    }
}

fn binary(bytes: &mut Vec<u8>, text: &str) {
    varint(bytes, text.len() as u64);
    bytes.extend(text.as_bytes());
}

fn zigzag(bytes: &mut Vec<u8>, value: i64) {
    varint(bytes, ((value << 1) ^ (value >> 63)) as u64);
}

fn varint(bytes: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        bytes.push(value as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
}
