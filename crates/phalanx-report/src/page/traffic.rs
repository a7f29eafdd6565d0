//! What the arms cost and what went over the wire, side by side.
use std::collections::BTreeMap;

use maud::{Markup, html};

use super::table;
use crate::number;
use crate::read::{Arm, LoadedRun};
use crate::table::Grid;

pub(super) fn sections(arms: &[Arm<'_>]) -> Markup {
    html! { (traffic(arms)) (costs(arms)) (accusations(arms)) }
}

fn mean(arm: &Arm<'_>, value: impl Fn(&LoadedRun) -> Option<f64>) -> Option<f64> {
    arm.spread(value).map(|spread| spread.mean)
}

fn traffic(arms: &[Arm<'_>]) -> Markup {
    let mean = |arm: &Arm<'_>, value: fn(&LoadedRun) -> u64| {
        mean(arm, |run| Some(value(run) as f64)).unwrap_or(0.0)
    };
    let row = |arm: &Arm<'_>| {
        let whole = |value| number::count(mean(arm, value).round() as u64);
        vec![
            arm.name.clone(),
            whole(|run| run.summary.traffic.messages),
            number::bytes(mean(arm, |run| run.summary.traffic.bytes)),
            whole(|run| run.summary.traffic.lost),
            whole(|run| run.summary.traffic.byzantine_messages),
            whole(|run| run.summary.traffic.rejected),
            whole(|run| run.summary.traffic.discarded),
        ]
    };
    let head = [
        "arm",
        "messages",
        "bytes",
        "lost, sent again",
        "Byzantine messages",
        "rejected",
        "discarded",
    ];
    let grid = Grid {
        head: head.map(String::from).into(),
        rows: arms.iter().map(row).collect(),
        words: 1,
    };
    let mut reasons: BTreeMap<&str, u64> = BTreeMap::new();
    for run in arms.iter().flat_map(|arm| &arm.runs) {
        for (reason, count) in &run.history.rejected_why {
            *reasons.entry(reason).or_default() += count;
        }
    }
    html! {
        section {
            h2 { "Traffic and rejections" }
            (table(&grid))
            p.note { "Per run, mean over seeds. Messages and bytes are those of honest nodes. \
                Rejected: the message proves its sender faulty. Discarded: late, early or \
                double; nobody is blamed." }
            @if !reasons.is_empty() {
                p { "Reasons for rejection over all runs: "
                    @for (place, (reason, count)) in reasons.iter().enumerate() {
                        @if place > 0 { ", " } code { (reason) } " " (number::count(*count))
                    } "." }
            }
        }
    }
}

/// Per round, so that arms of different lengths compare.
fn costs(arms: &[Arm<'_>]) -> Markup {
    let rounds = |run: &LoadedRun| Some(run.summary.rounds_done).filter(|done| *done > 0);
    let per_round = |value: fn(&LoadedRun) -> Option<f64>| {
        move |run: &LoadedRun| Some(value(run)? / f64::from(rounds(run)?))
    };
    let row = |arm: &Arm<'_>| {
        let exchange = arm.runs.first().and_then(|run| run.summary.names.get("exchange"));
        let whole = |value: f64| number::count(value.round() as u64);
        let cell = |value: Option<f64>, write: &dyn Fn(f64) -> String| {
            value.map_or_else(|| "–".into(), write)
        };
        let cpu = per_round(|run| Some(run.environment.as_ref()?.cpu_seconds));
        let cpu = mean(arm, cpu).filter(|seconds| *seconds > 0.0);
        let virtual_time = per_round(|run| Some(run.summary.virtual_seconds));
        vec![
            arm.name.clone(),
            exchange.cloned().unwrap_or_default(),
            cell(mean(arm, per_round(|run| Some(run.summary.traffic.messages as f64))), &whole),
            cell(
                mean(arm, per_round(|run| Some(run.summary.traffic.bytes as f64))),
                &number::bytes,
            ),
            cell(cpu, &|seconds| format!("{:.1} ms", 1e3 * seconds)),
            cell(mean(arm, virtual_time), &|seconds| format!("{:.1} ms", 1e3 * seconds)),
        ]
    };
    let head = [
        "arm",
        "exchange",
        "messages per round",
        "bytes per round",
        "processor time per round",
        "virtual time per round",
    ];
    let rows = arms.iter().map(row).collect();
    let grid = Grid { head: head.map(String::from).into(), rows, words: 2 };
    html! {
        section {
            h2 { "Costs" }
            (table(&grid))
            p.note { "Mean over seeds, all honest nodes together. Processor time is that of the \
                whole process on its machine, evaluations included; virtual time is the \
                simulated network’s." }
        }
    }
}

/// Proofs that anybody can check, by accused node.
fn accusations(arms: &[Arm<'_>]) -> Markup {
    let mut rows = Vec::new();
    for arm in arms {
        for run in &arm.runs {
            for (node, (count, proof)) in &run.history.accused {
                let name = format!("{}, seed {}", arm.name, run.summary.seed);
                rows.push((name, node, *count, proof.as_str()));
            }
        }
    }
    let more = rows.len().saturating_sub(PROOFS_MAX);
    rows.truncate(PROOFS_MAX);
    html! {
        @if !rows.is_empty() {
            section {
                h2 { "Proven faults" }
                p.lead { "Each proof holds for everybody who knows the node’s public key." }
                @for (run, node, count, proof) in rows {
                    details {
                        summary { (run) ": node " (node) " accused " (number::count(count))
                            " times" }
                        p { code { (proof) } }
                    }
                }
                @if more > 0 { p.note { (more) " more in the records." } }
            }
        }
    }
}

/// Proofs that the page shows.
const PROOFS_MAX: usize = 20;
