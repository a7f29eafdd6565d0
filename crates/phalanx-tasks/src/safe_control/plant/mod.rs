//! Plants: motion in continuous time, how it becomes steps, and the three of the specification.
//!
//! A plant of your own is a [`Flow`] (its rate of change; [`Euler`] or [`RungeKutta`] make steps of
//! it) or directly a `Dynamics`; [`check_derivatives`] compares what it says of its derivatives
//! with differences.
mod derivatives;
mod dubins;
mod integrate;
mod linear;
mod list;
mod quadrotor;

use super::dynamics::{DynamicsError, Linearised};

pub use derivatives::{DerivativeReport, Discrepancy, check_derivatives};
pub use dubins::Dubins;
pub use integrate::{Euler, Increments, RungeKutta};
pub use linear::{Linear, LinearError};
pub use list::{Obstacle, PLANTS, PlantEntry, Region, Trial, named};
pub use quadrotor::Quadrotor;

/// The rate of change of a state in continuous time, with derivatives.
///
/// # Shape
/// `state` has n numbers, `input` m, `rate` n; matrices are row by row: `by_state` n × n,
/// `by_input` n × m. [`Linearised::next`] receives the rate.
pub trait Flow: Send {
    /// A name for messages.
    fn name(&self) -> &'static str;

    /// n
    fn states(&self) -> usize;

    /// m
    fn inputs(&self) -> usize;

    /// Writes the rate of change.
    ///
    /// # Errors
    /// When it is not finite.
    fn rate(&mut self, state: &[f64], input: &[f64], rate: &mut [f64])
    -> Result<(), DynamicsError>;

    /// Writes the rate of change and its first derivatives.
    ///
    /// # Errors
    /// When one of them is not finite.
    fn linearise(
        &mut self,
        state: &[f64],
        input: &[f64],
        into: Linearised<'_>,
    ) -> Result<(), DynamicsError>;

    /// Writes the Hessian of `weights · rate` over (state, input); `false` where there is none.
    ///
    /// # Errors
    /// When it is not finite.
    fn curve(
        &mut self,
        _state: &[f64],
        _input: &[f64],
        _weights: &[f64],
        _hessian: &mut [f64],
    ) -> Result<bool, DynamicsError> {
        Ok(false)
    }

    /// Writes the variance of each entry of the rate; `false`, and zeros, where nothing is in
    /// doubt.
    ///
    /// # Errors
    /// When it is not finite.
    fn variance(
        &mut self,
        _state: &[f64],
        _input: &[f64],
        variance: &mut [f64],
    ) -> Result<bool, DynamicsError> {
        variance.fill(0.0);
        Ok(false)
    }
}
