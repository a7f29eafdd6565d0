//! The scene from one side: obstacles, start, goal, plan, tube and what was flown, to scale.
use super::record::{Flight, Names, Obstacle, Plan, Scene};
use crate::figure::axis::Scale;
use crate::number::Unit;
use crate::svg::{Spot, Svg, text_width};

const WIDTH: f64 = 640.0;
const LEFT: f64 = 62.0;
const RIGHT: f64 = 628.0;
const TOP: f64 = 66.0;
/// Most room upwards; a scene that is higher than wide is drawn smaller.
const HEIGHT_MAX: f64 = 520.0;
/// Least room upwards: a scene as flat as a line still has room for its labels.
const HEIGHT_MIN: f64 = 150.0;
/// Most flights that are drawn; the CSV has all.
pub(super) const FLIGHTS_MAX: usize = 30;
/// Corners of a circle that has to be cut.
const CORNERS: usize = 180;
/// A ball that is so many times as large as what happens is a wall: it does not set the scale.
const GIANT: f64 = 2.0;

/// Standard deviations on either side of a path that its tube holds.
pub(super) const TUBE: f64 = 2.0;

/// What is drawn: two coordinates of the position.
pub(super) struct View<'a> {
    pub(super) title: String,
    pub(super) names: &'a Names,
    pub(super) scene: &'a Scene,
    pub(super) plan: &'a Plan,
    pub(super) flights: &'a [Flight],
    /// which of the positions is across, which is up
    pub(super) axes: (usize, usize),
}

/// A rectangle in the plant's units.
#[derive(Debug, Clone, Copy)]
struct Frame {
    across: (f64, f64),
    up: (f64, f64),
}

impl Frame {
    fn holds(&self, (x, y): Spot) -> bool {
        (self.across.0..=self.across.1).contains(&x) && (self.up.0..=self.up.1).contains(&y)
    }

    fn around(spots: impl Iterator<Item = Spot>) -> Option<Self> {
        let finite = spots.filter(|(x, y)| x.is_finite() && y.is_finite());
        finite.fold(None, |frame: Option<Self>, (x, y)| {
            let old = frame.unwrap_or(Self { across: (x, x), up: (y, y) });
            Some(Self {
                across: (old.across.0.min(x), old.across.1.max(x)),
                up: (old.up.0.min(y), old.up.1.max(y)),
            })
        })
    }

    fn extent(&self) -> f64 {
        (self.across.1 - self.across.0).max(self.up.1 - self.up.0)
    }

    fn padded(self, by: f64) -> Self {
        let wider = |(from, to): (f64, f64)| (from - by, to + by);
        Self { across: wider(self.across), up: wider(self.up) }
    }

    /// The sides as half-planes `normal · p ≥ offset`.
    fn sides(&self) -> [(Spot, f64); 4] {
        [
            ((1.0, 0.0), self.across.0),
            ((-1.0, 0.0), -self.across.1),
            ((0.0, 1.0), self.up.0),
            ((0.0, -1.0), -self.up.1),
        ]
    }

    fn corners(&self) -> Vec<Spot> {
        let ((left, right), (low, high)) = (self.across, self.up);
        vec![(left, low), (right, low), (right, high), (left, high)]
    }
}

/// What of a convex polygon lies in `normal · p ≥ offset`.
fn cut(polygon: &[Spot], ((nx, ny), offset): (Spot, f64)) -> Vec<Spot> {
    let depth = |&(x, y): &Spot| nx * x + ny * y - offset;
    let mut kept = Vec::with_capacity(polygon.len() + 1);
    for (place, from) in polygon.iter().enumerate() {
        let to = &polygon[(place + 1) % polygon.len()];
        let (here, there) = (depth(from), depth(to));
        if here >= 0.0 {
            kept.push(*from);
        }
        if (here >= 0.0) != (there >= 0.0) {
            let share = here / (here - there);
            kept.push((from.0 + share * (to.0 - from.0), from.1 + share * (to.1 - from.1)));
        }
    }
    kept
}

/// Where the frame lies on the drawing.
struct Canvas {
    frame: Frame,
    x: Scale,
    y: Scale,
    bottom: f64,
    pixels: f64,
}

impl Canvas {
    fn spot(&self, (x, y): Spot) -> Option<Spot> {
        self.frame.holds((x, y)).then(|| Some((self.x.at(x)?, self.y.at(y)?)))?
    }

    fn polygon(&self, svg: &mut Svg, corners: &[Spot], class: &str) {
        let kept = self.frame.sides().into_iter().fold(corners.to_vec(), |p, side| cut(&p, side));
        let place = |&(x, y): &Spot| Some((self.x.at(x)?, self.y.at(y)?));
        let spots: Option<Vec<Spot>> = kept.iter().map(place).collect();
        if let Some(spots) = spots.filter(|spots| spots.len() > 2) {
            svg.polygon(&spots, class);
        }
    }

    fn path(&self, svg: &mut Svg, spots: &[Spot], class: &str) {
        let places: Vec<Option<Spot>> = spots.iter().map(|spot| self.spot(*spot)).collect();
        for run in places.split(Option::is_none).filter(|run| run.len() > 1) {
            let run: Vec<Spot> = run.iter().flatten().copied().collect();
            svg.polyline(&run, class);
        }
    }
}

impl View<'_> {
    pub(super) fn draw(&self) -> Svg {
        let canvas = self.canvas();
        let mut svg = Svg::new(WIDTH, canvas.bottom + 48.0);
        self.draw_axes(&mut svg, &canvas);
        self.scene.obstacles.iter().for_each(|o| self.draw_obstacle(&mut svg, &canvas, o));
        self.draw_tube(&mut svg, &canvas);
        for flight in self.flights.iter().take(FLIGHTS_MAX).filter(|f| f.trial.is_safe) {
            canvas.path(&mut svg, &self.path(&flight.states), "trial l1");
        }
        for flight in self.flights.iter().take(FLIGHTS_MAX).filter(|f| !f.trial.is_safe) {
            canvas.path(&mut svg, &self.path(&flight.states), "trial l7");
            let hit = flight.clearance.iter().position(|clearance| *clearance <= 0.0);
            let hit = hit.and_then(|at| canvas.spot(self.spot(flight.states.get(at)?)));
            if let Some(hit) = hit {
                svg.cross(hit, "broken l7");
            }
        }
        canvas.path(&mut svg, &self.path(&self.plan.states), "curve l0");
        if let Some(start) = canvas.spot(self.spot(&self.scene.start)) {
            svg.circle(start, 5.0, "hollow l0");
        }
        if let Some(goal) = canvas.spot(self.spot(&self.scene.goal)) {
            svg.marker(goal, 3, "f2");
        }
        self.draw_legend(&mut svg);
        svg
    }

    fn spot(&self, state: &[f64]) -> Spot {
        let at = |axis: usize| state.get(self.names.position[axis]).copied().unwrap_or(f64::NAN);
        (at(self.axes.0), at(self.axes.1))
    }

    fn path(&self, states: &[Vec<f64>]) -> Vec<Spot> {
        states.iter().map(|state| self.spot(state)).collect()
    }

    /// A frame that holds what happens, and every obstacle that is not a wall.
    fn frame(&self) -> Frame {
        let ends = [&self.scene.start, &self.scene.goal].map(|state| self.spot(state));
        let planned = ends.into_iter().chain(self.path(&self.plan.states));
        let none = Frame { across: (0.0, 1.0), up: (0.0, 1.0) };
        let planned = Frame::around(planned).unwrap_or(none);
        // A flight that ran away must not shrink everything else to a dot.
        let near = planned.padded(0.5 * planned.extent().max(1e-6));
        let flown = self.flights.iter().flat_map(|flight| self.path(&flight.states));
        let flown = flown.filter(|spot| near.holds(*spot));
        let size = planned.extent().max(1e-6);
        let balls = self.scene.obstacles.iter().filter_map(|obstacle| match obstacle {
            Obstacle::Ball { centre, radius } if *radius < GIANT * size => {
                let (x, y) = (centre[self.axes.0], centre[self.axes.1]);
                Some([(x - radius, y - radius), (x + radius, y + radius)])
            }
            _ => None,
        });
        let corners = [(planned.across.0, planned.up.0), (planned.across.1, planned.up.1)];
        let all = Frame::around(flown.chain(balls.flatten()).chain(corners)).unwrap_or(planned);
        all.padded(0.04 * all.extent().max(1e-6))
    }

    fn canvas(&self) -> Canvas {
        let frame = self.frame();
        let (wide, high) = (frame.across.1 - frame.across.0, frame.up.1 - frame.up.0);
        let pixels = ((RIGHT - LEFT) / wide).min(HEIGHT_MAX / high);
        let height = (high * pixels).max(HEIGHT_MIN);
        // What is left beside or above the scene is given to it, so that the axes stay to scale.
        let spare = |room: f64, used: f64| (room / pixels - used).max(0.0) / 2.0;
        let (aside, above) = (spare(RIGHT - LEFT, wide), spare(height, high));
        let frame = Frame {
            across: (frame.across.0 - aside, frame.across.1 + aside),
            up: (frame.up.0 - above, frame.up.1 + above),
        };
        let bottom = TOP + height;
        Canvas {
            frame,
            x: Scale::linear(frame.across, (LEFT, RIGHT)),
            y: Scale::linear(frame.up, (bottom, TOP)),
            bottom,
            pixels,
        }
    }

    fn draw_axes(&self, svg: &mut Svg, canvas: &Canvas) {
        svg.text_within((0.0, 20.0), "title", (&self.title, WIDTH * 0.95));
        let bottom = canvas.bottom;
        for (value, text) in canvas.y.ticks(6, Unit::Plain) {
            if let Some(at) = canvas.y.at(value) {
                svg.line((LEFT, at), (RIGHT, at), "grid");
                svg.text((LEFT - 8.0, at + 4.5), "end soft", &text);
            }
        }
        svg.line((LEFT, bottom), (RIGHT, bottom), "base");
        for (value, text) in canvas.x.ticks(8, Unit::Plain) {
            if let Some(at) = canvas.x.at(value) {
                svg.line((at, TOP), (at, bottom), "grid");
                svg.line((at, bottom), (at, bottom + 5.0), "base");
                svg.text((at, bottom + 20.0), "mid soft", &text);
            }
        }
        let name = |axis: usize| &self.names.states[self.names.position[axis]];
        let (across, up) = (name(self.axes.0), name(self.axes.1));
        svg.text(((LEFT + RIGHT) / 2.0, bottom + 40.0), "mid soft", across);
        svg.text((LEFT - 8.0, TOP - 7.0), "end soft", up);
    }

    fn draw_obstacle(&self, svg: &mut Svg, canvas: &Canvas, obstacle: &Obstacle) {
        let (a, b) = self.axes;
        match obstacle {
            Obstacle::Ball { centre, radius } => {
                let (x, y) = (centre[a], centre[b]);
                let ends = [(x - radius, y - radius), (x + radius, y + radius)];
                let middle = canvas.x.at(x).zip(canvas.y.at(y));
                if let (true, Some(middle)) = (ends.iter().all(|e| canvas.frame.holds(*e)), middle)
                {
                    return svg.circle(middle, radius * canvas.pixels, "obstacle");
                }
                let corner = |place: usize| {
                    let angle = std::f64::consts::TAU * place as f64 / CORNERS as f64;
                    (x + radius * angle.cos(), y + radius * angle.sin())
                };
                let circle: Vec<Spot> = (0..CORNERS).map(corner).collect();
                canvas.polygon(svg, &circle, "obstacle");
            }
            Obstacle::HalfSpace { normal, offset } => {
                // A face that leans out of the drawing has no line in it.
                let leans =
                    (0..normal.len()).any(|axis| axis != a && axis != b && normal[axis] != 0.0);
                if !leans {
                    let inside = ((-normal[a], -normal[b]), -offset);
                    let shade = cut(&canvas.frame.corners(), inside);
                    canvas.polygon(svg, &shade, "obstacle");
                }
            }
        }
    }

    /// What the model takes for likely, as wide as it is across the path.
    fn draw_tube(&self, svg: &mut Svg, canvas: &Canvas) {
        let path = self.path(&self.plan.states);
        let widths: Vec<Spot> = self.path(&self.plan.deviation);
        if !has_tube(self.plan) || widths.len() != path.len() {
            return;
        }
        let side = |sign: f64| -> Vec<Option<Spot>> {
            let shifted = |at: usize| {
                let (from, to) = (path[at.saturating_sub(1)], path[(at + 1).min(path.len() - 1)]);
                let (dx, dy) = (to.0 - from.0, to.1 - from.1);
                let length = dx.hypot(dy);
                let (nx, ny) = if length > 0.0 { (-dy / length, dx / length) } else { (0.0, 0.0) };
                let width = sign * TUBE * (nx * widths[at].0).hypot(ny * widths[at].1);
                canvas.spot((path[at].0 + width * nx, path[at].1 + width * ny))
            };
            (0..path.len()).map(shifted).collect()
        };
        let (left, right) = (side(1.0), side(-1.0));
        let places: Vec<Option<(Spot, Spot)>> =
            left.into_iter().zip(right).map(|(left, right)| left.zip(right)).collect();
        for run in places.split(Option::is_none).filter(|run| run.len() > 1) {
            let run = || run.iter().flatten();
            let there = run().map(|(left, _)| *left);
            let outline: Vec<Spot> = there.chain(run().rev().map(|(_, right)| *right)).collect();
            svg.polygon(&outline, "tube f0");
        }
    }

    fn draw_legend(&self, svg: &mut Svg) {
        let y = 42.0;
        let mut x = LEFT;
        let mut entry = |svg: &mut Svg, text: &str, sample: &dyn Fn(&mut Svg, f64)| {
            sample(svg, x);
            svg.text((x + 26.0, y + 4.5), "soft", text);
            x += 26.0 + text_width(text) + 16.0;
        };
        entry(svg, "start", &|svg, x| svg.circle((x + 10.0, y), 5.0, "hollow l0"));
        entry(svg, "goal", &|svg, x| svg.marker((x + 10.0, y), 3, "f2"));
        entry(svg, "plan", &|svg, x| svg.line((x, y), (x + 20.0, y), "curve l0"));
        if has_tube(self.plan) {
            let text = format!("±{TUBE}σ as planned");
            entry(svg, &text, &|svg, x| svg.rect((x, y - 5.0), (20.0, 10.0), "tube f0", 1.0));
        }
        let drawn = &self.flights[..self.flights.len().min(FLIGHTS_MAX)];
        let unsafe_ones = drawn.iter().filter(|flight| !flight.trial.is_safe).count();
        let word = |count: usize| if count == 1 { "trial" } else { "trials" };
        if drawn.len() > unsafe_ones {
            let count = drawn.len() - unsafe_ones;
            let text = format!("{count} {} flown", word(count));
            entry(svg, &text, &|svg, x| svg.line((x, y), (x + 20.0, y), "trial l1"));
        }
        if unsafe_ones > 0 {
            let text = format!("{unsafe_ones} unsafe");
            entry(svg, &text, &|svg, x| {
                svg.line((x, y), (x + 20.0, y), "trial l7");
                svg.cross((x + 10.0, y), "broken l7");
            });
        }
    }
}

/// Whether the model doubts at all.
pub(super) fn has_tube(plan: &Plan) -> bool {
    plan.deviation.iter().flatten().any(|deviation| *deviation > 0.0)
}
