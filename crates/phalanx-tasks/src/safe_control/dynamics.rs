//! Motion in discrete time, as planners and executors see it.

/// What a model answers instead of a number.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum DynamicsError {
    /// The model left the numbers: its state, its derivatives or its data are not finite.
    #[error("the model `{model}` gives `{value}` at entry `{entry}` of its {what}")]
    NotFinite {
        /// which model
        model: &'static str,
        /// next state, derivative, variance
        what: &'static str,
        /// which entry, from 0
        entry: usize,
        /// infinite or not a number
        value: f64,
    },
    /// There is a discrepancy between what a caller passes and what the model has.
    #[error("the model `{model}` has `{expected}` {what}, but `{found}` were given")]
    Shape {
        /// which model
        model: &'static str,
        /// states, inputs
        what: &'static str,
        /// how many it has
        expected: usize,
        /// how many were given
        found: usize,
    },
    /// The next state is not safe: its barrier state would be infinite.
    #[error(
        "constraint `{constraint}` of `{model}` has the value `{value}`, and above 0 is needed"
    )]
    Unsafe {
        /// which model
        model: &'static str,
        /// which constraint, from 0
        constraint: usize,
        /// its value, less the margin that is kept
        value: f64,
    },
}

/// Refuses numbers that are not finite.
///
/// # Errors
/// [`DynamicsError::NotFinite`] names the first of them.
pub fn check_finite(
    model: &'static str,
    what: &'static str,
    values: &[f64],
) -> Result<(), DynamicsError> {
    // One pass without an exit is vectorised; the place is looked for only when there is one.
    if values.iter().fold(0.0, |sum, value| sum + 0.0 * value) == 0.0 {
        return Ok(());
    }
    let found = values.iter().enumerate().find(|(_, value)| !value.is_finite());
    let (entry, value) = found.map_or((0, f64::NAN), |(entry, value)| (entry, *value));
    Err(DynamicsError::NotFinite { model, what, entry, value })
}

/// The next state of a plant or of a model of it, with derivatives.
///
/// It is `&mut self` because models keep buffers: after the first call nothing is allocated.
/// Calls do not change what later calls return.
///
/// # Shape
/// `state` has n numbers, `input` m; matrices are row by row: `by_state` n × n, `by_input` n × m.
pub trait Dynamics: Send {
    /// A name for messages.
    fn name(&self) -> &'static str;

    /// Says which step of a horizon the next calls are about, for models that change along it.
    fn seek(&mut self, _step: usize) {}

    /// How far a state is from what is forbidden; infinite where nothing is.
    fn clearance(&mut self, _state: &[f64]) -> f64 {
        f64::INFINITY
    }

    /// n
    fn states(&self) -> usize;

    /// m
    fn inputs(&self) -> usize;

    /// Writes the next state.
    ///
    /// # Errors
    /// When it is not finite.
    fn step(&mut self, state: &[f64], input: &[f64], next: &mut [f64])
    -> Result<(), DynamicsError>;

    /// Writes the next state and its first derivatives.
    ///
    /// # Errors
    /// When one of them is not finite.
    fn linearise(
        &mut self,
        state: &[f64],
        input: &[f64],
        into: Linearised<'_>,
    ) -> Result<(), DynamicsError>;

    /// Writes the Hessian of `weights · next` over (state, input), (n + m) × (n + m), for planners
    /// of second order; `false` where the model has none and leaves `hessian` alone.
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

    /// Writes the variance of each entry of the next state given the present one, for models that
    /// know how little they know; `false`, and zeros, where there is nothing to doubt.
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

/// Where [`Dynamics::linearise`] writes.
#[derive(Debug)]
pub struct Linearised<'a> {
    /// n: the next state
    pub next: &'a mut [f64],
    /// n × n: its derivative by the state
    pub by_state: &'a mut [f64],
    /// n × m: its derivative by the input
    pub by_input: &'a mut [f64],
}
