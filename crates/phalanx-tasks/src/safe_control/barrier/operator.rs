//! Barrier operators: functions of a clearance that grow without bound as it falls to zero.

/// B, with a scale a > 0 where it has one.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Operator {
    /// B(η) = a / η
    Inverse {
        /// a
        scale: f64,
    },
    /// Carroll's B(η) = a ln((1 + η) / η)
    Log {
        /// a
        scale: f64,
    },
    /// B(η) = p σ(−c₁ η) + (m / c₂) ln(1 + exp(−c₂ η)): finite everywhere, so that an unsafe start
    /// is no error and safety is an aim instead of a condition.
    Tolerant {
        /// p: height of the step at zero
        height: f64,
        /// c₁: its steepness
        steepness: f64,
        /// m: slope far on the unsafe side
        slope: f64,
        /// c₂: how sharply that slope sets in
        sharpness: f64,
    },
}

impl Operator {
    /// a / η with a = 1.
    pub const INVERSE: Self = Self::Inverse { scale: 1.0 };
    /// ln((1 + η) / η).
    pub const LOG: Self = Self::Log { scale: 1.0 };
    /// p = m = 10, c₁ = c₂ = 5, as the authors' public code has it.
    pub const TOLERANT: Self =
        Self::Tolerant { height: 10.0, steepness: 5.0, slope: 10.0, sharpness: 5.0 };

    /// The operator of a name in files, with its usual scale.
    pub fn named(name: &str) -> Option<Self> {
        match name {
            "inverse" => Some(Self::INVERSE),
            "log" => Some(Self::LOG),
            "tolerant" => Some(Self::TOLERANT),
            _ => None,
        }
    }

    /// Whether it is finite for every η.
    pub fn is_tolerant(self) -> bool {
        matches!(self, Self::Tolerant { .. })
    }

    /// Whether every scale is positive and finite.
    pub fn is_valid(self) -> bool {
        let is_valid = |scale: f64| scale.is_finite() && scale > 0.0;
        match self {
            Self::Inverse { scale } | Self::Log { scale } => is_valid(scale),
            Self::Tolerant { height, steepness, slope, sharpness } => {
                [height, steepness, slope, sharpness].into_iter().all(is_valid)
            }
        }
    }

    /// B(η).
    #[inline]
    pub fn value(self, eta: f64) -> f64 {
        match self {
            Self::Inverse { scale } => scale / eta,
            Self::Log { scale } => scale * (1.0 / eta).ln_1p(),
            Self::Tolerant { height, steepness, slope, sharpness } => {
                let bend = (-eta).max(0.0) + (-sharpness * eta.abs()).exp().ln_1p() / sharpness;
                height * sigmoid(-steepness * eta) + slope * bend
            }
        }
    }

    /// B'(η).
    #[inline]
    pub fn slope(self, eta: f64) -> f64 {
        match self {
            Self::Inverse { scale } => -scale / (eta * eta),
            Self::Log { scale } => -scale / (eta * (1.0 + eta)),
            Self::Tolerant { height, steepness, slope, sharpness } => {
                let step = sigmoid(-steepness * eta);
                -height * steepness * step * (1.0 - step) - slope * sigmoid(-sharpness * eta)
            }
        }
    }

    /// B''(η).
    #[inline]
    pub fn curvature(self, eta: f64) -> f64 {
        match self {
            Self::Inverse { scale } => 2.0 * scale / (eta * eta * eta),
            Self::Log { scale } => {
                let product = eta * (1.0 + eta);
                scale * (1.0 + 2.0 * eta) / (product * product)
            }
            Self::Tolerant { height, steepness, slope, sharpness } => {
                let (step, bend) = (sigmoid(-steepness * eta), sigmoid(-sharpness * eta));
                let of_step = steepness * steepness * step * (1.0 - step) * (1.0 - 2.0 * step);
                height * of_step + slope * sharpness * bend * (1.0 - bend)
            }
        }
    }

    /// B⁻¹(ξ) for ξ > 0; `None` for the tolerant operator, whose inverse has no closed form.
    pub fn inverse(self, xi: f64) -> Option<f64> {
        match self {
            Self::Inverse { scale } => Some(scale / xi),
            Self::Log { scale } => Some(1.0 / (xi / scale).exp_m1()),
            Self::Tolerant { .. } => None,
        }
    }

    /// Φ(ξ) = B'(B⁻¹(ξ)) and Φ'(ξ); `None` as for [`Operator::inverse`].
    pub fn phi(self, xi: f64) -> Option<(f64, f64)> {
        match self {
            Self::Inverse { scale } => Some((-xi * xi / scale, -2.0 * xi / scale)),
            Self::Log { scale } => {
                // e^x − 2 + e^−x = 4 sinh²(x / 2), without cancellation near zero.
                let half = (0.5 * xi / scale).sinh();
                Some((-4.0 * scale * half * half, -2.0 * (xi / scale).sinh()))
            }
            Self::Tolerant { .. } => None,
        }
    }
}

fn sigmoid(x: f64) -> f64 {
    0.5 * (1.0 + (0.5 * x).tanh())
}
