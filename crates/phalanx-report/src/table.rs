//! The summary table, one row per arm: for a terminal, Markdown, CSV and JSON Lines.
use std::collections::BTreeMap;

use serde::Serialize;

use crate::csv::Csv;
use crate::number::{self, Unit};
use crate::read::{Arm, LoadedRun, arms};
use crate::spread::{Pick, Spread, score_names};

/// How a table is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TableStyle {
    /// aligned columns, no colour
    Plain,
    /// a Markdown table
    Markdown,
    /// comma-separated values, full precision, all scores
    Csv,
    /// one JSON object per line, full precision, all scores
    JsonLines,
}

/// The summary of some runs, one row per arm, ending in a line feed.
pub fn summary_table(runs: &[LoadedRun], style: TableStyle) -> String {
    let arms = arms(runs);
    match style {
        TableStyle::Plain => plain(&Grid::of(&arms)),
        TableStyle::Markdown => markdown(&Grid::of(&arms)),
        TableStyle::Csv => csv(&arms),
        TableStyle::JsonLines => arms.iter().map(json).collect(),
    }
}

/// Text cells with a head, the first `words` columns flush left, the others flush right.
pub(crate) struct Grid {
    pub(crate) head: Vec<String>,
    pub(crate) rows: Vec<Vec<String>>,
    pub(crate) words: usize,
}

impl Grid {
    /// The table of arms that a person reads.
    pub(crate) fn of(arms: &[Arm<'_>]) -> Self {
        let score = score_names(arms).into_iter().next();
        let mut head: Vec<String> = ["arm", "status", "seeds"].map(String::from).into();
        if let Some(name) = &score {
            let unit = if Unit::of(name) == Unit::Share { " %" } else { "" };
            head.push(format!("mean {name}{unit}"));
            head.push(format!("worst {name}{unit}"));
        }
        head.extend(["rounds", "virtual time", "bytes", "rejected"].map(String::from));
        let rows = arms.iter().map(|arm| row(arm, score.as_deref())).collect();
        Self { head, rows, words: 2 }
    }

    fn widths(&self) -> Vec<usize> {
        let width = |column: usize| {
            let cells = self.rows.iter().chain([&self.head]).filter_map(|row| row.get(column));
            cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
        };
        (0..self.head.len()).map(width).collect()
    }
}

fn row(arm: &Arm<'_>, score: Option<&str>) -> Vec<String> {
    let mut cells = vec![single_line(&arm.name), arm.status(), arm.runs.len().to_string()];
    if let Some(name) = score {
        for pick in [Pick::Mean, Pick::Worst] {
            let spread = arm.score(name, pick);
            cells.push(spread.map_or("-".into(), |spread| Unit::of(name).spread(&spread)));
        }
    }
    let mean = |value: fn(&LoadedRun) -> f64| arm.spread(|run| Some(value(run)));
    let write = |spread: Option<Spread>, text: fn(f64) -> String| {
        spread.map_or("-".into(), |spread| text(spread.mean))
    };
    let whole = |value: f64| number::count(value.round() as u64);
    cells.push(rounds(arm));
    cells.push(write(mean(|run| run.summary.virtual_seconds), number::seconds));
    cells.push(write(mean(|run| run.summary.traffic.bytes as f64), number::bytes));
    cells.push(write(mean(|run| run.summary.traffic.rejected as f64), whole));
    cells
}

/// Rounds done by every honest node of every seed, and of how many where not all.
pub(crate) fn rounds(arm: &Arm<'_>) -> String {
    let done = arm.runs.iter().map(|run| run.summary.rounds_done).min().unwrap_or(0);
    let asked = arm.runs.iter().map(|run| run.summary.rounds).max().unwrap_or(0);
    if done == asked { done.to_string() } else { format!("{done} of {asked}") }
}

/// A name from a file cannot break a row or steer a terminal.
fn single_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

pub(crate) fn plain(grid: &Grid) -> String {
    let widths = grid.widths();
    let mut text = String::new();
    for row in [&grid.head].into_iter().chain(&grid.rows) {
        let mut line = String::new();
        for (column, (cell, width)) in row.iter().zip(&widths).enumerate() {
            if column > 0 {
                line.push_str("  ");
            }
            let space = " ".repeat(width.saturating_sub(cell.chars().count()));
            let pair = if column < grid.words { [cell, &space] } else { [&space, cell] };
            pair.iter().for_each(|part| line.push_str(part));
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

pub(crate) fn markdown(grid: &Grid) -> String {
    let line = |cells: &[String]| format!("| {} |\n", cells.join(" | "));
    let escaped =
        |row: &Vec<String>| row.iter().map(|cell| cell.replace('|', "\\|")).collect::<Vec<_>>();
    let rule = |column| if column < grid.words { "---".into() } else { "--:".into() };
    let rules: Vec<String> = (0..grid.head.len()).map(rule).collect();
    let mut text = line(&escaped(&grid.head)) + &line(&rules);
    for row in &grid.rows {
        text.push_str(&line(&escaped(row)));
    }
    text
}

fn csv(arms: &[Arm<'_>]) -> String {
    let names = score_names(arms);
    let mut head: Vec<String> = ["experiment", "arm", "status", "seeds"].map(String::from).into();
    for name in &names {
        for pick in ["mean", "worst"] {
            head.push(format!("{name} {pick}"));
            head.push(format!("{name} {pick} deviation"));
        }
    }
    let counts = QUANTITIES.iter().map(|(name, _)| (*name).to_owned());
    head.extend(["rounds_done".into(), "rounds".into()].into_iter().chain(counts));
    let mut csv = Csv::new(&head);
    for arm in arms {
        let row = Row::of(arm);
        let mut cells = vec![row.experiment, row.arm, arm.status(), row.seeds.len().to_string()];
        for name in &names {
            for pick in [Pick::Mean, Pick::Worst] {
                let spread = arm.score(name, pick);
                cells.push(spread.map_or(String::new(), |s| s.mean.to_string()));
                cells.push(spread.map_or(String::new(), |s| s.deviation.to_string()));
            }
        }
        cells.extend([row.rounds_done.to_string(), row.rounds.to_string()]);
        cells.extend(QUANTITIES.iter().map(|&(_, value)| {
            arm.spread(|run| Some(value(run))).map_or(String::new(), |s| s.mean.to_string())
        }));
        csv.row(&cells);
    }
    csv.finish()
}

/// A quantity of a run, by name.
type Quantity = (&'static str, fn(&LoadedRun) -> f64);

/// What every run has, whatever its task.
const QUANTITIES: [Quantity; 7] = [
    ("virtual_seconds", |run| run.summary.virtual_seconds),
    ("messages", |run| run.summary.traffic.messages as f64),
    ("bytes", |run| run.summary.traffic.bytes as f64),
    ("lost", |run| run.summary.traffic.lost as f64),
    ("byzantine_messages", |run| run.summary.traffic.byzantine_messages as f64),
    ("rejected", |run| run.summary.traffic.rejected as f64),
    ("discarded", |run| run.summary.traffic.discarded as f64),
];

/// One arm as a JSON object. What is not finite is absent from it: JSON has no such number.
#[derive(Serialize)]
struct Row {
    experiment: String,
    arm: String,
    seeds: Vec<u64>,
    status: BTreeMap<&'static str, usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    first_failure_round: Option<u32>,
    rounds_done: u32,
    rounds: u32,
    names: BTreeMap<String, String>,
    scores: BTreeMap<String, BTreeMap<&'static str, MeanAndDeviation>>,
    mean: BTreeMap<&'static str, f64>,
}

#[derive(Serialize)]
struct MeanAndDeviation {
    #[serde(with = "crate::real")]
    mean: f64,
    #[serde(with = "crate::real")]
    deviation: f64,
}

impl Row {
    fn of(arm: &Arm<'_>) -> Self {
        let first = arm.runs.first().map(|run| &run.summary);
        let mut scores: BTreeMap<_, BTreeMap<_, _>> = BTreeMap::new();
        for name in score_names(std::slice::from_ref(arm)) {
            let picks = [("mean", Pick::Mean), ("worst", Pick::Worst)].map(|(word, pick)| {
                let spread = arm.score(&name, pick)?;
                Some((word, MeanAndDeviation { mean: spread.mean, deviation: spread.deviation }))
            });
            scores.insert(name, picks.into_iter().flatten().collect());
        }
        let quantity = |&(name, value): &Quantity| {
            let spread = arm.spread(|run| Some(value(run)))?;
            spread.mean.is_finite().then_some((name, spread.mean))
        };
        Self {
            experiment: first.map(|summary| summary.experiment.clone()).unwrap_or_default(),
            arm: arm.name.clone(),
            seeds: arm.runs.iter().map(|run| run.summary.seed).collect(),
            status: arm.statuses().into_iter().map(|(status, n)| (status.word(), n)).collect(),
            first_failure_round: arm.first_failure(),
            rounds_done: arm.runs.iter().map(|run| run.summary.rounds_done).min().unwrap_or(0),
            rounds: arm.runs.iter().map(|run| run.summary.rounds).max().unwrap_or(0),
            names: first.map(|summary| summary.names.clone()).unwrap_or_default(),
            scores,
            mean: QUANTITIES.iter().filter_map(quantity).collect(),
        }
    }
}

fn json(arm: &Arm<'_>) -> String {
    let text = serde_json::to_string(&Row::of(arm)).expect("string keys and finite numbers");
    text + "\n"
}
