//! The figures of a campaign: ranking, heat maps, curves by attack.
use super::dots::{Dots, ROWS_MAX, Row};
use super::heatmap::{Heat, HeatMap, HeatMaps};
use super::panels::{Panels, Small};
use super::{Figure, LINES_MAX, add_rows, curve_csv, file_stem, marks, seeds_words, series};
use crate::campaign::{Axis, Campaign, Rank, WorstCase};
use crate::csv::Csv;
use crate::settings::Setting;
use crate::spread::Pick;
use crate::text::capitalised;

/// Panels up to which the ranking is drawn for each.
const GROUPS_MAX: usize = 4;
/// Panels whose curves are drawn; more than this nobody looks through.
const CURVES_MAX: usize = 24;

/// Worst cases as dots with bars, by panel where there are few.
pub(crate) fn ranking(campaign: &Campaign<'_>, ranks: &[Rank]) -> Option<Figure> {
    let panels = campaign.panels.len();
    let mut rows = Vec::new();
    if panels <= GROUPS_MAX {
        for (panel, point) in campaign.panels.iter().enumerate() {
            let mut group: Vec<(usize, Row)> = Vec::new();
            for row in 0..campaign.rows.len() {
                let Some(case) = campaign.worst_case(panel, row) else { continue };
                group.push((row, row_of(&campaign.rows[row], &point.name, &case)));
            }
            sort_by_mean(&mut group, campaign.sign());
            rows.extend(group.into_iter().map(|(_, row)| row));
        }
    } else {
        let row = |rank: &Rank| Some(row_of(&rank.name, "", &rank.worst?));
        rows.extend(ranks.iter().filter_map(row));
    }
    if rows.is_empty() {
        return None;
    }
    let count = rows.len();
    rows.truncate(ROWS_MAX);
    let score = &campaign.score;
    let title = format!("{} in the worst case over attacks", capitalised(score));
    let over = if panels > GROUPS_MAX { " and over all other settings" } else { "" };
    let mut caption = format!(
        "For each defence the attack that leaves it least{over}: dot for the mean of honest \
         nodes, square for the worst honest node. Whiskers: one standard deviation over seeds."
    );
    if count > ROWS_MAX {
        caption.push_str(&format!(" The first {ROWS_MAX} of {count}; the CSV has all."));
    }
    Some(Figure {
        stem: format!("{}-worst-case", file_stem(score)),
        label: title.clone(),
        caption,
        csv: ranking_csv(campaign),
        svg: Dots { title, unit: campaign.unit, rows }.draw(),
    })
}

fn row_of(name: &str, group: &str, case: &WorstCase) -> Row {
    Row {
        group: group.into(),
        name: name.into(),
        mean: Some(case.mean),
        worst: Some(case.worst),
        note: (!case.is_sound).then(|| "a run failed".into()),
    }
}

fn sort_by_mean(rows: &mut [(usize, Row)], sign: f64) {
    rows.sort_by(|(_, a), (_, b)| {
        let key = |row: &Row| {
            let mean = row.mean.map_or(f64::NAN, |spread| spread.mean * sign);
            (row.note.is_some(), mean)
        };
        let (a, b) = (key(a), key(b));
        a.0.cmp(&b.0).then(a.1.total_cmp(&b.1))
    });
}

fn ranking_csv(campaign: &Campaign<'_>) -> String {
    let head = [
        "defence",
        "setting",
        "attack",
        "attacks run",
        "attacks",
        "sound",
        "mean",
        "mean deviation",
        "worst node",
        "worst node deviation",
    ];
    let mut csv = Csv::new(&head);
    for (panel, point) in campaign.panels.iter().enumerate() {
        for (row, name) in campaign.rows.iter().enumerate() {
            let Some(case) = campaign.worst_case(panel, row) else { continue };
            csv.row(&[
                name.clone(),
                point.name.clone(),
                campaign.columns[case.column].clone(),
                case.attacks.to_string(),
                case.of.to_string(),
                case.is_sound.to_string(),
                case.mean.mean.to_string(),
                case.mean.deviation.to_string(),
                case.worst.mean.to_string(),
                case.worst.deviation.to_string(),
            ]);
        }
    }
    csv.finish()
}

/// Two axes of numbers, those that a paper would draw: tolerated Byzantine nodes down,
/// heterogeneity across. By their place among the coordinates.
fn pair(axes: &[&Axis]) -> Option<(usize, usize)> {
    let mut numeric: Vec<usize> = (0..axes.len()).filter(|at| axes[*at].is_numeric()).collect();
    let rank = |key: &str| match key {
        "population.f" => 0,
        "byzantine" => 1,
        "task.gamma" | "task.alpha" => 2,
        _ => 3,
    };
    numeric.sort_by_key(|at| rank(&axes[*at].key));
    match numeric.as_slice() {
        [first, second, ..] => Some((*first, *second)),
        _ => None,
    }
}

/// The worst case of one defence at one point of two axes.
struct Spot<'a> {
    name: &'a str,
    down: Option<Setting>,
    across: Option<Setting>,
    case: WorstCase,
}

/// Heat maps over two axes of numbers, one map per defence, one figure per point of the rest.
pub(crate) fn heat_maps(campaign: &Campaign<'_>) -> Vec<Figure> {
    let axes = campaign.coordinates();
    let Some((down, across)) = pair(&axes) else { return Vec::new() };
    let mut groups: Vec<(String, Vec<Spot<'_>>)> = Vec::new();
    for panel in 0..campaign.panels.len() {
        for row in 0..campaign.rows.len() {
            let Some(case) = campaign.worst_case(panel, row) else { continue };
            let (point, name) = campaign.point(panel, row);
            let rest = (0..axes.len()).filter(|at| *at != down && *at != across);
            let part = |at: usize| format!("{} = {}", last(axes[at]), words(&point[at]));
            let rest = rest.map(part).collect::<Vec<_>>().join(", ");
            let (down, across) = (point[down].clone(), point[across].clone());
            let spot = Spot { name, down, across, case };
            match groups.iter_mut().find(|(known, _)| *known == rest) {
                Some((_, spots)) => spots.push(spot),
                None => groups.push((rest, vec![spot])),
            }
        }
    }
    let draw = |(rest, spots)| heat_map(campaign, (axes[down], axes[across]), (rest, spots));
    groups.into_iter().map(draw).collect()
}

fn heat_map(
    campaign: &Campaign<'_>,
    (down, across): (&Axis, &Axis),
    (rest, spots): (String, Vec<Spot<'_>>),
) -> Figure {
    let mut csv = Csv::new(&["defence", &down.key, &across.key, "mean", "sound"]);
    for Spot { name, down, across, case } in &spots {
        let (mean, sound) = (case.mean.mean.to_string(), case.is_sound.to_string());
        csv.row(&[(*name).to_owned(), words(down), words(across), mean, sound]);
    }
    let mut names: Vec<&str> = Vec::new();
    for spot in &spots {
        if !names.contains(&spot.name) {
            names.push(spot.name);
        }
    }
    let heat = |name: &str, d: &Option<Setting>, a: &Option<Setting>| {
        let is_there = |s: &&Spot<'_>| s.name == name && s.down == *d && s.across == *a;
        let case = spots.iter().find(is_there).map(|spot| spot.case);
        case.map_or(Heat::Absent, |case| Heat::Value {
            value: case.mean.mean,
            is_marked: !case.is_sound || case.attacks < case.of,
        })
    };
    let map = |name: &&str| {
        let line = |d| across.values.iter().map(|a| heat(name, d, a)).collect();
        HeatMap { title: (*name).to_owned(), cells: down.values.iter().map(line).collect() }
    };
    let maps: Vec<HeatMap> = names.iter().map(map).collect();
    let score = &campaign.score;
    let mut title =
        format!("Worst case over attacks: {score} by {} and {}", last(down), last(across));
    let mut stem = format!("{}-by-{}-and-{}", file_stem(score), last(down), last(across));
    if !rest.is_empty() {
        title.push_str(&format!(", {rest}"));
        stem.push_str(&format!("-{}", in_name(&rest)));
    }
    let mut caption = format!(
        "Mean of honest nodes over seeds, under the attack that hurts most; the stronger the \
         colour, the greater the value ({}).",
        if campaign.sign() < 0.0 { "more is better" } else { "less is better" }
    );
    let is_marked = |cell: &Heat| matches!(cell, Heat::Value { is_marked: true, .. });
    if maps.iter().flat_map(|map| map.cells.iter().flatten()).any(is_marked) {
        caption.push_str(" † a run failed, or not every attack was run.");
    }
    let labels = |axis: &Axis| (last(axis).to_owned(), axis.values.iter().map(words).collect());
    let unit = campaign.unit;
    let maps = HeatMaps { title, unit, down: labels(down), across: labels(across), maps };
    let (svg, label) = (maps.draw(), maps.title);
    Figure { stem: file_stem(&stem), label, caption, csv: csv.finish(), svg }
}

/// The last part of an axis's name.
fn last(axis: &Axis) -> &str {
    axis.key.rsplit('.').next().unwrap_or(&axis.key)
}

fn words(value: &Option<Setting>) -> String {
    value.as_ref().map_or_else(String::new, Setting::words)
}

/// `f = 1, gamma = 0` as a part of a file name.
fn in_name(point: &str) -> String {
    point.replace(" = ", "").replace(", ", "-")
}

/// Curves of one panel: a chart per attack, a line per defence.
pub(crate) fn curves(campaign: &Campaign<'_>) -> Vec<Figure> {
    (0..campaign.panels.len())
        .take(CURVES_MAX)
        .filter_map(|panel| panel_curves(campaign, panel))
        .collect()
}

fn panel_curves(campaign: &Campaign<'_>, panel: usize) -> Option<Figure> {
    let styles = styles(campaign);
    let mut csv = curve_csv();
    let mut charts = Vec::new();
    let mut rounds = 0;
    for (column, attack) in campaign.columns.iter().enumerate() {
        let mut lines = Vec::new();
        for (row, name) in campaign.rows.iter().enumerate() {
            let Some(cell) = campaign.cell(panel, row, column) else { continue };
            let points = cell.arm.score_curve(&campaign.score, Pick::Mean);
            if points.is_empty() {
                continue;
            }
            for pick in [Pick::Mean, Pick::Worst] {
                let curve = cell.arm.score_curve(&campaign.score, pick);
                add_rows(&mut csv, (&cell.arm.name, pick.words()), &curve);
            }
            let asked = cell.arm.runs.iter().map(|run| run.summary.rounds).max();
            rounds = rounds.max(asked.unwrap_or(0));
            lines.push(super::curves::Series {
                name: name.clone(),
                style: styles[row],
                ..series(cell.arm, points, 0)
            });
        }
        if !lines.is_empty() {
            charts.push(Small { title: attack.clone(), series: lines });
        }
    }
    let arm = charts.first().and_then(|_| {
        (0..campaign.rows.len()).find_map(|row| {
            (0..campaign.columns.len()).find_map(|column| campaign.cell(panel, row, column))
        })
    })?;
    let name = &campaign.panels[panel].name;
    let at = if name.is_empty() { String::new() } else { format!(", {name}") };
    let title = format!("{}, mean of honest nodes{at}", capitalised(&campaign.score));
    let all: Vec<_> = charts.iter().flat_map(|chart| chart.series.clone()).collect();
    let mut caption = format!(
        "One chart per attack, all on one scale; {} Labels: last value and defence.",
        seeds_words(arm.arm)
    );
    caption.push_str(&marks(&all).replace(" arms by their worst node", " lines by worst case"));
    if all.iter().any(|line| line.note.is_some()) {
        caption.push_str(" † not every seed finished.");
    }
    let stem = format!("{}-curves-{}", file_stem(&campaign.score), file_stem(&in_name(name)));
    let svg = Panels { title: title.clone(), unit: campaign.unit, rounds, charts }.draw();
    let stem = stem.trim_end_matches('-').to_owned();
    Some(Figure { stem, label: title, caption, csv: csv.finish(), svg })
}

/// A style for each of the best rows and of the worst that are attacked; rows come in order of
/// rank. References come after them, and stand in a chart of their own.
fn styles(campaign: &Campaign<'_>) -> Vec<Option<usize>> {
    let half = LINES_MAX / 2;
    let is_attacked = |row: &usize| {
        (0..campaign.panels.len()).any(|panel| campaign.worst_case(panel, *row).is_some())
    };
    let rows = (0..campaign.rows.len()).filter(is_attacked).count();
    let style = |row: usize| match row {
        row if row >= rows => Some(row.min(LINES_MAX - 1)),
        row if rows <= LINES_MAX || row < half => Some(row),
        row if row + half >= rows => Some(LINES_MAX + row - rows),
        _ => None,
    };
    (0..campaign.rows.len()).map(style).collect()
}

/// Panels whose curves are not drawn.
pub(crate) fn curves_left_out(campaign: &Campaign<'_>) -> usize {
    campaign.panels.len().saturating_sub(CURVES_MAX)
}
