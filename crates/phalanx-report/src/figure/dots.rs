//! Arms side by side: final scores as dots with error bars, grouped by attack.
use super::axis::Scale;
use crate::number::Unit;
use crate::spread::Spread;
use crate::svg::{Spot, Svg};

/// Most arms in one figure.
pub(crate) const ROWS_MAX: usize = 80;

const WIDTH: f64 = 640.0;
const LEFT: f64 = 196.0;
const RIGHT: f64 = 510.0;
const HEADING: f64 = 30.0;
const TOP: f64 = 66.0;

/// One arm.
#[derive(Debug, Clone)]
pub(crate) struct Row {
    pub(crate) group: String,
    pub(crate) name: String,
    pub(crate) mean: Option<Spread>,
    pub(crate) worst: Option<Spread>,
    /// stands beside the row where an arm did not finish
    pub(crate) note: Option<String>,
}

/// A dot plot.
#[derive(Debug, Clone)]
pub(crate) struct Dots {
    pub(crate) title: String,
    pub(crate) unit: Unit,
    /// in order; neighbours of one group share a heading
    pub(crate) rows: Vec<Row>,
}

impl Dots {
    /// Height of a row: many arms stand closer.
    fn row_height(&self) -> f64 {
        if self.rows.len() > 12 { 21.0 } else { 30.0 }
    }

    pub(crate) fn draw(&self) -> Svg {
        let groups: Vec<&[Row]> = self.rows.chunk_by(|a, b| a.group == b.group).collect();
        let has_headings = groups.iter().any(|group| !group[0].group.is_empty());
        let headings = if has_headings { groups.len() as f64 * HEADING } else { 0.0 };
        let bottom = TOP + headings + self.rows.len() as f64 * self.row_height();
        let mut svg = Svg::new(WIDTH, bottom + 36.0);
        let x = self.scale();
        svg.text_within((0.0, 20.0), "title", (&self.title, WIDTH * 0.85));
        draw_key(&mut svg);
        for (value, text) in x.ticks(5, self.unit) {
            if let Some(at) = x.at(value) {
                svg.line((at, TOP - 6.0), (at, bottom), "grid");
                svg.text((at, bottom + 20.0), "mid soft", &text);
            }
        }
        let mut y = TOP;
        for group in groups {
            if has_headings {
                svg.text_within((0.0, y + 20.0), "strong soft", (&group[0].group, LEFT));
                y += HEADING;
            }
            for row in group {
                self.draw_row(&mut svg, row, (&x, y + self.row_height() / 2.0));
                y += self.row_height();
            }
        }
        svg.line((LEFT, bottom), (RIGHT, bottom), "base");
        svg
    }

    fn scale(&self) -> Scale {
        let spreads = self.rows.iter().flat_map(|row| [row.mean, row.worst]).flatten();
        let ends = |s: Spread| [s.mean, s.mean - s.deviation, s.mean + s.deviation];
        let values: Vec<f64> = spreads.flat_map(ends).collect();
        let means = self.rows.iter().flat_map(|row| [row.mean, row.worst]).flatten();
        let in_unit = means.map(|s| s.mean).all(|v| !v.is_finite() || (0.0..=1.0).contains(&v));
        match self.unit {
            Unit::Share if in_unit => Scale::linear((0.0, 1.0), (LEFT, RIGHT)),
            _ => Scale::fitting(&values, (LEFT, RIGHT)),
        }
    }

    fn draw_row(&self, svg: &mut Svg, row: &Row, (x, y): (&Scale, f64)) {
        svg.text_within((LEFT - 12.0, y + 4.5), "end", (&row.name, LEFT - 16.0));
        svg.line((LEFT, y), (RIGHT, y), "grid");
        let spot = |spread: Option<Spread>| {
            let spread = spread?;
            Some((spread, (x.at(spread.mean)?, y)))
        };
        if let (Some((_, worst)), Some((_, mean))) = (spot(row.worst), spot(row.mean)) {
            svg.line(worst, mean, "base");
        }
        for (spread, style, at) in [(row.mean, 0, -4.0), (row.worst, 1, 4.0)] {
            let Some((spread, spot)) = spot(spread) else { continue };
            let end = |sign: f64| x.at(spread.mean + sign * spread.deviation);
            if let (true, Some(from), Some(to)) = (spread.count > 1, end(-1.0), end(1.0)) {
                error_bar(svg, (from, to, y + at), &format!("bar l{style}"));
            }
            draw_dot(svg, spot, style);
        }
        let value = spot(row.worst).map(|(spread, _)| self.unit.write(spread.mean));
        let text = row.note.clone().or(value).unwrap_or_else(|| "no value".into());
        svg.text_within((RIGHT + 14.0, y + 4.5), "small soft", (&text, WIDTH - RIGHT - 10.0));
    }
}

/// Filled circle for the mean, hollow square for the worst: told apart without colour.
fn draw_dot(svg: &mut Svg, at: Spot, style: usize) {
    match style {
        0 => svg.circle(at, 5.0, "f0"),
        _ => svg.rect((at.0 - 4.3, at.1 - 4.3), (8.6, 8.6), "hollow l1", 1.0),
    }
}

fn error_bar(svg: &mut Svg, (from, to, y): (f64, f64, f64), class: &str) {
    svg.line((from, y), (to, y), class);
    for x in [from, to] {
        svg.line((x, y - 3.0), (x, y + 3.0), class);
    }
}

fn draw_key(svg: &mut Svg) {
    draw_dot(svg, (LEFT + 5.0, 43.0), 0);
    svg.text((LEFT + 16.0, 47.5), "small", "mean of honest nodes");
    draw_dot(svg, (LEFT + 166.0, 43.0), 1);
    svg.text((LEFT + 177.0, 47.5), "small", "worst honest node (value at right)");
}
