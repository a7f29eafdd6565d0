//! Linear plants in continuous time.
use crate::control::Matrix;
use crate::safe_control::dynamics::{DynamicsError, Linearised};

use super::Flow;

/// Why matrices are no plant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum LinearError {
    /// A has not as many rows as columns, or B not as many rows as A.
    #[error("`a` is {} × {} and `b` {} × {}, but n × n and n × m are needed", a.0, a.1, b.0, b.1)]
    Shape {
        /// rows and columns of A
        a: (usize, usize),
        /// rows and columns of B
        b: (usize, usize),
    },
    /// An entry is NaN or infinite.
    #[error("`{what}` has an entry that is not finite")]
    NotFinite {
        /// which matrix
        what: &'static str,
    },
}

/// ẋ = A x + B u.
#[derive(Debug, Clone)]
pub struct Linear {
    a: Matrix,
    b: Matrix,
}

impl Linear {
    /// With these matrices.
    ///
    /// # Errors
    /// [`LinearError`] when they do not go together or are not finite.
    pub fn new(a: Matrix, b: Matrix) -> Result<Self, LinearError> {
        if !a.is_square() || a.rows() != b.rows() {
            return Err(LinearError::Shape {
                a: (a.rows(), a.columns()),
                b: (b.rows(), b.columns()),
            });
        }
        for (what, matrix) in [("a", &a), ("b", &b)] {
            if !matrix.is_finite() {
                return Err(LinearError::NotFinite { what });
            }
        }
        Ok(Self { a, b })
    }

    /// The unstable plant with poles 1 and −1 of the published code on barrier states.
    pub fn unstable() -> Self {
        let a = Matrix::from_entries(2, 2, vec![1.0, -5.0, 0.0, -1.0]);
        Self { a, b: Matrix::from_entries(2, 1, vec![0.0, 1.0]) }
    }
}

impl Flow for Linear {
    fn name(&self) -> &'static str {
        "linear"
    }

    fn states(&self) -> usize {
        self.a.rows()
    }

    fn inputs(&self) -> usize {
        self.b.columns()
    }

    fn rate(
        &mut self,
        state: &[f64],
        input: &[f64],
        rate: &mut [f64],
    ) -> Result<(), DynamicsError> {
        for (row, rate) in rate.iter_mut().enumerate() {
            let by_state = self.a.row(row).iter().zip(state);
            let by_input = self.b.row(row).iter().zip(input);
            *rate = by_state.chain(by_input).map(|(factor, value)| factor * value).sum();
        }
        Ok(())
    }

    fn linearise(
        &mut self,
        state: &[f64],
        input: &[f64],
        into: Linearised<'_>,
    ) -> Result<(), DynamicsError> {
        into.by_state.copy_from_slice(self.a.entries());
        into.by_input.copy_from_slice(self.b.entries());
        self.rate(state, input, into.next)
    }

    fn curve(
        &mut self,
        _state: &[f64],
        _input: &[f64],
        _weights: &[f64],
        hessian: &mut [f64],
    ) -> Result<bool, DynamicsError> {
        hessian.fill(0.0);
        Ok(true)
    }
}
