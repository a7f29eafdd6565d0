//! Curves over rounds or passes, one line per arm, labelled at their ends.
use super::axis::Scale;
use super::label::{Label, spread_labels};
use crate::number::{Unit, plain};
use crate::spread::{CurvePoint, Spread};
use crate::svg::{STYLES, Spot, Svg};

/// Most points of a curve that are drawn; the CSV keeps all.
pub(crate) const POINTS_MAX: usize = 600;
/// Most lines that get a colour and a label.
pub(crate) const LINES_MAX: usize = STYLES;

const WIDTH: f64 = 640.0;
const HEIGHT: f64 = 370.0;
const LEFT: f64 = 56.0;
const RIGHT: f64 = 446.0;
const TOP: f64 = 44.0;
const BOTTOM: f64 = 322.0;
const LABEL_X: f64 = 464.0;

/// One line of a chart.
#[derive(Debug, Clone)]
pub(crate) struct Series {
    pub(crate) name: String,
    /// colour, dash and marker; `None` draws it grey and without label
    pub(crate) style: Option<usize>,
    pub(crate) points: Vec<CurvePoint>,
    /// seeds that a complete point has
    pub(crate) seeds: usize,
    /// the round at which the first seed broke off
    pub(crate) broken: Option<u32>,
    /// replaces the final value in the label
    pub(crate) note: Option<String>,
}

/// A chart of curves over rounds.
#[derive(Debug, Clone)]
pub(crate) struct Chart {
    pub(crate) title: String,
    pub(crate) unit: Unit,
    /// what the horizontal axis counts
    pub(crate) axis: &'static str,
    pub(crate) rounds: u32,
    pub(crate) series: Vec<Series>,
}

impl Chart {
    pub(crate) fn draw(&self) -> Svg {
        let mut svg = Svg::new(WIDTH, HEIGHT);
        let x = Scale::linear((0.0, f64::from(self.rounds.max(1))), (LEFT, RIGHT));
        let y = self.y_scale();
        self.draw_axes(&mut svg, &x, &y);
        for series in self.series.iter().filter(|series| series.style.is_none()) {
            draw_curve(&mut svg, series, (&x, &y));
        }
        let mut labels = Vec::new();
        for (place, series) in self.series.iter().enumerate() {
            if series.style.is_none() {
                continue;
            }
            draw_curve(&mut svg, series, (&x, &y));
            labels.push(Label { line: place, from: draw_end(&mut svg, series, (&x, &y)), y: 0.0 });
        }
        spread_labels(&mut labels, (TOP, HEIGHT));
        for label in &labels {
            self.draw_label(&mut svg, label);
        }
        svg
    }

    fn y_scale(&self) -> Scale {
        let pixels = (BOTTOM, TOP);
        let spreads = self.series.iter().flat_map(|series| &series.points).map(|p| p.spread);
        let values: Vec<f64> = spreads.flat_map(|s| [s.mean, s.least, s.greatest]).collect();
        let in_unit = values.iter().all(|v| !v.is_finite() || (0.0..=1.0).contains(v));
        match self.unit {
            Unit::Share if in_unit => Scale::linear((0.0, 1.0), pixels),
            _ => Scale::fitting(&values, pixels),
        }
    }

    fn draw_axes(&self, svg: &mut Svg, x: &Scale, y: &Scale) {
        let title =
            if y.is_log() { format!("{} (log scale)", self.title) } else { self.title.clone() };
        svg.text_within((0.0, 20.0), "title", (&title, WIDTH * 0.85));
        for (value, text) in y.ticks(5, self.unit) {
            if let Some(at) = y.at(value) {
                svg.line((LEFT, at), (RIGHT, at), "grid");
                svg.text((LEFT - 8.0, at + 4.5), "end soft", &text);
            }
        }
        svg.line((LEFT, BOTTOM), (RIGHT, BOTTOM), "base");
        for (value, text) in x.ticks(6, Unit::Plain) {
            if let Some(at) = x.at(value).filter(|_| value.fract() == 0.0) {
                svg.line((at, BOTTOM), (at, BOTTOM + 5.0), "base");
                svg.text((at, BOTTOM + 20.0), "mid soft", &text);
            }
        }
        svg.text(((LEFT + RIGHT) / 2.0, BOTTOM + 41.0), "mid soft", self.axis);
    }

    fn draw_label(&self, svg: &mut Svg, label: &Label) {
        let series = &self.series[label.line];
        let style = series.style.unwrap_or(0) % STYLES;
        let at = (LABEL_X - 6.0, label.y - 4.0);
        let leader = [(label.from.0 + 7.0, label.from.1), (RIGHT + 4.0, label.from.1), at];
        svg.polyline(&leader, &format!("leader l{style}"));
        let room = WIDTH - LABEL_X;
        let class = format!("strong f{style}");
        svg.text_within((LABEL_X, label.y), &class, (&series.name, room));
        let last = series.points.last().map(|point| self.unit.write(point.spread.mean));
        let text = series.note.clone().or(last).unwrap_or_else(|| "no value".into());
        svg.text_within((LABEL_X, label.y + 15.0), "small soft", (&text, room));
    }
}

/// Bands and lines, broken where a value is not finite, dotted where seeds are missing.
pub(super) fn draw_curve(svg: &mut Svg, series: &Series, (x, y): (&Scale, &Scale)) {
    let points = thin(&series.points);
    let place =
        |point: &CurvePoint, value: f64| Some((x.at(f64::from(point.round))?, y.at(value)?));
    let is_whole = |point: &CurvePoint| point.spread.count >= series.seeds;
    for run in points.chunk_by(|a, b| is_drawn(a, y) == is_drawn(b, y)) {
        let edge = |value: fn(&Spread) -> f64| {
            run.iter().filter_map(|p| place(p, value(&p.spread))).collect::<Vec<_>>()
        };
        if let (Some(style), true) = (series.style, series.seeds > 1) {
            let mut outline = edge(|spread| spread.greatest);
            outline.extend(edge(|spread| spread.least).into_iter().rev());
            if outline.len() > 3 {
                svg.polygon(&outline, &format!("band f{}", style % STYLES));
            }
        }
    }
    for (place_in, run) in points
        .chunk_by(|a, b| is_drawn(a, y) == is_drawn(b, y) && is_whole(a) == is_whole(b))
        .enumerate()
    {
        let mut spots: Vec<Spot> = run.iter().filter_map(|p| place(p, p.spread.mean)).collect();
        let whole = run.first().is_some_and(is_whole);
        if place_in > 0 && !whole {
            // Joined to what came before, so that the loss of a seed is not a gap.
            let before = points.iter().take_while(|p| p.round < run[0].round).last();
            if let Some(spot) = before.and_then(|p| place(p, p.spread.mean)) {
                spots.insert(0, spot);
            }
        }
        let class = match series.style.map(|style| style % STYLES) {
            Some(style) if whole => format!("curve l{style} d{style}"),
            Some(style) => format!("rest l{style}"),
            None => "muted".into(),
        };
        if spots.len() > 1 {
            svg.polyline(&spots, &class);
        }
    }
}

fn is_drawn(point: &CurvePoint, y: &Scale) -> bool {
    y.at(point.spread.mean).is_some()
}

/// The marker at the end of a curve, and the cross where it breaks off; where the label points.
pub(super) fn draw_end(svg: &mut Svg, series: &Series, (x, y): (&Scale, &Scale)) -> Spot {
    let style = series.style.unwrap_or(0) % STYLES;
    let spot = |point: &CurvePoint| Some((x.at(f64::from(point.round))?, y.at(point.spread.mean)?));
    let last = series.points.iter().rev().find_map(spot);
    let unfit = series.points.iter().find(|point| y.at(point.spread.mean).is_none());
    let broken = series.broken.into_iter().chain(unfit.map(|point| point.round)).min();
    if let Some(round) = broken {
        let before = series.points.iter().take_while(|point| point.round <= round);
        let height = before.filter_map(spot).last().map_or(BOTTOM, |(_, y)| y);
        let at = (x.at(f64::from(round)).unwrap_or(LEFT), height);
        svg.cross(at, &format!("broken l{style}"));
        return last.filter(|spot| spot.0 > at.0).unwrap_or(at);
    }
    let end = last.unwrap_or((LEFT, BOTTOM));
    if last.is_some() {
        svg.marker(end, style, &format!("f{style}"));
    }
    end
}

/// At most [`POINTS_MAX`] points: neighbours are joined, extremes kept.
fn thin(points: &[CurvePoint]) -> Vec<CurvePoint> {
    if points.len() <= POINTS_MAX {
        return points.to_vec();
    }
    points.chunks(points.len().div_ceil(POINTS_MAX)).filter_map(join).collect()
}

fn join(points: &[CurvePoint]) -> Option<CurvePoint> {
    let finite = points.iter().filter(|point| point.spread.mean.is_finite());
    let spreads: Vec<Spread> = finite.map(|point| point.spread).collect();
    let last = points.last()?;
    if spreads.len() < points.len() {
        // What is not finite must not vanish in an average.
        let bad = points.iter().find(|point| !point.spread.mean.is_finite())?;
        return Some(*bad);
    }
    let mean = spreads.iter().map(|s| s.mean).sum::<f64>() / spreads.len() as f64;
    Some(CurvePoint {
        round: last.round,
        spread: Spread {
            count: spreads.iter().map(|s| s.count).min()?,
            mean,
            deviation: last.spread.deviation,
            least: spreads.iter().map(|s| s.least).fold(f64::INFINITY, f64::min),
            greatest: spreads.iter().map(|s| s.greatest).fold(f64::NEG_INFINITY, f64::max),
        },
    })
}

/// What a caption says about a chart whose curves have more points than it draws.
pub(crate) fn thinning(series: &[Series]) -> Option<String> {
    let most = series.iter().map(|series| series.points.len()).max().unwrap_or(0);
    let group = most.div_ceil(POINTS_MAX);
    (group > 1).then(|| {
        format!("Each drawn point joins {} rounds; the CSV has every one.", plain(group as f64))
    })
}
