//! The figures of a plan: the scene, clearance and inputs over time, how the planner came to it.
use super::fit::FitSummary;
use super::record::{Iteration, Plan, RoundSummary, SafeRecord};
use super::scene::{FLIGHTS_MAX, TUBE, View, has_tube};
use super::trials::{clearances, csv as spread_csv};
use crate::control::chart::{Axes, Level, Line, Point, TimeChart, noted};
use crate::csv::Csv;
use crate::figure::Figure;
use crate::svg::STYLES;

/// Most lines of one chart.
const LINES_MAX: usize = STYLES;

/// Everything that can be drawn of a plan and its trials, in reading order.
pub(super) fn figures(record: &SafeRecord<'_>) -> Vec<Figure> {
    let mut figures = scenes(record);
    figures.push(clearance(record));
    figures.push(inputs(record));
    figures.extend(barrier(record.plan));
    if !record.iterations.is_empty() {
        figures.extend(iterations(record.iterations));
    }
    figures.extend(record.summary.fit.as_ref().and_then(calibration));
    if !record.summary.rounds.is_empty() {
        figures.push(rounds(&record.summary.rounds));
    }
    figures
}

fn line(style: usize, name: &str, points: Vec<Point>) -> Line {
    let note = points.last().map_or(String::new(), |point| noted(point.value));
    Line { name: name.into(), note, style, points }
}

fn bare((seconds, value): (f64, f64)) -> Point {
    Point { seconds, value, band: None }
}

fn scenes(record: &SafeRecord<'_>) -> Vec<Figure> {
    let summary = record.summary;
    let views: &[(&str, &str, (usize, usize))] = match summary.names.position.len() {
        2 => &[("scene", "Scene from above", (0, 1))],
        3 => &[
            ("scene", "Scene, first and second coordinate", (0, 1)),
            ("scene-13", "Scene, first and third coordinate", (0, 2)),
            ("scene-23", "Scene, second and third coordinate", (1, 2)),
        ],
        _ => &[],
    };
    let flights = record.flights.first().map_or(&[][..], Vec::as_slice);
    let draw = |&(stem, title, axes): &(&str, &str, (usize, usize))| {
        let view = View {
            title: title.into(),
            names: &summary.names,
            scene: &summary.scene,
            plan: record.plan,
            flights,
            axes,
        };
        let mut caption = String::from("Both axes to the same scale; grey must not be entered.");
        if summary.names.position.len() == 3 {
            caption.push_str(" A path over a disc may pass before or behind the sphere.");
        }
        if has_tube(record.plan) {
            caption.push_str(&format!(
                " The tube holds {TUBE} standard deviations on either side: the model's doubt and \
                 the noise of trials, carried along under feedback, as far as the model knows \
                 itself."
            ));
        }
        if flights.len() > FLIGHTS_MAX {
            caption.push_str(&format!(
                " The first {FLIGHTS_MAX} of {} trials; the CSV of trials has all.",
                flights.len()
            ));
        }
        Figure {
            stem: stem.into(),
            label: title.into(),
            caption,
            csv: path_csv(record, axes),
            svg: view.draw(),
        }
    };
    views.iter().map(draw).collect()
}

fn path_csv(record: &SafeRecord<'_>, (a, b): (usize, usize)) -> String {
    let names = &record.summary.names;
    let (a, b) = (names.position[a], names.position[b]);
    let mut csv = Csv::new(&["path", "seconds", &names.states[a], &names.states[b]]);
    let mut add = |path: &str, states: &[Vec<f64>]| {
        for (step, state) in states.iter().enumerate() {
            let seconds = step as f64 * record.plan.dt;
            csv.row(&[
                path.to_owned(),
                seconds.to_string(),
                state[a].to_string(),
                state[b].to_string(),
            ]);
        }
    };
    add("plan", &record.plan.states);
    for flight in record.flights.iter().flatten() {
        add(&format!("trial {}", flight.trial.trial), &flight.states);
    }
    csv.finish()
}

/// The plan's clearance, and the spread of it over trials.
fn clearance(record: &SafeRecord<'_>) -> Figure {
    let plan = record.plan;
    let at = |(step, value): (usize, &f64)| bare((step as f64 * plan.dt, *value));
    let planned: Vec<Point> = plan.clearance.iter().enumerate().map(at).collect();
    let cap = clearance_cap(record);
    let least = |values: &mut dyn Iterator<Item = f64>| values.fold(f64::INFINITY, f64::min);
    let mut lines = vec![Line {
        note: format!("least {}", noted(least(&mut plan.clearance.iter().copied()))),
        ..line(0, "plan", planned)
    }];
    let mut spreads = Vec::new();
    for (place, (trials, flights)) in
        record.summary.trials.iter().zip(record.flights).enumerate().take(LINES_MAX - 1)
    {
        let spread = clearances(flights, plan.dt);
        let point = |spread: &super::trials::Spread| Point {
            seconds: spread.seconds,
            value: if spread.median <= cap { spread.median } else { f64::NAN },
            band: Some((spread.least.min(cap), spread.greatest.min(cap))),
        };
        lines.push(Line {
            note: format!("least {}", noted(trials.least_clearance)),
            ..line(place + 1, &trials.arm, spread.iter().map(point).collect())
        });
        spreads.push((trials.arm.as_str(), spread));
    }
    let planned = plan.clearance.iter().enumerate().map(|(step, value)| super::trials::Spread {
        seconds: step as f64 * plan.dt,
        flying: 1,
        least: *value,
        median: *value,
        greatest: *value,
    });
    let planned: Vec<_> = planned.collect();
    let arms = std::iter::once(("plan", planned.as_slice()))
        .chain(spreads.iter().map(|(arm, spread)| (*arm, spread.as_slice())));
    let csv = spread_csv(arms);
    let title = "Clearance over time";
    let mut chart = TimeChart::new(title, Axes::Plain, lines);
    chart.levels.push(Level { value: 0.0, name: "contact".into() });
    let mut caption = String::from("The least of all constraints h; below zero one is violated.");
    if !record.flights.is_empty() {
        caption.push_str(" Of trials the median; the band spans the least to the greatest.");
        let greatest = record.flights.iter().flatten().flat_map(|flight| &flight.clearance);
        if greatest.copied().fold(f64::NEG_INFINITY, f64::max) > cap {
            caption.push_str(" What runs away is cut off at the top.");
        }
    }
    Figure { stem: "clearance".into(), label: title.into(), caption, csv, svg: chart.draw() }
}

/// Above this nobody asks how clear a trial is: half as much again as the plan and the trials of
/// the first way of flying ever are.
fn clearance_cap(record: &SafeRecord<'_>) -> f64 {
    let flown = record.flights.first().into_iter().flatten();
    let all = record.plan.clearance.iter().chain(flown.flat_map(|flight| &flight.clearance));
    1.5 * all.copied().filter(|value| value.is_finite()).fold(0.0, f64::max)
}

/// Inputs of the plan, and those of some trials behind them.
fn inputs(record: &SafeRecord<'_>) -> Figure {
    let (plan, summary) = (record.plan, record.summary);
    let names = &summary.names.inputs;
    let over = |inputs: &[Vec<f64>], which: usize| -> Vec<(f64, f64)> {
        let at = |(step, input): (usize, &Vec<f64>)| (step as f64 * plan.dt, input[which]);
        inputs.iter().enumerate().map(at).collect()
    };
    let lines = names.iter().enumerate().take(LINES_MAX).map(|(which, name)| {
        let points: Vec<Point> = over(&plan.inputs, which).into_iter().map(bare).collect();
        let greatest = points.iter().map(|point| point.value.abs()).fold(0.0, f64::max);
        Line { note: format!("up to {}", noted(greatest)), ..line(which, name, points) }
    });
    let title = "Inputs over time";
    let mut chart = TimeChart::new(title, Axes::Plain, lines.collect());
    let flown = record.flights.first().map_or(&[][..], Vec::as_slice);
    let flown = &flown[..flown.len().min(FLIGHTS_MAX / 3)];
    for flight in flown {
        chart.faint.extend((0..names.len()).map(|which| over(&flight.inputs, which)));
    }
    if let Some((low, high)) = &summary.scene.input_limits {
        for (which, name) in names.iter().enumerate() {
            for (value, word) in [(low[which], "least"), (high[which], "greatest")] {
                let text = format!("{word} {name}");
                match chart.levels.iter_mut().find(|level| level.value == value) {
                    Some(level) => level.name.push_str(&format!(", {name}")),
                    None if value.is_finite() => chart.levels.push(Level { value, name: text }),
                    None => {}
                }
            }
        }
    }
    let mut csv = Csv::new(&[&["seconds".to_owned()], &names[..]].concat());
    for (step, input) in plan.inputs.iter().enumerate() {
        let numbers = input.iter().map(f64::to_string);
        let seconds = (step as f64 * plan.dt).to_string();
        csv.row(&std::iter::once(seconds).chain(numbers).collect::<Vec<_>>());
    }
    let mut caption = String::from("What the plan asks for.");
    if !flown.is_empty() {
        caption.push_str(&format!(
            " Grey: what feedback made of it in the first {} trials.",
            flown.len()
        ));
    }
    Figure {
        stem: "inputs".into(),
        label: title.into(),
        caption,
        csv: csv.finish(),
        svg: chart.draw(),
    }
}

/// Barrier states along the plan.
fn barrier(plan: &Plan) -> Option<Figure> {
    let count = plan.barriers.first().map_or(0, Vec::len);
    let over = |which: usize| {
        let at = move |(step, barrier): (usize, &Vec<f64>)| (step as f64 * plan.dt, barrier[which]);
        plan.barriers.iter().enumerate().map(at)
    };
    let name = |which: usize| if count == 1 { "w".into() } else { format!("w {}", which + 1) };
    let lines = (0..count.min(LINES_MAX)).map(|which| {
        let points: Vec<Point> = over(which).map(bare).collect();
        let greatest = points.iter().map(|point| point.value).fold(f64::NEG_INFINITY, f64::max);
        Line { note: format!("up to {}", noted(greatest)), ..line(which, &name(which), points) }
    });
    let mut csv = Csv::new(&["barrier state", "seconds", "value"]);
    for which in 0..count {
        for (seconds, value) in over(which) {
            csv.row(&[name(which), seconds.to_string(), value.to_string()]);
        }
    }
    let title = "Barrier state over time";
    (count > 0).then(|| Figure {
        stem: "barrier".into(),
        label: title.into(),
        caption: "It grows without bound towards an obstacle, so that a plan whose barrier state \
                  stays finite stays clear."
            .into(),
        csv: csv.finish(),
        svg: TimeChart::new(title, Axes::Linear, lines.collect()).draw(),
    })
}

/// Cost, and step and regularisation, per iteration.
fn iterations(all: &[Iteration]) -> Vec<Figure> {
    let mut csv = Csv::new(&[
        "search",
        "iteration",
        "cost",
        "step",
        "regularisation",
        "gradient",
        "clearance",
    ]);
    for one in all {
        let head = [(one.restart + 1).to_string(), one.iteration.to_string()];
        let numbers = [one.cost, one.step, one.regularisation, one.gradient, one.clearance];
        csv.row(&[&head[..], &numbers.map(|number| number.to_string())].concat());
    }
    let csv = csv.finish();
    let starts = all.iter().map(|one| one.restart).max().unwrap_or(0) + 1;
    let of = |restart: usize, value: fn(&Iteration) -> f64| -> Vec<Point> {
        let ours = all.iter().filter(|one| one.restart == restart);
        // Counted from 1: an axis of logarithms may not hold the first one otherwise.
        ours.map(|one| bare((one.iteration as f64 + 1.0, value(one)))).collect()
    };
    let name = |restart: usize| match starts {
        1 => "cost".to_owned(),
        _ => format!("search {}", restart + 1),
    };
    let lines = (0..starts.min(LINES_MAX))
        .map(|restart| line(restart, &name(restart), of(restart, |one| one.cost)))
        .collect();
    let title = "Cost per iteration";
    let mut chart = TimeChart::new(title, Axes::LogarithmicUp, lines);
    chart.across = "iteration";
    let cost = Figure {
        stem: "cost".into(),
        label: title.into(),
        caption: "Every accepted iterate is clear of all obstacles and cheaper than the one \
                  before."
            .into(),
        csv: csv.clone(),
        svg: chart.draw(),
    };
    let last = starts - 1;
    let title = "Step length and regularisation per iteration";
    let lines = vec![
        line(0, "step α", of(last, |one| one.step)),
        line(1, "regularisation λ", of(last, |one| one.regularisation)),
        line(2, "gradient |Qu|", of(last, |one| one.gradient)),
    ];
    let mut chart = TimeChart::new(title, Axes::LogarithmicUp, lines);
    chart.across = "iteration";
    let mut caption = String::from("A gap is a zero: no regularisation, or no accepted step.");
    if starts > 1 {
        caption.push_str(" Of the last search.");
    }
    let steps =
        Figure { stem: "steps".into(), label: title.into(), caption, csv, svg: chart.draw() };
    vec![cost, steps]
}

/// How often held-out targets lie within intervals of a nominal size.
pub(super) fn calibration(fit: &FitSummary) -> Option<Figure> {
    if fit.outputs.iter().all(|output| output.calibration.is_empty()) {
        return None;
    }
    let mut csv = Csv::new(&["output", "nominal share", "share found"]);
    for output in &fit.outputs {
        for (nominal, found) in &output.calibration {
            csv.row(&[output.name.clone(), nominal.to_string(), found.to_string()]);
        }
    }
    // Where there are too many, those that are worst calibrated.
    let mut order: Vec<usize> = (0..fit.outputs.len()).collect();
    let off = |which: &usize| {
        let ends = fit.outputs[*which].calibration.iter();
        ends.map(|(nominal, found)| (nominal - found).abs()).fold(0.0, f64::max)
    };
    order.sort_by(|a, b| off(b).total_cmp(&off(a)).then(a.cmp(b)));
    order.truncate(LINES_MAX);
    order.sort_unstable();
    let lines = order.iter().enumerate().map(|(style, which)| {
        let output = &fit.outputs[*which];
        let points = output.calibration.iter().copied().map(bare).collect();
        let note = format!("{:.1} % within 2σ", output.coverage * 100.0);
        Line { note, ..line(style, &output.name, points) }
    });
    let title = "Calibration on held-out rows";
    let mut chart = TimeChart::new(title, Axes::Share, lines.collect());
    chart.across = "nominal share of a central interval";
    chart.faint.push(vec![(0.0, 0.0), (1.0, 1.0)]);
    let mut caption = format!(
        "Share of {} held-out targets within the model's central intervals; below the diagonal \
         the model is over-confident.",
        fit.held_out
    );
    if fit.outputs.len() > LINES_MAX {
        caption.push_str(&format!(" The {LINES_MAX} outputs that are worst calibrated."));
    }
    Some(Figure {
        stem: "calibration".into(),
        label: title.into(),
        caption,
        csv: csv.finish(),
        svg: chart.draw(),
    })
}

/// What each round of learning gave.
fn rounds(rounds: &[RoundSummary]) -> Figure {
    let mut csv = Csv::new(&[
        "round",
        "rows",
        "coverage",
        "least coverage",
        "flown coverage",
        "relative error",
        "plan cost",
        "safe",
        "success",
        "flights",
        "least clearance",
    ]);
    for round in rounds {
        let numbers = [
            round.coverage,
            round.least_coverage,
            round.flown_coverage,
            round.relative_error,
            round.plan_cost,
            round.safe.share(),
            round.success.share(),
        ];
        let head = [round.round.to_string(), round.rows.to_string()];
        let tail = [round.safe.of.to_string(), round.least_clearance.to_string()];
        csv.row(&[&head[..], &numbers.map(|number| number.to_string()), &tail].concat());
    }
    let over = |value: fn(&RoundSummary) -> Point| -> Vec<Point> {
        rounds.iter().map(|round| Point { seconds: round.round as f64, ..value(round) }).collect()
    };
    let rate = |rate: super::rate::Rate| Point {
        seconds: 0.0,
        value: rate.share(),
        band: Some((rate.low, rate.high)),
    };
    let percent = |name: &str, style: usize, points: Vec<Point>| {
        let last = points.last().map_or(f64::NAN, |point| point.value);
        let note = match last.is_finite() {
            true => format!("{:.1} % in the last", last * 100.0),
            false => "no value".into(),
        };
        Line { note, ..line(style, name, points) }
    };
    let safe: Vec<Point> = rounds
        .iter()
        .map(|round| Point { seconds: round.round as f64, ..rate(round.safe) })
        .collect();
    let lines = vec![
        percent("safe", 0, safe),
        percent("reached", 1, over(|round| bare((0.0, round.success.share())))),
        percent("coverage, held out", 2, over(|round| bare((0.0, round.coverage)))),
        percent("coverage, flown", 3, over(|round| bare((0.0, round.flown_coverage)))),
    ];
    let title = "Rounds of learning";
    let mut chart = TimeChart::new(title, Axes::Share, lines);
    chart.across = "round";
    Figure {
        stem: "rounds".into(),
        label: title.into(),
        caption: "Shares of flights and of targets within two standard deviations; the band is \
                  Wilson's 95 % interval of the safe flights. Coverage is reported, never a \
                  certificate."
            .into(),
        csv: csv.finish(),
        svg: chart.draw(),
    }
}
