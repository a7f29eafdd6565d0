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
    pub(super) attack: String,
    pub(super) point: Vec<Option<Setting>>,
}

impl Place {
    pub(super) fn of(axes: &[Axis], settings: &Settings, short: &[(String, String)]) -> Self {
        let attack = label(axes, settings, Role::Attack, short);
        let byzantine = settings.get("byzantine").and_then(Setting::number);
        let name = || settings.get("attack").map_or_else(|| "attack".into(), Setting::words);
        let others = axes.iter().filter(|axis| axis.role == Role::Other);
        let defence = label(axes, settings, Role::Defence, short);
        Self {
            defence: if defence.is_empty() { common(settings) } else { defence },
            attack: match byzantine {
                Some(0.0) => NO_ATTACK.into(),
                _ if attack.is_empty() => name(),
                _ => attack,
            },
            point: others.map(|axis| settings.get(&axis.key).cloned()).collect(),
        }
    }
}

/// What the only defence of a campaign is called.
fn common(settings: &Settings) -> String {
    let name = |key: &str| settings.get(key).map(Setting::words);
    let parts = ["algorithm", "rule"].into_iter().filter_map(name);
    parts.collect::<Vec<_>>().join(", ")
}

/// Values of the axes of a role: names as they are, parameters with their own name before them.
fn label(axes: &[Axis], settings: &Settings, role: Role, short: &[(String, String)]) -> String {
    let mut text = String::new();
    for axis in axes.iter().filter(|axis| axis.role == role) {
        let Some(value) = settings.get(&axis.key).map(Setting::words) else { continue };
        let is_name = !axis.key.contains('.');
        match (axis.key.as_str(), text.is_empty()) {
            ("mixing", _) if value == "none" => {}
            ("mixing", is_first) => {
                let find = short.iter().find(|(_, long)| *long == value);
                let value = find.map_or(value, |(short, _)| short.clone());
                let between = if is_first { "" } else { ", " };
                text.push_str(&format!("{between}{value}"));
            }
            ("rule", false) => text.push_str(&format!(" + {value}")),
            (_, true) if is_name => text = value,
            (_, false) if is_name => text.push_str(&format!(", {value}")),
            (key, is_first) => {
                let between = if is_first { "" } else { ", " };
                text.push_str(&format!("{between}{} = {value}", parameter(key, axes)));
            }
        }
    }
    text
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
