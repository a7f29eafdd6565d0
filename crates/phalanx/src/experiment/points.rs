//! The points of a sweep, and how their settings override a file's.
use std::collections::{BTreeMap, BTreeSet};

use crate::experiment::document::{self, Item, Kind as Shape, Table};
use crate::experiment::expand::RUNS_MAX;
use crate::experiment::quick::Quick;
use crate::experiment::registries::{Kind, Registries};
use crate::experiment::resolve::{ATTACK_KEYS, DIRECT_KEYS, TOP_KEYS};
use crate::problem::Problem;

/// The key of a sweep whose points set several keys together.
pub const POINTS: &str = "points";

/// The settings of a table of `set`, `sweep` or `quick`, by their dotted keys.
///
/// # Errors
/// When a key sets nothing.
pub fn checked_keys(table: &Table, what: &str) -> Result<BTreeMap<String, Item>, Problem> {
    let refused = ["arm", "sweep", "format", "name", "expect", "skip", "quick", "select"];
    for (key, item) in table {
        let first = key.split('.').next().unwrap_or_default();
        let settable = || TOP_KEYS.iter().copied().filter(|known| !refused.contains(known));
        if settable().all(|known| known != first) {
            let problem = Problem::new(format!("unknown key `{first}` in `{what}`"));
            return Err(problem.at(&item.origin).among("key", first, settable()));
        }
    }
    Ok(table.clone())
}

/// One point of the cross product.
#[derive(Debug, Default, Clone)]
pub struct Point {
    /// what tells it from the others, as part of an arm's name
    pub label: String,
    /// what it sets
    pub set: BTreeMap<String, Item>,
}

/// The given points times the lists of one sweep.
///
/// # Errors
/// When the sweep is malformed or too large.
pub fn points(
    mut points: Vec<Point>,
    sweep: Option<&Item>,
    quick: &Quick,
) -> Result<Vec<Point>, Problem> {
    let Some(sweep) = sweep else { return Ok(points) };
    let mut swept = sweep.table("sweep")?.clone();
    let together = swept.remove(POINTS);
    let swept = checked_keys(&swept, "sweep")?;
    if let Some(item) = &together {
        let own = together_points(item, &swept, quick)?;
        points = times(&points, &own, item)?;
    }
    for (key, item) in &swept {
        let item = quick.sweep.get(key).unwrap_or(item);
        if let Shape::Table(_) = item.kind {
            let problem = Problem::new(format!("`sweep.{key}` is a table, but a list is needed"));
            return Err(problem
                .at(&item.origin)
                .hint("quote dotted keys: `\"attack.name\" = [..]`"));
        }
        let values = item.list(&format!("sweep.{key}"))?;
        if values.is_empty() {
            return Err(Problem::new(format!("`sweep.{key}` is empty")).at(&item.origin));
        }
        // What the command line fixes is not swept.
        if quick.fixes(key) {
            continue;
        }
        let own: Vec<Point> =
            values.iter().map(|value| Point::default().with(key, value)).collect();
        points = times(&points, &own, item)?;
    }
    Ok(points)
}

/// The cross product, in order.
fn times(points: &[Point], own: &[Point], item: &Item) -> Result<Vec<Point>, Problem> {
    if points.len().saturating_mul(own.len()) > RUNS_MAX {
        let problem = Problem::new(format!("the sweep has more than `{RUNS_MAX}` points"));
        return Err(problem.at(&item.origin).hint("split the sweep into several files"));
    }
    let pairs = points.iter().flat_map(|point| own.iter().map(move |other| (point, other)));
    Ok(pairs.map(|(point, other)| point.and(other)).collect())
}

/// The points of a sweep that set several keys together.
fn together_points(
    item: &Item,
    swept: &BTreeMap<String, Item>,
    quick: &Quick,
) -> Result<Vec<Point>, Problem> {
    let mut points: Vec<Point> = Vec::new();
    let list = quick.sweep.get(POINTS).unwrap_or(item).list("sweep.points")?;
    for item in list {
        let mut table = item.table("sweep.points")?.clone();
        let name = table.remove("name");
        let mut point = Point::default();
        for (key, value) in &checked_keys(&table, "sweep.points")? {
            if swept.contains_key(key) {
                let problem = Problem::new(format!("`{key}` is swept beside `points`, too"));
                return Err(problem.at(&value.origin).hint("name it in one of the two"));
            }
            if !quick.fixes(key) {
                point = point.with(key, value);
            }
        }
        if let Some(name) = name {
            point.label = name.text("sweep.points.name")?.into();
        }
        // What the command line fixes may leave no difference between two of them.
        let is_known = |known: &Point| known.label == point.label;
        let has_fixed = table.keys().any(|key| quick.fixes(key));
        if !(has_fixed && points.iter().any(is_known)) {
            points.push(point);
        }
    }
    if points.is_empty() {
        return Err(Problem::new("`sweep.points` is empty").at(&item.origin));
    }
    Ok(points)
}

impl Point {
    fn with(&self, key: &str, value: &Item) -> Self {
        let last = key.rsplit('.').next().unwrap_or_default();
        let brief = match value.brief() {
            brief if brief.is_empty() => "none".into(),
            brief => brief,
        };
        let names_itself = matches!(&value.kind, Shape::Table(table) if table.contains_key("name"));
        let part = if last == "name" || names_itself { brief } else { format!("{last}={brief}") };
        let set = BTreeMap::from([(key.into(), value.clone())]);
        self.and(&Self { label: part, set })
    }

    fn and(&self, other: &Self) -> Self {
        let mut point = self.clone();
        if !point.label.is_empty() && !other.label.is_empty() {
            point.label.push('-');
        }
        point.label.push_str(&other.label);
        point.set.extend(other.set.clone());
        point
    }
}

/// Overrides keys, names first, since a new name brings its own parameters.
///
/// # Errors
/// When a key passes through a value that is no table.
pub fn apply(
    table: &mut Table,
    set: &BTreeMap<String, Item>,
    known: &Registries,
) -> Result<(), Problem> {
    let is_name = |key: &str| key.ends_with(".name");
    for (key, item) in set.iter().filter(|(key, _)| is_name(key)) {
        drop_parameters(table, key, item, known);
        document::set(table, key, item.clone())?;
    }
    for (key, item) in set.iter().filter(|(key, _)| !is_name(key)) {
        document::set(table, key, item.clone())?;
    }
    Ok(())
}

/// Drops the parameters of the former choice that the new one does not have. What neither knows
/// stays, so that a misspelt key is still found.
fn drop_parameters(table: &mut Table, key: &str, name: &Item, known: &Registries) {
    let section = key.trim_end_matches(".name");
    let Some(kind) = Kind::ALL.into_iter().find(|kind| kind.word() == section) else { return };
    let Some(Item { kind: Shape::Table(fields), .. }) = table.get_mut(section) else { return };
    let declared = |name: &str| -> BTreeSet<&'static str> {
        let listed = known.find(kind, name);
        let params = listed.map_or(&[][..], |listed| listed.params);
        let own = match kind {
            Kind::Attack if name != "none" => ATTACK_KEYS,
            Kind::Exchange if name == "direct" => DIRECT_KEYS,
            _ => &[],
        };
        params.iter().map(|param| param.name).chain(own.iter().copied()).collect()
    };
    let former = fields.get("name").map(Item::brief).unwrap_or_default();
    let (former, new) = (declared(&former), declared(&name.brief()));
    fields.retain(|field, _| !former.contains(field.as_str()) || new.contains(field.as_str()));
}
