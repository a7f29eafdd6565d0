//! From a gradient to a model: which fixed local model asks of ρ what the gradient asked.
use phalanx_learn::algorithm::personalised::regularizer::{Regularizer, Tie, norm};

/// Relative room at the border of the reachable ball of ℓ2, where a gradient counts as being on
/// it (chosen): a sum of squares rounds.
const BORDER: f64 = 1e-9;

/// Why no model sends a gradient.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum ConversionError {
    /// longer than one user's regulariser can be
    #[error(
        "a gradient of length `{length}` is out of one user's reach, which is `{radius}`\nhint: \
         project it first, or raise λ"
    )]
    Unreachable {
        /// ‖g‖
        length: f64,
        /// λ
        radius: f64,
    },
    /// NaN or infinite
    #[error("the gradient is not finite")]
    NotFinite,
}

/// θ♠ with ∇ρ R(ρ, θ♠) = g (derived; the form for ℓ2² is that of the published code).
///
/// On the border of ℓ2's ball any distance does, and `far` says which: far models stay right
/// while ρ still moves. Inside that ball only θ♠ = ρ comes near.
///
/// # Errors
/// When no local model sends that gradient.
pub fn model_of_gradient(
    regularizer: Regularizer,
    (global, gradient): (&[f64], &[f64]),
    far: f64,
) -> Result<Vec<f64>, ConversionError> {
    let (length, radius) = (norm(gradient), regularizer.lambda());
    if !length.is_finite() {
        return Err(ConversionError::NotFinite);
    }
    let scale = match regularizer.tie() {
        Tie::SquaredL2 => 0.5 / radius,
        Tie::L2 if length > radius * (1.0 + BORDER) => {
            return Err(ConversionError::Unreachable { length, radius });
        }
        Tie::L2 if length >= radius * (1.0 - BORDER) => far / length,
        Tie::L2 => 0.0,
        Tie::SmoothL2 if length >= radius => {
            return Err(ConversionError::Unreachable { length, radius });
        }
        Tie::SmoothL2 => 1.0 / ((radius - length) * (radius + length)).sqrt(),
    };
    Ok(global.iter().zip(gradient).map(|(global, g)| global - scale * g).collect())
}

/// The same for ℓ2² at an equilibrium, from the honest local models: (N_h + 1) ρ − Σ θ_n.
///
/// # Shape
/// `global` and every honest model: d.
pub fn model_of_population(global: &[f64], honest: &[&[f64]]) -> Vec<f64> {
    let count = honest.len() as f64 + 1.0;
    let sum = |k: usize| honest.iter().map(|model| model[k]).sum::<f64>();
    global.iter().enumerate().map(|(k, global)| count * global - sum(k)).collect()
}
