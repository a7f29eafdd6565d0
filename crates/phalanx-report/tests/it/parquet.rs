//! A reader of Parquet for the tests: as much of the format as a table needs, from its definition.
use std::collections::BTreeMap;

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

/// A value of Thrift's compact protocol.
#[derive(Debug, Clone)]
enum Value {
    Flag,
    Integer(i64),
    Binary(Vec<u8>),
    List(Vec<Value>),
    Struct(BTreeMap<i64, Value>),
}

impl Value {
    fn field(&self, id: i64) -> Option<&Value> {
        match self {
            Self::Struct(fields) => fields.get(&id),
            other => panic!("{other:?} is no structure"),
        }
    }

    fn integer(&self) -> i64 {
        match self {
            Self::Integer(value) => *value,
            other => panic!("{other:?} is no integer"),
        }
    }

    fn list(&self) -> &[Value] {
        match self {
            Self::List(values) => values,
            other => panic!("{other:?} is no list"),
        }
    }

    fn text(&self) -> String {
        match self {
            Self::Binary(bytes) => String::from_utf8(bytes.clone()).unwrap(),
            other => panic!("{other:?} is no text"),
        }
    }
}

struct Bytes<'a>(&'a [u8]);

impl Bytes<'_> {
    fn take(&mut self, count: usize) -> &[u8] {
        let (head, rest) = self.0.split_at(count);
        self.0 = rest;
        head
    }

    fn byte(&mut self) -> u8 {
        self.take(1)[0]
    }

    fn varint(&mut self) -> u64 {
        let (mut value, mut shift) = (0, 0);
        loop {
            let byte = self.byte();
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return value;
            }
            shift += 7;
        }
    }

    fn zigzag(&mut self) -> i64 {
        let value = self.varint();
        (value >> 1) as i64 ^ -((value & 1) as i64)
    }

    fn value(&mut self, kind: u8) -> Value {
        match kind {
            1 | 2 => Value::Flag,
            3 => Value::Integer(i64::from(self.byte())),
            4..=6 => Value::Integer(self.zigzag()),
            8 => {
                let length = self.varint() as usize;
                Value::Binary(self.take(length).to_vec())
            }
            9 => {
                let head = self.byte();
                let count = if head >> 4 == 15 { self.varint() } else { u64::from(head >> 4) };
                Value::List((0..count).map(|_| self.value(head & 15)).collect())
            }
            12 => {
                let (mut fields, mut id) = (BTreeMap::new(), 0);
                loop {
                    match self.byte() {
                        0 => return Value::Struct(fields),
                        head => {
                            let step = i64::from(head >> 4);
                            id = if step == 0 { self.zigzag() } else { id + step };
                            fields.insert(id, self.value(head & 15));
                        }
                    }
                }
            }
            other => panic!("no type {other}"),
        }
    }
}

/// The columns of a file, by name.
pub fn read(file: &[u8]) -> Vec<(String, Vec<Cell>)> {
    assert_eq!((&file[..4], &file[file.len() - 4..]), (&b"PAR1"[..], &b"PAR1"[..]));
    let end = file.len() - 8;
    let length = u32::from_le_bytes(file[end..end + 4].try_into().unwrap()) as usize;
    let footer = Bytes(&file[end - length..end]).value(12);
    let schema = &footer.field(2).unwrap().list()[1..];
    let mut columns: Vec<(String, Vec<Cell>)> =
        schema.iter().map(|element| (element.field(4).unwrap().text(), Vec::new())).collect();
    let root = &footer.field(2).unwrap().list()[0];
    assert_eq!(root.field(5).unwrap().integer(), columns.len() as i64);
    let mut rows = 0;
    for group in footer.field(4).unwrap().list() {
        let count = group.field(3).unwrap().integer();
        rows += count;
        for ((element, column), chunk) in
            schema.iter().zip(&mut columns).zip(group.field(1).unwrap().list())
        {
            let meta = chunk.field(3).unwrap();
            assert_eq!(meta.field(3).unwrap().list()[0].text(), column.0);
            let offset = meta.field(9).unwrap().integer() as usize;
            let length = meta.field(7).unwrap().integer() as usize;
            column.1.extend(page(&file[offset..offset + length], element, count as usize));
        }
    }
    assert_eq!(footer.field(3).unwrap().integer(), rows);
    columns
}

fn page(bytes: &[u8], element: &Value, rows: usize) -> Vec<Cell> {
    let mut bytes = Bytes(bytes);
    let header = bytes.value(12);
    assert_eq!(header.field(3).unwrap().integer() as usize, bytes.0.len());
    assert_eq!(header.field(5).unwrap().field(1).unwrap().integer() as usize, rows);
    let length = u32::from_le_bytes(bytes.take(4).try_into().unwrap()) as usize;
    let mut runs = Bytes(bytes.take(length));
    let mut is_there = Vec::new();
    while !runs.0.is_empty() {
        let head = runs.varint();
        assert_eq!(head & 1, 0, "a run, not packed bits");
        let level = runs.byte();
        is_there.extend(std::iter::repeat_n(level == 1, (head >> 1) as usize));
    }
    assert_eq!(is_there.len(), rows);
    let (mut bit, mut packed) = (0, 0);
    let converted = element.field(6).map(Value::integer);
    let mut cell = |is_there: bool| match (is_there, element.field(1).unwrap().integer()) {
        (false, _) => Cell::Null,
        (true, 0) => {
            if bit % 8 == 0 {
                packed = bytes.byte();
            }
            bit += 1;
            Cell::Flag(packed >> ((bit - 1) % 8) & 1 == 1)
        }
        (true, 2) => {
            let raw = u64::from_le_bytes(bytes.take(8).try_into().unwrap());
            if converted == Some(14) { Cell::Count(raw) } else { Cell::Integer(raw as i64) }
        }
        (true, 5) => Cell::Number(f64::from_le_bytes(bytes.take(8).try_into().unwrap())),
        (true, 6) => {
            let length = u32::from_le_bytes(bytes.take(4).try_into().unwrap()) as usize;
            Cell::Text(String::from_utf8(bytes.take(length).to_vec()).unwrap())
        }
        (true, other) => panic!("no type {other}"),
    };
    let cells = is_there.into_iter().map(&mut cell).collect();
    assert!(bytes.0.is_empty(), "nothing is left over");
    cells
}
