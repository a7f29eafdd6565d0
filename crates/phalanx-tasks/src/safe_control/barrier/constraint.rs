//! What must stay positive: functions of a state with gradient and Hessian.
use std::sync::Arc;

use super::CourseError;

/// A function h of the plant's state that is positive exactly where the state is allowed.
///
/// Derivatives are added to what is there, so that a constraint on three entries of twelve touches
/// three numbers.
///
/// # Shape
/// `state` has n numbers, `gradient` n, `hessian` n × n row by row.
pub trait Constraint: Send + Sync {
    /// h(x).
    fn value(&self, state: &[f64]) -> f64;

    /// `gradient += scale · h_x`.
    fn add_gradient(&self, state: &[f64], scale: f64, gradient: &mut [f64]);

    /// `hessian += scale · h_xx`.
    fn add_hessian(&self, state: &[f64], scale: f64, hessian: &mut [f64]);

    /// How far the state is from where h vanishes, in the state's own unit where that is known;
    /// h itself elsewhere. Its sign is that of h.
    fn clearance(&self, state: &[f64]) -> f64 {
        self.value(state)
    }

    /// The least number of states of a plant that it applies to.
    fn states_min(&self) -> usize;

    /// In a person's words.
    fn describe(&self) -> String;
}

/// Most coordinates of a position.
const DIMENSIONS_MAX: usize = 3;

/// Outside a disc or ball: h = |p − c|² − r².
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sphere {
    positions: [usize; DIMENSIONS_MAX],
    centre: [f64; DIMENSIONS_MAX],
    dimensions: usize,
    radius: f64,
}

impl Sphere {
    /// Around a centre in these entries of the state.
    ///
    /// # Errors
    /// [`CourseError`] when there is not one coordinate per position, more than three, or a number
    /// that is not finite, or a radius that is not positive.
    pub fn new(positions: &[usize], centre: &[f64], radius: f64) -> Result<Self, CourseError> {
        if positions.len() != centre.len() || !(1..=DIMENSIONS_MAX).contains(&positions.len()) {
            let (expected, found) = (positions.len(), centre.len());
            return Err(CourseError::Centre { expected, found });
        }
        if !radius.is_finite() || radius <= 0.0 {
            return Err(CourseError::Radius { found: radius });
        }
        if let Some(found) = centre.iter().copied().find(|entry| !entry.is_finite()) {
            return Err(CourseError::NotFinite { what: "centre", found });
        }
        let dimensions = positions.len();
        let mut this = Self {
            positions: [0; DIMENSIONS_MAX],
            centre: [0.0; DIMENSIONS_MAX],
            dimensions,
            radius,
        };
        this.positions[..dimensions].copy_from_slice(positions);
        this.centre[..dimensions].copy_from_slice(centre);
        Ok(this)
    }

    fn offsets(&self) -> impl Iterator<Item = (usize, f64)> {
        self.positions.into_iter().zip(self.centre).take(self.dimensions)
    }
}

impl Constraint for Sphere {
    fn value(&self, state: &[f64]) -> f64 {
        let squares =
            self.offsets().map(|(at, centre)| (state[at] - centre) * (state[at] - centre));
        squares.sum::<f64>() - self.radius * self.radius
    }

    fn add_gradient(&self, state: &[f64], scale: f64, gradient: &mut [f64]) {
        self.offsets().for_each(|(at, centre)| gradient[at] += 2.0 * scale * (state[at] - centre));
    }

    fn add_hessian(&self, state: &[f64], scale: f64, hessian: &mut [f64]) {
        self.offsets().for_each(|(at, _)| hessian[at * (state.len() + 1)] += 2.0 * scale);
    }

    fn clearance(&self, state: &[f64]) -> f64 {
        let squares =
            self.offsets().map(|(at, centre)| (state[at] - centre) * (state[at] - centre));
        squares.sum::<f64>().sqrt() - self.radius
    }

    fn states_min(&self) -> usize {
        self.offsets().map(|(at, _)| at + 1).max().unwrap_or(0)
    }

    fn describe(&self) -> String {
        let centre = &self.centre[..self.dimensions];
        format!("outside the ball around {centre:?} of radius {}", self.radius)
    }
}

/// On one side of a plane: h = normal · x − offset.
#[derive(Debug, Clone, PartialEq)]
pub struct HalfPlane {
    normal: Vec<f64>,
    offset: f64,
}

impl HalfPlane {
    /// The states with normal · x > offset; `normal` may be shorter than a state.
    ///
    /// # Errors
    /// [`CourseError`] when a number is not finite or the normal vanishes.
    pub fn new(normal: &[f64], offset: f64) -> Result<Self, CourseError> {
        let all = || normal.iter().copied().chain([offset]);
        if let Some(found) = all().find(|entry| !entry.is_finite()) {
            return Err(CourseError::NotFinite { what: "half-plane", found });
        }
        if normal.iter().all(|entry| *entry == 0.0) {
            return Err(CourseError::Normal);
        }
        Ok(Self { normal: normal.to_vec(), offset })
    }
}

impl Constraint for HalfPlane {
    fn value(&self, state: &[f64]) -> f64 {
        let products = self.normal.iter().zip(state).map(|(normal, entry)| normal * entry);
        products.sum::<f64>() - self.offset
    }

    fn add_gradient(&self, _state: &[f64], scale: f64, gradient: &mut [f64]) {
        let pairs = gradient.iter_mut().zip(&self.normal);
        pairs.for_each(|(sum, normal)| *sum += scale * normal);
    }

    fn add_hessian(&self, _state: &[f64], _scale: f64, _hessian: &mut [f64]) {}

    fn clearance(&self, state: &[f64]) -> f64 {
        let square: f64 = self.normal.iter().map(|entry| entry * entry).sum();
        self.value(state) / square.sqrt()
    }

    fn states_min(&self) -> usize {
        self.normal.len()
    }

    fn describe(&self) -> String {
        format!("{:?} · x above {}", self.normal, self.offset)
    }
}

/// Between two limits of one entry: h = (x − low)(high − x) / (high − low).
///
/// It has the unit of the entry and falls with slope one at either limit.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Interval {
    entry: usize,
    low: f64,
    high: f64,
}

impl Interval {
    /// Of this entry of the state.
    ///
    /// # Errors
    /// [`CourseError::Limits`] when the lower limit is not below the upper one.
    pub fn new(entry: usize, low: f64, high: f64) -> Result<Self, CourseError> {
        if low.is_finite() && high.is_finite() && low < high {
            Ok(Self { entry, low, high })
        } else {
            Err(CourseError::Limits { entry, low, high })
        }
    }
}

impl Constraint for Interval {
    fn value(&self, state: &[f64]) -> f64 {
        (state[self.entry] - self.low) * (self.high - state[self.entry]) / (self.high - self.low)
    }

    fn add_gradient(&self, state: &[f64], scale: f64, gradient: &mut [f64]) {
        let slope = (self.low + self.high - 2.0 * state[self.entry]) / (self.high - self.low);
        gradient[self.entry] += scale * slope;
    }

    fn add_hessian(&self, state: &[f64], scale: f64, hessian: &mut [f64]) {
        hessian[self.entry * (state.len() + 1)] -= 2.0 * scale / (self.high - self.low);
    }

    fn clearance(&self, state: &[f64]) -> f64 {
        (state[self.entry] - self.low).min(self.high - state[self.entry])
    }

    fn states_min(&self) -> usize {
        self.entry + 1
    }

    fn describe(&self) -> String {
        format!("entry {} between {} and {}", self.entry, self.low, self.high)
    }
}

type Value = dyn Fn(&[f64]) -> f64 + Send + Sync;
type Derivative = dyn Fn(&[f64], f64, &mut [f64]) + Send + Sync;

/// A constraint from closures: h, what adds scale · h_x, and what adds scale · h_xx.
#[derive(Clone)]
pub struct Function {
    name: String,
    states: usize,
    value: Arc<Value>,
    gradient: Arc<Derivative>,
    hessian: Arc<Derivative>,
}

impl Function {
    /// Of plants with at least so many states.
    pub fn new(
        (name, states): (&str, usize),
        value: impl Fn(&[f64]) -> f64 + Send + Sync + 'static,
        gradient: impl Fn(&[f64], f64, &mut [f64]) + Send + Sync + 'static,
        hessian: impl Fn(&[f64], f64, &mut [f64]) + Send + Sync + 'static,
    ) -> Self {
        Self {
            name: name.to_string(),
            states,
            value: Arc::new(value),
            gradient: Arc::new(gradient),
            hessian: Arc::new(hessian),
        }
    }
}

impl Constraint for Function {
    fn value(&self, state: &[f64]) -> f64 {
        (self.value)(state)
    }

    fn add_gradient(&self, state: &[f64], scale: f64, gradient: &mut [f64]) {
        (self.gradient)(state, scale, gradient);
    }

    fn add_hessian(&self, state: &[f64], scale: f64, hessian: &mut [f64]) {
        (self.hessian)(state, scale, hessian);
    }

    fn states_min(&self) -> usize {
        self.states
    }

    fn describe(&self) -> String {
        self.name.clone()
    }
}
