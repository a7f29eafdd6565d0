//! What doubt adds to barrier states: lifts of their mean, or margins that constraints keep.
use std::f64::consts::TAU;

use crate::safe_control::dynamics::{Dynamics, DynamicsError, Linearised};

use super::SafetyEmbedded;

/// How the variance of the next state enters the barrier state. The algebra was derived here; the
/// paper's own is unconfirmed.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub enum Risk {
    /// not at all: w⁺ = β(μ⁺)
    #[default]
    Mean,
    /// to second order: w⁺ = β(μ⁺) + ½ tr(β_xx(μ⁺) S⁺)
    SecondOrder,
    /// as a margin of κ standard deviations: w⁺ = B(hᵢ(μ⁺) − κ √(h_x S⁺ h_xᵀ))
    Tightened {
        /// κ
        kappa: f64,
    },
}

/// Which covariance counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Spread {
    /// what one step adds
    OneStep,
    /// what has gathered under the plan's feedback since the start
    #[default]
    Tube,
}

/// Why a risk is none.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
pub enum RiskError {
    /// A probability of violation that is no chance constraint.
    #[error("delta is `{found}`, and above 0 and at most 0.5 is needed")]
    Delta {
        /// what was given
        found: f64,
    },
    /// A margin that would widen the constraint.
    #[error("kappa is `{found}`, and a finite number that is not negative is needed")]
    Kappa {
        /// what was given
        found: f64,
    },
}

impl Risk {
    /// Margins of κ standard deviations.
    ///
    /// # Errors
    /// [`RiskError::Kappa`] when κ is negative or not finite.
    pub fn tightened(kappa: f64) -> Result<Self, RiskError> {
        if kappa.is_finite() && kappa >= 0.0 {
            Ok(Self::Tightened { kappa })
        } else {
            Err(RiskError::Kappa { found: kappa })
        }
    }

    /// Each constraint at each step violated with probability at most δ, were the next state
    /// normal and the constraint linear: κ = Φ⁻¹(1 − δ).
    ///
    /// # Errors
    /// [`RiskError::Delta`] when δ is not in 0 to 0.5.
    pub fn chance(delta: f64) -> Result<Self, RiskError> {
        if delta > 0.0 && delta <= 0.5 {
            Ok(Self::Tightened { kappa: normal_quantile(delta) })
        } else {
            Err(RiskError::Delta { found: delta })
        }
    }
}

/// The κ ≥ 0 that a standard normal number exceeds with probability `delta`, at most 0.5.
pub fn normal_quantile(delta: f64) -> f64 {
    let (mut low, mut high) = (0.0, 40.0);
    // Bisection down to neighbouring numbers: exact, and asked once per plan.
    for _ in 0..80 {
        let middle = 0.5 * (low + high);
        if normal_tail(middle) > delta { low = middle } else { high = middle }
    }
    0.5 * (low + high)
}

/// The probability that a standard normal number exceeds x ≥ 0.
fn normal_tail(x: f64) -> f64 {
    let density = (-0.5 * x * x).exp() / TAU.sqrt();
    if x < 3.0 {
        let (mut term, mut sum) = (x, x);
        for k in 1..100 {
            term *= x * x / f64::from(2 * k + 1);
            sum += term;
        }
        return 0.5 - density * sum;
    }
    // x + 1 / (x + 2 / (x + 3 / …)), from far enough behind.
    let fraction = (1..200).rev().fold(x, |behind, k| x + f64::from(k) / behind);
    density / fraction
}

/// A trajectory with gains, as plans have it.
#[derive(Debug, Clone, Copy)]
pub struct Trajectory<'a> {
    /// x̄, (H + 1) × N
    pub states: &'a [f64],
    /// u, H × m
    pub inputs: &'a [f64],
    /// K, H × m × N
    pub gains: &'a [f64],
}

impl SafetyEmbedded {
    /// Covariances of the plant's state along a trajectory, (H + 1) × n × n, from the model's
    /// variance and `noise`, the variance of each entry's noise per step. The start is certain.
    ///
    /// # Errors
    /// What the model answers along the trajectory.
    pub fn covariances(
        &mut self,
        along: Trajectory<'_>,
        noise: &[f64],
        spread: Spread,
    ) -> Result<Vec<f64>, DynamicsError> {
        let (n, width, m) = (self.plant_states(), self.states(), self.inputs());
        let horizon = along.inputs.len() / m;
        let mut tube = Tube::new(width, m);
        let mut variance = vec![0.0; width];
        let mut out = vec![0.0; (horizon + 1) * n * n];
        for step in 0..horizon {
            let (state, input) =
                (&along.states[step * width..][..width], &along.inputs[step * m..][..m]);
            self.seek(step);
            self.variance(state, input, &mut variance)?;
            let entries = variance.iter_mut().zip(noise);
            entries.for_each(|(variance, noise)| *variance += noise);
            if spread == Spread::Tube {
                let gain = &along.gains[step * m * width..][..m * width];
                tube.carry(self, (state, input), gain)?;
            } else {
                tube.covariance.fill(0.0);
            }
            let next = &along.states[(step + 1) * width..][..n];
            tube.widen(&variance[..n], &self.barrier_slopes(step + 1, next)?);
            let rows = tube.covariance.chunks_exact(width);
            let target = out[(step + 1) * n * n..][..n * n].chunks_exact_mut(n);
            target.zip(rows).for_each(|(target, row)| target.copy_from_slice(&row[..n]));
        }
        Ok(out)
    }

    fn barrier_slopes(&self, step: usize, state: &[f64]) -> Result<Vec<f64>, DynamicsError> {
        let Some(barrier) = self.barrier() else { return Ok(Vec::new()) };
        let mut value = vec![0.0; barrier.width()];
        let mut slopes = vec![0.0; barrier.width() * state.len()];
        barrier.slope(step, state, &mut value, &mut slopes).map_err(|at| {
            let model = self.name();
            DynamicsError::Unsafe { model, constraint: at.constraint, value: at.value }
        })?;
        Ok(slopes)
    }

    /// κ √(h_x S h_xᵀ) of every constraint at every step of a trajectory, (H + 1) × c.
    pub fn margins(&self, states: &[f64], covariances: &[f64], kappa: f64) -> Vec<f64> {
        let Some(barrier) = self.barrier() else { return Vec::new() };
        let (n, width) = (self.plant_states(), self.states());
        let mut gradient = vec![0.0; n];
        let along = states.chunks_exact(width).zip(covariances.chunks_exact(n * n));
        let mut margins = Vec::with_capacity(states.len() / width * barrier.course().len());
        for (state, covariance) in along {
            for constraint in barrier.course().constraints() {
                gradient.fill(0.0);
                constraint.add_gradient(&state[..n], 1.0, &mut gradient);
                let rows = covariance.chunks_exact(n).zip(&gradient).map(|(row, left)| {
                    left * row.iter().zip(&gradient).map(|(s, right)| s * right).sum::<f64>()
                });
                margins.push(kappa * rows.sum::<f64>().max(0.0).sqrt());
            }
        }
        margins
    }

    /// ½ tr(β_xx S) of every barrier state at every step of a trajectory, (H + 1) × b.
    ///
    /// # Errors
    /// [`DynamicsError::Unsafe`] where the trajectory is not safe.
    pub fn lifts(&self, states: &[f64], covariances: &[f64]) -> Result<Vec<f64>, DynamicsError> {
        let Some(barrier) = self.barrier() else { return Ok(Vec::new()) };
        let (n, width, b) = (self.plant_states(), self.states(), self.barrier_states());
        let (mut hessian, mut scratch) = (vec![0.0; n * n], vec![0.0; n]);
        let along = states.chunks_exact(width).zip(covariances.chunks_exact(n * n));
        let mut lifts = Vec::with_capacity(states.len() / width * b);
        for (step, (state, covariance)) in along.enumerate() {
            for i in 0..b {
                let mut weights = vec![0.0; b];
                weights[i] = 1.0;
                hessian.fill(0.0);
                let at = (step, &state[..n]);
                let done = barrier.add_hessian(at, &weights, &mut hessian, &mut scratch);
                done.map_err(|at| {
                    let model = self.name();
                    DynamicsError::Unsafe { model, constraint: at.constraint, value: at.value }
                })?;
                let trace: f64 = hessian.iter().zip(covariance).map(|(bend, s)| bend * s).sum();
                lifts.push(0.5 * trace);
            }
        }
        Ok(lifts)
    }
}

/// The covariance of an embedded state on its way.
struct Tube {
    width: usize,
    m: usize,
    covariance: Vec<f64>,
    next: Vec<f64>,
    closed: Vec<f64>,
    by_input: Vec<f64>,
    product: Vec<f64>,
}

impl Tube {
    fn new(width: usize, m: usize) -> Self {
        Self {
            width,
            m,
            covariance: vec![0.0; width * width],
            next: vec![0.0; width],
            closed: vec![0.0; width * width],
            by_input: vec![0.0; width * m],
            product: vec![0.0; width * width],
        }
    }

    /// S ← (A + B K) S (A + B K)ᵀ.
    fn carry(
        &mut self,
        model: &mut SafetyEmbedded,
        (state, input): (&[f64], &[f64]),
        gain: &[f64],
    ) -> Result<(), DynamicsError> {
        let (width, m) = (self.width, self.m);
        let into = Linearised {
            next: &mut self.next,
            by_state: &mut self.closed,
            by_input: &mut self.by_input,
        };
        model.linearise(state, input, into)?;
        for (row, factors) in self.closed.chunks_exact_mut(width).zip(self.by_input.chunks_exact(m))
        {
            for (factor, source) in factors.iter().zip(gain.chunks_exact(width)) {
                row.iter_mut().zip(source).for_each(|(entry, k)| *entry += factor * k);
            }
        }
        for i in 0..width {
            for j in 0..width {
                let row = &self.closed[i * width..(i + 1) * width];
                self.product[i * width + j] =
                    (0..width).map(|k| row[k] * self.covariance[k * width + j]).sum();
            }
        }
        for i in 0..width {
            for j in 0..width {
                let row = &self.product[i * width..(i + 1) * width];
                let right = &self.closed[j * width..(j + 1) * width];
                self.covariance[i * width + j] = row.iter().zip(right).map(|(a, b)| a * b).sum();
            }
        }
        Ok(())
    }

    /// S ← S + E W Eᵀ with E = [1; β_x] and diagonal W.
    fn widen(&mut self, variance: &[f64], slopes: &[f64]) {
        let (n, width) = (variance.len(), self.width);
        let entry = |row: usize, k: usize| {
            if row < n { f64::from(u8::from(row == k)) } else { slopes[(row - n) * n + k] }
        };
        for i in 0..width {
            for j in 0..width {
                let sum: f64 = (0..n).map(|k| entry(i, k) * variance[k] * entry(j, k)).sum();
                self.covariance[i * width + j] += sum;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_of_the_normal_distribution_are_those_of_tables() {
        for (delta, expected) in [
            (0.5, 0.0),
            (0.158_655_253_931_457_05, 1.0),
            (0.05, 1.644_853_626_951_472_2),
            (0.025, 1.959_963_984_540_054),
            (1e-3, 3.090_232_306_167_813_5),
            (1e-9, 5.997_807_015_007_774),
        ] {
            let found = normal_quantile(delta);
            assert!((found - expected).abs() < 1e-12, "{delta}: {found} is not {expected}");
        }
    }
}
