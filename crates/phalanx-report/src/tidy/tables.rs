//! What the tables hold.
use std::collections::{BTreeMap, BTreeSet};

use super::column::{Table, Values};
use crate::folder::{Environment, FolderError, Score};
use crate::read::LoadedRun;
use crate::settings::{self, Setting, Settings};

/// Settings that `results` always has, in this order; others only where they differ.
const ALWAYS: [&str; 9] = [
    "population.n",
    "population.f",
    "byzantine",
    "task",
    "algorithm",
    "rule",
    "mixing",
    "attack",
    "exchange",
];

/// A number of a score, by name.
type Part = (&'static str, fn(&Score) -> f64);

const PARTS: [Part; 4] = [
    ("mean", |score| score.mean),
    ("worst", |score| score.worst),
    ("best", |score| score.best),
    ("deviation", |score| score.deviation),
];

/// A count of a run, by name.
type Count = (&'static str, fn(&LoadedRun) -> u64);

const TRAFFIC: [Count; 6] = [
    ("messages", |run| run.summary.traffic.messages),
    ("bytes", |run| run.summary.traffic.bytes),
    ("lost", |run| run.summary.traffic.lost),
    ("byzantine_messages", |run| run.summary.traffic.byzantine_messages),
    ("rejected", |run| run.summary.traffic.rejected),
    ("discarded", |run| run.summary.traffic.discarded),
];

/// One row per run: which it is, every setting that differs between any two of them, final scores
/// as `score.mean`, `score.worst`, `score.best` and `score.deviation` (over honest nodes, divisor
/// n), traffic.
///
/// A setting that a run does not have is absent there. The columns are a function of the runs.
///
/// # Errors
/// An experiment is not TOML.
pub fn results(runs: &[LoadedRun]) -> Result<Table, FolderError> {
    let runs = sorted(runs);
    let settings = runs.iter().map(|run| settings::of_run(run)).collect::<Result<Vec<_>, _>>()?;
    let mut table = identity(&runs);
    table.push("status", texts(&runs, |run| Some(run.summary.status.word().into())));
    table.push("reason", texts(&runs, |run| run.summary.reason.clone()));
    table.push("rounds", counts(&runs, |run| u64::from(run.summary.rounds)));
    table.push("rounds_done", counts(&runs, |run| u64::from(run.summary.rounds_done)));
    for key in ALWAYS.into_iter().chain(differing(&settings)) {
        table.push(key, column(&settings, key));
    }
    let scores: BTreeSet<&String> = runs.iter().flat_map(|run| run.summary.scores.keys()).collect();
    for score in scores {
        for (part, value) in PARTS {
            let of = |run: &LoadedRun| run.summary.scores.get(score).map(value);
            table.push(format!("{score}.{part}"), numbers(&runs, of));
        }
    }
    for (name, value) in TRAFFIC {
        table.push(name, counts(&runs, value));
    }
    table.push("virtual_seconds", numbers(&runs, |run| Some(run.summary.virtual_seconds)));
    Ok(table)
}

/// One row per run, score and round of evaluation, with the nodes that were evaluated there.
pub fn curves(runs: &[LoadedRun]) -> Table {
    /// One evaluation.
    struct Row<'a> {
        run: &'a LoadedRun,
        score: &'a str,
        round: u32,
        nodes: u32,
        value: Score,
    }
    let runs = sorted(runs);
    let mut rows = Vec::new();
    for &run in &runs {
        for (score, curve) in &run.history.scores {
            for (&round, tally) in curve {
                rows.push(Row { run, score, round, nodes: tally.count, value: tally.score(score) });
            }
        }
    }
    let each: Vec<&LoadedRun> = rows.iter().map(|row| row.run).collect();
    let mut table = identity(&each);
    table.push("score", Values::Text(rows.iter().map(|row| Some(row.score.into())).collect()));
    table.push("round", Values::Count(rows.iter().map(|row| Some(row.round.into())).collect()));
    table.push("nodes", Values::Count(rows.iter().map(|row| Some(row.nodes.into())).collect()));
    for (part, value) in PARTS {
        table.push(part, Values::Number(rows.iter().map(|row| Some(value(&row.value))).collect()));
    }
    table
}

/// One row per run: what it took, and where. This table differs between equal runs.
pub fn costs(runs: &[LoadedRun]) -> Table {
    let runs = sorted(runs);
    let of =
        |run: &LoadedRun, value: fn(&Environment) -> String| run.environment.as_ref().map(value);
    let mut table = identity(&runs);
    let seconds =
        |run: &LoadedRun, value: fn(&Environment) -> f64| run.environment.as_ref().map(value);
    table.push("wall_seconds", numbers(&runs, |run| seconds(run, |place| place.wall_seconds)));
    // 0 stands for a system that does not tell.
    let cpu = |run: &LoadedRun| seconds(run, |place| place.cpu_seconds).filter(|cpu| *cpu > 0.0);
    table.push("cpu_seconds", numbers(&runs, cpu));
    let threads = |run: &&LoadedRun| run.environment.as_ref().map(|place| place.threads as u64);
    table.push("threads", Values::Count(runs.iter().map(threads).collect()));
    table.push("version", texts(&runs, |run| of(run, |place| place.version.clone())));
    table.push("commit", texts(&runs, |run| run.environment.as_ref()?.commit.clone()));
    table.push("toolchain", texts(&runs, |run| of(run, |place| place.toolchain.clone())));
    table.push("platform", texts(&runs, |run| of(run, |place| place.platform.clone())));
    table.push("command", texts(&runs, |run| of(run, |place| place.command.clone())));
    table
}

/// The canonical order, whatever folders they were found in.
fn sorted(runs: &[LoadedRun]) -> Vec<&LoadedRun> {
    let mut runs: Vec<&LoadedRun> = runs.iter().collect();
    runs.sort_by_cached_key(|run| {
        let summary = &run.summary;
        let stem = run.name().trim_end_matches(|c: char| c.is_ascii_digit()).to_owned();
        (summary.experiment.clone(), summary.arm.clone(), stem, summary.seed, run.name())
    });
    runs
}

fn identity(runs: &[&LoadedRun]) -> Table {
    let mut table = Table::default();
    table.push("experiment", texts(runs, |run| Some(run.summary.experiment.clone())));
    table.push("arm", texts(runs, |run| Some(run.summary.arm.clone())));
    table.push("seed", counts(runs, |run| run.summary.seed));
    table.push("run", texts(runs, |run| Some(run.name())));
    table
}

/// Keys that are not the same in all, besides those that are always there.
fn differing(settings: &[Settings]) -> Vec<&str> {
    let mut values: BTreeMap<&str, Vec<&Setting>> = BTreeMap::new();
    for (key, value) in settings.iter().flatten() {
        values.entry(key).or_default().push(value);
    }
    let differs = |values: &[&Setting]| {
        values.len() < settings.len() || values.windows(2).any(|pair| pair[0] != pair[1])
    };
    let keys = values.iter().filter(|(_, values)| differs(values)).map(|(key, _)| *key);
    keys.filter(|key| !ALWAYS.contains(key)).collect()
}

fn column(settings: &[Settings], key: &str) -> Values {
    let values: Vec<Option<&Setting>> = settings.iter().map(|all| all.get(key)).collect();
    match values.iter().all(Option::is_none) {
        true => Values::Text(vec![None; values.len()]),
        false => Values::of_settings(&values),
    }
}

fn texts(runs: &[&LoadedRun], value: impl Fn(&LoadedRun) -> Option<String>) -> Values {
    Values::Text(runs.iter().map(|run| value(run)).collect())
}

fn counts(runs: &[&LoadedRun], value: impl Fn(&LoadedRun) -> u64) -> Values {
    Values::Count(runs.iter().map(|run| Some(value(run))).collect())
}

fn numbers(runs: &[&LoadedRun], value: impl Fn(&LoadedRun) -> Option<f64>) -> Values {
    Values::Number(runs.iter().map(|run| value(run)).collect())
}
