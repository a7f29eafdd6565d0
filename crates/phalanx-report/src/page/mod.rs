//! One self-contained HTML page for a run or an experiment: no script, nothing fetched.
pub(crate) mod campaign;
mod settings;
mod traffic;
mod verdict;

use std::path::{Path, PathBuf};

use maud::{DOCTYPE, Markup, PreEscaped, html};

use crate::figure::{Figure, figures, heard_figures, more_figures};
use crate::folder::{FIGURES, FolderError, REPORT, SUMMARY, Summary, io};
use crate::read::{Arm, LoadedRun, arms, load_found};
use crate::spread::score_names;
use crate::svg;
use crate::table::Grid;
use crate::tidy;

/// What [`write_report`] wrote, and what it left out.
#[derive(Debug)]
pub struct Report {
    /// where the page lies
    pub page: PathBuf,
    /// run folders that cannot be read, and why; the page names them too
    pub broken: Vec<(PathBuf, FolderError)>,
}

/// Writes `report.html` and `figures/` into an experiment folder or a run folder; into an
/// experiment folder also the tidy tables, and `figures/` into each of its runs.
///
/// # Errors
/// No run can be read, or a file cannot be written.
pub fn write_report(folder: &Path) -> Result<Report, FolderError> {
    let found = load_found(&[folder.into()])?;
    let arms = arms(&found.runs);
    let campaign = campaign::campaign(&arms)?;
    let all = match &campaign {
        Some(campaign) => campaign::figures(campaign),
        None => Figures::of(&arms),
    };
    write_files(folder, &all)?;
    if !folder.join(SUMMARY).is_file() {
        for run in &found.runs {
            write_run_figures(run)?;
        }
        tidy::write_tables(folder, &found.runs, &[tidy::Format::Csv, tidy::Format::Parquet])?;
    }
    let source = Source {
        arms: &arms,
        runs: &found.runs,
        broken: &found.broken,
        unfinished: &found.unfinished,
    };
    let stored = campaign::Stored::read(folder)?;
    let markup = match &campaign {
        Some(one) => campaign::page(&source, one, (&all, &stored)),
        None => page(&source, &all, &stored),
    };
    let path = folder.join(REPORT);
    write(&path, markup.into_string())?;
    drop(arms);
    Ok(Report { page: path, broken: found.broken })
}

/// Writes the figures of one run, SVG and CSV, into its `figures/`; returns their paths.
///
/// # Errors
/// The run cannot be read, or a file cannot be written.
pub fn write_figures(run: &Path) -> Result<Vec<PathBuf>, FolderError> {
    write_run_figures(&LoadedRun::read(run)?)
}

fn write_run_figures(run: &LoadedRun) -> Result<Vec<PathBuf>, FolderError> {
    let arms = arms(std::slice::from_ref(run));
    write_files(&run.folder, &Figures::of(&arms))
}

fn write_files(folder: &Path, figures: &Figures) -> Result<Vec<PathBuf>, FolderError> {
    let folder = folder.join(FIGURES);
    std::fs::create_dir_all(&folder).map_err(|source| io(&folder, source))?;
    let mut paths: Vec<PathBuf> = Vec::new();
    for figure in figures.main.iter().chain(&figures.more).chain(&figures.heard) {
        // Two arms may differ only in letters that a file name cannot have.
        let names = (1..).map(|place| match place {
            1 => figure.stem.clone(),
            _ => format!("{}-{place}", figure.stem),
        });
        let is_free = |name: &String| !paths.contains(&folder.join(format!("{name}.svg")));
        let stem = names.into_iter().find(is_free).unwrap_or_else(|| figure.stem.clone());
        for (ending, text) in [("svg", figure.svg.file(&figure.label)), ("csv", figure.csv.clone())]
        {
            let path = folder.join(format!("{stem}.{ending}"));
            write(&path, &text)?;
            paths.push(path);
        }
    }
    Ok(paths)
}

/// Writes a file beside its place and then moves it there: a full disk leaves the old one.
pub(crate) fn write(path: &Path, contents: impl AsRef<[u8]>) -> Result<(), FolderError> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".new");
    let beside = path.with_file_name(name);
    std::fs::write(&beside, contents).map_err(|source| io(&beside, source))?;
    std::fs::rename(&beside, path).map_err(|source| io(path, source))
}

/// All figures, by where they stand on the page.
struct Figures {
    main: Vec<Figure>,
    more: Vec<Figure>,
    heard: Vec<Figure>,
}

impl Figures {
    fn of(arms: &[Arm<'_>]) -> Self {
        Self { main: figures(arms), more: more_figures(arms), heard: heard_figures(arms) }
    }
}

/// What a page is made from.
struct Source<'a> {
    arms: &'a [Arm<'a>],
    runs: &'a [LoadedRun],
    broken: &'a [(PathBuf, FolderError)],
    unfinished: &'a [PathBuf],
}

/// A page around its parts: header, main and what the footer says.
fn frame(title: &str, (header, main, about): (Markup, Markup, Markup)) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (title) " · Phalanx" }
                style { (PreEscaped(svg::style())) (PreEscaped(include_str!("page.css"))) }
            }
            body {
                header { (header) }
                main { (main) }
                footer { (about) }
            }
        }
    }
}

fn page(source: &Source<'_>, figures: &Figures, stored: &campaign::Stored) -> Markup {
    let (kind, title) = title(source);
    let header = html! {
        p.kicker { "Phalanx " (kind) }
        h1 { (title) }
        p.verdict { (verdict::sentence(source.arms)) }
        (warnings(source))
    };
    let main = html! {
        (cards(source))
        section {
            h2 { "Results" }
            (results(source.arms))
            div.figures { @for figure in &figures.main { (shown(figure)) } }
            @if !figures.more.is_empty() {
                details {
                    summary { "Other scores over rounds" }
                    div.figures { @for figure in &figures.more { (shown(figure)) } }
                }
            }
        }
        (campaign::stored_sections(stored))
        (traffic::sections(source.arms))
        (who_heard_whom(source, &figures.heard))
        (settings::sections(source.arms))
        (settings::replay(source.arms))
        (not_measured(source))
    };
    let about = html! { "Made by Phalanx from the run folders beside this page; the numbers \
    behind each figure lie in " code { "figures/" } "." };
    frame(&title, (header, main, about))
}

/// What the page is of, and its name.
fn title(source: &Source<'_>) -> (&'static str, String) {
    match source.runs {
        [run] => {
            let Summary { experiment, arm, seed, .. } = &run.summary;
            ("run", format!("{experiment}: {arm}, seed {seed}"))
        }
        [run, ..] => ("experiment", run.summary.experiment.clone()),
        [] => ("experiment", String::new()),
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

fn cards(source: &Source<'_>) -> Markup {
    html! {
        dl.cards {
            @for card in verdict::cards(source.arms) {
                div {
                    dt { (card.what) }
                    dd { (card.value) }
                    @if !card.note.is_empty() { dd.note { (card.note) } }
                }
            }
        }
    }
}

/// Runs that the page is not made from, and records that are cut short.
fn left_out(source: &Source<'_>) -> Vec<String> {
    let name =
        |folder: &Path| folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let mut lines = Vec::new();
    for (folder, error) in source.broken {
        lines.push(format!("{} cannot be read and is left out: {error}.", name(folder)));
    }
    for run in source.runs.iter().filter(|run| run.history.truncated) {
        lines.push(format!(
            "The record of {} ends in the middle of line {}; that line is left out.",
            name(&run.folder),
            run.history.lines + 1
        ));
    }
    for folder in source.unfinished {
        lines
            .push(format!("{} has no summary (still running, or killed): left out.", name(folder)));
    }
    lines
}

/// What a reader must know before believing the page.
fn warnings(source: &Source<'_>) -> Markup {
    let mut lines = left_out(source);
    let must = lines.len();
    for arm in source.arms {
        for run in &arm.runs {
            if let Some(reason) = &run.summary.reason {
                let (arm, seed) = (&arm.name, run.summary.seed);
                let word = run.summary.status.word();
                lines.push(format!("{arm}, seed {seed}: {word} – {reason}"));
            }
        }
    }
    // Of what failed a few stand for all; what is left out is always named.
    let more = lines.len().saturating_sub(must.max(6));
    lines.truncate(must.max(6));
    html! {
        @if !lines.is_empty() {
            ul.warnings {
                @for line in lines { li { (line) } }
                @if more > 0 { li { (more) " more like these" } }
            }
        }
    }
}

/// A table whose head and cells are text.
pub(crate) fn table(grid: &Grid) -> Markup {
    let class = |column: usize| if column < grid.words { "" } else { "number" };
    html! {
        div.scroll {
            table {
                thead { tr { @for (c, cell) in grid.head.iter().enumerate() {
                    th class=(class(c)) scope="col" { (cell) }
                } } }
                tbody { @for row in &grid.rows {
                    tr { @for (c, cell) in row.iter().enumerate() {
                        @if c == 0 { th scope="row" { (cell) } }
                        @else { td class=(class(c)) { (cell) } }
                    } }
                } }
            }
        }
    }
}

fn results(arms: &[Arm<'_>]) -> Markup {
    let mut grid = Grid::of(arms);
    // Traffic has its own table, with more about it.
    let keep = grid.head.len() - 2;
    grid.head.truncate(keep);
    grid.rows.iter_mut().for_each(|row| row.truncate(keep));
    html! { (table(&grid)) p.note { "Mean ± standard deviation over seeds (divisor: seeds − 1). \
    Worst: the honest node that ends worst, in each seed." } }
}

fn who_heard_whom(source: &Source<'_>, heard: &[Figure]) -> Markup {
    html! {
        @if !heard.is_empty() {
            section {
                h2 { "Who heard whom" }
                p.lead { "Row: an honest node. Column: a sender. The darker, the more of the \
                    row’s exchanges had that sender’s vector among those collected; a node \
                    always hears itself." }
                div.figures { @for figure in heard { (shown(figure)) } }
                @if source.arms.len() > heard.len() {
                    p.note { (heard.len()) " of " (source.arms.len()) " arms; each run folder \
                        has its own." }
                }
            }
        }
    }
}

fn not_measured(source: &Source<'_>) -> Markup {
    let one_seed = source.arms.iter().filter(|arm| arm.runs.len() == 1).count();
    let scores = score_names(source.arms);
    let no_curve: Vec<&String> = scores
        .iter()
        .filter(|score| !source.runs.iter().any(|run| run.history.scores.contains_key(*score)))
        .collect();
    html! {
        section {
            h2 { "What was not measured" }
            ul {
                li { "Time on a real network: virtual time follows the delays in the settings, \
                    and computing takes none of it unless the settings say so." }
                li { "Byzantine nodes: their models are not evaluated, and no score includes \
                    them." }
                li { "Peak memory of the process: memory per node is counted from what a node \
                    holds." }
                @if one_seed == 1 { li { "The spread over seeds of the arm with a single seed." } }
                @if one_seed > 1 {
                    li { "The spread over seeds of " (one_seed) " arms with a single seed." }
                }
                @if scores.is_empty() { li { "Any score: no node was evaluated." } }
                @for score in no_curve { li { "How " code { (score) } " moved over rounds: the \
                    records hold no evaluation of it." } }
                @if source.arms.iter().any(|arm| !arm.is_finished()) { li { "What arms that did \
                    not finish would have reached; their scores are those of the last \
                    evaluation." } }
            }
        }
    }
}
