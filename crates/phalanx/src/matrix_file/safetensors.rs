//! Safetensors files: one matrix, or vectors of equal length under names.
use std::collections::BTreeMap;
use std::fmt;
use std::io::{Read, Seek};

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};

use crate::matrix_file::source::{Source, Width};
use crate::matrix_file::{Conversion, Matrix, check_shape, zeros};
use crate::problem::Problem;

/// Longest header that the format allows.
const HEADER_MAX: u64 = 100_000_000;

/// What the header says of one tensor.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Tensor {
    dtype: String,
    shape: Vec<u64>,
    data_offsets: [u64; 2],
}

/// Tensors under names that are different.
struct Tensors(BTreeMap<String, Tensor>);

/// Reads the matrix `tensor`, or without a name the only matrix, or all vectors as rows in the
/// order of their names.
///
/// # Errors
/// For anything but one complete file, and where it does not say which matrix is meant.
pub fn parse<R: Read + Seek>(
    source: &mut Source<'_, R>,
    tensor: Option<&str>,
) -> Result<Matrix, Problem> {
    let length = source.take(8, "length of the header")?;
    let length = length.iter().rev().fold(0, |length, byte| length << 8 | u64::from(*byte));
    if length > HEADER_MAX {
        let message = format!("a header of `{length}` bytes, more than `{HEADER_MAX}`");
        return Err(source.problem(0, message).hint("is this a safetensors file?"));
    }
    let header = source.take(length, "header")?;
    let Tensors(tensors) = serde_json::from_slice(&header).map_err(|error| {
        let at = 8 + position(&header, error.line(), error.column());
        source.problem(at, format!("the header is not that of a safetensors file: {error}"))
    })?;
    let data = source.at();
    check_layout(source, &tensors)?;
    let chosen = choose(&tensors, tensor);
    let Chosen { rows, count, dim } = chosen.map_err(|problem| source.locate(8, problem))?;
    let mut values = zeros(count * dim).map_err(|problem| source.locate(data, problem))?;
    let mut conversion = Conversion::default();
    let is_named = rows.len() == count && tensors[rows[0].0].shape.len() == 1;
    let names = is_named.then(|| rows.iter().map(|(name, _)| (*name).to_owned()).collect());
    let share = values.len() / rows.len();
    // In the order of the file, whatever the order of the rows.
    let mut parts: Vec<_> = rows.iter().zip(values.chunks_exact_mut(share)).collect();
    parts.sort_by_key(|((name, _), _)| tensors[*name].data_offsets);
    for ((name, width), out) in parts {
        source.go_to(data + tensors[*name].data_offsets[0])?;
        source.numbers(*width, out, &mut conversion)?;
    }
    Ok(Matrix { count, dim, values, names, conversion })
}

/// Byte of a line and column, both from 1.
fn position(text: &[u8], line: usize, column: usize) -> u64 {
    let before = text.split_inclusive(|byte| *byte == b'\n').take(line.saturating_sub(1));
    let before: usize = before.map(<[u8]>::len).sum();
    (before + column.saturating_sub(1)) as u64
}

/// The tensors fill the rest of the file, one after the other.
fn check_layout<R: Read + Seek>(
    source: &Source<'_, R>,
    tensors: &BTreeMap<String, Tensor>,
) -> Result<(), Problem> {
    let data = source.at();
    let mut ordered: Vec<(&String, &Tensor)> = tensors.iter().collect();
    ordered.sort_by_key(|(_, tensor)| tensor.data_offsets);
    let mut end = 0;
    for (name, Tensor { dtype, shape, data_offsets: [from, to] }) in ordered {
        if *from != end || to < from {
            let message = format!(
                "tensor `{name}` lies at `{from}` to `{to}` of the data, but should follow `{end}`"
            );
            return Err(source.problem(8, message).hint("the header is damaged"));
        }
        end = *to;
        let numbers = shape.iter().try_fold(1u64, |product, size| product.checked_mul(*size));
        let bytes = match width(dtype) {
            Some(width) => numbers.and_then(|numbers| numbers.checked_mul(width.bytes() as u64)),
            None => Some(to - from),
        };
        if bytes != Some(to - from) {
            let (found, of) = (to - from, in_words(shape));
            let message = format!("tensor `{name}` has `{found}` bytes for {of} of type `{dtype}`");
            return Err(source.problem(8, message).hint("the header is damaged"));
        }
    }
    let left = source.left();
    if end > left {
        let message =
            format!("truncated: the header promises `{end}` bytes of data, `{left}` follow");
        return Err(source.problem(data, message).hint("write the file again"));
    }
    if end < left {
        let message = format!("`{left}` bytes of data, but the header promises `{end}`");
        return Err(source.problem(data, message).hint("nothing may follow the tensors"));
    }
    Ok(())
}

fn in_words(shape: &[u64]) -> String {
    let sizes: Vec<String> = shape.iter().map(u64::to_string).collect();
    format!("shape `[{}]`", sizes.join(", "))
}

fn width(dtype: &str) -> Option<Width> {
    match dtype {
        "F32" => Some(Width::F32),
        "F64" => Some(Width::F64),
        _ => None,
    }
}

/// The tensors that are read, each one or all rows.
struct Chosen<'a> {
    rows: Vec<(&'a str, Width)>,
    count: usize,
    dim: usize,
}

fn choose<'a>(
    tensors: &'a BTreeMap<String, Tensor>,
    tensor: Option<&'a str>,
) -> Result<Chosen<'a>, Problem> {
    if let Some(name) = tensor {
        let Some((name, tensor)) = tensors.get_key_value(name) else {
            let problem = Problem::new(format!("no tensor is called `{name}`"));
            return Err(problem.among("tensor", name, tensors.keys().map(String::as_str)));
        };
        return matrix(name, tensor);
    }
    if tensors.is_empty() {
        return Err(Problem::new("the file holds no tensor"));
    }
    if tensors.values().all(|tensor| tensor.shape.len() == 1) {
        return vectors(tensors);
    }
    let mut pairs = tensors.iter();
    match (pairs.next(), pairs.next()) {
        (Some((name, tensor)), None) => matrix(name, tensor),
        _ => {
            let names: Vec<String> =
                tensors.keys().take(10).map(|name| format!("`{name}`")).collect();
            let of = if tensors.len() > 10 { ", .." } else { "" };
            let problem = Problem::new(format!(
                "`{}` tensors that are not all vectors: {}{of}",
                tensors.len(),
                names.join(", ")
            ));
            Err(problem.hint("choose a matrix with `--tensor NAME`"))
        }
    }
}

fn matrix<'a>(name: &'a str, tensor: &Tensor) -> Result<Chosen<'a>, Problem> {
    let [rows, columns] = tensor.shape[..] else {
        let of = in_words(&tensor.shape);
        let problem = Problem::new(format!("tensor `{name}` has {of}, but a matrix is needed"));
        return Err(problem.hint("rows are vectors, columns coordinates"));
    };
    let width = floating(name, tensor)?;
    let (count, dim) = check_shape(rows, columns)?;
    Ok(Chosen { rows: vec![(name, width)], count, dim })
}

fn vectors(tensors: &BTreeMap<String, Tensor>) -> Result<Chosen<'_>, Problem> {
    let (first, expected) = tensors.iter().next().map_or(("", 0), |(n, t)| (n, t.shape[0]));
    let mut rows = Vec::with_capacity(tensors.len());
    for (name, tensor) in tensors {
        let found = tensor.shape[0];
        if found != expected {
            return Err(Problem::new(format!(
                "tensor `{name}` has length `{found}`, but `{first}` has length `{expected}`"
            )));
        }
        rows.push((name.as_str(), floating(name, tensor)?));
    }
    let (count, dim) = check_shape(rows.len() as u64, expected)?;
    Ok(Chosen { rows, count, dim })
}

fn floating(name: &str, tensor: &Tensor) -> Result<Width, Problem> {
    let dtype = &tensor.dtype;
    width(dtype).ok_or_else(|| {
        let message = format!("tensor `{name}` is of type `{dtype}`, but `F32` or `F64` is needed");
        Problem::new(message).hint("convert it before it is saved")
    })
}

impl<'de> Deserialize<'de> for Tensors {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Names)
    }
}

/// Reads a map whose keys must not repeat.
struct Names;

impl<'de> Visitor<'de> for Names {
    type Value = Tensors;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("tensors by name")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Tensors, A::Error> {
        let (mut tensors, mut has_metadata) = (BTreeMap::new(), false);
        while let Some(name) = map.next_key::<String>()? {
            let is_new = if name == "__metadata__" {
                map.next_value::<BTreeMap<String, String>>()?;
                !std::mem::replace(&mut has_metadata, true)
            } else {
                tensors.insert(name.clone(), map.next_value()?).is_none()
            };
            if !is_new {
                return Err(serde::de::Error::custom(format_args!("`{name}` is there twice")));
            }
        }
        Ok(Tensors(tensors))
    }
}
