//! The Dubins vehicle: a unicycle with speed and turning rate as inputs.
use crate::safe_control::dynamics::{DynamicsError, Linearised};

use super::Flow;

/// State (x, y, heading), input (speed v, turning rate ω): ẋ = v cos θ, ẏ = v sin θ, θ̇ = ω.
#[derive(Debug, Clone, Copy)]
pub struct Dubins;

impl Flow for Dubins {
    fn name(&self) -> &'static str {
        "dubins"
    }

    fn states(&self) -> usize {
        3
    }

    fn inputs(&self) -> usize {
        2
    }

    fn rate(
        &mut self,
        state: &[f64],
        input: &[f64],
        rate: &mut [f64],
    ) -> Result<(), DynamicsError> {
        let (sine, cosine) = state[2].sin_cos();
        rate.copy_from_slice(&[input[0] * cosine, input[0] * sine, input[1]]);
        Ok(())
    }

    fn linearise(
        &mut self,
        state: &[f64],
        input: &[f64],
        into: Linearised<'_>,
    ) -> Result<(), DynamicsError> {
        let (sine, cosine) = state[2].sin_cos();
        let v = input[0];
        into.next.copy_from_slice(&[v * cosine, v * sine, input[1]]);
        into.by_state.copy_from_slice(&[0.0, 0.0, -v * sine, 0.0, 0.0, v * cosine, 0.0, 0.0, 0.0]);
        into.by_input.copy_from_slice(&[cosine, 0.0, sine, 0.0, 0.0, 1.0]);
        Ok(())
    }

    fn curve(
        &mut self,
        state: &[f64],
        input: &[f64],
        weights: &[f64],
        hessian: &mut [f64],
    ) -> Result<bool, DynamicsError> {
        let (sine, cosine) = state[2].sin_cos();
        let (forward, sideways) =
            (weights[0] * cosine + weights[1] * sine, weights[1] * cosine - weights[0] * sine);
        hessian.fill(0.0);
        hessian[2 * 5 + 2] = -input[0] * forward;
        hessian[2 * 5 + 3] = sideways;
        hessian[3 * 5 + 2] = sideways;
        Ok(true)
    }
}
