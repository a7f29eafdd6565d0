//! NumPy's array files, versions 1 to 3: two-dimensional, little-endian `f4` and `f8`.
use std::io::{Read, Seek};

use crate::matrix_file::source::{Source, Width};
use crate::matrix_file::{Conversion, Matrix, check_shape, zeros};
use crate::problem::Problem;

/// First bytes of every array file.
pub const MAGIC: &[u8; 6] = b"\x93NUMPY";
/// No header of a plain matrix comes near.
const HEADER_MAX: u64 = 1 << 16;
/// Numbers of a Fortran-ordered file that are put into their rows at a time.
const TILE: usize = 1 << 18;

/// Reads a matrix.
///
/// # Errors
/// For anything but one complete array of two dimensions and nothing after it.
pub fn parse<R: Read + Seek>(source: &mut Source<'_, R>) -> Result<Matrix, Problem> {
    let (header, from) = header(source)?;
    let text = Literal { text: &header, at: 0 }.header();
    let Header { width, is_fortran, shape } =
        text.map_err(|(at, problem)| source.locate(from + at as u64, problem))?;
    let located = |problem| source.locate(from, problem);
    let [rows, columns] = shape[..] else { return Err(located(not_a_matrix(&shape))) };
    let (count, dim) = check_shape(rows, columns).map_err(located)?;
    let promised = u128::from(rows) * u128::from(columns) * width.bytes() as u128;
    let (at, left) = (source.at(), source.left());
    if promised > left.into() {
        let message =
            format!("truncated: the header promises `{promised}` bytes of data, `{left}` follow");
        return Err(source.problem(at, message).hint("write the file again"));
    }
    if promised < left.into() {
        let message = format!("`{left}` bytes of data, but the header promises `{promised}`");
        let problem = source.problem(at, message);
        return Err(problem.hint("a file holds one array and nothing after it"));
    }
    let mut values = zeros(count * dim).map_err(|problem| source.locate(at, problem))?;
    let mut conversion = Conversion::default();
    if is_fortran && count > 1 && dim > 1 {
        columns_first(source, width, (&mut values, count, dim), &mut conversion)?;
    } else {
        source.numbers(width, &mut values, &mut conversion)?;
    }
    Ok(Matrix { count, dim, values, names: None, conversion })
}

/// The header's text and where it begins.
fn header<R: Read + Seek>(source: &mut Source<'_, R>) -> Result<(Vec<u8>, u64), Problem> {
    let head = source.take(8, "magic and version of an array file")?;
    if !head.starts_with(MAGIC) {
        let found = head[..6].escape_ascii();
        let message = format!("starts with `{found}`, but an array file with `\\x93NUMPY`");
        return Err(source.problem(0, message).hint("write it with `numpy.save`"));
    }
    let size = match head[6..] {
        [1, 0] => 2,
        [2 | 3, 0] => 4,
        _ => {
            let message =
                format!("version `{}.{}`, but 1.0, 2.0 or 3.0 is needed", head[6], head[7]);
            return Err(source.problem(6, message));
        }
    };
    let length = source.take(size, "length of the header")?;
    let length = length.iter().rev().fold(0, |length, byte| length << 8 | u64::from(*byte));
    if length > HEADER_MAX {
        let message = format!("a header of `{length}` bytes, more than `{HEADER_MAX}`");
        return Err(source.problem(8, message).hint("save a plain two-dimensional array"));
    }
    let from = source.at();
    Ok((source.take(length, "header")?, from))
}

fn not_a_matrix(shape: &[u64]) -> Problem {
    let sizes: Vec<String> = shape.iter().map(u64::to_string).collect();
    let shape = match &sizes[..] {
        [one] => format!("({one},)"),
        _ => format!("({})", sizes.join(", ")),
    };
    let problem =
        Problem::new(format!("an array of shape `{shape}`, but two dimensions are needed"));
    problem.hint(match sizes.len() {
        0 => "rows are vectors, columns coordinates",
        1 => "`a[None, :]` makes one row of it",
        _ => "`a.reshape(len(a), -1)` makes a row of each entry",
    })
}

/// Puts column after column into rows, a few columns at a time.
fn columns_first<R: Read + Seek>(
    source: &mut Source<'_, R>,
    width: Width,
    (values, count, dim): (&mut [f32], usize, usize),
    conversion: &mut Conversion,
) -> Result<(), Problem> {
    let most = (TILE / count).clamp(1, dim);
    let mut tile = vec![0.0; most * count];
    for first in (0..dim).step_by(most) {
        let columns = most.min(dim - first);
        let tile = &mut tile[..columns * count];
        source.numbers(width, tile, conversion)?;
        for (i, row) in values.chunks_exact_mut(dim).enumerate() {
            let column = tile.chunks_exact(count).map(|column| column[i]);
            row[first..first + columns].iter_mut().zip(column).for_each(|(out, x)| *out = x);
        }
    }
    Ok(())
}

struct Header {
    width: Width,
    is_fortran: bool,
    shape: Vec<u64>,
}

/// The Python literal of a header, and the position in it.
struct Literal<'a> {
    text: &'a [u8],
    at: usize,
}

type Fault = (usize, Problem);

impl Literal<'_> {
    fn header(&mut self) -> Result<Header, Fault> {
        let (mut width, mut is_fortran, mut shape) = (None, None, None);
        self.expect(b'{')?;
        while !self.is_next(b'}') {
            let at = self.at;
            let key = self.string("a key")?;
            self.expect(b':')?;
            let is_new = match key.as_str() {
                "descr" => width.replace(self.width()?).is_none(),
                "fortran_order" => is_fortran.replace(self.flag()?).is_none(),
                "shape" => shape.replace(self.shape()?).is_none(),
                _ => return Err((at, Problem::new(format!("unknown key `{key}` of a header")))),
            };
            if !is_new {
                return Err((at, Problem::new(format!("key `{key}` of the header twice"))));
            }
            if !self.is_next(b',') {
                self.expect(b'}')?;
                break;
            }
        }
        if self.peek().is_some() {
            return Err(self.unexpected("nothing after the header's `}`"));
        }
        let missing = |key| (0, Problem::new(format!("the header has no `{key}`")));
        Ok(Header {
            width: width.ok_or_else(|| missing("descr"))?,
            is_fortran: is_fortran.ok_or_else(|| missing("fortran_order"))?,
            shape: shape.ok_or_else(|| missing("shape"))?,
        })
    }

    fn width(&mut self) -> Result<Width, Fault> {
        let hint = "convert it: `a.astype('<f4')`";
        let needed = "little-endian `<f4` or `<f8` is needed";
        if self.peek() == Some(b'[') {
            let problem = Problem::new(format!("numbers of a structured type, but {needed}"));
            return Err((self.at, problem.hint("save one field: `a['field']`")));
        }
        let at = self.at;
        match self.string("the type of the numbers")?.as_str() {
            "<f4" => Ok(Width::F32),
            "<f8" => Ok(Width::F64),
            other => Err((
                at,
                Problem::new(format!("numbers of type `{other}`, but {needed}")).hint(hint),
            )),
        }
    }

    fn flag(&mut self) -> Result<bool, Fault> {
        self.peek();
        for (word, value) in [(&b"True"[..], true), (b"False", false)] {
            if self.text[self.at..].starts_with(word) {
                self.at += word.len();
                return Ok(value);
            }
        }
        Err(self.unexpected("`True` or `False`"))
    }

    fn shape(&mut self) -> Result<Vec<u64>, Fault> {
        let mut sizes = Vec::new();
        self.expect(b'(')?;
        while !self.is_next(b')') {
            sizes.push(self.size()?);
            if !self.is_next(b',') {
                self.expect(b')')?;
                break;
            }
        }
        Ok(sizes)
    }

    fn size(&mut self) -> Result<u64, Fault> {
        self.peek();
        let digits = self.text[self.at..].iter().take_while(|byte| byte.is_ascii_digit());
        let count = digits.count();
        if count == 0 {
            return Err(self.unexpected("a size"));
        }
        let (at, digits) = (self.at, &self.text[self.at..][..count]);
        self.at += count;
        // Python 2 marked long integers.
        self.is_next(b'L');
        let digits = String::from_utf8_lossy(digits);
        let large = |_| (at, Problem::new(format!("size `{digits}` needs more than 64 bits")));
        digits.parse().map_err(large)
    }

    fn string(&mut self, what: &str) -> Result<String, Fault> {
        let Some(quote @ (b'\'' | b'"')) = self.peek() else {
            return Err(self.unexpected(&format!("{what} in quotes")));
        };
        let rest = &self.text[self.at + 1..];
        let Some(length) = rest.iter().position(|byte| *byte == quote) else {
            return Err((self.at, Problem::new(format!("{what} without an end"))));
        };
        self.at += length + 2;
        Ok(String::from_utf8_lossy(&rest[..length]).into_owned())
    }

    /// The next byte that is not blank.
    fn peek(&mut self) -> Option<u8> {
        let blanks = self.text[self.at..].iter().take_while(|byte| byte.is_ascii_whitespace());
        self.at += blanks.count();
        self.text.get(self.at).copied()
    }

    /// Steps over `byte` if it is next.
    fn is_next(&mut self, byte: u8) -> bool {
        let is_next = self.peek() == Some(byte);
        self.at += usize::from(is_next);
        is_next
    }

    fn expect(&mut self, byte: u8) -> Result<(), Fault> {
        let expected = format!("`{}`", char::from(byte));
        if self.is_next(byte) { Ok(()) } else { Err(self.unexpected(&expected)) }
    }

    fn unexpected(&mut self, expected: &str) -> Fault {
        let found = match self.peek() {
            Some(byte) => format!("`{}`", byte.escape_ascii()),
            None => "the header ends".into(),
        };
        (self.at, Problem::new(format!("{found} in the header where {expected} is expected")))
    }
}
