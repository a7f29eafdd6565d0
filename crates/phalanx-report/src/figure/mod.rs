//! The figures of a run or an experiment: a drawing, how to read it, and the numbers behind it.
pub(crate) mod axis;
pub(crate) mod campaign;
pub(crate) mod curves;
pub(crate) mod dots;
mod heard;
pub(crate) mod heatmap;
pub(crate) mod label;
mod lines;
pub(crate) mod panels;

use crate::csv::Csv;
use crate::folder::Status;
use crate::number::Unit;
use crate::read::Arm;
use crate::spread::{CurvePoint, Pick, score_names};
use crate::svg::Svg;
use crate::text::capitalised;
use curves::{Chart, LINES_MAX, Series, thinning};
use dots::{Dots, ROWS_MAX, Row};
pub(crate) use heard::Heard;
pub use lines::Lines;

/// Most heat maps on one page; each run folder has its own.
const HEARD_MAX: usize = 6;

/// A drawing with what belongs to it.
#[derive(Debug, Clone)]
pub(crate) struct Figure {
    /// of its file names
    pub(crate) stem: String,
    /// in one line, for who cannot see it
    pub(crate) label: String,
    /// how to read it, in sentences
    pub(crate) caption: String,
    pub(crate) csv: String,
    pub(crate) svg: Svg,
}

/// The figures of some arms of one experiment, in reading order.
pub(crate) fn figures(arms: &[Arm<'_>]) -> Vec<Figure> {
    let mut figures = Vec::new();
    if let Some(score) = score_names(arms).first() {
        figures.extend(score_figures(arms, score, true));
    }
    figures.extend(loss_figure(arms));
    figures
}

/// The same for the scores that are not the first to look at.
pub(crate) fn more_figures(arms: &[Arm<'_>]) -> Vec<Figure> {
    let others = score_names(arms).into_iter().skip(1);
    others.flat_map(|score| score_figures(arms, &score, false)).collect()
}

/// Who heard whom, for the first seed of the first arms.
pub(crate) fn heard_figures(arms: &[Arm<'_>]) -> Vec<Figure> {
    let figure = |arm: &Arm<'_>| {
        let summary = &arm.runs.first()?.summary;
        let heard = Heard::of(summary)?;
        let (nodes, heard_of) = heard.byzantine_share();
        let mut caption = format!("Seed {}.", summary.seed);
        if nodes > 0.0 {
            caption.push_str(&format!(
                " Byzantine senders, marked, are {:.1} % of the nodes and {:.1} % of what was \
                 heard.",
                nodes * 100.0,
                heard_of * 100.0
            ));
        }
        Some(Figure {
            stem: format!("heard-{}", file_stem(&arm.name)),
            label: format!("Who heard whom, {}", arm.name),
            caption,
            csv: Heard::csv(summary),
            svg: heard.draw(&format!("Who heard whom: {}", arm.name)),
        })
    };
    arms.iter().filter_map(figure).take(HEARD_MAX).collect()
}

fn score_figures(arms: &[Arm<'_>], score: &str, compares: bool) -> Vec<Figure> {
    let has_curve = |arm: &Arm<'_>| arm.runs.iter().any(|r| r.history.scores.contains_key(score));
    let mut figures = Vec::new();
    if let ([arm], true) = (arms, has_curve(&arms[0])) {
        figures.push(one_arm(arm, score));
    } else if arms.iter().any(has_curve) {
        figures.push(many_arms(arms, score, Pick::Worst));
        figures.push(many_arms(arms, score, Pick::Mean));
    }
    if compares && arms.len() > 1 {
        figures.push(comparison(arms, score));
    }
    figures
}

fn one_arm(arm: &Arm<'_>, score: &str) -> Figure {
    let series = [Pick::Mean, Pick::Worst].map(|pick| Series {
        name: pick.words().replace(" of honest nodes", " of nodes").replace(" honest", ""),
        ..series(arm, arm.score_curve(score, pick), pick as usize)
    });
    let mut csv = curve_csv();
    for pick in [Pick::Mean, Pick::Worst] {
        add_rows(&mut csv, (&arm.name, pick.words()), &arm.score_curve(score, pick));
    }
    let title = format!("{}, honest nodes", capitalised(score));
    Figure {
        stem: file_stem(score),
        label: title.clone(),
        caption: format!("Over all honest nodes, {}{}", seeds_words(arm), marks(&series)),
        csv: csv.finish(),
        svg: chart(std::slice::from_ref(arm), title, (score, series.into())).draw(),
    }
}

fn many_arms(arms: &[Arm<'_>], score: &str, pick: Pick) -> Figure {
    let title = format!("{}, {}", capitalised(score), pick.words());
    let styles = styles(arms, score);
    let curve = |arm: &Arm<'_>| arm.score_curve(score, pick);
    let series: Vec<Series> = arms
        .iter()
        .zip(&styles)
        .map(|(arm, style)| Series { style: *style, ..series(arm, curve(arm), 0) })
        .collect();
    let mut csv = curve_csv();
    for arm in arms {
        add_rows(&mut csv, (&arm.name, pick.words()), &curve(arm));
    }
    let what = match pick {
        Pick::Worst => "The worst honest node is found anew at each evaluation",
        Pick::Mean => "Mean over honest nodes",
    };
    let caption = format!("{what}, {}{}", seeds_words(&arms[0]), marks(&series));
    Figure {
        stem: format!("{}-{}", file_stem(score), if pick == Pick::Mean { "mean" } else { "worst" }),
        label: title.clone(),
        caption,
        csv: csv.finish(),
        svg: chart(arms, title, (score, series)).draw(),
    }
}

fn loss_figure(arms: &[Arm<'_>]) -> Option<Figure> {
    let curves: Vec<Vec<CurvePoint>> = arms.iter().map(Arm::loss_curve).collect();
    if curves.iter().all(Vec::is_empty) {
        return None;
    }
    let score = score_names(arms).into_iter().next().unwrap_or_else(|| "loss".into());
    let styles = styles(arms, &score);
    let mut csv = curve_csv();
    for (arm, curve) in arms.iter().zip(&curves) {
        add_rows(&mut csv, (&arm.name, "mean of honest nodes"), curve);
    }
    let line = |((arm, curve), style): ((&Arm<'_>, Vec<CurvePoint>), &Option<usize>)| Series {
        style: *style,
        ..series(arm, curve, 0)
    };
    let series: Vec<Series> = arms.iter().zip(curves).zip(&styles).map(line).collect();
    let title = "Training loss, mean of honest nodes".to_owned();
    Some(Figure {
        stem: "training-loss".into(),
        label: title.clone(),
        caption: format!(
            "Loss on each node's own mini-batch before it moves, {}{}",
            seeds_words(&arms[0]),
            marks(&series)
        ),
        csv: csv.finish(),
        svg: chart(arms, title, ("loss", series)).draw(),
    })
}

fn comparison(arms: &[Arm<'_>], score: &str) -> Figure {
    let attack = |arm: &Arm<'_>| {
        let summary = arm.runs.first().map(|run| &run.summary);
        let name = summary.filter(|s| s.byzantine > 0).and_then(|s| s.names.get("attack"));
        name.cloned().unwrap_or_else(|| "no attack".into())
    };
    let mut groups: Vec<String> = arms.iter().map(attack).collect();
    groups.sort();
    groups.dedup();
    let row = |arm: &Arm<'_>| Row {
        group: if groups.len() > 1 { attack(arm) } else { String::new() },
        name: arm.name.clone(),
        mean: arm.score(score, Pick::Mean),
        worst: arm.score(score, Pick::Worst),
        note: (!arm.is_finished()).then(|| short_status(arm)),
    };
    let mut rows: Vec<Row> = arms.iter().map(row).collect();
    rows.sort_by_key(|row| (row.group != "no attack", row.group.clone()));
    rows.truncate(ROWS_MAX);
    let mut csv = Csv::new(&[
        "arm",
        "attack",
        "status",
        "seeds",
        "mean",
        "mean deviation",
        "worst",
        "worst deviation",
    ]);
    for arm in arms {
        let [mean, worst] = [Pick::Mean, Pick::Worst].map(|pick| {
            let spread = arm.score(score, pick);
            spread.map_or(["".into(), "".into()], |s| [s.mean.to_string(), s.deviation.to_string()])
        });
        let head = [arm.name.clone(), attack(arm), arm.status(), arm.runs.len().to_string()];
        csv.row(&[&head[..], &mean, &worst].concat());
    }
    let title = format!("Final {score} by arm");
    let mut caption = format!(
        "Last {score} of each arm; the bar from dot to square is what separates the worst honest \
         node from the mean. Whiskers: one standard deviation over seeds."
    );
    if arms.len() > ROWS_MAX {
        caption
            .push_str(&format!(" The first {ROWS_MAX} of {} arms; the CSV has all.", arms.len()));
    }
    Figure {
        stem: format!("{}-final", file_stem(score)),
        label: title.clone(),
        caption,
        csv: csv.finish(),
        svg: Dots { title, unit: Unit::of(score), rows }.draw(),
    }
}

fn chart(arms: &[Arm<'_>], title: String, (score, series): (&str, Vec<Series>)) -> Chart {
    let runs = arms.iter().flat_map(|arm| &arm.runs);
    let rounds = runs.map(|run| run.summary.rounds).max().unwrap_or(0);
    let last = series.iter().filter_map(|series| Some(series.points.last()?.round)).max();
    let rounds = rounds.max(last.unwrap_or(0));
    Chart { title, unit: Unit::of(score), axis: "round", rounds, series }
}

pub(crate) fn series(arm: &Arm<'_>, points: Vec<CurvePoint>, style: usize) -> Series {
    Series {
        name: arm.name.clone(),
        style: Some(style),
        points,
        seeds: arm.runs.len(),
        broken: arm.first_failure(),
        note: (!arm.is_finished()).then(|| match (short_status(arm), arm.first_failure()) {
            (status, Some(round)) if !status.contains("round") => {
                format!("{status}, round {round}")
            }
            (status, _) => status,
        }),
    }
}

/// A status that fits beside a figure.
pub(crate) fn short_status(arm: &Arm<'_>) -> String {
    let all = arm.statuses().len() == 1;
    let stopped = arm.statuses().into_iter().find(|(status, _)| *status != Status::Finished);
    let Some((status, count)) = stopped else { return "finished".into() };
    let done = arm.runs.iter().map(|run| run.summary.rounds_done).min().unwrap_or(0);
    let round = arm.first_failure().filter(|_| status == Status::Diverged).unwrap_or(done);
    if all {
        format!("{}, round {round}", status.word())
    } else {
        format!("{count} of {} {}", arm.runs.len(), status.word())
    }
}

/// Which style each arm has: its own where there are few, else one for each of the best and the
/// worst, by the worst honest node's final score.
fn styles(arms: &[Arm<'_>], score: &str) -> Vec<Option<usize>> {
    if arms.len() <= LINES_MAX {
        return (0..arms.len()).map(Some).collect();
    }
    let sign = if crate::folder::less_is_better(score) { 1.0 } else { -1.0 };
    let value = |arm: &Arm<'_>| {
        let worst = arm.score(score, Pick::Worst).map(|spread| spread.mean * sign);
        worst.filter(|value| value.is_finite()).unwrap_or(f64::INFINITY)
    };
    let mut order: Vec<usize> = (0..arms.len()).collect();
    order.sort_by(|&a, &b| value(&arms[a]).total_cmp(&value(&arms[b])));
    let half = LINES_MAX / 2;
    let mut styles = vec![None; arms.len()];
    let chosen = order[..half].iter().chain(&order[order.len() - half..]);
    chosen.enumerate().for_each(|(style, &arm)| styles[arm] = Some(style));
    styles
}

pub(crate) fn seeds_words(arm: &Arm<'_>) -> String {
    match arm.runs.len() {
        1 => "one seed.".into(),
        count => format!("averaged over {count} seeds; the band spans least to greatest seed."),
    }
}

/// What else a reader meets in these curves.
pub(crate) fn marks(series: &[Series]) -> String {
    let mut text = String::new();
    let unfit = |s: &Series| s.points.iter().any(|point| !point.spread.mean.is_finite());
    if series.iter().any(|series| series.broken.is_some() || unfit(series)) {
        text.push_str(" A cross marks the round at which the first honest node failed.");
    }
    if series.iter().any(|s| s.points.iter().any(|point| point.spread.count < s.seeds)) {
        text.push_str(" Dotted: some seeds have ended, the rest goes on.");
    }
    if series.iter().any(|series| series.style.is_none()) {
        text.push_str(&format!(
            " In colour: the {} best and {} worst of {} arms by their worst node; the rest in \
                grey.",
            LINES_MAX / 2,
            LINES_MAX / 2,
            series.len()
        ));
    }
    if let Some(sentence) = thinning(series) {
        text.push(' ');
        text.push_str(&sentence);
    }
    text
}

fn curve_csv() -> Csv {
    Csv::new(&["arm", "nodes", "round", "seeds", "mean", "deviation", "least", "greatest"])
}

fn add_rows(csv: &mut Csv, (arm, nodes): (&str, &str), points: &[CurvePoint]) {
    for CurvePoint { round, spread } in points {
        csv.row(&[
            arm.to_owned(),
            nodes.to_owned(),
            round.to_string(),
            spread.count.to_string(),
            spread.mean.to_string(),
            spread.deviation.to_string(),
            spread.least.to_string(),
            spread.greatest.to_string(),
        ]);
    }
}

/// A name as part of a file name, whatever it holds.
pub(crate) fn file_stem(name: &str) -> String {
    safe(name).chars().take(80).collect()
}

/// A name as a part of a path or an address, at its full length.
pub(crate) fn safe(name: &str) -> String {
    let safe = |c: char| if c.is_ascii_alphanumeric() || "._-".contains(c) { c } else { '-' };
    name.chars().map(safe).collect::<String>().trim_start_matches('.').to_owned()
}
