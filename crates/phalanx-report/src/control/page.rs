//! The page of a control run: no script, nothing fetched.
use std::path::{Path, PathBuf};

use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::figures::figures;
use super::record::ControlLine;
use super::summary::{ArmSummary, Band, ControlSummary};
use crate::figure::Figure;
use crate::folder::{FIGURES, FolderError, REPORT, io};
use crate::number::plain;
use crate::page::{table, write};
use crate::svg;
use crate::table::{Grid, plain as aligned};

/// Writes `report.html` and `figures/` into a run folder; returns where the page lies.
///
/// # Errors
/// When a file cannot be written.
pub fn write_control_report(
    folder: &Path,
    summary: &ControlSummary,
    lines: &[ControlLine],
    (settings, command): (&str, &str),
) -> Result<PathBuf, FolderError> {
    let figures = figures(lines);
    let into = folder.join(FIGURES);
    std::fs::create_dir_all(&into).map_err(|source| io(&into, source))?;
    let mut names: Vec<String> = Vec::new();
    for figure in &figures {
        // Two arms may differ only in letters that a file name cannot have.
        let tries = (1..).map(|place| match place {
            1 => figure.stem.clone(),
            _ => format!("{}-{place}", figure.stem),
        });
        let free = tries.into_iter().find(|name| !names.contains(name));
        let name = free.expect("there are endlessly many names");
        write(&into.join(format!("{name}.svg")), figure.svg.file(&figure.label))?;
        write(&into.join(format!("{name}.csv")), &figure.csv)?;
        names.push(name);
    }
    let path = folder.join(REPORT);
    write(&path, page(summary, &figures, (settings, command)).into_string())?;
    Ok(path)
}

fn page(summary: &ControlSummary, figures: &[Figure], (settings, command): (&str, &str)) -> Markup {
    let title = format!("{}: {}", summary.experiment, summary.plant);
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (title) " · Phalanx" }
                style { (PreEscaped(svg::style())) (PreEscaped(include_str!("../page/page.css"))) }
            }
            body {
                header {
                    p.kicker { "Phalanx control" }
                    h1 { (title) }
                    p.verdict { (verdict(summary)) }
                    (warnings(summary))
                }
                main {
                    section {
                        h2 { "Results" }
                        @if summary.arms.iter().any(|arm| arm.regret.seconds > 0.0) {
                            (table(&arm_grid(summary)))
                            p.note { "Regret counts from the first decision, total from the first \
                                second. Stationary: excess of the average cost, added up. Mean of \
                                the replications that did not run away; median and worst count a \
                                lost one as infinite. A fleet's scores use every message \
                                that could be some path's, within limits." }
                        }
                        div.figures { @for figure in figures { (shown(figure)) } }
                    }
                    @if !summary.trials.is_empty() {
                        section {
                            h2 { "Stabilisation" }
                            (table(&trial_grid(summary)))
                            p.note { "Share of replications whose first gain stabilises the true \
                                plant, with its standard error." }
                        }
                    }
                    section {
                        h2 { "Settings" }
                        details { summary { "Everything, defaults included" } pre { (settings) } }
                        h3 { "Run it again" }
                        pre { (command) }
                    }
                }
                footer { "Made by Phalanx from the record beside this page; the numbers behind \
                    each figure lie in " code { "figures/" } "." }
            }
        }
    }
}

fn shown(figure: &Figure) -> Markup {
    html! {
        figure {
            (PreEscaped(figure.svg.inline(&figure.label)))
            figcaption { (figure.caption) }
        }
    }
}

fn verdict(summary: &ControlSummary) -> String {
    let optimum = format!(
        "The optimal controller pays {} per second on average.",
        plain(summary.optimal_cost)
    );
    let by_regret = |arm: &&ArmSummary| arm.stationary_regret.mean;
    let arms = summary.arms.iter().filter(|arm| by_regret(arm).is_finite());
    match arms.min_by(|a, b| by_regret(a).total_cmp(&by_regret(b))) {
        Some(best) if best.regret.seconds > 0.0 => format!(
            "{optimum} After {} s the least mean stationary regret is {}, by {}.",
            plain(best.regret.seconds),
            plain(by_regret(&best)),
            best.arm
        ),
        _ => optimum,
    }
}

fn warnings(summary: &ControlSummary) -> Markup {
    let mut lines = Vec::new();
    for arm in summary.arms.iter().filter(|arm| arm.lost > 0) {
        let (lost, all) = (arm.lost, arm.replications);
        lines.push(format!("{}: {lost} of {all} replications ran away.", arm.arm));
    }
    for arm in summary.arms.iter().filter(|arm| arm.kept > 0) {
        let kept = arm.kept;
        lines.push(format!("{}: {kept} decisions found no gain and kept the former.", arm.arm));
    }
    for trial in summary.trials.iter().filter(|trial| trial.lost > 0) {
        let (lost, seconds) = (trial.lost, trial.seconds);
        lines.push(format!("{}: {lost} ran away within {seconds} s.", trial.arm));
    }
    html! { @if !lines.is_empty() { ul.warnings { @for line in lines { li { (line) } } } } }
}

/// What a person reads about the arms, on the page and in a terminal.
fn arm_grid(summary: &ControlSummary) -> Grid {
    let is_fleet = summary.arms.iter().any(|arm| arm.honest_left_out + arm.byzantine_used > 0);
    let mut head: Vec<String> = [
        "arm",
        "runs",
        "lost",
        "stable %",
        "regret mean",
        "median",
        "worst",
        "total mean",
        "stationary mean",
        "median",
        "worst",
        "slope",
        "error",
    ]
    .map(String::from)
    .into();
    if is_fleet {
        head.extend(["honest left out", "liars used"].map(String::from));
    }
    let spread = |band: &Band| [band.mean, band.median, band.worst].map(plain);
    let row = |arm: &ArmSummary| {
        let mut cells = vec![arm.arm.clone(), arm.replications.to_string(), arm.lost.to_string()];
        cells.push(format!("{:.1}", arm.stable * 100.0));
        cells.extend(spread(&arm.regret));
        cells.push(plain(arm.total_regret.mean));
        cells.extend(spread(&arm.stationary_regret));
        cells.push(match arm.stationary_slope {
            slope if slope.is_finite() => format!("{slope:.2}"),
            _ => "-".into(),
        });
        cells.push(plain(arm.mean_error.mean));
        if is_fleet {
            cells.extend([arm.honest_left_out, arm.byzantine_used].map(|count| count.to_string()));
        }
        cells
    };
    Grid { head, rows: summary.arms.iter().map(row).collect(), words: 1 }
}

/// What a person reads about stabilisation phases.
fn trial_grid(summary: &ControlSummary) -> Grid {
    let head = ["arm", "seconds", "runs", "stable %", "±", "median error", "median peak", "lost"];
    let rows = summary.trials.iter().map(|trial| {
        vec![
            trial.arm.clone(),
            trial.seconds.to_string(),
            trial.replications.to_string(),
            format!("{:.1}", trial.success * 100.0),
            format!("{:.1}", trial.standard_error * 100.0),
            plain(trial.median_error),
            plain(trial.median_peak),
            trial.lost.to_string(),
        ]
    });
    Grid { head: head.map(String::from).into(), rows: rows.collect(), words: 1 }
}

/// The tables of a summary for a terminal: arms, then stabilisation phases, as far as there are
/// any.
pub fn control_tables(summary: &ControlSummary) -> Vec<String> {
    let mut tables = Vec::new();
    if !summary.arms.is_empty() {
        tables.push(aligned(&arm_grid(summary)));
    }
    if !summary.trials.is_empty() {
        tables.push(aligned(&trial_grid(summary)));
    }
    tables
}
