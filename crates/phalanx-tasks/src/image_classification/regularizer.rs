//! What is added to the loss so that parameters stay small.

/// A penalty on the parameters, times λ.
///
/// # Source
/// Specification 01, deviation Q3: the published code penalises the norm, not its square. The
/// factor ½ of the square (so that the gradient is λθ, weight decay) is `chosen`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Regularizer {
    /// nothing
    None,
    /// λ‖θ‖, gradient λθ/‖θ‖, and 0 at 0
    Norm(f64),
    /// ½λ‖θ‖², gradient λθ
    Squared(f64),
}

impl Regularizer {
    /// Adds the penalty's gradient to `grad` and returns the penalty. `square` is ‖θ‖².
    pub fn add(self, (params, square): (&[f32], f64), grad: &mut [f32]) -> f64 {
        let (penalty, factor) = match self {
            Self::None => return 0.0,
            Self::Norm(lambda) => {
                let norm = square.sqrt();
                (lambda * norm, if norm > 0.0 { lambda / norm } else { 0.0 })
            }
            Self::Squared(lambda) => (0.5 * lambda * square, lambda),
        };
        let factor = factor as f32;
        for (entry, param) in grad.iter_mut().zip(params) {
            *entry += factor * *param;
        }
        penalty
    }
}
