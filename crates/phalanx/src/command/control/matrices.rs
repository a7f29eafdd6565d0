//! Matrices and plants as a person writes them into a file.
use std::path::Path;

use phalanx_robust::Value;
use phalanx_tasks::control::{Matrix, ORDER_MAX};
use phalanx_tasks::diffusion_control::{PLANTS, Plant, PlantError, named};

use crate::experiment::document::{self, Item, Kind as Shape, Table};
use crate::problem::Problem;

/// Keys of a plant.
pub(super) const PLANT_KEYS: &[&str] =
    &["a", "b", "dither", "file", "initial-gain", "input-cost", "name", "noise", "state-cost"];

/// The text of a file.
pub(super) fn read_text(what: &str, file: &Path) -> Result<String, Problem> {
    let bytes = std::fs::read(file)
        .map_err(|error| Problem::io(&format!("cannot read the {what}"), file, &error))?;
    String::from_utf8(bytes).map_err(|_| Problem::new("this is not UTF-8 text").at(file.display()))
}

/// A matrix written as a list of rows. Where `order` is given, a single number stands for that
/// multiple of the identity.
pub(super) fn matrix(item: &Item, key: &str, order: Option<usize>) -> Result<Matrix, Problem> {
    if let (Shape::Scalar(_), Some(order)) = (&item.kind, order) {
        return Ok(Matrix::scalar(order, entry(item, key, None)?));
    }
    let mut rows = Vec::new();
    for (i, row) in item.list(key)?.iter().enumerate() {
        let of = format!("row {} of {key}", i + 1);
        let entries = row.list(&of)?.iter().enumerate();
        let entries = entries.map(|(j, item)| entry(item, key, Some((i + 1, j + 1))));
        let entries = entries.collect::<Result<Vec<f64>, Problem>>()?;
        if entries.is_empty() || entries.len() > ORDER_MAX || i >= ORDER_MAX {
            let message =
                format!("`{key}` needs 1 to {ORDER_MAX} rows of 1 to {ORDER_MAX} entries");
            return Err(Problem::new(message).at(&row.origin));
        }
        rows.push(entries);
    }
    Matrix::from_rows(&rows).map_err(|error| {
        let problem = Problem::new(format!("`{key}` is no matrix: {error}")).at(&item.origin);
        problem.hint("write a list of rows of equal length, such as `[[1.0, 0.0], [0.0, 1.0]]`")
    })
}

fn entry(item: &Item, key: &str, at: Option<(usize, usize)>) -> Result<f64, Problem> {
    let place = at.map_or(String::new(), |(i, j)| format!("entry ({i}, {j}) of "));
    let value = match &item.kind {
        Shape::Scalar(Value::Integer(value)) => *value as f64,
        Shape::Scalar(Value::Number(value)) => *value,
        _ => {
            let message = format!("{place}`{key}` is {}, but a number is needed", item.type_name());
            return Err(Problem::new(message).at(&item.origin));
        }
    };
    if value.is_finite() {
        return Ok(value);
    }
    let problem = Problem::new(format!("{place}`{key}` is `{value}`")).at(&item.origin);
    Err(problem.hint("every entry must be a finite number"))
}

/// A plant and what it is called.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct NamedPlant {
    /// name of a listed plant, or `custom`
    pub(super) name: String,
    /// checked by nobody yet
    pub(super) plant: Plant,
}

/// A plant from its table: a listed one, a file, or matrices; matrices replace those of the
/// listed plant or of the file.
pub(super) fn plant(item: &Item, folder: &Path) -> Result<NamedPlant, Problem> {
    let table = item.table("plant")?;
    document::only(table, PLANT_KEYS, "of a plant")?;
    let base = match (table.get("name"), table.get("file")) {
        (Some(_), Some(file)) => {
            let problem = Problem::new("a plant has a `name` or a `file`, not both");
            return Err(problem.at(&file.origin));
        }
        (Some(name), None) if name.text("plant.name")? == "custom" => None,
        (Some(name), None) => Some(listed(name)?),
        (None, Some(file)) => {
            let path = folder.join(file.text("plant.file")?);
            let text = read_text("plant file", &path).map_err(|problem| {
                problem.hint("the path is relative to the folder of the experiment file")
            })?;
            let mut inner = document::parse(&text, &path.display().to_string())?;
            if let Some(nested) = inner.remove("plant") {
                inner = nested.table("plant")?.clone();
            }
            if let Some(again) = inner.get("file") {
                let problem = Problem::new("a plant file cannot name another one");
                return Err(problem.at(&again.origin));
            }
            let origin = file.origin.clone();
            Some(plant(&Item { kind: Shape::Table(inner), origin }, folder)?)
        }
        (None, None) => None,
    };
    let (name, base) = base.map_or(("custom".into(), None), |base| (base.name, Some(base.plant)));
    Ok(NamedPlant { name, plant: with_matrices(item, table, base)? })
}

fn listed(name: &Item) -> Result<NamedPlant, Problem> {
    let text = name.text("plant.name")?;
    let entry = named(text).ok_or_else(|| {
        let problem = Problem::new(format!("unknown plant `{text}`")).at(&name.origin);
        problem.among("plant", text, PLANTS.iter().map(|entry| entry.name))
    })?;
    Ok(NamedPlant { name: entry.name.into(), plant: entry.plant() })
}

fn with_matrices(item: &Item, table: &Table, base: Option<Plant>) -> Result<Plant, Problem> {
    let get = |key: &str, order: Option<usize>| {
        table.get(key).map(|item| matrix(item, &format!("plant.{key}"), order)).transpose()
    };
    let missing = |key: &str| {
        let problem = Problem::new(format!("a plant of one's own has no `{key}`"));
        problem.at(&item.origin).hint(
            "give `a`, `b`, `noise`, `state-cost`, `input-cost` and `dither`, or the `name` of a \
             listed plant",
        )
    };
    let dither = match table.get("dither") {
        Some(item) => Some(item.number("plant.dither", f64::MIN_POSITIVE, 1e6).map_err(|p| {
            p.hint("without dither the input matrix cannot be told from the state matrix")
        })?),
        None => None,
    };
    let mut plant = match base {
        Some(base) => base,
        None => {
            let a = get("a", None)?.ok_or_else(|| missing("a"))?;
            let b = get("b", None)?.ok_or_else(|| missing("b"))?;
            let (p, q) = (a.rows(), b.columns());
            for (key, order) in [("noise", p), ("state-cost", p), ("input-cost", q)] {
                get(key, Some(order))?.ok_or_else(|| missing(key))?;
            }
            let (unit, gain) = (Matrix::scalar(p, 1.0), Matrix::zeros(q, p));
            let input_cost = Matrix::scalar(q, 1.0);
            let dither = dither.ok_or_else(|| missing("dither"))?;
            let (noise, state_cost) = (unit.clone(), unit);
            Plant { a, b, noise, state_cost, input_cost, initial_gain: gain, dither }
        }
    };
    if let Some(a) = get("a", None)? {
        plant.a = a;
    }
    if let Some(b) = get("b", None)? {
        plant.b = b;
    }
    let (p, q) = (plant.a.rows(), plant.b.columns());
    if let Some(noise) = get("noise", Some(p))? {
        plant.noise = noise;
    }
    if let Some(cost) = get("state-cost", Some(p))? {
        plant.state_cost = cost;
    }
    if let Some(cost) = get("input-cost", Some(q))? {
        plant.input_cost = cost;
    }
    if let Some(gain) = get("initial-gain", None)? {
        plant.initial_gain = gain;
    }
    plant.dither = dither.unwrap_or(plant.dither);
    Ok(plant)
}

/// A refused plant, told where its wrong part was written.
pub(super) fn refused(error: &PlantError, item: &Item) -> Problem {
    let origin = match &item.kind {
        Shape::Table(table) => table.get(error.what()).map(|part| &part.origin),
        _ => None,
    };
    let problem = Problem::new(format!("plant: {error}"));
    problem.at(origin.unwrap_or(&item.origin)).hint(error.hint())
}
