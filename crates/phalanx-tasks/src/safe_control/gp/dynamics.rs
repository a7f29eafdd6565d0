//! A fitted model as motion in discrete time: the state and the increment that the model expects.
use std::sync::Arc;

use super::error::GpError;
use super::model::GaussianProcess;
use super::predictor::Predictor;
use crate::safe_control::dynamics::{Dynamics, DynamicsError, Linearised, check_finite};

/// Motion by a model of increments: `x⁺ = x + m(x, u)`, with the model's variance.
#[derive(Debug, Clone)]
pub struct GpDynamics {
    predictor: Predictor,
    states: usize,
    point: Vec<f64>,
    slope: Vec<f64>,
}

/// As messages name it.
const NAME: &str = "gaussian-process";

impl GpDynamics {
    /// Motion by a model whose inputs are (state, input) and whose outputs are the increments of
    /// the state.
    ///
    /// # Errors
    /// [`GpError::Shape`] when it has more outputs than inputs.
    pub fn new(model: Arc<GaussianProcess>) -> Result<Self, GpError> {
        let (states, columns) = (model.outputs(), model.inputs());
        if columns < states {
            let what = "inputs, at least: one for each output";
            return Err(GpError::Shape { what, expected: states, found: columns });
        }
        let (point, slope) = (vec![0.0; columns], vec![0.0; columns * states]);
        Ok(Self { predictor: Predictor::new(model), states, point, slope })
    }

    /// The model.
    pub fn model(&self) -> &Arc<GaussianProcess> {
        self.predictor.model()
    }

    fn place(&mut self, state: &[f64], input: &[f64]) -> Result<(), DynamicsError> {
        let sizes = [("states", self.states, state.len()), ("inputs", self.inputs(), input.len())];
        for (what, expected, found) in sizes {
            if expected != found {
                return Err(DynamicsError::Shape { model: NAME, what, expected, found });
            }
        }
        self.point[..self.states].copy_from_slice(state);
        self.point[self.states..].copy_from_slice(input);
        Ok(())
    }
}

fn check_length(what: &'static str, expected: usize, found: usize) -> Result<(), DynamicsError> {
    match expected == found {
        true => Ok(()),
        false => Err(DynamicsError::Shape { model: NAME, what, expected, found }),
    }
}

impl Dynamics for GpDynamics {
    fn name(&self) -> &'static str {
        NAME
    }

    fn states(&self) -> usize {
        self.states
    }

    fn inputs(&self) -> usize {
        self.point.len() - self.states
    }

    fn step(
        &mut self,
        state: &[f64],
        input: &[f64],
        next: &mut [f64],
    ) -> Result<(), DynamicsError> {
        self.place(state, input)?;
        check_length("next states", self.states, next.len())?;
        self.predictor.mean(&self.point, next);
        next.iter_mut().zip(state).for_each(|(next, state)| *next += state);
        check_finite(NAME, "next state", next)
    }

    fn linearise(
        &mut self,
        state: &[f64],
        input: &[f64],
        into: Linearised<'_>,
    ) -> Result<(), DynamicsError> {
        self.place(state, input)?;
        let (n, m) = (self.states, self.inputs());
        check_length("next states", n, into.next.len())?;
        check_length("derivatives by the state", n * n, into.by_state.len())?;
        check_length("derivatives by the input", n * m, into.by_input.len())?;
        self.predictor.mean_and_slope(&self.point, into.next, &mut self.slope);
        let next = add_state(state, &self.slope, into);
        check_finite(NAME, "next state", next)?;
        check_finite(NAME, "derivative", &self.slope)
    }

    fn curve(
        &mut self,
        state: &[f64],
        input: &[f64],
        weights: &[f64],
        hessian: &mut [f64],
    ) -> Result<bool, DynamicsError> {
        self.place(state, input)?;
        check_length("weights", self.states, weights.len())?;
        let order = self.point.len();
        check_length("second derivatives", order * order, hessian.len())?;
        self.predictor.curve(&self.point, weights, hessian);
        check_finite(NAME, "second derivative", hessian).map(|()| true)
    }

    fn variance(
        &mut self,
        state: &[f64],
        input: &[f64],
        variance: &mut [f64],
    ) -> Result<bool, DynamicsError> {
        self.place(state, input)?;
        check_length("variances", self.states, variance.len())?;
        self.predictor.variance(&self.point, variance);
        check_finite(NAME, "variance", variance).map(|()| true)
    }
}

/// Makes motion of a model of increments: `into.next` holds the increment, `slope` its derivatives
/// by (state, input), row by row. Returns the next state.
pub(super) fn add_state<'a>(state: &[f64], slope: &[f64], into: Linearised<'a>) -> &'a mut [f64] {
    let Linearised { next, by_state, by_input } = into;
    next.iter_mut().zip(state).for_each(|(next, state)| *next += state);
    let n = next.len();
    let m = by_input.len() / n;
    for (row, slope) in slope.chunks_exact(n + m).enumerate() {
        let by_state = &mut by_state[row * n..(row + 1) * n];
        by_state.copy_from_slice(&slope[..n]);
        by_state[row] += 1.0;
        by_input[row * m..(row + 1) * m].copy_from_slice(&slope[n..]);
    }
    next
}
