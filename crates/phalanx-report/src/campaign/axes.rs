//! Which settings a campaign varies, and which of those say something of their own.
use std::collections::{BTreeMap, BTreeSet};

use crate::settings::{Setting, Settings};

/// What an axis is to a reader.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    /// algorithm, rule, mixing: a row of a table
    Defence,
    /// a column
    Attack,
    /// a table of its own
    Other,
}

/// A setting that varies.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Axis {
    pub(crate) key: String,
    pub(crate) role: Role,
    /// in order; `None` stands for arms that do not have the setting
    pub(crate) values: Vec<Option<Setting>>,
    /// settings that vary too, but only with the axes up to this one
    pub(crate) implied: Vec<String>,
}

impl Axis {
    /// Whether all values are numbers.
    pub(crate) fn is_numeric(&self) -> bool {
        let is_number =
            |value: &Option<Setting>| value.as_ref().and_then(Setting::number).is_some();
        self.values.iter().all(is_number)
    }
}

/// Settings are asked in this order: a later one that only follows earlier ones is no axis.
const ORDER: [(&str, Role); 19] = [
    ("algorithm", Role::Defence),
    ("mixing", Role::Defence),
    ("rule", Role::Defence),
    ("attack", Role::Attack),
    ("population.n", Role::Other),
    ("population.f", Role::Other),
    ("byzantine", Role::Other),
    ("task", Role::Other),
    ("task.", Role::Other),
    ("exchange", Role::Other),
    ("misbehaviour", Role::Other),
    ("attack.", Role::Attack),
    ("algorithm.", Role::Defence),
    ("mixing.", Role::Defence),
    ("rule.", Role::Defence),
    ("network.", Role::Other),
    ("run.", Role::Other),
    ("experiment", Role::Other),
    ("arm", Role::Defence),
];

/// The axes of arms with these settings, in reading order.
pub(super) fn axes(settings: &[Settings]) -> Vec<Axis> {
    let mut axes: Vec<Axis> = Vec::new();
    for (key, role) in candidates(settings) {
        let values: Vec<Option<&Setting>> = settings.iter().map(|all| all.get(key)).collect();
        if values.iter().all(|value| *value == values[0]) {
            continue;
        }
        // A table by attack is wanted even where each defence met one attack alone.
        let is_wanted = key == "attack";
        match implying(&axes, settings, key) {
            Some(_) if key == "arm" => {}
            Some(last) if !is_wanted => axes[last].implied.push(key.into()),
            _ => axes.push(Axis { key: key.into(), role, values: sorted(values), implied: vec![] }),
        }
    }
    axes
}

/// Settings that every arm has alike.
pub(super) fn fixed(settings: &[Settings]) -> Settings {
    let mut fixed = settings.first().cloned().unwrap_or_default();
    fixed.retain(|key, value| settings.iter().all(|other| other.get(key) == Some(value)));
    fixed.remove("experiment");
    fixed.remove("arm");
    fixed
}

/// All keys with their roles, in the order in which they are asked; unknown ones before the last.
fn candidates(settings: &[Settings]) -> Vec<(&str, Role)> {
    let keys: BTreeSet<&str> =
        settings.iter().flat_map(Settings::keys).map(String::as_str).collect();
    let rank = |key: &str| {
        let is = |(pattern, _): &(&str, Role)| match pattern.ends_with('.') {
            true => key.starts_with(pattern),
            false => {
                key == *pattern
                    || key.starts_with(&format!("{pattern}.")) && pattern == &"misbehaviour"
            }
        };
        ORDER.iter().position(is)
    };
    let mut ranked: Vec<(usize, &str)> =
        keys.into_iter().map(|key| (rank(key).unwrap_or(ORDER.len() - 3), key)).collect();
    ranked.sort();
    ranked.into_iter().map(|(rank, key)| (key, ORDER[rank].1)).collect()
}

/// The last of the axes which together imply a key: equal on them, arms are equal in it.
fn implying(axes: &[Axis], settings: &[Settings], key: &str) -> Option<usize> {
    (0..axes.len()).find(|last| {
        let mut seen: BTreeMap<Vec<String>, Option<&Setting>> = BTreeMap::new();
        settings.iter().all(|all| {
            let words = |axis: &Axis| all.get(&axis.key).map_or(String::new(), Setting::words);
            let place: Vec<String> = axes[..=*last].iter().map(words).collect();
            *seen.entry(place).or_insert(all.get(key)) == all.get(key)
        })
    })
}

/// Distinct values: absent first, numbers by size, words by letters.
fn sorted(values: Vec<Option<&Setting>>) -> Vec<Option<Setting>> {
    let mut values: Vec<Option<Setting>> = values.into_iter().map(Option::<&_>::cloned).collect();
    values.sort_by(order);
    values.dedup();
    values
}

/// The order of values on an axis.
pub(super) fn order(a: &Option<Setting>, b: &Option<Setting>) -> std::cmp::Ordering {
    let number = |value: &Option<Setting>| value.as_ref().and_then(Setting::number);
    let words = |value: &Option<Setting>| value.as_ref().map(Setting::words);
    match (number(a), number(b)) {
        (Some(a), Some(b)) => a.total_cmp(&b),
        (a_number, b_number) => (a_number.is_some(), words(a)).cmp(&(b_number.is_some(), words(b))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arm(pairs: &[(&str, &str)]) -> Settings {
        let setting = |text: &str| match text.parse::<i64>() {
            Ok(value) => Setting::Integer(value),
            Err(_) => Setting::Text(text.into()),
        };
        pairs.iter().map(|(key, value)| ((*key).to_owned(), setting(value))).collect()
    }

    #[test]
    fn what_follows_from_a_name_is_no_axis_of_its_own() {
        let point = |algorithm: &str, attack: &str, f: &str| {
            let rule = if algorithm == "monna" { "nna" } else { "average" };
            arm(&[
                ("algorithm", algorithm),
                ("rule", rule),
                ("attack", attack),
                ("byzantine", f),
                ("population.f", f),
                ("population.n", "26"),
            ])
        };
        let settings = [
            point("d-sgd", "none", "0"),
            point("monna", "sign-flipping", "5"),
            point("monna", "mimic", "5"),
        ];
        let axes = axes(&settings);
        let keys: Vec<&str> = axes.iter().map(|axis| axis.key.as_str()).collect();
        assert_eq!(keys, ["algorithm", "attack"]);
        assert_eq!(axes[0].implied, ["rule", "population.f", "byzantine"]);
        assert_eq!(fixed(&settings).keys().collect::<Vec<_>>(), ["population.n"]);
    }

    #[test]
    fn numbers_are_in_order_and_names_tell_arms_apart_at_last() {
        let point = |f: &str, name: &str| arm(&[("population.f", f), ("arm", name)]);
        let settings = [point("10", "a"), point("9", "b"), point("9", "c")];
        let axes = axes(&settings);
        assert_eq!(axes[0].values, [Some(Setting::Integer(9)), Some(Setting::Integer(10))]);
        assert!(axes[0].is_numeric());
        assert_eq!((axes[1].key.as_str(), axes[1].role), ("arm", Role::Defence));
        let axes = super::axes(&settings[..2]);
        assert_eq!(axes.len(), 1, "here f alone tells them apart");
    }
}
