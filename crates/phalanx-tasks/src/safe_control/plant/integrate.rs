//! Steps of a flow: Euler's, Runge and Kutta's; and the flow that a model of steps stands for.
use crate::safe_control::dynamics::{Dynamics, DynamicsError, Linearised, check_finite};

use super::Flow;

/// x⁺ = x + Δt f(x, u), with derivatives of first and second order.
pub struct Euler {
    flow: Box<dyn Flow>,
    seconds: f64,
}

impl Euler {
    /// Steps of this many seconds.
    pub fn new(flow: Box<dyn Flow>, seconds: f64) -> Self {
        Self { flow, seconds }
    }
}

impl Dynamics for Euler {
    fn name(&self) -> &'static str {
        self.flow.name()
    }

    fn states(&self) -> usize {
        self.flow.states()
    }

    fn inputs(&self) -> usize {
        self.flow.inputs()
    }

    fn step(
        &mut self,
        state: &[f64],
        input: &[f64],
        next: &mut [f64],
    ) -> Result<(), DynamicsError> {
        self.flow.rate(state, input, next)?;
        advance(next, state, self.seconds);
        check_finite(self.flow.name(), "next state", next)
    }

    fn linearise(
        &mut self,
        state: &[f64],
        input: &[f64],
        into: Linearised<'_>,
    ) -> Result<(), DynamicsError> {
        let Linearised { next, by_state, by_input } = into;
        self.flow.linearise(
            state,
            input,
            Linearised { next: &mut *next, by_state: &mut *by_state, by_input: &mut *by_input },
        )?;
        advance(next, state, self.seconds);
        by_state.iter_mut().for_each(|entry| *entry *= self.seconds);
        by_state.iter_mut().step_by(state.len() + 1).for_each(|entry| *entry += 1.0);
        by_input.iter_mut().for_each(|entry| *entry *= self.seconds);
        check_finite(self.flow.name(), "next state", next)?;
        check_finite(self.flow.name(), "derivative by the state", by_state)?;
        check_finite(self.flow.name(), "derivative by the input", by_input)
    }

    fn curve(
        &mut self,
        state: &[f64],
        input: &[f64],
        weights: &[f64],
        hessian: &mut [f64],
    ) -> Result<bool, DynamicsError> {
        let has_one = self.flow.curve(state, input, weights, hessian)?;
        hessian.iter_mut().for_each(|entry| *entry *= self.seconds);
        Ok(has_one)
    }

    fn variance(
        &mut self,
        state: &[f64],
        input: &[f64],
        variance: &mut [f64],
    ) -> Result<bool, DynamicsError> {
        let is_in_doubt = self.flow.variance(state, input, variance)?;
        variance.iter_mut().for_each(|entry| *entry *= self.seconds * self.seconds);
        Ok(is_in_doubt)
    }
}

/// `values ← state + seconds · values`.
fn advance(values: &mut [f64], state: &[f64], seconds: f64) {
    values.iter_mut().zip(state).for_each(|(value, state)| *value = state + seconds * *value);
}

/// The classical Runge and Kutta step of fourth order with the input held, with first derivatives.
pub struct RungeKutta {
    flow: Box<dyn Flow>,
    seconds: f64,
    /// what each stage writes: rate, and derivatives of the stage by state and input
    stage: Stage,
    at: Vec<f64>,
    /// derivatives of the previous stage's rate by the first state and the input
    slope: Slopes,
    next_slope: Slopes,
}

struct Stage {
    rate: Vec<f64>,
    by_state: Vec<f64>,
    by_input: Vec<f64>,
}

#[derive(Clone)]
struct Slopes {
    by_state: Vec<f64>,
    by_input: Vec<f64>,
}

/// How far each stage goes on the previous one's rate, and what it counts for.
const STAGES: [(f64, f64); 4] =
    [(0.0, 1.0 / 6.0), (0.5, 1.0 / 3.0), (0.5, 1.0 / 3.0), (1.0, 1.0 / 6.0)];

impl RungeKutta {
    /// Steps of this many seconds.
    pub fn new(flow: Box<dyn Flow>, seconds: f64) -> Self {
        let (n, m) = (flow.states(), flow.inputs());
        let slope = Slopes { by_state: vec![0.0; n * n], by_input: vec![0.0; n * m] };
        let stage =
            Stage { rate: vec![0.0; n], by_state: vec![0.0; n * n], by_input: vec![0.0; n * m] };
        Self { flow, seconds, stage, at: vec![0.0; n], next_slope: slope.clone(), slope }
    }

    /// `self.at ← state + reach · rate`.
    fn go_to(&mut self, state: &[f64], reach: f64) {
        let pairs = self.at.iter_mut().zip(state).zip(&self.stage.rate);
        pairs.for_each(|((at, state), rate)| *at = state + reach * rate);
    }
}

impl Dynamics for RungeKutta {
    fn name(&self) -> &'static str {
        self.flow.name()
    }

    fn states(&self) -> usize {
        self.flow.states()
    }

    fn inputs(&self) -> usize {
        self.flow.inputs()
    }

    fn step(
        &mut self,
        state: &[f64],
        input: &[f64],
        next: &mut [f64],
    ) -> Result<(), DynamicsError> {
        next.copy_from_slice(state);
        self.stage.rate.fill(0.0);
        for (reach, share) in STAGES {
            self.go_to(state, reach * self.seconds);
            self.flow.rate(&self.at, input, &mut self.stage.rate)?;
            let pairs = next.iter_mut().zip(&self.stage.rate);
            pairs.for_each(|(next, rate)| *next += share * self.seconds * rate);
        }
        check_finite(self.flow.name(), "next state", next)
    }

    fn linearise(
        &mut self,
        state: &[f64],
        input: &[f64],
        into: Linearised<'_>,
    ) -> Result<(), DynamicsError> {
        let (n, m) = (self.states(), self.inputs());
        let Linearised { next, by_state, by_input } = into;
        next.copy_from_slice(state);
        by_state.fill(0.0);
        by_state.iter_mut().step_by(n + 1).for_each(|entry| *entry = 1.0);
        by_input.fill(0.0);
        self.stage.rate.fill(0.0);
        self.slope.by_state.fill(0.0);
        self.slope.by_input.fill(0.0);
        for (reach, share) in STAGES {
            let reach = reach * self.seconds;
            self.go_to(state, reach);
            let stage = &mut self.stage;
            let into = Linearised {
                next: &mut stage.rate,
                by_state: &mut stage.by_state,
                by_input: &mut stage.by_input,
            };
            self.flow.linearise(&self.at, input, into)?;
            // d rate = f_x (1 + reach · d previous rate), and f_u besides for the input.
            let (slope, following) = (&self.slope, &mut self.next_slope);
            following.by_state.copy_from_slice(&stage.by_state);
            following.by_input.copy_from_slice(&stage.by_input);
            add_product(&mut following.by_state, &stage.by_state, &slope.by_state, (n, reach));
            add_product(&mut following.by_input, &stage.by_state, &slope.by_input, (m, reach));
            std::mem::swap(&mut self.slope, &mut self.next_slope);
            let weight = share * self.seconds;
            add(next, weight, &self.stage.rate);
            add(by_state, weight, &self.slope.by_state);
            add(by_input, weight, &self.slope.by_input);
        }
        check_finite(self.flow.name(), "next state", next)?;
        check_finite(self.flow.name(), "derivative by the state", by_state)?;
        check_finite(self.flow.name(), "derivative by the input", by_input)
    }
}

fn add(sum: &mut [f64], scale: f64, other: &[f64]) {
    sum.iter_mut().zip(other).for_each(|(sum, other)| *sum += scale * other);
}

/// `sum += scale · left · right` for a square `left` and a `right` of so many columns.
fn add_product(sum: &mut [f64], left: &[f64], right: &[f64], (columns, scale): (usize, f64)) {
    let n = sum.len() / columns;
    for (row, factors) in sum.chunks_exact_mut(columns).zip(left.chunks_exact(n)) {
        for (factor, source) in factors.iter().zip(right.chunks_exact(columns)) {
            add(row, scale * factor, source);
        }
    }
}

/// The flow whose rate is what a model of steps adds to a state: x⁺ − x, as learnt from rates.
pub struct Increments {
    model: Box<dyn Dynamics>,
}

impl Increments {
    /// Of a model whose step of length one adds the rate.
    pub fn new(model: Box<dyn Dynamics>) -> Self {
        Self { model }
    }
}

impl Flow for Increments {
    fn name(&self) -> &'static str {
        self.model.name()
    }

    fn states(&self) -> usize {
        self.model.states()
    }

    fn inputs(&self) -> usize {
        self.model.inputs()
    }

    fn rate(
        &mut self,
        state: &[f64],
        input: &[f64],
        rate: &mut [f64],
    ) -> Result<(), DynamicsError> {
        self.model.step(state, input, rate)?;
        add(rate, -1.0, state);
        Ok(())
    }

    fn linearise(
        &mut self,
        state: &[f64],
        input: &[f64],
        into: Linearised<'_>,
    ) -> Result<(), DynamicsError> {
        let Linearised { next, by_state, by_input } = into;
        self.model.linearise(
            state,
            input,
            Linearised { next: &mut *next, by_state: &mut *by_state, by_input },
        )?;
        add(next, -1.0, state);
        by_state.iter_mut().step_by(state.len() + 1).for_each(|entry| *entry -= 1.0);
        Ok(())
    }

    fn curve(
        &mut self,
        state: &[f64],
        input: &[f64],
        weights: &[f64],
        hessian: &mut [f64],
    ) -> Result<bool, DynamicsError> {
        self.model.curve(state, input, weights, hessian)
    }

    fn variance(
        &mut self,
        state: &[f64],
        input: &[f64],
        variance: &mut [f64],
    ) -> Result<bool, DynamicsError> {
        self.model.variance(state, input, variance)
    }
}
