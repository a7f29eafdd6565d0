//! Curves over simulated time, with bands, on linear or logarithmic axes.
use crate::figure::axis::Scale;
use crate::figure::label::{Label, spread_labels};
use crate::number::{Unit, plain};
use crate::svg::{STYLES, Spot, Svg};

const WIDTH: f64 = 640.0;
const HEIGHT: f64 = 370.0;
const LEFT: f64 = 62.0;
const RIGHT: f64 = 446.0;
const TOP: f64 = 44.0;
const BOTTOM: f64 = 322.0;
const LABEL_X: f64 = 464.0;

/// One point: when (or at which place of another axis), how much, and from where to where a band
/// reaches.
#[derive(Debug, Clone, Copy)]
pub(super) struct Point {
    pub(super) seconds: f64,
    pub(super) value: f64,
    pub(super) band: Option<(f64, f64)>,
}

/// One line.
#[derive(Debug, Clone)]
pub(super) struct Line {
    pub(super) name: String,
    pub(super) note: String,
    pub(super) style: usize,
    pub(super) points: Vec<Point>,
}

/// How the two axes are divided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Axes {
    /// both linear, the vertical one logarithmic where a linear one would flatten the lines
    Linear,
    /// both logarithmic
    Logarithmic,
    /// vertical from 0 to 1
    Share,
    /// both linear, whatever they hold
    Plain,
    /// the vertical one logarithmic; what is not positive leaves a gap
    LogarithmicUp,
}

impl Axes {
    fn is_log_up(self) -> bool {
        matches!(self, Self::Logarithmic | Self::LogarithmicUp)
    }
}

/// A height that means something, such as where a limit lies: a dotted line across.
#[derive(Debug, Clone)]
pub(super) struct Level {
    pub(super) value: f64,
    pub(super) name: String,
}

/// A drawing of lines over time.
#[derive(Debug, Clone)]
pub(super) struct TimeChart {
    pub(super) title: String,
    pub(super) axes: Axes,
    /// what the horizontal axis counts
    pub(super) across: &'static str,
    pub(super) lines: Vec<Line>,
    /// lines that stay in the background, without name
    pub(super) faint: Vec<Vec<(f64, f64)>>,
    pub(super) levels: Vec<Level>,
}

impl TimeChart {
    /// Lines over seconds and nothing else.
    pub(super) fn new(title: impl Into<String>, axes: Axes, lines: Vec<Line>) -> Self {
        let (faint, levels) = (Vec::new(), Vec::new());
        Self { title: title.into(), axes, across: "seconds", lines, faint, levels }
    }

    pub(super) fn draw(&self) -> Svg {
        let mut svg = Svg::new(WIDTH, HEIGHT);
        let (x, y) = self.scales();
        self.draw_axes(&mut svg, &x, &y);
        for line in &self.lines {
            draw_band(&mut svg, line, (&x, &y));
        }
        for faint in &self.faint {
            let spots = faint.iter().map_while(|&(at, value)| Some((x.at(at)?, y.at(value)?)));
            svg.polyline(&spots.collect::<Vec<Spot>>(), "faint");
        }
        for level in &self.levels {
            draw_level(&mut svg, level, &y);
        }
        let mut labels = Vec::new();
        for (place, line) in self.lines.iter().enumerate() {
            let from = draw_line(&mut svg, line, (&x, &y));
            labels.push(Label { line: place, from, y: 0.0 });
        }
        spread_labels(&mut labels, (TOP, HEIGHT));
        for label in &labels {
            self.draw_label(&mut svg, label);
        }
        svg
    }

    fn scales(&self) -> (Scale, Scale) {
        let points = || self.lines.iter().flat_map(|line| &line.points);
        let places = self.faint.iter().flatten().map(|(at, _)| *at);
        let times: Vec<f64> = points().map(|point| point.seconds).chain(places).collect();
        let first = times.iter().copied().fold(f64::INFINITY, f64::min);
        let last = times.iter().copied().fold(0.0, f64::max);
        let values: Vec<f64> = points()
            .flat_map(|point| {
                let (low, high) = point.band.unwrap_or((point.value, point.value));
                [point.value, low, high]
            })
            .chain(self.faint.iter().flatten().map(|(_, value)| *value))
            .chain(self.levels.iter().map(|level| level.value))
            .filter(|value| value.is_finite() && (*value > 0.0 || !self.axes.is_log_up()))
            .collect();
        let (across, up) = ((LEFT, RIGHT), (BOTTOM, TOP));
        match self.axes {
            Axes::Linear => {
                let upright = match self.ends_apart() {
                    Some((least, greatest)) => Scale::log((least / 30.0, greatest), up),
                    None => Scale::fitting(&values, up),
                };
                (Scale::linear((0.0, last), across), upright)
            }
            Axes::Share => (Scale::linear((0.0, last), across), Scale::linear((0.0, 1.0), up)),
            Axes::Plain => {
                let least = values.iter().copied().fold(f64::INFINITY, f64::min);
                let greatest = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
                // No curve runs along the edge.
                let air = 0.04 * (greatest - least);
                let range = Scale::linear((least - air, greatest + air), up);
                (Scale::linear((first.min(0.0), last), across), range)
            }
            Axes::LogarithmicUp => {
                let least = values.iter().copied().fold(f64::INFINITY, f64::min);
                let greatest = values.iter().copied().fold(f64::MIN_POSITIVE, f64::max);
                (Scale::linear((0.0, last), across), Scale::log((least, greatest), up))
            }
            Axes::Logarithmic => {
                let least = values.iter().copied().fold(f64::INFINITY, f64::min);
                let greatest = values.iter().copied().fold(f64::MIN_POSITIVE, f64::max);
                (Scale::log((first, last), across), Scale::log((least, greatest), up))
            }
        }
    }

    /// The least and the greatest end of a line, where a linear axis would flatten most of them:
    /// one arm that ran away must not hide the others.
    fn ends_apart(&self) -> Option<(f64, f64)> {
        let end = |line: &Line| {
            let mut values = line.points.iter().rev().map(|point| point.value);
            values.find(|value| value.is_finite()).filter(|value| *value > 0.0)
        };
        let ends: Vec<f64> = self.lines.iter().filter_map(end).collect();
        let least = ends.iter().copied().fold(f64::INFINITY, f64::min);
        let greatest = ends.iter().copied().fold(0.0, f64::max);
        (ends.len() > 1 && greatest > 200.0 * least).then_some((least, greatest))
    }

    fn draw_axes(&self, svg: &mut Svg, x: &Scale, y: &Scale) {
        let title =
            if y.is_log() { format!("{} (log scale)", self.title) } else { self.title.clone() };
        svg.text_within((0.0, 20.0), "title", (&title, WIDTH * 0.95));
        let unit = if self.axes == Axes::Share { Unit::Share } else { Unit::Plain };
        for (value, text) in y.ticks(5, unit) {
            if let Some(at) = y.at(value) {
                svg.line((LEFT, at), (RIGHT, at), "grid");
                svg.text((LEFT - 8.0, at + 4.5), "end soft", &text);
            }
        }
        svg.line((LEFT, BOTTOM), (RIGHT, BOTTOM), "base");
        for (value, text) in x.ticks(self.ticks_across(), Unit::Plain) {
            if let Some(at) = x.at(value) {
                svg.line((at, BOTTOM), (at, BOTTOM + 5.0), "base");
                svg.text((at, BOTTOM + 20.0), "mid soft", &text);
            }
        }
        let what = if x.is_log() { " (log scale)" } else { "" };
        let what = format!("{}{what}", self.across);
        svg.text(((LEFT + RIGHT) / 2.0, BOTTOM + 41.0), "mid soft", &what);
    }

    /// Rounds and iterations are whole: of few of them each has its tick, and no half one.
    fn ticks_across(&self) -> usize {
        let ends = self.lines.iter().filter_map(|line| line.points.last());
        let last = ends.map(|point| point.seconds).fold(0.0, f64::max);
        match self.across {
            "seconds" => 6,
            _ if last < 1.5 => 6,
            _ => (last as usize).clamp(1, 6),
        }
    }

    fn draw_label(&self, svg: &mut Svg, label: &Label) {
        let line = &self.lines[label.line];
        let style = line.style % STYLES;
        let at = (LABEL_X - 6.0, label.y - 4.0);
        let leader = [(label.from.0 + 7.0, label.from.1), (RIGHT + 4.0, label.from.1), at];
        svg.polyline(&leader, &format!("leader l{style}"));
        let room = WIDTH - LABEL_X;
        svg.text_within((LABEL_X, label.y), &format!("strong f{style}"), (&line.name, room));
        svg.text_within((LABEL_X, label.y + 15.0), "small soft", (&line.note, room));
    }
}

fn draw_level(svg: &mut Svg, level: &Level, y: &Scale) {
    if let Some(at) = y.at(level.value) {
        svg.line((LEFT, at), (RIGHT, at), "level");
        // Below the line, where there is room: what matters is above it.
        let y = if at + 18.0 < BOTTOM { at + 14.0 } else { at - 5.0 };
        svg.text((LEFT + 6.0, y), "small soft", &level.name);
    }
}

/// The stretches of a line on which everything that is drawn has a place.
fn stretches<'a>(
    line: &'a Line,
    place: impl Fn(&Point) -> Option<Spot> + 'a,
) -> impl Iterator<Item = Vec<Spot>> + 'a {
    let spots: Vec<Option<Spot>> = line.points.iter().map(place).collect();
    let runs: Vec<Vec<Spot>> = spots
        .split(Option::is_none)
        .map(|run| run.iter().flatten().copied().collect::<Vec<Spot>>())
        .filter(|run| !run.is_empty())
        .collect();
    runs.into_iter()
}

fn draw_band(svg: &mut Svg, line: &Line, (x, y): (&Scale, &Scale)) {
    // Whether above or below, an end without a place is cut off at the drawing's edge.
    let edge = |point: &Point, value: f64| {
        let far = if value > point.value { TOP } else { BOTTOM };
        Some((x.at(point.seconds)?, y.at(value).unwrap_or(far)))
    };
    let ends = |high: bool| {
        move |point: &Point| {
            y.at(point.value)?;
            let (low, top) = point.band?;
            edge(point, if high { top } else { low })
        }
    };
    for (top, bottom) in stretches(line, ends(true)).zip(stretches(line, ends(false))) {
        let mut outline = top;
        outline.extend(bottom.into_iter().rev());
        if outline.len() > 3 {
            svg.polygon(&outline, &format!("band f{}", line.style % STYLES));
        }
    }
}

/// The line and the marker at its end; where the label points.
fn draw_line(svg: &mut Svg, line: &Line, (x, y): (&Scale, &Scale)) -> Spot {
    let style = line.style % STYLES;
    let place = |point: &Point| Some((x.at(point.seconds)?, y.at(point.value)?));
    let mut end = None;
    for run in stretches(line, place) {
        svg.polyline(&run, &format!("curve l{style} d{style}"));
        end = run.last().copied();
    }
    if let Some(end) = end {
        svg.marker(end, style, &format!("f{style}"));
    }
    end.unwrap_or((LEFT, BOTTOM))
}

/// `814` or `lost`: a value as the note of a label.
pub(super) fn noted(value: f64) -> String {
    if value.is_nan() { "no value".into() } else { plain(value) }
}
