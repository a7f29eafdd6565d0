//! Names of rows, columns and panels.
use std::collections::BTreeSet;

use super::axes::{self, Axis, Role};
use super::{NO_ATTACK, Panel};
use crate::settings::{Setting, Settings};

/// Longest name of a mixing that stands in a row's label in full.
const NAME_MAX: usize = 15;

/// Where an arm stands.
pub(super) struct Place {
    pub(super) defence: String,
    /// the defence without its parameters, and these
    pub(super) parts: (String, Vec<Option<Setting>>),
    pub(super) attack: String,
    pub(super) point: Vec<Option<Setting>>,
}

impl Place {
    pub(super) fn of(axes: &[Axis], settings: &Settings, short: &[(String, String)]) -> Self {
        let names: Vec<Axis> = axes.iter().filter(|axis| !axis.is_parameter()).cloned().collect();
        let byzantine = settings.get("byzantine").and_then(Setting::number);
        let others = axes.iter().filter(|axis| axis.role == Role::Other);
        let parameters = axes.iter().filter(|axis| axis.is_parameter());
        let value = |axis: &Axis| settings.get(&axis.key).cloned();
        Self {
            defence: defence(axes, settings, short),
            parts: (defence(&names, settings, short), parameters.map(value).collect()),
            attack: if byzantine == Some(0.0) { NO_ATTACK.into() } else { attack(axes, settings) },
            point: others.map(value).collect(),
        }
    }
}

/// `mocwtm`, `NNM + trimmed-mean`, `nna, momentum = 0.9`: what varies, and the rule where nothing
/// else would name it; algorithm and rule where neither varies.
fn defence(axes: &[Axis], settings: &Settings, short: &[(String, String)]) -> String {
    let has = |key: &str| axes.iter().any(|axis| axis.key == key);
    let word = |key: &str| settings.get(key).map(Setting::words);
    let mixing = word("mixing").filter(|name| has("mixing") && name != "none").map(|name| {
        short.iter().find(|(_, long)| *long == name).map_or(name, |(short, _)| short.clone())
    });
    let is_named = has("algorithm") || has("mixing");
    let algorithm = word("algorithm").filter(|_| has("algorithm") || !(is_named || has("rule")));
    let rule = word("rule").filter(|_| has("rule") || !has("algorithm"));
    let rule = [mixing, rule].into_iter().flatten().collect::<Vec<_>>().join(" + ");
    let mut parts: Vec<String> = algorithm.into_iter().collect();
    parts.extend(Some(rule).filter(|rule| !rule.is_empty()));
    let is_other = |axis: &&Axis| !["algorithm", "mixing", "rule"].contains(&axis.key.as_str());
    parts.extend(of_role(axes, settings, Role::Defence, is_other));
    parts.join(", ")
}

/// `sign-flipping`, `a-little-is-enough, tau = 1.5`.
fn attack(axes: &[Axis], settings: &Settings) -> String {
    let name = settings.get("attack").map_or_else(|| "attack".into(), Setting::words);
    let is_other = |axis: &&Axis| axis.key != "attack";
    let parameters = of_role(axes, settings, Role::Attack, is_other);
    [name].into_iter().chain(parameters).collect::<Vec<_>>().join(", ")
}

/// Names as they are, parameters after their own name; what an arm does not have is left out.
fn of_role(
    axes: &[Axis],
    settings: &Settings,
    role: Role,
    is_wanted: impl Fn(&&Axis) -> bool,
) -> Vec<String> {
    let part = |axis: &Axis| {
        let value = settings.get(&axis.key)?.words();
        let is_name = !axis.key.contains('.');
        Some(if is_name { value } else { format!("{} = {value}", parameter(&axis.key, axes)) })
    };
    axes.iter().filter(|axis| axis.role == role).filter(is_wanted).filter_map(part).collect()
}

/// The last part of a key, or all of it where another axis ends alike.
pub(super) fn parameter<'k>(key: &'k str, axes: &[Axis]) -> &'k str {
    let last = |key: &'k str| key.rsplit('.').next().unwrap_or(key);
    let alike = axes.iter().filter(|axis| axis.key.rsplit('.').next() == Some(last(key)));
    if alike.count() > 1 { key } else { last(key) }
}

/// Initials of mixings whose names are too long for a label, unless two would share them.
pub(super) fn short_names(axes: &[Axis]) -> Vec<(String, String)> {
    let values = axes.iter().filter(|axis| axis.key == "mixing").flat_map(|axis| &axis.values);
    let long: Vec<String> = values.flatten().map(Setting::words).collect();
    let short = |name: &String| {
        let initials = |part: &str| {
            let first = |word: &str| word.chars().next().map(|c| c.to_ascii_uppercase());
            match part.chars().count() > NAME_MAX {
                true => part.split('-').filter_map(first).collect::<String>(),
                false => part.to_owned(),
            }
        };
        name.split(" + ").map(initials).collect::<Vec<_>>().join(" + ")
    };
    let pairs: Vec<(String, String)> =
        long.iter().map(|name| (short(name), name.clone())).collect();
    let distinct: BTreeSet<&String> = pairs.iter().map(|(short, _)| short).collect();
    if distinct.len() < pairs.len() {
        return Vec::new();
    }
    pairs.into_iter().filter(|(short, long)| short != long).collect()
}

/// The points of the other axes at which there is an arm, in order.
pub(super) fn panels(axes: &[Axis], places: &[Place]) -> Vec<Panel> {
    let mut points: Vec<&Vec<Option<Setting>>> = places.iter().map(|place| &place.point).collect();
    points.sort_by(|a, b| {
        let each = a.iter().zip(b.iter()).map(|(a, b)| axes::order(a, b));
        each.fold(std::cmp::Ordering::Equal, std::cmp::Ordering::then)
    });
    points.dedup();
    let others: Vec<&Axis> = axes.iter().filter(|axis| axis.role == Role::Other).collect();
    let part = |(axis, value): (&&Axis, &Option<Setting>)| {
        let value = value.as_ref().map_or_else(|| "not set".into(), Setting::words);
        format!("{} = {value}", parameter(&axis.key, axes))
    };
    let name = |point: &Vec<Option<Setting>>| {
        others.iter().zip(point).map(part).collect::<Vec<_>>().join(", ")
    };
    points.into_iter().map(|point| Panel { name: name(point), point: point.clone() }).collect()
}
