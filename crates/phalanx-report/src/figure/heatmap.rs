//! Small heat maps side by side on one scale, with the value written in each cell.
use crate::number::Unit;
use crate::svg::{Svg, text_width};

const WIDTH: f64 = 1120.0;
const TOP: f64 = 44.0;
const CELL: (f64, f64) = (58.0, 34.0);
/// Air below a map, for its axis and the title of the next.
const BELOW: f64 = 74.0;
/// Opacity of the least and of the greatest value: the least still shows as a cell.
const INK: (f64, f64) = (0.06, 0.96);
/// From these opacities on, text is the paper's colour on dark and on light.
const TURN: (f64, f64) = (0.5, 0.74);

/// One cell of a map.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Heat {
    /// no run there
    Absent,
    /// a value, not a number perhaps; marked where a run behind it did not finish
    Value {
        /// what is written and coloured
        value: f64,
        /// whether a run behind it did not finish
        is_marked: bool,
    },
}

/// One map: rows from top to bottom.
#[derive(Debug, Clone)]
pub(crate) struct HeatMap {
    pub(crate) title: String,
    pub(crate) cells: Vec<Vec<Heat>>,
}

/// Maps that share axes and scale.
#[derive(Debug, Clone)]
pub(crate) struct HeatMaps {
    pub(crate) title: String,
    pub(crate) unit: Unit,
    /// name and labels of the axis that goes down
    pub(crate) down: (String, Vec<String>),
    /// name and labels of the axis that goes across
    pub(crate) across: (String, Vec<String>),
    pub(crate) maps: Vec<HeatMap>,
}

impl HeatMaps {
    pub(crate) fn draw(&self) -> Svg {
        let left = self.left();
        let map = (CELL.0 * self.across.1.len() as f64, CELL.1 * self.down.1.len() as f64);
        let step = (left + map.0 + 26.0).max(230.0);
        let per_line = ((WIDTH / step) as usize).clamp(1, self.maps.len().max(1));
        let lines = self.maps.len().div_ceil(per_line);
        let height = TOP + 30.0 + lines as f64 * (map.1 + BELOW) + 34.0;
        let mut svg = Svg::new(WIDTH.max(step), height);
        svg.text_within((0.0, 20.0), "title", (&self.title, WIDTH * 0.85));
        let range = self.range();
        for (place, one) in self.maps.iter().enumerate() {
            let x = (place % per_line) as f64 * step;
            let y = TOP + 30.0 + (place / per_line) as f64 * (map.1 + BELOW);
            svg.text_within((x + left, y - 10.0), "strong", (&one.title, step - left - 10.0));
            self.draw_map(&mut svg, one, ((x + left, y), range));
        }
        self.draw_key(&mut svg, range, height - 24.0);
        svg
    }

    /// Room for the labels of the axis that goes down.
    fn left(&self) -> f64 {
        let widths = self.down.1.iter().map(|label| text_width(label));
        widths.fold(text_width(&self.down.0), f64::max).clamp(24.0, 150.0) + 12.0
    }

    /// Least and greatest value, widened to whole steps.
    fn range(&self) -> (f64, f64) {
        let cells = self.maps.iter().flat_map(|map| map.cells.iter().flatten());
        let finite = cells.filter_map(|cell| match cell {
            Heat::Value { value, .. } if value.is_finite() => Some(*value),
            _ => None,
        });
        let (least, most) =
            finite.fold((f64::INFINITY, f64::NEG_INFINITY), |(a, b), v| (a.min(v), b.max(v)));
        match self.unit {
            _ if least > most => (0.0, 1.0),
            Unit::Share => ((least * 10.0).floor() / 10.0, (most * 10.0 + 1e-9).ceil() / 10.0),
            Unit::Plain => (least, most),
        }
    }

    fn draw_map(&self, svg: &mut Svg, map: &HeatMap, ((x, y), range): ((f64, f64), (f64, f64))) {
        let (width, height) = CELL;
        for (r, row) in map.cells.iter().enumerate() {
            let top = y + r as f64 * height;
            if let Some(label) = self.down.1.get(r) {
                svg.text_within((x - 8.0, top + 21.5), "end soft", (label, x.min(150.0)));
            }
            for (c, cell) in row.iter().enumerate() {
                let left = x + c as f64 * width;
                self.draw_cell(svg, *cell, ((left, top), range));
            }
        }
        let bottom = y + map.cells.len() as f64 * height;
        for (c, label) in self.across.1.iter().enumerate() {
            let centre = x + (c as f64 + 0.5) * width;
            svg.text((centre, bottom + 18.0), "mid soft", label);
        }
        let centre = x + self.across.1.len() as f64 * width / 2.0;
        svg.text((centre, bottom + 36.0), "mid small soft", &self.across.0);
        svg.text((x - 8.0, y - 10.0), "end small soft", &self.down.0);
    }

    fn draw_cell(&self, svg: &mut Svg, cell: Heat, ((x, y), range): ((f64, f64), (f64, f64))) {
        let (width, height) = CELL;
        let middle = (x + width / 2.0 - 1.0, y + 21.5);
        match cell {
            Heat::Absent => svg.text(middle, "mid soft", "–"),
            Heat::Value { value, is_marked } => {
                let mark = if is_marked { "†" } else { "" };
                let text = format!("{}{mark}", self.unit.digits(value));
                if !value.is_finite() {
                    svg.rect((x, y), (width - 2.0, height - 2.0), "void", 1.0);
                    return svg.text(middle, "mid strong", &text);
                }
                let ink = ink(value, range);
                svg.rect((x, y), (width - 2.0, height - 2.0), "heat", ink);
                svg.text(middle, &format!("mid {}", on(ink)), &text);
            }
        }
    }

    fn draw_key(&self, svg: &mut Svg, range: (f64, f64), y: f64) {
        let (least, most) = range;
        let mut x = 0.0;
        for place in 0..=5 {
            let value = least + (most - least) * f64::from(place) / 5.0;
            svg.rect((x, y), (30.0, 16.0), "heat", ink(value, range));
            let text = self.unit.write(value);
            svg.text((x + 36.0, y + 13.0), "small soft", &text);
            x += 36.0 + text_width(&text) + 22.0;
        }
    }
}

fn ink(value: f64, (least, most): (f64, f64)) -> f64 {
    let share = if most > least { (value - least) / (most - least) } else { 1.0 };
    INK.0 + (INK.1 - INK.0) * share.clamp(0.0, 1.0)
}

/// Class of text on a cell of this opacity.
fn on(ink: f64) -> &'static str {
    match ink {
        ink if ink < TURN.0 => "on-low",
        ink if ink < TURN.1 => "on-middle",
        _ => "on-high",
    }
}
