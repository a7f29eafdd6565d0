//! Tables of a campaign: defence by attack, and the ranking; on the page and as text.
use maud::{Markup, html};

use super::{OPEN_MAX, unit_words};
use crate::campaign::{Campaign, Cell, Rank, WorstCase};
use crate::spread::Spread;

/// A defence by attack table of one setting, ready to be written in any form.
pub(crate) struct Cells {
    /// the setting; empty if nothing else varies
    pub(crate) name: String,
    /// what the values are
    pub(crate) what: String,
    pub(crate) head: Vec<String>,
    pub(crate) rows: Vec<(String, Vec<Entry>)>,
    pub(crate) notes: Vec<String>,
}

/// One cell of such a table.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Entry {
    /// mean of honest nodes ± deviation over seeds; empty where there is no run
    pub(crate) mean: String,
    /// worst honest node
    pub(crate) worst: String,
    /// best of its column
    pub(crate) is_best: bool,
    /// † not every run finished with a number; * not every attack was run
    pub(crate) mark: &'static str,
    /// the run behind it
    link: Option<String>,
}

/// The tables of a campaign, one per setting.
pub(crate) fn grids(campaign: &Campaign<'_>) -> Vec<Cells> {
    (0..campaign.panels.len()).map(|panel| grid(campaign, panel)).collect()
}

fn grid(campaign: &Campaign<'_>, panel: usize) -> Cells {
    let columns: Vec<usize> =
        (0..campaign.columns.len()).filter(|c| campaign.has_column(panel, *c)).collect();
    let attacks = columns.iter().filter(|column| campaign.is_attack(**column)).count();
    let has_worst = attacks > 1;
    let mut head: Vec<String> = vec!["defence".into()];
    head.extend(columns.iter().map(|column| campaign.columns[*column].clone()));
    if has_worst {
        head.push("worst case".into());
    }
    let best: Vec<Vec<usize>> =
        columns.iter().map(|column| campaign.best_of_column(panel, *column)).collect();
    let best_worst = campaign.best_of_panel(panel);
    let mut rows = Vec::new();
    for row in (0..campaign.rows.len()).filter(|row| campaign.has_row(panel, *row)) {
        let entry = |(column, best): (&usize, &Vec<usize>)| {
            let cell = campaign.cell(panel, row, *column);
            cell.map_or_else(Entry::default, |cell| entry(campaign, &cell, best.contains(&row)))
        };
        let mut entries: Vec<Entry> = columns.iter().zip(&best).map(entry).collect();
        if has_worst {
            let case = campaign.worst_case(panel, row);
            entries.push(case.map_or_else(Entry::default, |case| {
                worst(campaign, &case, best_worst.contains(&row))
            }));
        }
        rows.push((campaign.rows[row].clone(), entries));
    }
    let is_any = |mark: &str| rows.iter().flat_map(|(_, row)| row).any(|e| e.mark.contains(mark));
    let mut notes = Vec::new();
    if is_any("†") {
        notes.push("† a run did not finish, or ended without a number".into());
    }
    if is_any("*") {
        notes.push("* not every attack was run".into());
    }
    let what = format!("{}{}", campaign.score, unit_words(campaign.unit));
    Cells { name: campaign.panels[panel].name.clone(), what, head, rows, notes }
}

fn entry(campaign: &Campaign<'_>, cell: &Cell<'_>, is_best: bool) -> Entry {
    let text = |spread: Option<Spread>| {
        spread.map_or_else(|| "no value".into(), |spread| campaign.unit.spread(&spread))
    };
    let run = cell.arm.runs.first();
    Entry {
        mean: text(cell.mean),
        worst: text(cell.worst),
        is_best,
        mark: if cell.is_sound() { "" } else { "†" },
        link: run.map(|run| super::runs::anchor(run)),
    }
}

fn worst(campaign: &Campaign<'_>, case: &WorstCase, is_best: bool) -> Entry {
    let mark = match (case.is_sound, case.attacks < case.of) {
        (true, false) => "",
        (true, true) => "*",
        (false, false) => "†",
        (false, true) => "†*",
    };
    let [mean, worst] = [case.mean, case.worst].map(|spread| campaign.unit.spread(&spread));
    Entry { mean, worst, is_best, mark, link: None }
}

/// All tables, the first ones open.
pub(super) fn section(campaign: &Campaign<'_>) -> Markup {
    let grids = grids(campaign);
    let open = if grids.len() > OPEN_MAX { 1 } else { grids.len() };
    let (open, closed) = grids.split_at(open);
    html! {
        section id="tables" {
            h2 { "Defence by attack" }
            p.lead { "Final " (campaign.score) (unit_words(campaign.unit)) ": mean of honest nodes \
                ± standard deviation over seeds (divisor: seeds − 1)"
                @if campaign.has_nodes() { "; below it the worst honest node" }
                ". The best mean of a column is underlined. Worst case: over attacks"
                @if campaign.has_nodes() { ", of means and of worst nodes each" } "." }
            @for grid in open { (heading(&grid.name)) (table(grid, campaign.has_nodes())) }
            @for grid in closed {
                details { summary { (grid.name) } (table(grid, campaign.has_nodes())) }
            }
        }
    }
}

fn heading(name: &str) -> Markup {
    html! { @if !name.is_empty() { h3 { (name) } } }
}

fn table(grid: &Cells, has_nodes: bool) -> Markup {
    html! {
        div.scroll { table.cells {
            thead { tr { @for (place, name) in grid.head.iter().enumerate() {
                th scope="col" class=(if place > 0 { "number" } else { "" }) { (name) }
            } } }
            tbody { @for (name, entries) in &grid.rows {
                tr {
                    th scope="row" { (name) }
                    @for entry in entries { td.number { (shown(entry, has_nodes)) } }
                }
            } }
        } }
        @for note in &grid.notes { p.note { (note) "." } }
    }
}

fn shown(entry: &Entry, has_nodes: bool) -> Markup {
    let class = if entry.is_best { "best" } else { "" };
    html! {
        @if entry.mean.is_empty() { "–" }
        @else {
            @if let Some(link) = &entry.link {
                a class=(class) href=(format!("#{link}")) { (entry.mean) (entry.mark) }
            } @else { span class=(class) { (entry.mean) (entry.mark) } }
            @if has_nodes { span.worst { (entry.worst) } }
        }
    }
}

/// The ranking as a table.
pub(super) fn ranking(campaign: &Campaign<'_>, ranks: &[Rank]) -> Markup {
    let unit = campaign.unit;
    let many = campaign.panels.len() > 1;
    let nodes = campaign.has_nodes();
    let rest = 2 + usize::from(nodes) + 2 * usize::from(many);
    let panels = ranks.iter().map(|rank| rank.panels).max().unwrap_or(0);
    let digits = |spread: &Spread| unit.spread(spread);
    html! {
        p.lead { "The worst case of a defence is the attack" @if many { " and the setting" }
            " that leaves its honest nodes the "
            @if campaign.sign() < 0.0 { "least " } @else { "greatest " } (campaign.score)
            ", averaged over nodes and seeds. It says nothing about attacks that were not run." }
        div.scroll { table.ranking {
            thead { tr {
                th.number scope="col" { "#" } th scope="col" { "defence" }
                th.number scope="col" { "worst case" (unit_words(unit)) }
                @if nodes { th.number scope="col" { "worst node" } }
                th scope="col" { "under" }
                @if many {
                    th.number scope="col" { "mean of worst cases" }
                    th.number scope="col" { "best in" }
                }
            } }
            tbody { @for (place, rank) in ranks.iter().enumerate() {
                tr {
                    @if let Some(case) = &rank.worst {
                        td.number { (place + 1) }
                        th scope="row" { (rank.name) }
                        td.number { (digits(&case.mean)) @if !case.is_sound { "†" }
                            @if !rank.is_whole { "*" } }
                        @if nodes { td.number { (digits(&case.worst)) } }
                        td { (campaign.columns[case.column])
                            @if many { ", " (campaign.panels[case.panel].name) } }
                        @if many {
                            td.number { (rank.typical.map_or("–".into(), |v| unit.digits(v)))
                                @if rank.panels < panels { " in " (rank.panels) } }
                            td.number { (rank.wins) " of " (panels) }
                        }
                    } @else {
                        td.number { "–" }
                        th scope="row" { (rank.name) }
                        td colspan=(rest) { "reference, not attacked" }
                    }
                }
            } }
        } }
        @if ranks.iter().any(|rank| rank.worst.is_some_and(|case| !case.is_sound)) {
            p.note { "† a run did not finish, or ended without a number: ranked after those whose \
                runs all did." }
        }
        @if ranks.iter().any(|rank| rank.worst.is_some() && !rank.is_whole) {
            p.note { "* not every attack in every setting was run: ranked after those that met \
                all." }
        }
    }
}
