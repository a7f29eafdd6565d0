//! What ties a local model to the global one: R(ρ, θ), its slope, and what a user can make of it.

/// The three regularisers of personalised learning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tie {
    /// R = λ ‖ρ − θ‖²; with fixed local models the global one is their mean
    SquaredL2,
    /// R = λ ‖ρ − θ‖; with fixed local models the global one is their geometric median
    L2,
    /// R = λ √(1 + ‖ρ − θ‖²)
    SmoothL2,
}

/// Names of the regularisers, in the order of [`Tie`].
pub const TIES: [&str; 3] = ["l2-squared", "l2", "smooth-l2"];

/// Nearer to each other than this, models count as equal where R has a kink (pitfall: 0/0).
const KINK: f64 = 1e-12;
/// How much of the open ball of [`Tie::SmoothL2`] a projection uses (chosen): the border is reached
/// by no model, and this share by one at distance 22 from ρ.
const OPEN: f64 = 1.0 - 1e-3;

/// Why a regulariser cannot be.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum RegularizerError {
    /// no regulariser has that name
    #[error("there is no regulariser `{name}`; known are {}", TIES.join(", "))]
    Unknown {
        /// what was asked for
        name: String,
    },
    /// λ is no positive number
    #[error("the strength λ of the regulariser is `{lambda}`, but a positive number is needed")]
    Strength {
        /// what was given
        lambda: f64,
    },
}

/// R(ρ, θ) with its strength.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Regularizer {
    tie: Tie,
    lambda: f64,
}

impl Regularizer {
    /// A regulariser of strength λ.
    ///
    /// # Errors
    /// When λ is not a positive finite number.
    pub fn new(tie: Tie, lambda: f64) -> Result<Self, RegularizerError> {
        if lambda.is_finite() && lambda > 0.0 {
            return Ok(Self { tie, lambda });
        }
        Err(RegularizerError::Strength { lambda })
    }

    /// The same by name, one of [`TIES`].
    ///
    /// # Errors
    /// For other names, and as [`Regularizer::new`].
    pub fn named(name: &str, lambda: f64) -> Result<Self, RegularizerError> {
        let ties = [Tie::SquaredL2, Tie::L2, Tie::SmoothL2];
        let at = TIES.iter().position(|tie| *tie == name);
        let at = at.ok_or_else(|| RegularizerError::Unknown { name: name.into() })?;
        Self::new(ties[at], lambda)
    }

    /// Which of the three.
    pub fn tie(self) -> Tie {
        self.tie
    }

    /// λ.
    pub fn lambda(self) -> f64 {
        self.lambda
    }

    /// R(ρ, θ).
    pub fn value(self, global: &[f64], local: &[f64]) -> f64 {
        let square = squared_distance(global, local);
        self.lambda
            * match self.tie {
                Tie::SquaredL2 => square,
                Tie::L2 => square.sqrt(),
                Tie::SmoothL2 => (1.0 + square).sqrt(),
            }
    }

    /// The slope by ρ is this times ρ − θ; the slope by θ is its negative.
    pub fn pull(self, global: &[f64], local: &[f64]) -> f64 {
        self.pull_at(squared_distance(global, local))
    }

    /// [`Regularizer::pull`] at a squared distance.
    pub fn pull_at(self, square: f64) -> f64 {
        self.lambda
            * match self.tie {
                Tie::SquaredL2 => 2.0,
                Tie::L2 => 1.0 / square.sqrt().max(KINK),
                Tie::SmoothL2 => 1.0 / (1.0 + square).sqrt(),
            }
    }

    /// Adds the slope of R by ρ.
    ///
    /// # Shape
    /// all: d.
    pub fn add_slope(self, global: &[f64], local: &[f64], out: &mut [f64]) {
        let pull = self.pull(global, local);
        for ((out, global), local) in out.iter_mut().zip(global).zip(local) {
            *out += pull * (global - local);
        }
    }

    /// Radius of the gradients that one user can send; `None`: any vector is reachable.
    ///
    /// The ball is closed for [`Tie::L2`] and open for [`Tie::SmoothL2`].
    pub fn reach(self) -> Option<f64> {
        (self.tie != Tie::SquaredL2).then_some(self.lambda)
    }

    /// Shortens a gradient until one user can send it; leaves all others as they are.
    pub fn project(self, gradient: &mut [f64]) {
        let radius = match self.tie {
            Tie::SquaredL2 => return,
            Tie::L2 => self.lambda,
            Tie::SmoothL2 => self.lambda * OPEN,
        };
        let length = norm(gradient);
        if length > radius {
            let scale = radius / length;
            gradient.iter_mut().for_each(|entry| *entry *= scale);
        }
    }
}

/// ‖a − b‖², summed in order.
pub fn squared_distance(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| (a - b) * (a - b)).sum()
}

/// ‖a‖, summed in order.
pub fn norm(a: &[f64]) -> f64 {
    a.iter().map(|entry| entry * entry).sum::<f64>().sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(lambda: f64) -> [Regularizer; 3] {
        TIES.map(|name| Regularizer::named(name, lambda).unwrap())
    }

    // Specification 02, section 7, check 1.
    #[test]
    fn the_slope_is_that_of_the_value() {
        let (global, local) = ([0.3, -1.2, 2.0, 0.0], [1.1, 0.4, -0.7, 0.05]);
        for regularizer in all(0.7) {
            let mut slope = [0.0; 4];
            regularizer.add_slope(&global, &local, &mut slope);
            for k in 0..4 {
                let at = |shift: f64| {
                    let mut moved = global;
                    moved[k] += shift;
                    regularizer.value(&moved, &local)
                };
                let expected = (at(1e-5) - at(-1e-5)) / 2e-5;
                assert!((slope[k] - expected).abs() < 1e-9, "{regularizer:?}: {slope:?}");
            }
        }
    }

    #[test]
    fn where_both_models_agree_no_slope_is_longer_than_lambda() {
        for regularizer in all(0.7) {
            for near in [0.0, 1e-300, 1e-15, 1e-12] {
                let mut slope = [0.0];
                regularizer.add_slope(&[near], &[0.0], &mut slope);
                assert!(slope[0].is_finite() && slope[0].abs() <= 0.7 * (1.0 + 1e-12));
            }
        }
    }

    #[test]
    fn a_projection_is_reachable_and_leaves_what_is_reachable() {
        for regularizer in all(2.0) {
            let (mut long, mut short) = ([30.0, -40.0], [0.6, -0.8]);
            regularizer.project(&mut long);
            regularizer.project(&mut short);
            assert_eq!(short, [0.6, -0.8]);
            match regularizer.reach() {
                None => assert_eq!(long, [30.0, -40.0]),
                Some(radius) => {
                    assert!(norm(&long) > radius * (OPEN - 1e-12));
                    assert!(norm(&long) < radius * (1.0 + 1e-15));
                    assert!((long[0] * -40.0 - long[1] * 30.0).abs() < 1e-12, "same direction");
                }
            }
        }
        let mut long = [1e9];
        Regularizer::named("smooth-l2", 2.0).unwrap().project(&mut long);
        assert!(long[0] < 2.0, "the ball is open");
    }

    #[test]
    fn what_is_no_regulariser_is_refused_with_its_value() {
        let unknown = Regularizer::named("l3", 1.0).unwrap_err().to_string();
        assert!(unknown.contains("`l3`") && unknown.contains("l2-squared"), "{unknown}");
        for lambda in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            assert!(Regularizer::new(Tie::L2, lambda).is_err());
        }
    }
}
