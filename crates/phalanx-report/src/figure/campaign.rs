//! The figures of a campaign: ranking, heat maps, curves by attack.
use super::dots::{Dots, ROWS_MAX, Row};
use super::heatmap::{Heat, HeatMap, HeatMaps};
use super::panels::{Panels, Small};
use super::{Figure, LINES_MAX, add_rows, curve_csv, file_stem, marks, seeds_words, series};
use crate::campaign::{Axis, Campaign, Rank, Role};
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

fn row_of(name: &str, group: &str, case: &crate::campaign::WorstCase) -> Row {
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
/// heterogeneity across. Places are in the order of a panel's point.
fn pair<'a>(campaign: &'a Campaign<'_>) -> Option<[(usize, &'a Axis); 2]> {
    let others = campaign.axes.iter().filter(|axis| axis.role == Role::Other);
    let numeric = others.enumerate().filter(|(_, axis)| axis.is_numeric());
    let mut numeric: Vec<(usize, &Axis)> = numeric.collect();
    let rank = |key: &str| match key {
        "population.f" => 0,
        "byzantine" => 1,
        "task.gamma" | "task.alpha" => 2,
        _ => 3,
    };
    numeric.sort_by_key(|(_, axis)| rank(&axis.key));
    match numeric.as_slice() {
        [first, second, ..] => Some([*first, *second]),
        _ => None,
    }
}

/// Heat maps over two axes of numbers, one map per defence, one figure per point of the rest.
pub(crate) fn heat_maps(campaign: &Campaign<'_>) -> Vec<Figure> {
    let Some([down, across]) = pair(campaign) else { return Vec::new() };
    let rest = |panel: usize| -> Vec<String> {
        let point = campaign.panels[panel].point.iter().enumerate();
        let kept = point.filter(|(place, _)| *place != down.0 && *place != across.0);
        kept.map(|(_, value)| value.as_ref().map_or(String::new(), Setting::words)).collect()
    };
    let mut groups: Vec<(Vec<String>, Vec<usize>)> = Vec::new();
    for panel in 0..campaign.panels.len() {
        let rest = rest(panel);
        match groups.iter_mut().find(|(known, _)| *known == rest) {
            Some((_, panels)) => panels.push(panel),
            None => groups.push((rest, vec![panel])),
        }
    }
    groups
        .into_iter()
        .filter_map(|(rest, panels)| heat_map(campaign, ([down, across], rest, &panels)))
        .collect()
}

type Plane<'a> = ([(usize, &'a Axis); 2], Vec<String>, &'a [usize]);

fn heat_map(campaign: &Campaign<'_>, ([down, across], rest, panels): Plane<'_>) -> Option<Figure> {
    let last = |axis: &Axis| axis.key.rsplit('.').next().unwrap_or_default().to_owned();
    let words =
        |axis: &Axis| -> Vec<String> { axis.values.iter().flatten().map(Setting::words).collect() };
    let find = |d: &Option<Setting>, a: &Option<Setting>| {
        let is_there = |panel: &&usize| {
            let point = &campaign.panels[**panel].point;
            point[down.0] == *d && point[across.0] == *a
        };
        panels.iter().find(is_there).copied()
    };
    let mut csv = Csv::new(&["defence", &down.1.key, &across.1.key, "mean", "sound"]);
    let mut maps = Vec::new();
    for (row, name) in campaign.rows.iter().enumerate() {
        let mut cells = Vec::new();
        for d in &down.1.values {
            let mut line = Vec::new();
            for a in &across.1.values {
                let case = find(d, a).and_then(|panel| campaign.worst_case(panel, row));
                line.push(case.map_or(Heat::Absent, |case| Heat::Value {
                    value: case.mean.mean,
                    is_marked: !case.is_sound || case.attacks < case.of,
                }));
                if let Some(case) = case {
                    let word = |v: &Option<Setting>| v.as_ref().map_or("".into(), Setting::words);
                    let (mean, sound) = (case.mean.mean.to_string(), case.is_sound.to_string());
                    csv.row(&[name.clone(), word(d), word(a), mean, sound]);
                }
            }
            cells.push(line);
        }
        if cells.iter().flatten().any(|cell| *cell != Heat::Absent) {
            maps.push(HeatMap { title: name.clone(), cells });
        }
    }
    if maps.is_empty() {
        return None;
    }
    let score = &campaign.score;
    let mut title =
        format!("Worst case over attacks: {score} by {} and {}", last(down.1), last(across.1));
    let mut stem = format!("{}-by-{}-and-{}", file_stem(score), last(down.1), last(across.1));
    if !rest.is_empty() {
        title.push_str(&format!(", {}", rest.join(", ")));
        stem.push_str(&format!("-{}", rest.join("-")));
    }
    let mut caption = format!(
        "Mean of honest nodes over seeds, under the attack that hurts most; the \
         stronger the colour, the greater the value ({}).",
        if campaign.sign() < 0.0 { "more is better" } else { "less is better" }
    );
    let is_marked = |cell: &Heat| matches!(cell, Heat::Value { is_marked: true, .. });
    if maps.iter().flat_map(|map| map.cells.iter().flatten()).any(is_marked) {
        caption.push_str(" † a run failed, or not every attack was run.");
    }
    let axes = ((last(down.1), words(down.1)), (last(across.1), words(across.1)));
    let maps =
        HeatMaps { title: title.clone(), unit: campaign.unit, down: axes.0, across: axes.1, maps };
    let svg = maps.draw();
    Some(Figure { stem: file_stem(&stem), label: title, caption, csv: csv.finish(), svg })
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
    let at = name.replace(" = ", "").replace(", ", "-");
    let stem = format!("{}-curves-{}", file_stem(&campaign.score), file_stem(&at));
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
