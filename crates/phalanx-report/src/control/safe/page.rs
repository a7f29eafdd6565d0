//! The page of a plan and its trials: no script, nothing fetched.
use std::path::{Path, PathBuf};

use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::figures::{calibration, figures};
use super::fit::{FitSummary, OutputFit};
use super::rate::Rate;
use super::record::{Attempt, PlanSummary, RoundSummary, SafeRecord, SafeSummary, TrialsSummary};
use crate::figure::Figure;
use crate::folder::{FIGURES, FolderError, REPORT, io};
use crate::number::plain;
use crate::page::{table, write};
use crate::svg;
use crate::table::{Grid, plain as aligned};

/// What trials are flown on where there is nothing better.
pub const MODEL: &str = "the model";
/// What they are flown on otherwise.
pub const PLANT: &str = "the true plant";

/// What every reader of a page about safety has to know.
const ARGUMENT: &str = "If the start is strictly safe and the barrier state stays finite along the \
    true trajectory, every constraint holds. With a learnt model that is an argument, not a proof: \
    it holds as far as the data cover what is flown. Coverage and trials are reported here; \
    neither is a certificate.";

/// Writes `report.html` and `figures/` into the folder of a plan; returns where the page lies.
///
/// # Errors
/// When a file cannot be written.
pub fn write_safe_report(
    folder: &Path,
    record: &SafeRecord<'_>,
    (settings, command): (&str, &str),
) -> Result<PathBuf, FolderError> {
    let figures = figures(record);
    write_figures(folder, &figures)?;
    let summary = record.summary;
    let title = format!("{}: {}", summary.experiment, summary.plant);
    let body = html! {
        (head(&title, "safe control", &verdict(summary)))
        (warnings(summary))
        main {
            (cards(summary))
            section {
                h2 { "Plan" }
                div.figures { @for figure in &figures { (shown(figure)) } }
            }
            (trials(summary))
            @if let Some(fit) = &summary.fit { (model(summary, fit)) }
            (rounds(&summary.rounds))
            (planner(summary))
            section { h2 { "What safety means here" } p.lead { (ARGUMENT) } }
            (again(settings, command))
        }
    };
    let path = folder.join(REPORT);
    write(&path, page(&title, &body).into_string())?;
    Ok(path)
}

/// The page of a model by itself.
pub(super) fn write_fit(
    folder: &Path,
    fit: &FitSummary,
    (title, settings, command): (&str, &str, &str),
) -> Result<PathBuf, FolderError> {
    let figures: Vec<Figure> = calibration(fit).into_iter().collect();
    write_figures(folder, &figures)?;
    let (mean, least) = fit.coverage();
    let verdict = format!(
        "Fitted to {} rows. Of {} held-out rows {} lie within two standard deviations, and {} \
         for the worst output.",
        fit.rows,
        fit.held_out,
        percent(mean),
        percent(least)
    );
    let body = html! {
        (head(title, "model", &verdict))
        main {
            section {
                h2 { "Outputs" }
                (table(&fit_grid(fit)))
                (fit_note(fit))
                div.figures { @for figure in &figures { (shown(figure)) } }
            }
            section { h2 { "Length scales" } (table(&scale_grid(fit))) (scale_note()) }
            (again(settings, command))
        }
    };
    let path = folder.join(REPORT);
    write(&path, page(title, &body).into_string())?;
    Ok(path)
}

fn write_figures(folder: &Path, figures: &[Figure]) -> Result<(), FolderError> {
    let into = folder.join(FIGURES);
    std::fs::create_dir_all(&into).map_err(|source| io(&into, source))?;
    for figure in figures {
        write(&into.join(format!("{}.svg", figure.stem)), figure.svg.file(&figure.label))?;
        write(&into.join(format!("{}.csv", figure.stem)), &figure.csv)?;
    }
    Ok(())
}

fn page(title: &str, body: &Markup) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (title) " · Phalanx" }
                style {
                    (PreEscaped(svg::style()))
                    (PreEscaped(include_str!("../../page/page.css")))
                }
            }
            body {
                (body)
                footer { "Made by Phalanx from the files beside this page; the numbers behind \
                    each figure lie in " code { "figures/" } "." }
            }
        }
    }
}

fn head(title: &str, kind: &str, verdict: &str) -> Markup {
    html! {
        header {
            p.kicker { "Phalanx " (kind) }
            h1 { (title) }
            p.verdict { (verdict) }
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

fn percent(share: f64) -> String {
    if share.is_finite() { format!("{:.1} %", share * 100.0) } else { "no value".into() }
}

fn verdict(summary: &SafeSummary) -> String {
    let planned = match &summary.plan {
        None => return format!("No plan was found on {}.", summary.model),
        Some(plan) => plan_sentence(plan, &summary.model),
    };
    match summary.trials.first() {
        Some(trials) => format!(
            "{planned} Flown {} times on {} with {}: safe {}, at the goal {}.",
            trials.safe.of,
            summary.truth,
            trials.arm,
            percent(trials.safe.share()),
            percent(trials.success.share())
        ),
        None => format!("{planned} It has not been flown yet."),
    }
}

fn plan_sentence(plan: &PlanSummary, model: &str) -> String {
    let reached = match plan.goal_error <= plan.goal_tolerance {
        true => "reaches the goal",
        false => "misses the goal",
    };
    format!(
        "A plan of {} steps on {model} {reached}, {} away from it, with a least clearance of {}.",
        plan.horizon,
        plain(plan.goal_error),
        plain(plan.clearance)
    )
}

fn warnings(summary: &SafeSummary) -> Markup {
    let mut lines = Vec::new();
    if !summary.trials.is_empty() && summary.truth == MODEL {
        lines.push(
            "Nobody knows how this plant moves: trials were flown on the model itself and say \
             nothing of what the model does not know."
                .into(),
        );
    }
    if let Some(plan) = summary.plan.as_ref().filter(|plan| plan.clearance <= 0.0) {
        let clearance = plain(plan.clearance);
        lines.push(format!("The plan itself enters an obstacle: its clearance is {clearance}."));
    }
    if let Some(plan) = summary.plan.as_ref().filter(|plan| plan.goal_error > plan.goal_tolerance) {
        lines.push(format!(
            "The plan ends {} away from the goal, more than {}.",
            plain(plan.goal_error),
            plain(plan.goal_tolerance)
        ));
    }
    // The first way of flying is the plan's; others are there to compare with.
    if let Some(trials) = summary.trials.first() {
        let harmed = trials.safe.of - trials.safe.count;
        if harmed > 0 {
            lines.push(format!("{}: {harmed} of {} trials unsafe.", trials.arm, trials.safe.of));
        }
        let broken = trials.trials.iter().find_map(|trial| trial.broken.as_ref());
        lines.extend(broken.map(|why| format!("{}: a trial broke off: {why}.", trials.arm)));
    }
    if let Some(fit) = &summary.fit {
        for output in fit.outputs.iter().filter(|output| output.coverage < 0.85) {
            lines.push(format!(
                "The model is over-confident about {}: {} of held-out targets within two \
                 standard deviations, where 95.4 % are due.",
                output.name,
                percent(output.coverage)
            ));
        }
    }
    for round in &summary.rounds {
        let failure = round.failure.as_ref();
        lines.extend(failure.map(|why| format!("Round {}: no plan: {why}.", round.round)));
    }
    let more = lines.len().saturating_sub(6);
    lines.truncate(6);
    html! { @if !lines.is_empty() { ul.warnings {
        @for line in lines { li { (line) } }
        @if more > 0 { li { (more) " more like these" } }
    } } }
}

fn cards(summary: &SafeSummary) -> Markup {
    let mut cards: Vec<(&str, String, String)> = Vec::new();
    if let Some(trials) = summary.trials.first() {
        let interval = |rate: Rate| {
            format!(
                "{} of {}; 95 %: {} to {}",
                rate.count,
                rate.of,
                percent(rate.low),
                percent(rate.high)
            )
        };
        cards.push(("safe trials", percent(trials.safe.share()), interval(trials.safe)));
        cards.push(("at the goal", percent(trials.success.share()), interval(trials.success)));
        let note = format!("median {}", plain(trials.median_clearance));
        cards.push(("least clearance flown", plain(trials.least_clearance), note));
    }
    if let Some(plan) = &summary.plan {
        let note = format!("from {} at the start", plain(plan.start_cost));
        cards.push(("cost of the plan", plain(plan.cost), note));
        let note = "on the model it was made with".to_owned();
        cards.push(("clearance of the plan", plain(plan.clearance), note));
    }
    if let Some(fit) = &summary.fit {
        let (mean, least) = fit.coverage();
        let note = format!("worst output {}; 95.4 % are due", percent(least));
        cards.push(("coverage at two sigma", percent(mean), note));
    }
    html! { dl.cards { @for (what, value, note) in cards {
        div { dt { (what) } dd { (value) } dd.note { (note) } }
    } } }
}

fn trials(summary: &SafeSummary) -> Markup {
    html! { @if !summary.trials.is_empty() { section {
        h2 { "Trials" }
        (table(&trials_grid(&summary.trials)))
        p.note { "Flown on " (summary.truth) " with noise, each trial with its own stream. In \
            brackets Wilson’s 95 % interval. A trial that broke off counts as unsafe; the mean \
            cost is that of the safe ones, with barrier states without margins. Clearance is the \
            least of all constraints h." }
    } } }
}

fn model(summary: &SafeSummary, fit: &FitSummary) -> Markup {
    html! { section {
        h2 { "Model" }
        p.lead { "The plan was made on " (summary.model) "." }
        (table(&fit_grid(fit)))
        (fit_note(fit))
        details { summary { "Length scales" } (table(&scale_grid(fit))) (scale_note()) }
    } }
}

fn fit_note(fit: &FitSummary) -> Markup {
    html! { p.note { "Kernel " code { (fit.kernel) } ", " (fit.rows) " rows; errors and coverage \
    on " (fit.held_out) " rows that were held out. Relative error: over the deviation of the \
    targets. Coverage at two sigma, of which 95.4 % are due: reported, never a certificate." } }
}

fn scale_note() -> Markup {
    html! { p.note { "In deviations of each input; large where an input does not matter." } }
}

fn rounds(rounds: &[RoundSummary]) -> Markup {
    html! { @if !rounds.is_empty() { section {
        h2 { "Rounds of learning" }
        (table(&round_grid(rounds)))
        p.note { "Each round fits the model to all rows so far, plans, flies, and appends what it \
            met. Coverage flown: share of the transitions met in flight that the model had within \
            two standard deviations before it was told." }
    } } }
}

fn planner(summary: &SafeSummary) -> Markup {
    let attempts = summary.plan.as_ref().map_or(&[][..], |plan| &plan.attempts);
    html! { @if !attempts.is_empty() { section {
        h2 { "Starts of the planner" }
        (table(&attempt_grid(attempts)))
    } } }
}

fn again(settings: &str, command: &str) -> Markup {
    html! { section {
        h2 { "Settings" }
        details { summary { "Everything, defaults included" } pre { (settings) } }
        h3 { "Run it again" }
        pre { (command) }
    } }
}

fn strings<const N: usize>(words: [&str; N]) -> Vec<String> {
    words.map(String::from).into()
}

fn trials_grid(trials: &[TrialsSummary]) -> Grid {
    let head = [
        "flown with",
        "safe",
        "at the goal",
        "least clearance",
        "median",
        "mean cost",
        "median \
          goal error",
        "worst",
    ];
    let row = |trials: &TrialsSummary| {
        vec![
            trials.arm.clone(),
            trials.safe.words(),
            trials.success.words(),
            plain(trials.least_clearance),
            plain(trials.median_clearance),
            plain(trials.mean_cost),
            plain(trials.median_goal_error),
            plain(trials.worst_goal_error),
        ]
    };
    Grid { head: strings(head), rows: trials.iter().map(row).collect(), words: 3 }
}

fn fit_grid(fit: &FitSummary) -> Grid {
    let head = ["output", "NLML", "noise", "signal", "RMSE", "relative error", "coverage at 2σ"];
    let row = |output: &OutputFit| {
        let numbers = [output.nlml, output.noise, output.signal, output.rmse];
        let mut cells = vec![output.name.clone()];
        cells.extend(numbers.map(plain));
        cells.extend([percent(output.relative_error), percent(output.coverage)]);
        cells
    };
    Grid { head: strings(head), rows: fit.outputs.iter().map(row).collect(), words: 1 }
}

fn scale_grid(fit: &FitSummary) -> Grid {
    let head = std::iter::once("output".to_owned()).chain(fit.inputs.iter().cloned());
    let row = |output: &OutputFit| {
        let scales = output.length_scales.iter().map(|scale| plain(*scale));
        std::iter::once(output.name.clone()).chain(scales).collect()
    };
    Grid { head: head.collect(), rows: fit.outputs.iter().map(row).collect(), words: 1 }
}

fn round_grid(rounds: &[RoundSummary]) -> Grid {
    let head = [
        "round",
        "rows",
        "coverage",
        "worst output",
        "coverage flown",
        "relative error",
        "plan cost",
        "safe",
        "at the goal",
        "least clearance",
    ];
    let row = |round: &RoundSummary| {
        let rate = |rate: Rate| match rate.of {
            0 => "not flown".into(),
            of => format!("{} of {of}", rate.count),
        };
        vec![
            round.round.to_string(),
            round.rows.to_string(),
            percent(round.coverage),
            percent(round.least_coverage),
            percent(round.flown_coverage),
            percent(round.relative_error),
            plain(round.plan_cost),
            rate(round.safe),
            rate(round.success),
            plain(round.least_clearance),
        ]
    };
    Grid { head: strings(head), rows: rounds.iter().map(row).collect(), words: 1 }
}

fn attempt_grid(attempts: &[Attempt]) -> Grid {
    let head = ["start", "end", "regularisation", "iterations", "cost", "goal error"];
    let row = |(place, attempt): (usize, &Attempt)| {
        let taken = if attempt.is_taken { ", taken" } else { "" };
        vec![
            format!("{}{taken}", place + 1),
            attempt.end.clone(),
            plain(attempt.regularisation),
            attempt.iterations.to_string(),
            plain(attempt.cost),
            plain(attempt.goal_error),
        ]
    };
    Grid { head: strings(head), rows: attempts.iter().enumerate().map(row).collect(), words: 2 }
}

/// The tables of a plan for a terminal: trials, rounds, starts of the planner and model, as far
/// as there are any.
pub fn safe_tables(summary: &SafeSummary) -> Vec<String> {
    let mut tables = Vec::new();
    if let Some(plan) = &summary.plan {
        tables.push(aligned(&attempt_grid(&plan.attempts)));
    }
    if let Some(fit) = &summary.fit {
        tables.push(aligned(&fit_grid(fit)));
    }
    if !summary.rounds.is_empty() {
        tables.push(aligned(&round_grid(&summary.rounds)));
    }
    if !summary.trials.is_empty() {
        tables.push(aligned(&trials_grid(&summary.trials)));
    }
    tables
}

/// The table of a model for a terminal.
pub fn fit_table(fit: &FitSummary) -> String {
    aligned(&fit_grid(fit))
}
