//! Points of a sweep that make no sense, and how a file says so.
//!
//! ```toml
//! skip = [
//!     { "population.f" = 0, "attack.name" = ["sign-flipping", "gaussian"] },  # one of several
//!     { "attack.count" = { above = "population.f" }, "rule.name" = { not = "average" } },
//!     { "task.alpha" = { max = 0.5 }, "algorithm.momentum" = { min = 0.9 } },
//! ]
//! ```
//!
//! A point that meets all conditions of one entry is left out. Conditions see what the file, arm,
//! point and command line have set, and otherwise the declared default.
use phalanx_robust::registry::find;
use phalanx_robust::{ParamKind, Value};

use crate::experiment::document::{self, Item, Kind as Shape, Origin, Table};
use crate::experiment::points::checked_keys;
use crate::experiment::registries::{Kind, Registries};
use crate::problem::Problem;

/// One entry of `skip`.
#[derive(Debug, Clone)]
pub struct Skip {
    /// where it was written
    pub origin: Origin,
    /// its conditions in one line
    pub text: String,
    conditions: Vec<(String, Condition)>,
}

#[derive(Debug, Clone)]
enum Condition {
    /// it is one of these
    Among(Vec<Value>),
    /// it is none of these
    Not(Vec<Value>),
    /// at least
    Min(f64),
    /// at most
    Max(f64),
    /// compared with another key
    Beside(Relation, String),
}

#[derive(Debug, Clone, Copy)]
enum Relation {
    Above,
    Below,
    Equals,
    Differs,
}

const RELATIONS: [(&str, Relation); 4] = [
    ("above", Relation::Above),
    ("below", Relation::Below),
    ("equals", Relation::Equals),
    ("differs", Relation::Differs),
];

const WORDS: &[&str] = &["above", "below", "differs", "equals", "max", "min", "not"];

/// Reads `skip`.
///
/// # Errors
/// When an entry is malformed.
pub fn read(item: &Item) -> Result<Vec<Skip>, Problem> {
    item.list("skip")?.iter().map(read_entry).collect()
}

fn read_entry(item: &Item) -> Result<Skip, Problem> {
    let table = checked_keys(item.table("skip")?, "skip")?;
    if table.is_empty() {
        let problem = Problem::new("an entry of `skip` has no condition").at(&item.origin);
        return Err(
            problem.hint("for example `{ \"population.f\" = 0, \"rule.name\" = \"krum\" }`")
        );
    }
    let mut conditions = Vec::new();
    let mut text = Vec::new();
    for (key, item) in &table {
        text.push(match &item.kind {
            Shape::Table(table) => {
                let words = table.iter().map(|(word, item)| format!("{word} {}", item.brief()));
                format!("{key} {}", words.collect::<Vec<_>>().join(" and "))
            }
            _ => format!("{key} = {}", item.brief()),
        });
        for condition in read_conditions(key, item)? {
            conditions.push((key.clone(), condition));
        }
    }
    Ok(Skip { origin: item.origin.clone(), text: text.join(", "), conditions })
}

fn read_conditions(key: &str, item: &Item) -> Result<Vec<Condition>, Problem> {
    let Shape::Table(table) = &item.kind else {
        return Ok(vec![Condition::Among(values(key, item)?)]);
    };
    document::only(table, WORDS, &format!("in the condition on `{key}`"))?;
    if table.is_empty() {
        return Err(Problem::new(format!("the condition on `{key}` is empty")).at(&item.origin));
    }
    let conditions = table.iter().map(|(word, item)| {
        let number = || item.number(&format!("skip.\"{key}\".{word}"), f64::MIN, f64::MAX);
        if let Some((_, relation)) = RELATIONS.iter().find(|(name, _)| name == word) {
            let other = item.text(&format!("skip.\"{key}\".{word}"))?;
            let of_one = Table::from([(other.to_owned(), item.clone())]);
            checked_keys(&of_one, "skip")?;
            return Ok(Condition::Beside(*relation, other.into()));
        }
        Ok(match word.as_str() {
            "min" => Condition::Min(number()?),
            "max" => Condition::Max(number()?),
            _ => Condition::Not(values(key, item)?),
        })
    });
    conditions.collect()
}

fn values(key: &str, item: &Item) -> Result<Vec<Value>, Problem> {
    let scalar = |item: &Item| match &item.kind {
        Shape::Scalar(value) => Ok(value.clone()),
        _ => {
            let found = item.type_name();
            let problem = Problem::new(format!("`skip` compares `{key}` with {found}"));
            Err(problem.at(&item.origin).hint("give a value, or a list of values"))
        }
    };
    match &item.kind {
        Shape::List(items) if items.is_empty() => {
            Err(Problem::new(format!("`skip` compares `{key}` with nothing")).at(&item.origin))
        }
        Shape::List(items) => items.iter().map(scalar).collect(),
        _ => Ok(vec![scalar(item)?]),
    }
}

/// The entries whose conditions a point meets.
pub fn matching(skips: &[Skip], table: &Table, known: &Registries) -> Vec<usize> {
    let matches = |skip: &Skip| {
        skip.conditions.iter().all(|(key, condition)| holds(condition, key, (table, known)))
    };
    (0..skips.len()).filter(|index| matches(&skips[*index])).collect()
}

fn holds(condition: &Condition, key: &str, (table, known): (&Table, &Registries)) -> bool {
    let Some(value) = in_effect(table, key, known) else { return false };
    let number = |value: &Value| match value {
        Value::Integer(value) => Some(*value as f64),
        Value::Number(value) => Some(*value),
        Value::Flag(_) | Value::Text(_) => None,
    };
    let equal = |one: &Value, other: &Value| match (number(one), number(other)) {
        (Some(one), Some(other)) => one == other,
        _ => one == other,
    };
    match condition {
        Condition::Among(values) => values.iter().any(|other| equal(&value, other)),
        Condition::Not(values) => values.iter().all(|other| !equal(&value, other)),
        Condition::Min(least) => number(&value).is_some_and(|value| value >= *least),
        Condition::Max(most) => number(&value).is_some_and(|value| value <= *most),
        Condition::Beside(relation, other) => {
            let Some(other) = in_effect(table, other, known) else { return false };
            let numbers = number(&value).zip(number(&other));
            match relation {
                Relation::Above => numbers.is_some_and(|(value, other)| value > other),
                Relation::Below => numbers.is_some_and(|(value, other)| value < other),
                Relation::Equals => equal(&value, &other),
                Relation::Differs => !equal(&value, &other),
            }
        }
    }
}

/// What a dotted key says, or what holds where it is not written.
pub fn in_effect(table: &Table, key: &str, known: &Registries) -> Option<Value> {
    let (section, field) = key.split_once('.').unwrap_or((key, ""));
    if let Some(item) = document::get(table, key) {
        return Some(match &item.kind {
            Shape::Scalar(value) => value.clone(),
            _ if item.brief().is_empty() => Value::Text("none".into()),
            _ => Value::Text(item.brief()),
        });
    }
    match (section, field) {
        ("attack" | "mixing" | "misbehaviour", "") | ("attack", "name") => {
            Some(Value::Text("none".into()))
        }
        ("attack", "count") if is_attack_free(table) => Some(Value::Integer(0)),
        ("attack", "count") => in_effect(table, "population.f", known),
        ("attack", "reach") => Some(Value::Text("all".into())),
        ("exchange", "name") => Some(Value::Text("direct".into())),
        ("rule", "name") => {
            let algorithm = in_effect(table, "algorithm.name", known)?.to_string();
            let entry = find(known.algorithms, &algorithm)?;
            Some(Value::Text(entry.build.default_rule.into()))
        }
        _ => {
            let kind = Kind::ALL.into_iter().find(|kind| kind.word() == section)?;
            let name = in_effect(table, &format!("{section}.name"), known)?.to_string();
            let listed = known.find(kind, &name)?;
            declared(&listed.params.iter().find(|param| param.name == field)?.kind)
        }
    }
}

fn is_attack_free(table: &Table) -> bool {
    document::get(table, "attack.name").is_none_or(|name| name.brief() == "none")
}

fn declared(kind: &ParamKind) -> Option<Value> {
    match kind {
        ParamKind::Integer { default, .. } => default.map(Value::Integer),
        ParamKind::Number { default, .. } => default.map(Value::Number),
        ParamKind::Flag { default } => Some(Value::Flag(*default)),
        ParamKind::Choice { default, .. } => Some(Value::Text((*default).into())),
        ParamKind::Text { default } => default.map(|text| Value::Text(text.into())),
    }
}
