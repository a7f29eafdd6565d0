//! The settings of a run as tables: what all arms share, what tells them apart, where it ran.
use std::collections::{BTreeMap, BTreeSet};

use maud::{Markup, html};

use super::table;
use crate::number;
use crate::read::{Arm, LoadedRun};
use crate::table::Grid;

/// Most arms that get a column of their own.
const COLUMNS_MAX: usize = 8;

/// Settings, memory per node, environment.
pub(super) fn sections(arms: &[Arm<'_>]) -> Markup {
    html! {
        section {
            h2 { "Settings" }
            (settings(arms))
        }
        div.pair {
            section { h2 { "Memory per honest node" } (memory(arms)) }
            section { h2 { "Environment" } (environment(arms)) }
        }
    }
}

/// Dotted keys and values of a TOML text, as words; an error as text if it is none.
fn flat(text: &str) -> Result<BTreeMap<String, String>, String> {
    let settings = crate::settings::flat(text).map_err(|error| error.to_string())?;
    Ok(settings.into_iter().map(|(key, value)| (key, value.words())).collect())
}

/// The settings of each arm; what differs between seeds of one arm (the seed) is left out.
fn of_arm(arm: &Arm<'_>) -> Result<BTreeMap<String, String>, String> {
    let texts = arm.runs.iter().filter_map(|run| run.experiment.as_deref());
    let mut all = texts.map(flat);
    let mut common = all.next().unwrap_or_else(|| Ok(BTreeMap::new()))?;
    for other in all {
        let other = other?;
        common.retain(|key, value| other.get(key) == Some(value));
    }
    Ok(common)
}

fn settings(arms: &[Arm<'_>]) -> Markup {
    let each: Result<Vec<_>, _> = arms.iter().map(of_arm).collect();
    let has_any = arms.iter().flat_map(|arm| &arm.runs).any(|run| run.experiment.is_some());
    html! {
        @match each {
            Ok(each) if has_any => (tables(arms, &each)),
            Ok(_) => p { "The run folders hold no " code { "experiment.toml" } "." },
            Err(reason) => p { "An " code { "experiment.toml" } " is not TOML: " (reason) },
        }
        @for arm in arms {
            @if let Some(text) = arm.runs.iter().find_map(|run| run.experiment.as_deref()) {
                details {
                    summary { "experiment.toml of " (arm.name) }
                    pre { (text) }
                }
            }
        }
    }
}

fn tables(arms: &[Arm<'_>], each: &[BTreeMap<String, String>]) -> Markup {
    let keys: BTreeSet<&String> = each.iter().flat_map(BTreeMap::keys).collect();
    let is_common = |key: &&String| each.iter().all(|map| map.get(*key) == each[0].get(*key));
    let (common, differing): (Vec<&String>, Vec<&String>) = keys.into_iter().partition(is_common);
    let shown = arms.len().min(COLUMNS_MAX);
    let mut head = vec!["setting".to_owned()];
    head.extend(arms[..shown].iter().map(|arm| arm.name.clone()));
    let row = |key: &&String| {
        let cells = each[..shown].iter().map(|map| map.get(*key).map_or("–", String::as_str));
        [key.as_str()].into_iter().chain(cells).map(String::from).collect()
    };
    let apart = Grid { words: head.len(), head, rows: differing.iter().map(row).collect() };
    html! {
        @if !differing.is_empty() {
            h3 { "What tells the arms apart" }
            (table(&apart))
            @if shown < arms.len() { p.note { "The first " (shown) " of " (arms.len()) " arms." } }
        }
        @if arms.len() > 1 { h3 { "The same in all arms" } }
        dl.settings {
            @for key in &common {
                div { dt { (key) } dd { (each[0].get(*key).map_or("–", String::as_str)) } }
            }
        }
    }
}

fn memory(arms: &[Arm<'_>]) -> Markup {
    let first = |arm: &Arm<'_>| arm.runs.first().map(|run| run.summary.node_memory_bytes.clone());
    let each: Vec<BTreeMap<String, u64>> = arms.iter().filter_map(first).collect();
    let same = each.iter().all(|memory| Some(memory) == each.first());
    let columns = if same { each.len().min(1) } else { each.len().min(COLUMNS_MAX) };
    let purposes: BTreeSet<&String> = each.iter().flat_map(BTreeMap::keys).collect();
    let mut head = vec!["for".to_owned()];
    match same {
        true => head.push("bytes".into()),
        false => head.extend(arms[..columns].iter().map(|arm| arm.name.clone())),
    }
    let cell = |bytes: Option<u64>| bytes.map_or("–".into(), |b| number::bytes(b as f64));
    let row = |purpose: &&String| {
        let cells = each[..columns].iter().map(|memory| cell(memory.get(*purpose).copied()));
        [(*purpose).clone()].into_iter().chain(cells).collect::<Vec<_>>()
    };
    let mut rows: Vec<Vec<String>> = purposes.iter().map(row).collect();
    let total = |memory: &BTreeMap<String, u64>| {
        memory.values().fold(0u64, |sum, bytes| sum.saturating_add(*bytes))
    };
    let totals = each[..columns].iter().map(|memory| cell(Some(total(memory))));
    rows.push(["all".to_owned()].into_iter().chain(totals).collect());
    html! {
        @if purposes.is_empty() { p { "Not recorded." } }
        @else { (table(&Grid { head, rows, words: 1 })) }
    }
}

pub(super) fn environment(arms: &[Arm<'_>]) -> Markup {
    let runs = || arms.iter().flat_map(|arm| &arm.runs);
    let of = |value: fn(&LoadedRun) -> Option<String>| {
        let values: BTreeSet<String> = runs().filter_map(|run| value(run)).collect();
        values.into_iter().collect::<Vec<_>>().join("; ")
    };
    let wall: f64 = runs().filter_map(|run| Some(run.environment.as_ref()?.wall_seconds)).sum();
    let known = runs().filter(|run| run.environment.is_some()).count();
    let rows = [
        ("version", of(|run| Some(run.environment.as_ref()?.version.clone()))),
        ("commit", of(|run| run.environment.as_ref()?.commit.clone())),
        ("toolchain", of(|run| Some(run.environment.as_ref()?.toolchain.clone()))),
        ("platform", of(|run| Some(run.environment.as_ref()?.platform.clone()))),
        ("threads", of(|run| Some(run.environment.as_ref()?.threads.to_string()))),
        ("wall-clock time", format!("{}, all runs together", number::seconds(wall))),
    ];
    html! {
        @if known == 0 { p { "Not recorded." } }
        @else {
            dl.settings.narrow {
                @for (what, value) in rows {
                    @if !value.is_empty() { div { dt { (what) } dd { (value) } } }
                }
            }
            @if known < runs().count() {
                p.note { "Known for " (known) " of " (runs().count()) " runs." }
            }
        }
    }
}

/// The commands that run it again.
pub(super) fn replay(arms: &[Arm<'_>]) -> Markup {
    let runs = arms.iter().flat_map(|arm| &arm.runs);
    let commands: BTreeSet<&str> =
        runs.filter_map(|run| Some(run.environment.as_ref()?.command.as_str())).collect();
    html! {
        section {
            h2 { "Run it again" }
            @if commands.is_empty() { p { "The command was not recorded; each run folder’s \
                " code { "experiment.toml" } " is complete." } }
            @else { pre { @for command in &commands { (command) "\n" } } }
            p { "A run is a function of its settings, its seed and the commit: "
                code { "phalanx compare" } " finds no difference between two of them." }
        }
    }
}
