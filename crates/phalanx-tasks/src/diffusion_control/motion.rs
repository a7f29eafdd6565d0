//! How a plant moves over one small step: Euler–Maruyama, or the exact law.
use super::plant::Plant;
use crate::control::{Cholesky, Matrix, exponential};

/// How a step is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// X ← X + dt (A X + B U) + √dt C ξ, with the input held over the step
    EulerMaruyama,
    /// the law of the diffusion under continuous feedback, by matrix exponentials
    Exact,
}

/// Step length and method.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Stepping {
    /// dt
    pub seconds: f64,
    /// how
    pub method: Method,
}

/// Why a step cannot be taken.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
pub enum SteppingError {
    /// The closed loop moves too fast for its step to be represented.
    #[error("the exponential of the closed loop over one step overflows")]
    Overflow,
}

/// Relative pivot below which the joint noise has no direction of its own.
const PIVOT_MIN: f64 = 1e-13;

/// One step under a fixed gain, for the plant and beside it the optimally controlled one.
///
/// All matrices are transposed: row j says what coordinate j of the source does to each target.
#[derive(Debug, Clone)]
pub(super) struct Motion {
    /// gain, p × q
    pub gain: Matrix,
    /// what one step adds, as a function of the state
    pub drift: Matrix,
    /// what one step adds, as a function of the constant input beside the feedback, q × p
    pub input: Matrix,
    /// the same drift under the optimal gain
    pub reference: Matrix,
    /// noise of the plant from the first p normals
    pub noise: Matrix,
    /// noise of the reference from the first p normals
    pub reference_noise: Matrix,
    /// noise of the reference from p further normals, where the step is exact
    pub own_noise: Option<Matrix>,
}

impl Motion {
    pub(super) fn new(
        plant: &Plant,
        optimal: &Matrix,
        stepping: Stepping,
        gain: &Matrix,
    ) -> Result<Self, SteppingError> {
        match stepping.method {
            Method::EulerMaruyama => Ok(Self::euler(plant, optimal, stepping.seconds, gain)),
            Method::Exact => Self::exact(plant, optimal, stepping.seconds, gain),
        }
    }

    fn euler(plant: &Plant, optimal: &Matrix, dt: f64, gain: &Matrix) -> Self {
        let noise = plant.noise_factor().scaled(dt.sqrt()).transposed();
        Self {
            gain: gain.transposed(),
            drift: plant.closed_loop(gain).scaled(dt).transposed(),
            input: plant.b.scaled(dt).transposed(),
            reference: plant.closed_loop(optimal).scaled(dt).transposed(),
            reference_noise: noise.clone(),
            noise,
            own_noise: None,
        }
    }

    fn exact(
        plant: &Plant,
        optimal: &Matrix,
        dt: f64,
        gain: &Matrix,
    ) -> Result<Self, SteppingError> {
        let (p, q) = (plant.states(), plant.inputs());
        // Both plants feel the same Brownian motion, so their noise is drawn jointly.
        let mut flow = Matrix::zeros(2 * p, 2 * p);
        flow.place((0, 0), &plant.closed_loop(gain));
        flow.place((p, p), &plant.closed_loop(optimal));
        let mut spread = Matrix::zeros(2 * p, 2 * p);
        for corner in [(0, 0), (0, p), (p, 0), (p, p)] {
            spread.place(corner, &plant.noise);
        }
        let (step, covariance) = step_and_covariance(&flow, &spread, dt)?;
        let factor = Cholesky::semidefinite(&covariance, PIVOT_MIN);
        let lower = factor.ok_or(SteppingError::Overflow)?.lower().clone();
        let unit = Matrix::scalar(p, 1.0);
        let block = |row: usize, column: usize| {
            lower.part((row, row + p), (column, column + p)).transposed()
        };
        let mut driven = Matrix::zeros(p + q, p + q);
        driven.place((0, 0), &plant.closed_loop(gain).scaled(dt));
        driven.place((0, p), &plant.b.scaled(dt));
        let driven = exponential(&driven).ok_or(SteppingError::Overflow)?;
        Ok(Self {
            gain: gain.transposed(),
            drift: step.part((0, p), (0, p)).plus(-1.0, &unit).transposed(),
            input: driven.part((0, p), (p, p + q)).transposed(),
            reference: step.part((p, 2 * p), (p, 2 * p)).plus(-1.0, &unit).transposed(),
            noise: block(0, 0),
            reference_noise: block(p, 0),
            own_noise: Some(block(p, p)),
        })
    }
}

/// `exp(F dt)` and the covariance of what noise adds in the meantime.
///
/// # Source
/// C. F. Van Loan, Computing integrals involving the matrix exponential, IEEE Transactions on
/// Automatic Control 1978.
fn step_and_covariance(
    flow: &Matrix,
    spread: &Matrix,
    dt: f64,
) -> Result<(Matrix, Matrix), SteppingError> {
    let n = flow.rows();
    let mut whole = Matrix::zeros(2 * n, 2 * n);
    whole.place((0, 0), &flow.scaled(-dt));
    whole.place((0, n), &spread.scaled(dt));
    whole.place((n, n), &flow.transposed().scaled(dt));
    let whole = exponential(&whole).ok_or(SteppingError::Overflow)?;
    let step = whole.part((n, 2 * n), (n, 2 * n)).transposed();
    let covariance = step.times(&whole.part((0, n), (n, 2 * n))).symmetrised();
    Ok((step, covariance))
}
