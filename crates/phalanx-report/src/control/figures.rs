//! The figures of a control run: regret, error, stabilisation.
use super::chart::{Axes, Line, Point, TimeChart, noted};
use super::record::{ControlLine, FlightLine};
use super::summary::{Band, Statistic, TrialSummary, bands, flights, summarise};
use crate::csv::Csv;
use crate::figure::{Figure, file_stem};
use crate::svg::STYLES;

/// Most arms that have a line each in a figure that compares them.
const LINES_MAX: usize = STYLES;
/// Most arms with a figure of their own on the page.
const ARMS_MAX: usize = 8;

/// Everything that can be drawn from a record, in reading order.
pub(super) fn figures(lines: &[ControlLine]) -> Vec<Figure> {
    let arms = flights(lines);
    let mut figures = Vec::new();
    let has_course = arms.iter().any(|(_, flights)| flights.iter().any(|f| f.moments.len() > 1));
    if has_course {
        if arms.len() > 1 {
            figures.push(comparison(&arms, Statistic::Regret));
        }
        figures.extend(arms.iter().take(ARMS_MAX).map(|(arm, flights)| regret(arm, flights)));
        figures.push(comparison(&arms, Statistic::Stationary));
        figures.push(normalised(&arms));
        figures.push(comparison(&arms, Statistic::MeanError));
    }
    let (_, trials) = summarise(lines);
    if !trials.is_empty() {
        figures.push(stabilisation(&trials));
    }
    figures
}

fn seconds(band: &Band) -> String {
    band.seconds.to_string()
}

fn csv_of(arms: &[(&str, Vec<Band>)]) -> String {
    let mut csv = Csv::new(&["arm", "seconds", "lost", "mean", "median", "low", "high", "worst"]);
    for (arm, bands) in arms {
        for band in bands {
            let numbers = [band.mean, band.median, band.low, band.high, band.worst];
            let mut row = vec![(*arm).to_owned(), seconds(band), band.lost.to_string()];
            row.extend(numbers.map(|number| number.to_string()));
            csv.row(&row);
        }
    }
    csv.finish()
}

/// Mean, median, worst and the middle eight tenths of one arm's regret.
fn regret(arm: &str, flights: &[&FlightLine]) -> Figure {
    let bands = bands(flights, Statistic::Regret);
    let pick = |value: fn(&Band) -> f64, has_band: bool| -> Vec<Point> {
        let point = |band: &Band| Point {
            seconds: band.seconds,
            value: value(band),
            band: has_band.then_some((band.low, band.high)),
        };
        bands.iter().map(point).collect()
    };
    let line = |(style, name, value, has_band): (usize, &str, fn(&Band) -> f64, bool)| Line {
        name: name.into(),
        note: bands.last().map_or(String::new(), |band| noted(value(band))),
        style,
        points: pick(value, has_band),
    };
    let lines = [
        line((0, "mean", |band| band.mean, false)),
        line((1, "median", |band| band.median, true)),
        line((2, "worst", |band| band.worst, false)),
    ];
    let title = format!("Regret since the first decision: {arm}");
    let chart = TimeChart::new(title.clone(), Axes::Linear, lines.into());
    let lost = bands.last().map_or(0, |band| band.lost);
    let mut caption = format!(
        "Cost beyond that of the optimal controller on the same noise, over {} replications; the \
         band holds the middle eight tenths.",
        flights.len()
    );
    if lost > 0 {
        caption.push_str(&format!(
            " {lost} ran away: infinite in median and worst, missing in the mean."
        ));
    }
    Figure {
        stem: format!("regret-{}", file_stem(arm)),
        label: title,
        caption,
        csv: csv_of(&[(arm, bands)]),
        svg: chart.draw(),
    }
}

/// One line per arm.
fn comparison(arms: &[(&str, Vec<&FlightLine>)], statistic: Statistic) -> Figure {
    let (stem, title, axes, caption) = match statistic {
        Statistic::Regret => (
            "regret",
            "Mean regret since the first decision",
            Axes::Linear,
            "Mean over the replications that did not run away.",
        ),
        Statistic::Stationary => (
            "stationary-regret",
            "Mean stationary regret",
            Axes::Linear,
            "Excess of the average cost of each episode's gain, times its length: regret without \
             the luck of the noise. An unstable gain counts 1e6 a second.",
        ),
        Statistic::Error | Statistic::MeanError => (
            "error",
            "Distance of the posterior's mean from the plant",
            Axes::Logarithmic,
            "Spectral norm of the error in [A, B], median over the replications.",
        ),
    };
    let is_median = axes == Axes::Logarithmic;
    // Several bands on top of each other show nothing; the CSV has them all.
    let has_band = is_median && arms.len() == 1;
    let curves: Vec<(&str, Vec<Band>)> =
        arms.iter().map(|(arm, flights)| (*arm, bands(flights, statistic))).collect();
    let line = |(style, (arm, bands)): (usize, &(&str, Vec<Band>))| {
        let value = |band: &Band| if is_median { band.median } else { band.mean };
        let point = |band: &Band| Point {
            seconds: band.seconds,
            value: value(band),
            band: has_band.then_some((band.low, band.high)),
        };
        let lost = bands.last().map_or(0, |band| band.lost);
        let mut note = bands.last().map_or("no value".into(), |band| noted(value(band)));
        if lost > 0 {
            note.push_str(&format!(", {lost} ran away"));
        }
        Line { name: (*arm).into(), note, style, points: bands.iter().map(point).collect() }
    };
    let lines = curves.iter().enumerate().take(LINES_MAX).map(line).collect();
    let chart = TimeChart::new(title, axes, lines);
    Figure {
        stem: stem.into(),
        label: title.into(),
        caption: format!("{caption}{}", left_out(arms.len())),
        csv: csv_of(&curves),
        svg: chart.draw(),
    }
}

fn left_out(arms: usize) -> String {
    match arms.saturating_sub(LINES_MAX) {
        0 => String::new(),
        more => format!(" {more} more arms are in the CSV."),
    }
}

/// Regret over √t ln t: level where regret grows like the bound.
fn normalised(arms: &[(&str, Vec<&FlightLine>)]) -> Figure {
    let scale = |band: &Band| {
        let factor = 1.0 / (band.seconds.sqrt() * band.seconds.ln().max(1e-9));
        let scaled = [band.mean, band.median, band.low, band.high, band.worst].map(|v| v * factor);
        let [mean, median, low, high, worst] = scaled;
        Band { mean, median, low, high, worst, ..*band }
    };
    // Before the third second the divisor is no scale.
    let curve = |flights: &Vec<&FlightLine>| -> Vec<Band> {
        let bands = bands(flights, Statistic::Regret);
        bands.iter().skip(1).filter(|band| band.seconds > 3.0).map(scale).collect()
    };
    let curves: Vec<(&str, Vec<Band>)> =
        arms.iter().map(|(arm, flights)| (*arm, curve(flights))).collect();
    let line = |(style, (arm, bands)): (usize, &(&str, Vec<Band>))| Line {
        name: (*arm).into(),
        note: bands.last().map_or("no value".into(), |band| noted(band.mean)),
        style,
        points: bands
            .iter()
            .map(|band| Point { seconds: band.seconds, value: band.mean, band: None })
            .collect(),
    };
    let lines = curves.iter().enumerate().take(LINES_MAX).map(line).collect();
    let title = "Mean regret over √t ln t";
    let chart = TimeChart::new(title, Axes::Linear, lines);
    Figure {
        stem: "regret-normalised".into(),
        label: title.into(),
        caption: format!(
            "Level or falling where regret grows no faster than √t ln t, rising where it is \
             linear.{}",
            left_out(arms.len())
        ),
        csv: csv_of(&curves),
        svg: chart.draw(),
    }
}

/// How often the first gain stabilises, against the time spent before it.
fn stabilisation(trials: &[TrialSummary]) -> Figure {
    let mut csv = Csv::new(&[
        "arm",
        "seconds",
        "replications",
        "success",
        "standard error",
        "median error",
        "median peak",
        "lost",
    ]);
    let mut lines: Vec<Line> = Vec::new();
    for trial in trials {
        csv.row(&[
            trial.arm.clone(),
            trial.seconds.to_string(),
            trial.replications.to_string(),
            trial.success.to_string(),
            trial.standard_error.to_string(),
            trial.median_error.to_string(),
            trial.median_peak.to_string(),
            trial.lost.to_string(),
        ]);
        let spread = 2.0 * trial.standard_error;
        let band = Some(((trial.success - spread).max(0.0), (trial.success + spread).min(1.0)));
        let point = Point { seconds: trial.seconds, value: trial.success, band };
        let note = format!("{:.1} % after {} s", trial.success * 100.0, trial.seconds);
        match lines.iter_mut().find(|line| line.name == trial.arm) {
            Some(line) => {
                line.points.push(point);
                line.note = note;
            }
            None => {
                let (name, style) = (trial.arm.clone(), lines.len());
                lines.push(Line { name, note, style, points: vec![point] });
            }
        }
    }
    let arms = lines.len();
    lines.truncate(LINES_MAX);
    let title = "Share of stabilising gains against the time spent learning";
    let chart = TimeChart::new(title, Axes::Share, lines);
    Figure {
        stem: "stabilisation".into(),
        label: title.into(),
        caption: format!(
            "One gain per replication, judged by the poles of the true plant; the band is two \
             standard errors wide on either side.{}",
            left_out(arms)
        ),
        csv: csv.finish(),
        svg: chart.draw(),
    }
}
