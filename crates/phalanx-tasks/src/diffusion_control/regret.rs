//! What is lost against the optimal controller: on the path, and on average.
use super::flight::Flight;
use super::plant::Plant;
use crate::control::{LyapunovError, Matrix, discrete_lyapunov, lyapunov};

/// Average cost of a gain that does not stabilise, which would be infinite (chosen).
pub const STATIONARY_MAX: f64 = 1e6;

/// Qx + Kᵀ Qu K.
fn cost_of(plant: &Plant, gain: &Matrix) -> Matrix {
    plant.state_cost.plus(1.0, &gain.congruence(&plant.input_cost))
}

/// J(K), the average cost of U = K X, or [`STATIONARY_MAX`] where that is infinite or greater.
pub fn stationary_cost(plant: &Plant, gain: &Matrix) -> f64 {
    match lyapunov(&plant.closed_loop(gain), &cost_of(plant, gain)) {
        Ok(solution) => {
            let cost = solution.inner(&plant.noise);
            // A solution that is no number belongs to a pole on the axis.
            if cost.is_finite() { cost.min(STATIONARY_MAX) } else { STATIONARY_MAX }
        }
        Err(_) => STATIONARY_MAX,
    }
}

/// The average cost per unit of time of the Euler–Maruyama chain with step `dt`, which differs
/// from J(K) by the bias of the step.
///
/// # Errors
/// When the chain is not stable.
pub fn sampled_cost(plant: &Plant, gain: &Matrix, dt: f64) -> Result<f64, LyapunovError> {
    let unit = Matrix::scalar(plant.states(), 1.0);
    let step = unit.plus(dt, &plant.closed_loop(gain));
    let spread = discrete_lyapunov(&step, &plant.noise.scaled(dt))?;
    Ok(cost_of(plant, gain).inner(&spread))
}

/// Both sides of an identity that holds for the regret of a path up to the size of a step.
///
/// Itô's formula for Xᵀ P X, along X and along X*, gives (derived):
/// regret = ∫ |Qu^½ (U − K* X)|² dt + X*ᵀ P X* − Xᵀ P X + 2 ∫ (X − X*)ᵀ P dW.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ItoIdentity {
    /// the regret as difference of two costs
    pub regret: f64,
    /// the right side
    pub decomposition: f64,
}

impl ItoIdentity {
    /// Both sides for the path of an Euler–Maruyama flight.
    pub fn of(flight: &Flight<'_>) -> Self {
        let (plant, care) = (flight.plant(), &flight.optimum().care);
        let (p, q) = (plant.states(), plant.inputs());
        let totals = flight.totals();
        // U − K* X = [−K*, I] Z, so its square is another linear function of ∫ Z Zᵀ dt.
        let mut deviation = Matrix::zeros(q, p + q);
        deviation.place((0, 0), &care.gain.scaled(-1.0));
        deviation.place((0, p), &Matrix::scalar(q, 1.0));
        let excess = deviation.congruence(&plant.input_cost).inner(&totals.information.precision);
        // ∫ Z dWᵀ is what is left of ∫ Z dXᵀ at the truth.
        let martingale = totals.information.score(&plant.parameters()).part((0, p), (0, p));
        let difference = martingale.plus(-1.0, &totals.reference_cross);
        let to_go = |state: &[f64]| {
            let column = Matrix::from_entries(p, 1, state.to_vec());
            column.congruence(&care.cost_to_go)[(0, 0)]
        };
        let ends = to_go(flight.reference_state()) - to_go(flight.state());
        Self {
            regret: flight.cost() - flight.reference_cost(),
            decomposition: excess + ends + 2.0 * difference.inner(&care.cost_to_go),
        }
    }
}
