//! What the defences of a campaign cost per round.
use maud::{Markup, html};

use crate::campaign::Campaign;
use crate::number;
use crate::page::table;
use crate::read::LoadedRun;
use crate::spread::Spread;
use crate::table::Grid;

pub(super) fn section(campaign: &Campaign<'_>) -> Markup {
    let head = [
        "defence",
        "exchange",
        "runs",
        "messages per round",
        "bytes per round",
        "processor time per round",
        "virtual time per round",
    ];
    let rows = (0..campaign.rows.len()).map(|row| cells(campaign, row)).collect();
    let grid = Grid { head: head.map(String::from).into(), rows, words: 2 };
    html! {
        section id="costs" {
            h2 { "Costs" }
            (table(&grid))
            p.note { "Over all runs of a defence: the mean, and least to greatest where they \
                differ by more than a tenth. All honest nodes together; processor time is that of \
                the whole process on its machine, attacks and evaluations included." }
        }
    }
}

fn cells(campaign: &Campaign<'_>, row: usize) -> Vec<String> {
    let runs: Vec<&LoadedRun> =
        campaign.arms_of(row).into_iter().flat_map(|arm| arm.runs.iter().copied()).collect();
    let per_round = |value: fn(&LoadedRun) -> Option<f64>| {
        let rounds = |run: &LoadedRun| Some(run.summary.rounds_done).filter(|done| *done > 0);
        let value = |run: &&LoadedRun| Some(value(run)? / f64::from(rounds(run)?));
        Spread::over(&runs.iter().filter_map(value).collect::<Vec<_>>())
    };
    let whole = |value: f64| number::count(value.round() as u64);
    let milliseconds = |seconds: f64| number::seconds(seconds);
    let cpu = |run: &LoadedRun| {
        run.environment.as_ref().map(|place| place.cpu_seconds).filter(|cpu| *cpu > 0.0)
    };
    let mut exchanges: Vec<&str> =
        runs.iter().filter_map(|run| Some(run.summary.names.get("exchange")?.as_str())).collect();
    exchanges.sort_unstable();
    exchanges.dedup();
    vec![
        campaign.rows[row].clone(),
        exchanges.join(", "),
        runs.len().to_string(),
        range(per_round(|run| Some(run.summary.traffic.messages as f64)), whole),
        range(per_round(|run| Some(run.summary.traffic.bytes as f64)), number::bytes),
        range(per_round(cpu), milliseconds),
        range(per_round(|run| Some(run.summary.virtual_seconds)), milliseconds),
    ]
}

fn range(spread: Option<Spread>, write: impl Fn(f64) -> String) -> String {
    match spread {
        None => "–".into(),
        Some(s) if s.greatest - s.least > 0.1 * s.mean.abs() => {
            format!("{} ({} – {})", write(s.mean), write(s.least), write(s.greatest))
        }
        Some(s) => write(s.mean),
    }
}
