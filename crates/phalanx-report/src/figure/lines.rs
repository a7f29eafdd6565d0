//! Lines over any quantity: attacks over epochs, influence over the number of poison points.
use super::axis::Scale;
use crate::csv::Csv;
use crate::number::{Unit, plain};
use crate::svg::{STYLES, Spot, Svg};

const WIDTH: f64 = 640.0;
const HEIGHT: f64 = 370.0;
const LEFT: f64 = 56.0;
const RIGHT: f64 = 446.0;
const TOP: f64 = 44.0;
const BOTTOM: f64 = 322.0;
const LABEL_X: f64 = 464.0;
const LABEL_HEIGHT: f64 = 35.0;
/// Points of a line that get a marker each; more would be a worm.
const MARKED_MAX: usize = 16;

/// A chart of lines that are labelled at their ends.
#[derive(Debug, Clone, PartialEq)]
pub struct Lines {
    /// what is drawn, as the title
    pub title: String,
    /// name of the horizontal axis
    pub across: String,
    /// whether that axis is logarithmic; then only positive places are drawn
    pub is_across_log: bool,
    /// name and (place, value) of each line; what is not finite leaves a gap
    pub lines: Vec<(String, Vec<(f64, f64)>)>,
}

impl Lines {
    /// The drawing as an SVG file.
    pub fn svg(&self) -> String {
        let mut svg = Svg::new(WIDTH, HEIGHT);
        let points = || self.lines.iter().flat_map(|(_, points)| points.iter().copied());
        let places = points().map(|(x, _)| x).filter(|x| x.is_finite());
        let places = places.filter(|x| !self.is_across_log || *x > 0.0);
        let range = places.fold((f64::INFINITY, f64::NEG_INFINITY), |(least, most), x| {
            (least.min(x), most.max(x))
        });
        let x = match self.is_across_log {
            true => Scale::log(range, (LEFT, RIGHT)),
            false => Scale::linear(range, (LEFT, RIGHT)),
        };
        let values: Vec<f64> = points().map(|(_, y)| y).collect();
        let y = Scale::fitting(&values, (BOTTOM, TOP));
        self.draw_axes(&mut svg, (&x, &y));
        let mut labels: Vec<(f64, usize, Spot)> = Vec::new();
        for (index, (_, points)) in self.lines.iter().enumerate() {
            let end = draw(&mut svg, points, index % STYLES, (&x, &y));
            labels.push((end.1, index, end));
        }
        labels.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
        let room = LABEL_HEIGHT * labels.len() as f64;
        let mut floor = TOP - 6.0;
        let last = (HEIGHT - 20.0 - room).max(floor);
        for (place, (y, index, end)) in labels.into_iter().enumerate() {
            let at = y.max(floor).min(last + LABEL_HEIGHT * (place as f64 + 1.0));
            floor = at + LABEL_HEIGHT;
            self.draw_label(&mut svg, index, (end, at));
        }
        svg.file(&self.title)
    }

    /// The numbers behind the drawing.
    pub fn csv(&self) -> String {
        let mut csv = Csv::new(&["line", &self.across, &self.title]);
        for (name, points) in &self.lines {
            for (x, y) in points {
                csv.row(&[name.clone(), x.to_string(), y.to_string()]);
            }
        }
        csv.finish()
    }

    fn draw_axes(&self, svg: &mut Svg, (x, y): (&Scale, &Scale)) {
        let title =
            if y.is_log() { format!("{} (log scale)", self.title) } else { self.title.clone() };
        svg.text_within((0.0, 20.0), "title", (&title, WIDTH * 0.98));
        for (value, text) in y.ticks(5, Unit::Plain) {
            if let Some(at) = y.at(value) {
                svg.line((LEFT, at), (RIGHT, at), "grid");
                svg.text((LEFT - 8.0, at + 4.5), "end soft", &text);
            }
        }
        svg.line((LEFT, BOTTOM), (RIGHT, BOTTOM), "base");
        for (value, text) in x.ticks(6, Unit::Plain) {
            if let Some(at) = x.at(value) {
                svg.line((at, BOTTOM), (at, BOTTOM + 5.0), "base");
                svg.text((at, BOTTOM + 20.0), "mid soft", &text);
            }
        }
        svg.text(((LEFT + RIGHT) / 2.0, BOTTOM + 41.0), "mid soft", &self.across);
    }

    fn draw_label(&self, svg: &mut Svg, index: usize, (end, y): (Spot, f64)) {
        let (name, points) = &self.lines[index];
        let style = index % STYLES;
        let leader = [(end.0 + 7.0, end.1), (RIGHT + 4.0, end.1), (LABEL_X - 6.0, y - 4.0)];
        svg.polyline(&leader, &format!("leader l{style}"));
        let room = WIDTH - LABEL_X;
        svg.text_within((LABEL_X, y), &format!("strong f{style}"), (name, room));
        let last = points.last().map_or_else(|| "no value".into(), |(_, value)| plain(*value));
        svg.text_within((LABEL_X, y + 15.0), "small soft", (&last, room));
    }
}

/// One line with its gaps; returns where it ends.
fn draw(svg: &mut Svg, points: &[(f64, f64)], style: usize, (x, y): (&Scale, &Scale)) -> Spot {
    let spot = |(place, value): &(f64, f64)| Some((x.at(*place)?, y.at(*value)?));
    let mut end = (LEFT, BOTTOM);
    for run in points.chunk_by(|a, b| spot(a).is_some() == spot(b).is_some()) {
        let spots: Vec<Spot> = run.iter().filter_map(spot).collect();
        if spots.len() > 1 {
            svg.polyline(&spots, &format!("curve l{style} d{style}"));
        }
        end = spots.last().copied().unwrap_or(end);
    }
    let marked = if points.len() <= MARKED_MAX { points } else { &points[points.len() - 1..] };
    for spot in marked.iter().filter_map(spot) {
        svg.marker(spot, style, &format!("f{style}"));
    }
    end
}
