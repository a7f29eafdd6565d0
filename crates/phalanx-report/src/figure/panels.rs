//! Small charts of curves on one scale, each with its lines labelled.
use super::axis::Scale;
use super::curves::{Series, draw_curve, draw_end};
use crate::number::Unit;
use crate::svg::{STYLES, Spot, Svg};

const WIDTH: f64 = 1160.0;
const STEP: (f64, f64) = (580.0, 266.0);
const LEFT: f64 = 50.0;
const PLOT: (f64, f64) = (286.0, 176.0);
const LABEL: f64 = 356.0;
const TOP: f64 = 36.0;
/// Height of a label; more than fit are cut, and said.
const LABEL_HEIGHT: f64 = 15.0;

/// One chart.
#[derive(Debug, Clone)]
pub(crate) struct Small {
    pub(crate) title: String,
    pub(crate) series: Vec<Series>,
}

/// Charts that share their scales.
#[derive(Debug, Clone)]
pub(crate) struct Panels {
    pub(crate) title: String,
    pub(crate) unit: Unit,
    pub(crate) rounds: u32,
    pub(crate) charts: Vec<Small>,
}

impl Panels {
    pub(crate) fn draw(&self) -> Svg {
        let lines = self.charts.len().div_ceil(2);
        let width = if self.charts.len() == 1 { STEP.0 } else { WIDTH };
        let mut svg = Svg::new(width, TOP + lines as f64 * STEP.1);
        svg.text_within((0.0, 20.0), "title", (&self.title, width * 0.85));
        let all = self.charts.iter().flat_map(|chart| &chart.series);
        let spreads = all.flat_map(|series| &series.points).map(|point| point.spread);
        let values: Vec<f64> = spreads.flat_map(|s| [s.mean, s.least, s.greatest]).collect();
        for (place, chart) in self.charts.iter().enumerate() {
            let x = (place % 2) as f64 * STEP.0;
            let y = TOP + (place / 2) as f64 * STEP.1;
            self.draw_chart(&mut svg, chart, ((x, y), &values));
        }
        svg
    }

    fn draw_chart(&self, svg: &mut Svg, chart: &Small, ((x0, y0), values): (Spot, &[f64])) {
        let (left, right) = (x0 + LEFT, x0 + LEFT + PLOT.0);
        let (top, bottom) = (y0 + 34.0, y0 + 34.0 + PLOT.1);
        let in_unit = values.iter().all(|v| !v.is_finite() || (0.0..=1.0).contains(v));
        let y = match self.unit {
            Unit::Share if in_unit => Scale::linear((0.0, 1.0), (bottom, top)),
            _ => Scale::fitting(values, (bottom, top)),
        };
        let x = Scale::linear((0.0, f64::from(self.rounds.max(1))), (left, right));
        svg.text_within((left, y0 + 20.0), "strong", (&chart.title, PLOT.0 + 100.0));
        for (value, text) in y.ticks(5, self.unit) {
            if let Some(at) = y.at(value) {
                svg.line((left, at), (right, at), "grid");
                svg.text((left - 7.0, at + 4.5), "end small soft", &text);
            }
        }
        svg.line((left, bottom), (right, bottom), "base");
        for (value, text) in x.ticks(4, Unit::Plain) {
            if let Some(at) = x.at(value).filter(|_| value.fract() == 0.0) {
                svg.line((at, bottom), (at, bottom + 4.0), "base");
                svg.text((at, bottom + 17.0), "mid small soft", &text);
            }
        }
        svg.text((right, bottom + 33.0), "end small soft", "round");
        for series in chart.series.iter().filter(|series| series.style.is_none()) {
            draw_curve(svg, series, (&x, &y));
        }
        let mut ends: Vec<(usize, Spot)> = Vec::new();
        for (place, series) in chart.series.iter().enumerate().filter(|(_, s)| s.style.is_some()) {
            draw_curve(svg, series, (&x, &y));
            ends.push((place, draw_end(svg, series, (&x, &y))));
        }
        for (place, end, at) in spread(ends, (top, bottom + 6.0)) {
            self.draw_label(svg, &chart.series[place], (end, (x0 + LABEL, at)));
        }
    }

    /// Value and name on one line.
    fn draw_label(&self, svg: &mut Svg, series: &Series, (end, at): (Spot, Spot)) {
        let style = series.style.unwrap_or(0) % STYLES;
        let leader = [(end.0 + 6.0, end.1), (at.0 - 12.0, end.1), (at.0 - 4.0, at.1 - 4.0)];
        svg.polyline(&leader, &format!("leader l{style}"));
        let last = series.points.last().map(|point| self.unit.digits(point.spread.mean));
        let value = match &series.note {
            Some(_) => format!("{}†", last.unwrap_or_else(|| "–".into())),
            None => last.unwrap_or_else(|| "–".into()),
        };
        let text = format!("{value} {}", series.name);
        let class = format!("small strong f{style}");
        svg.text_within(at, &class, (&text, STEP.0 - LABEL - 10.0));
    }
}

/// Heights of labels, in the order of the ends, kept apart and inside.
fn spread(mut ends: Vec<(usize, Spot)>, (top, bottom): (f64, f64)) -> Vec<(usize, Spot, f64)> {
    ends.sort_by(|a, b| a.1.1.total_cmp(&b.1.1).then(a.0.cmp(&b.0)));
    let mut labels: Vec<(usize, Spot, f64)> = Vec::new();
    let mut floor = top;
    for (place, end) in ends {
        let at = (end.1 + 4.0).max(floor);
        floor = at + LABEL_HEIGHT;
        labels.push((place, end, at));
    }
    let mut ceiling = bottom;
    for label in labels.iter_mut().rev() {
        label.2 = label.2.min(ceiling);
        ceiling = label.2 - LABEL_HEIGHT;
    }
    labels
}
