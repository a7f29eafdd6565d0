//! Numbers with commas between them, one vector a line.
use std::io::{BufRead, ErrorKind};

use crate::matrix_file::{Conversion, Matrix, ROWS_MAX, no_room};
use crate::problem::Problem;

/// Longest text of one number; the longest exact decimal of an `f64` has 1077 characters.
const FIELD_MAX: usize = 2048;
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// Reads a matrix; `name` only names it in problems.
///
/// A first line without any number is a header; a line that begins with `#` is a comment; empty
/// lines may only stand at the end.
///
/// # Cost
/// Memory: 4 bytes a number, up to twice that while the buffer grows. Lines are never held.
///
/// # Errors
/// For lines of different lengths, and fields that are no numbers.
pub fn parse(name: &str, mut read: impl BufRead) -> Result<Matrix, Problem> {
    let mut table = Table { line: 1, is_first: true, ..Table::default() };
    let is_all = read_into(&mut table, &mut read).and_then(|()| table.finish());
    is_all.map_err(|problem| problem.at(format!("{name}:{}", table.line)))?;
    let Table { rows, dim, mut values, overflowed, .. } = table;
    if rows == 0 {
        let problem = Problem::new("no line of numbers").at(name);
        return Err(problem.hint("each line is a vector: numbers with commas between them"));
    }
    values.shrink_to_fit();
    let conversion = Conversion { is_rounded: false, overflowed };
    Ok(Matrix { count: rows, dim: dim.unwrap_or_default(), values, names: None, conversion })
}

fn read_into(table: &mut Table, read: &mut impl BufRead) -> Result<(), Problem> {
    loop {
        let buffer = match read.fill_buf() {
            Ok([]) => return Ok(()),
            Ok(buffer) => buffer,
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(error) => {
                let reason = crate::problem::reason(&error);
                return Err(Problem::new(format!("cannot read: {reason}")));
            }
        };
        buffer.iter().try_for_each(|byte| table.take(*byte))?;
        let count = buffer.len();
        read.consume(count);
    }
}

/// What was read so far.
#[derive(Default)]
struct Table {
    rows: usize,
    /// fields of the lines before
    dim: Option<usize>,
    values: Vec<f32>,
    overflowed: u64,
    /// number of this line, from 1
    line: u64,
    /// nothing but comments before this line
    is_first: bool,
    is_comment: bool,
    is_header: bool,
    /// complete fields of this line
    column: usize,
    /// the field that has begun
    field: Vec<u8>,
    /// number of the first empty line
    empty: Option<u64>,
}

impl Table {
    fn take(&mut self, byte: u8) -> Result<(), Problem> {
        match byte {
            b'\n' => {
                self.end_line()?;
                self.line += 1;
            }
            _ if self.is_comment => {}
            b',' => self.end_field()?,
            b'#' if self.is_blank() => self.is_comment = true,
            _ if self.field.len() < FIELD_MAX => self.field.push(byte),
            _ => {
                let column = self.column + 1;
                let message = format!("column {column}: more than `{FIELD_MAX}` characters");
                return Err(Problem::new(message).hint("fields are separated by commas"));
            }
        }
        if self.line == 1 && self.column == 0 && self.field == BYTE_ORDER_MARK {
            self.field.clear();
        }
        Ok(())
    }

    /// Whether nothing has been seen in this line.
    fn is_blank(&self) -> bool {
        self.column == 0 && self.field.iter().all(u8::is_ascii_whitespace)
    }

    fn end_field(&mut self) -> Result<(), Problem> {
        self.column += 1;
        let mut bytes = std::mem::take(&mut self.field);
        let outcome = self.number(String::from_utf8_lossy(&bytes).trim());
        bytes.clear();
        self.field = bytes;
        outcome.map_err(|(message, hint)| {
            let problem = Problem::new(format!("column {}: {message}", self.column));
            if hint.is_empty() { problem } else { problem.hint(hint) }
        })
    }

    fn number(&mut self, field: &str) -> Result<(), (String, &'static str)> {
        let number: Result<f32, _> = field.parse();
        if self.is_first && self.column == 1 {
            self.is_header = number.is_err();
        }
        match number {
            Err(_) if self.is_header => Ok(()),
            Ok(_) if self.is_header => {
                let message = format!("the number `{field}` in a line that began as a header");
                Err((message, "a header has no number, a vector nothing else"))
            }
            Ok(number) => {
                // Words for infinity end in a letter; digits that are too large do not.
                let is_word = field.ends_with(|last: char| last.is_alphabetic());
                self.overflowed += u64::from(number.is_infinite() && !is_word);
                if self.values.try_reserve(1).is_err() {
                    let problem = no_room(self.values.len() + 1);
                    return Err((problem.message, ""));
                }
                self.values.push(number);
                Ok(())
            }
            Err(_) => {
                let message = match field {
                    "" => "nothing where a number is expected".into(),
                    _ => format!("`{field}` is not a number"),
                };
                Err((message, "numbers as `1.5`, `-2e-3`, `nan`, `inf`, with commas between them"))
            }
        }
    }

    fn end_line(&mut self) -> Result<(), Problem> {
        if std::mem::take(&mut self.is_comment) {
            self.field.clear();
            return Ok(());
        }
        if self.is_blank() {
            self.field.clear();
            self.empty.get_or_insert(self.line);
            return Ok(());
        }
        self.end_field()?;
        if let Some(empty) = self.empty {
            let problem = Problem::new(format!("a vector after the empty line {empty}"));
            return Err(problem.hint("remove the empty line"));
        }
        let found = std::mem::take(&mut self.column);
        let expected = *self.dim.get_or_insert(found);
        if found != expected {
            let message = format!("`{found}` fields, but `{expected}` in the lines before");
            return Err(Problem::new(message).hint("every vector has the same length"));
        }
        self.is_first = false;
        if std::mem::take(&mut self.is_header) {
            return Ok(());
        }
        self.rows += 1;
        if self.rows as u64 > ROWS_MAX {
            let problem = Problem::new(format!("more than `{ROWS_MAX}` vectors"));
            return Err(problem.hint("rows are vectors; transpose the matrix if columns are"));
        }
        Ok(())
    }

    /// Ends a last line without line feed.
    fn finish(&mut self) -> Result<(), Problem> {
        if self.is_comment || self.is_blank() { Ok(()) } else { self.end_line() }
    }
}
