//! Comparison of what a model says of its derivatives with central differences.
use std::fmt;

use crate::safe_control::dynamics::{Dynamics, DynamicsError, Linearised};

/// The largest disagreement found in one matrix.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Discrepancy {
    /// row of the matrix, from 0
    pub row: usize,
    /// column of the matrix, from 0
    pub column: usize,
    /// what the model says
    pub stated: f64,
    /// what central differences say
    pub difference: f64,
    /// |stated − difference| / (1 + |difference|)
    pub error: f64,
}

impl Discrepancy {
    const NONE: Self =
        Self { row: 0, column: 0, stated: 0.0, difference: 0.0, error: f64::NEG_INFINITY };

    fn observe(&mut self, (row, column): (usize, usize), stated: f64, difference: f64) {
        let error = (stated - difference).abs() / (1.0 + difference.abs());
        // A NaN is the worst there is.
        if error > self.error || error.is_nan() {
            *self = Self { row, column, stated, difference, error };
        }
    }
}

/// What a comparison found; its text is a report for a person.
#[derive(Debug, Clone, PartialEq)]
pub struct DerivativeReport {
    /// which model
    pub model: &'static str,
    /// the next state of `linearise` against that of `step`
    pub next: Discrepancy,
    /// derivative by the state, n × n
    pub by_state: Discrepancy,
    /// derivative by the input, n × m
    pub by_input: Discrepancy,
    /// Hessian over (state, input) for weights 1, 2, … , if the model has one
    pub hessian: Option<Discrepancy>,
}

impl DerivativeReport {
    /// The greatest error in the report.
    pub fn worst(&self) -> f64 {
        let first = [self.next.error, self.by_state.error, self.by_input.error];
        let errors = first.into_iter().chain(self.hessian.map(|found| found.error));
        errors.fold(0.0, |worst: f64, error| if error.is_nan() { error } else { worst.max(error) })
    }

    /// Whether every error is at most `tolerance`; 1e-6 suits smooth models of unit size.
    pub fn is_within(&self, tolerance: f64) -> bool {
        self.worst() <= tolerance
    }
}

impl fmt::Display for DerivativeReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "derivatives of `{}` against central differences:", self.model)?;
        let mut line = |what: &str, found: &Discrepancy| {
            let Discrepancy { row, column, stated, difference, error } = found;
            writeln!(
                f,
                "  {what}: worst relative error {error:.1e} at ({row}, {column}): \
                 stated {stated:.9e}, difference {difference:.9e}"
            )
        };
        line("next state, linearise against step", &self.next)?;
        line("by the state", &self.by_state)?;
        line("by the input", &self.by_input)?;
        match &self.hessian {
            Some(found) => line("second derivatives", found),
            None => writeln!(f, "  second derivatives: the model has none"),
        }
    }
}

/// Compares first derivatives with differences of steps, second ones with differences of first.
///
/// # Errors
/// What the model answers near the state.
pub fn check_derivatives(
    model: &mut dyn Dynamics,
    state: &[f64],
    input: &[f64],
) -> Result<DerivativeReport, DynamicsError> {
    let (n, m) = (model.states(), model.inputs());
    for (what, expected, found) in [("states", n, state.len()), ("inputs", m, input.len())] {
        if expected != found {
            return Err(DynamicsError::Shape { model: model.name(), what, expected, found });
        }
    }
    let at: Vec<f64> = state.iter().chain(input).copied().collect();
    let first = Joint::of(model, &at)?;
    let none = Discrepancy::NONE;
    let (mut next, mut by_state, mut by_input) = (none, none, none);
    let mut plain = vec![0.0; n];
    model.step(state, input, &mut plain)?;
    for i in 0..n {
        next.observe((i, 0), first.next[i], plain[i]);
    }
    for column in 0..n + m {
        let spread = (f64::EPSILON.cbrt() * at[column].abs().max(1.0), column);
        let slopes = difference(&at, spread, |at| {
            let mut next = vec![0.0; n];
            model.step(&at[..n], &at[n..], &mut next)?;
            Ok(next)
        })?;
        for (row, slope) in slopes.into_iter().enumerate() {
            let stated = first.slopes[row * (n + m) + column];
            if column < n {
                by_state.observe((row, column), stated, slope);
            } else {
                by_input.observe((row, column - n), stated, slope);
            }
        }
    }
    let hessian = check_hessian(model, &at)?;
    Ok(DerivativeReport { model: model.name(), next, by_state, by_input, hessian })
}

fn check_hessian(
    model: &mut dyn Dynamics,
    at: &[f64],
) -> Result<Option<Discrepancy>, DynamicsError> {
    let (n, width) = (model.states(), at.len());
    let weights: Vec<f64> = (1..=n).map(|place| place as f64).collect();
    let mut stated = vec![0.0; width * width];
    if !model.curve(&at[..n], &at[n..], &weights, &mut stated)? {
        return Ok(None);
    }
    let mut worst = Discrepancy::NONE;
    for column in 0..width {
        let spread = (f64::EPSILON.cbrt() * at[column].abs().max(1.0), column);
        let bends = difference(at, spread, |at| {
            let joint = Joint::of(model, at)?;
            let slope = |j: usize| (0..n).map(|i| weights[i] * joint.slopes[i * width + j]).sum();
            Ok((0..width).map(slope).collect())
        })?;
        for (row, bend) in bends.into_iter().enumerate() {
            worst.observe((row, column), stated[row * width + column], bend);
        }
    }
    Ok(Some(worst))
}

/// A next state and its derivative by (state, input), n × (n + m).
struct Joint {
    next: Vec<f64>,
    slopes: Vec<f64>,
}

impl Joint {
    fn of(model: &mut dyn Dynamics, at: &[f64]) -> Result<Self, DynamicsError> {
        let (n, m) = (model.states(), model.inputs());
        let (mut next, mut by_state) = (vec![0.0; n], vec![0.0; n * n]);
        let mut by_input = vec![0.0; n * m];
        let into = Linearised { next: &mut next, by_state: &mut by_state, by_input: &mut by_input };
        model.linearise(&at[..n], &at[n..], into)?;
        let rows = by_state.chunks_exact(n).zip(by_input.chunks_exact(m));
        let slopes = rows.flat_map(|(left, right)| left.iter().chain(right)).copied().collect();
        Ok(Self { next, slopes })
    }
}

/// The central difference of a function at `at` along one coordinate.
fn difference(
    at: &[f64],
    (spread, coordinate): (f64, usize),
    mut function: impl FnMut(&[f64]) -> Result<Vec<f64>, DynamicsError>,
) -> Result<Vec<f64>, DynamicsError> {
    let mut moved = at.to_vec();
    moved[coordinate] = at[coordinate] + spread;
    let above = function(&moved)?;
    let reach = moved[coordinate];
    moved[coordinate] = at[coordinate] - spread;
    let below = function(&moved)?;
    let width = reach - moved[coordinate];
    Ok(above.iter().zip(below).map(|(above, below)| (above - below) / width).collect())
}
