//! Barrier states in continuous time.
use crate::safe_control::dynamics::{DynamicsError, Linearised, check_finite};
use crate::safe_control::plant::Flow;

use super::{Barrier, BarrierError, Unsafe};

/// (x, z) with ż = (Φ(z + β₀) / Φ(β)) β_x f − γ (z + β₀ − β(x)), where Φ(ξ) = B'(B⁻¹(ξ)).
///
/// For one constraint the first term is Φ(z + β₀) h_x f. Several constraints count as the one h
/// with B(h) = β. The tolerant operator has no Φ in closed form; its first term is β_x f. On the
/// true flow z = β(x) − β₀ and the second term vanishes; it is there so that the linearisation's
/// further mode sits at −γ, and that drift dies out.
pub struct EmbeddedFlow {
    flow: Box<dyn Flow>,
    barrier: Barrier,
    /// β₀
    shift: Vec<f64>,
    gain: f64,
    n: usize,
    b: usize,
    scratch: Scratch,
}

struct Scratch {
    rate: Vec<f64>,
    by_state: Vec<f64>,
    value: Vec<f64>,
    gradient: Vec<f64>,
    hessian: Vec<f64>,
    vector: Vec<f64>,
    weights: Vec<f64>,
}

/// Mean and variance of the rate of an embedded state under a model's doubt.
#[derive(Debug, Clone, PartialEq)]
pub struct RateMoments {
    /// of (ẋ, ż)
    pub mean: Vec<f64>,
    /// of each entry of (ẋ, ż)
    pub variance: Vec<f64>,
}

/// Φ(ξ) / Φ(β) and its derivatives by ξ and by β.
struct Ratio {
    value: f64,
    by_xi: f64,
    by_beta: f64,
}

impl EmbeddedFlow {
    /// With barrier states that vanish at the state `equilibrium` and return with γ, `gain`.
    ///
    /// # Errors
    /// [`BarrierError`] when γ is not positive, the course is another plant's or the equilibrium is
    /// not safe.
    pub fn new(
        flow: Box<dyn Flow>,
        barrier: Barrier,
        gain: f64,
        equilibrium: &[f64],
    ) -> Result<Self, BarrierError> {
        if !gain.is_finite() || gain <= 0.0 {
            return Err(BarrierError::Gain { found: gain });
        }
        let (course, n) = (barrier.course().states(), flow.states());
        for plant in [n, equilibrium.len()] {
            if course != plant {
                return Err(BarrierError::States { course, plant });
            }
        }
        let b = barrier.width();
        let mut shift = vec![0.0; b];
        barrier.value(0, equilibrium, &mut shift).map_err(BarrierError::Shift)?;
        let scratch = Scratch {
            rate: vec![0.0; n],
            by_state: vec![0.0; n * n],
            value: vec![0.0; b],
            gradient: vec![0.0; b * n],
            hessian: vec![0.0; n * n],
            vector: vec![0.0; n],
            weights: vec![0.0; b],
        };
        Ok(Self { flow, barrier, shift, gain, n, b, scratch })
    }

    /// β₀.
    pub fn shift(&self) -> &[f64] {
        &self.shift
    }

    /// Writes (x, β(x) − β₀).
    ///
    /// # Errors
    /// [`DynamicsError::Unsafe`] when a constraint is not met.
    pub fn embed(&self, state: &[f64], embedded: &mut [f64]) -> Result<(), DynamicsError> {
        let (plant, value) = embedded.split_at_mut(self.n);
        plant.copy_from_slice(state);
        self.barrier.value(0, state, value).map_err(|at| self.refused(at))?;
        value.iter_mut().zip(&self.shift).for_each(|(value, shift)| *value -= shift);
        Ok(())
    }

    /// Mean and variance of the embedded rate when the plant's rate is normal with the model's
    /// mean and variance: ż is affine in it, so both are exact.
    ///
    /// # Errors
    /// What the model answers.
    pub fn moments(&mut self, state: &[f64], input: &[f64]) -> Result<RateMoments, DynamicsError> {
        let n = self.n;
        let mut mean = vec![0.0; n + self.b];
        self.rate(state, input, &mut mean)?;
        let mut variance = vec![0.0; n + self.b];
        self.flow.variance(&state[..n], input, &mut variance[..n])?;
        let (of_plant, of_barrier) = variance.split_at_mut(n);
        for (i, variance) in of_barrier.iter_mut().enumerate() {
            let ratio = self.ratio(i, state[n + i]).value;
            let slopes = self.scratch.gradient[i * n..(i + 1) * n].iter().zip(&*of_plant);
            *variance = slopes.map(|(slope, v)| ratio * ratio * slope * slope * v).sum();
        }
        Ok(RateMoments { mean, variance })
    }

    fn refused(&self, at: Unsafe) -> DynamicsError {
        let model = self.flow.name();
        DynamicsError::Unsafe { model, constraint: at.constraint, value: at.value }
    }

    /// β and β_x at the plant's state.
    fn expand(&mut self, state: &[f64]) -> Result<(), DynamicsError> {
        let scratch = &mut self.scratch;
        self.barrier
            .slope(0, &state[..self.n], &mut scratch.value, &mut scratch.gradient)
            .map_err(|at| self.refused(at))
    }

    fn ratio(&self, place: usize, z: f64) -> Ratio {
        let (xi, beta) = (z + self.shift[place], self.scratch.value[place]);
        let operator = self.barrier.operator();
        match (operator.phi(xi), operator.phi(beta)) {
            (Some((at_xi, slope_at_xi)), Some((at_beta, slope_at_beta))) => Ratio {
                value: at_xi / at_beta,
                by_xi: slope_at_xi / at_beta,
                by_beta: -at_xi * slope_at_beta / (at_beta * at_beta),
            },
            _ => Ratio { value: 1.0, by_xi: 0.0, by_beta: 0.0 },
        }
    }

    /// Writes ż; the plant's rate and [`Self::expand`] come first.
    fn barrier_rate(&self, state: &[f64], rate: &[f64], into: &mut [f64]) {
        let n = self.n;
        for (i, into) in into.iter_mut().enumerate() {
            let z = state[n + i];
            let slopes = self.scratch.gradient[i * n..(i + 1) * n].iter().zip(rate);
            let flow: f64 = slopes.map(|(slope, rate)| slope * rate).sum();
            let drift = z + self.shift[i] - self.scratch.value[i];
            *into = self.ratio(i, z).value * flow - self.gain * drift;
        }
    }

    /// Rows of ż by (x, z) and by u; what [`Self::barrier_rate`] needs is there.
    fn barrier_slope(
        &mut self,
        (state, rate): (&[f64], &[f64]),
        (by_input, m): (&[f64], usize),
        (rows, rows_by_input): (&mut [f64], &mut [f64]),
    ) -> Result<(), DynamicsError> {
        let (n, b) = (self.n, self.b);
        rows.fill(0.0);
        rows_by_input.fill(0.0);
        for i in 0..b {
            let ratio = self.ratio(i, state[n + i]);
            let scratch = &mut self.scratch;
            scratch.weights.fill(0.0);
            scratch.weights[i] = 1.0;
            scratch.hessian.fill(0.0);
            let at = (0, &state[..n]);
            let done = self.barrier.add_hessian(
                at,
                &scratch.weights,
                &mut scratch.hessian,
                &mut scratch.vector,
            );
            done.map_err(|at| self.refused(at))?;
            let scratch = &self.scratch;
            let gradient = &scratch.gradient[i * n..(i + 1) * n];
            let flow: f64 = gradient.iter().zip(rate).map(|(slope, rate)| slope * rate).sum();
            let row = &mut rows[i * (n + b)..(i + 1) * (n + b)];
            for j in 0..n {
                let bend: f64 = (0..n).map(|k| rate[k] * scratch.hessian[k * n + j]).sum();
                let turn: f64 = (0..n).map(|k| gradient[k] * scratch.by_state[k * n + j]).sum();
                row[j] =
                    ratio.value * (bend + turn) + (ratio.by_beta * flow + self.gain) * gradient[j];
            }
            row[n + i] = ratio.by_xi * flow - self.gain;
            for j in 0..m {
                let push: f64 = (0..n).map(|k| gradient[k] * by_input[k * m + j]).sum();
                rows_by_input[i * m + j] = ratio.value * push;
            }
        }
        Ok(())
    }
}

impl Flow for EmbeddedFlow {
    fn name(&self) -> &'static str {
        self.flow.name()
    }

    fn states(&self) -> usize {
        self.n + self.b
    }

    fn inputs(&self) -> usize {
        self.flow.inputs()
    }

    fn rate(
        &mut self,
        state: &[f64],
        input: &[f64],
        rate: &mut [f64],
    ) -> Result<(), DynamicsError> {
        let (plant, barrier) = rate.split_at_mut(self.n);
        self.flow.rate(&state[..self.n], input, plant)?;
        self.expand(state)?;
        self.barrier_rate(state, plant, barrier);
        check_finite(self.flow.name(), "rate", rate)
    }

    fn linearise(
        &mut self,
        state: &[f64],
        input: &[f64],
        into: Linearised<'_>,
    ) -> Result<(), DynamicsError> {
        let (n, b, m) = (self.n, self.b, input.len());
        let Linearised { next, by_state, by_input } = into;
        let (plant_by_input, rows_by_input) = by_input.split_at_mut(n * m);
        let within = Linearised {
            next: &mut self.scratch.rate,
            by_state: &mut self.scratch.by_state,
            by_input: &mut *plant_by_input,
        };
        self.flow.linearise(&state[..n], input, within)?;
        let rate = std::mem::take(&mut self.scratch.rate);
        next[..n].copy_from_slice(&rate);
        let (plant_rows, rows) = by_state.split_at_mut(n * (n + b));
        let sources = self.scratch.by_state.chunks_exact(n);
        for (row, source) in plant_rows.chunks_exact_mut(n + b).zip(sources) {
            row[..n].copy_from_slice(source);
            row[n..].fill(0.0);
        }
        let done = self.expand(state).and_then(|()| {
            self.barrier_rate(state, &rate, &mut next[n..]);
            self.barrier_slope((state, &rate), (plant_by_input, m), (rows, rows_by_input))
        });
        self.scratch.rate = rate;
        done?;
        check_finite(self.flow.name(), "rate", next)?;
        check_finite(self.flow.name(), "derivative by the state", by_state)
    }

    fn variance(
        &mut self,
        state: &[f64],
        input: &[f64],
        variance: &mut [f64],
    ) -> Result<bool, DynamicsError> {
        let moments = self.moments(state, input)?;
        variance.copy_from_slice(&moments.variance);
        Ok(variance.iter().any(|entry| *entry > 0.0))
    }
}
