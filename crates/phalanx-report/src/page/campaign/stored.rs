//! What other commands left beside the runs: expectations as judged, settings as selected.
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use maud::{Markup, html};
use serde::Deserialize;

use crate::expectation::{EXPECTATIONS, Judgement};
use crate::folder::{FolderError, read_json, read_text, syntax};
use crate::number::Unit;
use crate::page::table;
use crate::table::Grid;

/// File of the selection of hyper-parameters, inside an experiment folder.
const SELECTION: &str = "selection.json";

/// Which settings trials on held-out samples chose.
#[derive(Debug, Deserialize)]
struct Selection {
    score: String,
    /// the evaluation that counted: `last` or `best`
    at: String,
    /// share of the training samples that was held out
    validation: f64,
    seeds: Vec<u64>,
    groups: Vec<Group>,
}

/// Arms that chose together.
#[derive(Debug, Deserialize)]
struct Group {
    group: String,
    chosen: String,
    combinations: Vec<Scored>,
}

/// One combination; a score is absent where a trial did not finish.
#[derive(Debug, Deserialize)]
struct Scored {
    combination: String,
    arms: BTreeMap<String, Option<f64>>,
    worst: Option<f64>,
}

/// Files that may be absent, but not broken.
#[derive(Debug, Default)]
pub(crate) struct Stored {
    expectations: Option<Vec<Judgement>>,
    selection: Option<Selection>,
}

impl Stored {
    /// Reads what there is.
    ///
    /// # Errors
    /// A file is there but cannot be read.
    pub(crate) fn read(folder: &Path) -> Result<Self, FolderError> {
        let expectations = folder.join(EXPECTATIONS);
        let selection = folder.join(SELECTION);
        Ok(Self {
            expectations: expectations.is_file().then(|| judged(&expectations)).transpose()?,
            selection: selection.is_file().then(|| read_json(&selection)).transpose()?,
        })
    }
}

fn judged(path: &Path) -> Result<Vec<Judgement>, FolderError> {
    let text = read_text(path)?;
    serde_json::from_str(&text).map_err(|error| syntax(path, 0, &error))
}

pub(crate) fn sections(stored: &Stored) -> Markup {
    html! {
        @if let Some(judged) = stored.expectations.as_ref().filter(|all| !all.is_empty()) {
            (expectations(judged))
        }
        @if let Some(selection) = &stored.selection { (selected(selection)) }
    }
}

fn expectations(judged: &[Judgement]) -> Markup {
    let missed = judged.iter().filter(|one| !one.is_met).count();
    let mut sorted: Vec<&Judgement> = judged.iter().collect();
    sorted.sort_by_key(|one| one.is_met);
    let row = |one: &&Judgement| {
        let word = if one.is_met { "met" } else { "missed" };
        [word, &one.arm, &one.expected, &one.found].map(String::from).into()
    };
    let head = ["", "arm", "expected", "found"].map(String::from).into();
    html! {
        section id="expectations" {
            h2 { "Expectations" }
            p.lead { (judged.len() - missed) " of " (judged.len()) " met, as judged when the \
                campaign was last run." }
            (table(&Grid { head, rows: sorted.iter().map(row).collect(), words: 4 }))
        }
    }
}

/// What was chosen for each group, and behind a line to click every combination that was tried.
fn selected(selection: &Selection) -> Markup {
    let unit = Unit::of(&selection.score);
    let digits = |value: &Option<f64>| value.map_or("–".into(), |value| unit.digits(value));
    let chosen = |group: &Group| {
        let of = group.combinations.iter().find(|scored| scored.combination == group.chosen);
        let worst = of.and_then(|scored| scored.worst);
        let tried = group.combinations.len().to_string();
        vec![group.group.clone(), group.chosen.clone(), digits(&worst), tried]
    };
    let head = ["group", "chosen", "its worst arm", "combinations tried"];
    let head = head.map(String::from).into();
    let rows = selection.groups.iter().map(chosen).collect();
    let seeds: Vec<String> = selection.seeds.iter().map(u64::to_string).collect();
    html! {
        section id="selection" {
            h2 { "Selection of hyper-parameters" }
            p.lead { "For each group the combination whose worst arm has the best "
                (selection.score) " on a share of " (Unit::Share.write(selection.validation))
                " of the training samples that was held out: the " (selection.at)
                " evaluation, averaged over honest nodes and seeds " (seeds.join(", ")) "." }
            (table(&Grid { head, rows, words: 2 }))
            @for group in &selection.groups {
                details { summary { "All of " (group.group) } (table(&tried(group, &digits))) }
            }
        }
    }
}

/// Combinations of a group by arms.
fn tried(group: &Group, digits: &impl Fn(&Option<f64>) -> String) -> Grid {
    let arms: BTreeSet<&String> =
        group.combinations.iter().flat_map(|scored| scored.arms.keys()).collect();
    let mut head = vec!["combination".to_owned(), String::new(), "worst".to_owned()];
    head.extend(arms.iter().map(|arm| (*arm).clone()));
    let row = |scored: &Scored| {
        let word = if scored.combination == group.chosen { "chosen" } else { "" };
        let mut cells = vec![scored.combination.clone(), word.into(), digits(&scored.worst)];
        cells.extend(arms.iter().map(|arm| digits(&scored.arms.get(*arm).copied().flatten())));
        cells
    };
    Grid { head, rows: group.combinations.iter().map(row).collect(), words: 2 }
}
