//! The page of a campaign: many arms, ordered by what varies between them.
mod costs;
mod runs;
mod stored;
mod tables;
mod varies;

use maud::{Markup, html};

pub(super) use stored::{Stored, sections as stored_sections};
pub(crate) use tables::{Cells, Entry, grids};

use super::{Figures, Source, frame, settings, shown};
use crate::campaign::{Campaign, Rank, Role};
use crate::figure::{Figure, campaign as figure};
use crate::folder::{FolderError, Status};
use crate::number::{self, Unit};
use crate::read::Arm;

/// Arms from which a page orders them by axes instead of listing them.
const ARMS_MIN: usize = 9;
/// Figures and tables that stand open; more are behind a line to click.
const OPEN_MAX: usize = 4;

/// The campaign that some arms are, if they are enough and vary in more than one way.
///
/// # Errors
/// An experiment is not TOML.
pub(super) fn campaign<'a>(arms: &'a [Arm<'a>]) -> Result<Option<Campaign<'a>>, FolderError> {
    if arms.len() < ARMS_MIN {
        return Ok(None);
    }
    let campaign = Campaign::of(arms)?;
    let is_one = |campaign: &Campaign<'_>| {
        let axes = campaign.axes.iter().filter(|axis| axis.key != "arm");
        axes.count() >= 2 && campaign.columns.iter().any(|name| name != crate::campaign::NO_ATTACK)
    };
    Ok(campaign.filter(is_one))
}

/// The figures of a campaign, in reading order: ranking, heat maps, curves.
pub(super) fn figures(campaign: &Campaign<'_>) -> Figures {
    let ranks = campaign.ranking();
    Figures {
        main: figure::ranking(campaign, &ranks).into_iter().collect(),
        more: figure::heat_maps(campaign),
        heard: figure::curves(campaign),
    }
}

/// The whole page.
pub(super) fn page(
    source: &Source<'_>,
    campaign: &Campaign<'_>,
    (figures, stored): (&Figures, &Stored),
) -> Markup {
    let ranks = campaign.ranking();
    let name = source.runs.first().map_or("", |run| run.summary.experiment.as_str());
    let header = html! {
        p.kicker { "Phalanx campaign" }
        h1 { (name) }
        p.verdict { (verdict(campaign, &ranks)) }
        (warnings(source))
        nav.contents {
            a href="#ranking" { "Ranking" } a href="#tables" { "Tables by attack" }
            @if !figures.more.is_empty() { a href="#heat" { "Heat maps" } }
            @if !figures.heard.is_empty() { a href="#curves" { "Curves" } }
            a href="#costs" { "Costs" } a href="#runs" { "All runs" }
        }
    };
    let main = html! {
        (cards(source, campaign))
        (varies::section(campaign))
        section id="ranking" {
            h2 { "Ranking by worst case" }
            (tables::ranking(campaign, &ranks))
            div.figures { @for figure in &figures.main { (shown(figure)) } }
        }
        (tables::section(campaign))
        @if !figures.more.is_empty() {
            section id="heat" { h2 { "Heat maps" } (wide(&figures.more)) }
        }
        @if !figures.heard.is_empty() {
            section id="curves" {
                h2 { "Curves" }
                (wide(&figures.heard))
                @let left = crate::figure::campaign::curves_left_out(campaign);
                @if left > 0 {
                    p.note { "The curves of " (left) " more settings are not drawn; "
                        code { "curves.csv" } " has them." }
                }
            }
        }
        (costs::section(campaign))
        (stored::sections(stored))
        (runs::section(source))
        section { h2 { "Environment" } (settings::environment(source.arms)) }
        (not_measured(source, campaign))
    };
    let about = html! { "Made by Phalanx from the run folders beside this page. " code { "results" }
    ", " code { "curves" } " and " code { "costs" } " (CSV and Parquet) hold all its numbers; \
    those behind each figure lie in " code { "figures/" } "." };
    frame(name, (header, main, about))
}

fn wide(figures: &[Figure]) -> Markup {
    let (open, closed) = figures.split_at(figures.len().min(OPEN_MAX));
    let closed_name = |figure: &Figure| figure.label.clone();
    html! {
        div.wide { @for figure in open { (shown(figure)) } }
        @for figure in closed {
            details { summary { (closed_name(figure)) } div.wide { (shown(figure)) } }
        }
    }
}

/// What the ranking says.
fn verdict(campaign: &Campaign<'_>, ranks: &[Rank]) -> String {
    let attacks = (0..campaign.columns.len()).filter(|c| campaign.is_attack(*c)).count();
    let settings = campaign.panels.len();
    let unit = campaign.unit;
    let score = &campaign.score;
    let case = |rank: &Rank, name: &str| {
        let case = rank.worst?;
        let (column, panel) = (&campaign.columns[case.column], &campaign.panels[case.panel].name);
        let at = if panel.is_empty() { String::new() } else { format!(" at {panel}") };
        let seeds = match case.mean.count {
            1 => String::new(),
            count => format!(" (± {} over {count} seeds)", unit.digits(case.mean.deviation)),
        };
        Some(format!("{}{name}{seeds} under {column}{at}", unit.write(case.mean.mean)))
    };
    let is_sound = |rank: &&Rank| rank.is_whole && rank.worst.is_some_and(|case| case.is_sound);
    let sound: Vec<&Rank> = ranks.iter().filter(is_sound).collect();
    let over = match (attacks, settings) {
        (1, 1) => "Under one attack".into(),
        (attacks, 1) => format!("Over {attacks} attacks"),
        (1, settings) => format!("Under one attack in {settings} settings"),
        (attacks, settings) => format!("Over {attacks} attacks in {settings} settings"),
    };
    let attacked = ranks.iter().filter(|rank| rank.worst.is_some()).count();
    let words = |sound: usize| match sound == attacked {
        true => sound.to_string(),
        false => format!("the {sound} of {attacked} whose runs are complete"),
    };
    let text = match sound.as_slice() {
        [] => format!("{over}, no defence has finished every run with a number for its {score}."),
        [best, others @ ..] => {
            let value = case(best, &format!(" {score}")).unwrap_or_default();
            let last = others.last().map(|last| {
                let value = case(last, "").unwrap_or_default();
                format!(" The last of {} is {}: {value}.", words(sound.len()), last.name)
            });
            let name = &best.name;
            format!(
                "{over}, the worst case is best with {name}: {value}.{}",
                last.unwrap_or_default()
            )
        }
    };
    text.replace(" %", "\u{a0}%").replace("± ", "±\u{a0}").replace(" = ", "\u{a0}=\u{a0}")
}

/// What a reader must know before believing the page, most serious first.
fn warnings(source: &Source<'_>) -> Markup {
    let mut lines = super::left_out(source);
    for status in [Status::Diverged, Status::Stalled, Status::Interrupted] {
        let runs = source.runs.iter().filter(|run| run.summary.status == status);
        let names: Vec<String> = runs.map(|run| run.name()).collect();
        if !names.is_empty() {
            let runs = if names.len() == 1 { "run" } else { "runs" };
            lines.push(format!(
                "{} {runs} {}: {}. Their last values are marked † and never best.",
                names.len(),
                status.word(),
                some(&names)
            ));
        }
    }
    html! {
        @if !lines.is_empty() { ul.warnings { @for line in lines { li { (line) } } } }
    }
}

/// The first few names, and how many more.
pub(super) fn some(names: &[String]) -> String {
    let shown = names.len().min(3);
    let more = names.len() - shown;
    let text = names[..shown].join(", ");
    if more > 0 { format!("{text} and {more} more (marked in the list of runs)") } else { text }
}

fn cards(source: &Source<'_>, campaign: &Campaign<'_>) -> Markup {
    let runs = source.runs.len();
    let finished = source.runs.iter().filter(|r| r.summary.status == Status::Finished).count();
    let attacks = (0..campaign.columns.len()).filter(|c| campaign.is_attack(*c)).count();
    let others: Vec<String> = campaign
        .axes
        .iter()
        .filter(|axis| axis.role == Role::Other)
        .map(|axis| format!("{} ({})", axis.key, axis.values.len()))
        .collect();
    let note = if others.is_empty() { "nothing else varies".into() } else { others.join(" × ") };
    let seconds = |run: &crate::LoadedRun| run.environment.as_ref().map(|e| e.cpu_seconds);
    let cpu: f64 = source.runs.iter().filter_map(seconds).sum();
    let cards = [
        ("defences", campaign.rows.len().to_string(), "rows of the tables".to_owned()),
        ("attacks", attacks.to_string(), "columns".into()),
        ("other settings", campaign.panels.len().to_string(), note),
        ("runs", number::count(runs as u64), format!("{finished} finished")),
        ("processor time", number::seconds(cpu), "all runs together".into()),
    ];
    html! {
        dl.cards { @for (what, value, note) in cards {
            div { dt { (what) } dd { (value) } dd.note { (note) } }
        } }
    }
}

fn not_measured(source: &Source<'_>, campaign: &Campaign<'_>) -> Markup {
    let one_seed = source.arms.iter().filter(|arm| arm.runs.len() == 1).count();
    let is_missing = |(panel, row, column): (usize, usize, usize)| {
        campaign.is_attack(column)
            && campaign.has_column(panel, column)
            && campaign.has_row(panel, row)
            && campaign.worst_case(panel, row).is_some()
            && campaign.cell(panel, row, column).is_none()
    };
    let (panels, rows) = (0..campaign.panels.len(), campaign.rows.len());
    let places = panels.flat_map(|panel| (0..rows).map(move |row| (panel, row)));
    let columns = campaign.columns.len();
    let places = places.flat_map(|(panel, row)| (0..columns).map(move |c| (panel, row, c)));
    let missing = places.filter(|place| is_missing(*place)).count();
    html! {
        section {
            h2 { "What was not measured" }
            ul {
                @if missing > 0 { li { (missing) " combinations of defence, attack and setting \
                    that others of their row or column have: shown as –." } }
                @if one_seed > 0 { li { "The spread over seeds of " (one_seed) " arms with a \
                    single seed." } }
                li { "Any attack that is not in the tables: the worst case is the worst of these." }
                li { "Time on a real network: virtual time follows the delays in the settings." }
                li { "Byzantine nodes: their models are not evaluated, and no score includes \
                    them." }
            }
        }
    }
}

/// Heads of score columns say the unit, so that cells need not.
pub(super) fn unit_words(unit: Unit) -> &'static str {
    if matches!(unit, Unit::Share) { ", %" } else { "" }
}
