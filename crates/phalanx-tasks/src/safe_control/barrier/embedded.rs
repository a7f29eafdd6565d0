//! The safety-embedded model in steps: plant and barrier states as one `Dynamics`.
use crate::safe_control::dynamics::{Dynamics, DynamicsError, Linearised, check_finite};

use super::{Barrier, BarrierError, Unsafe};

/// x̄ = (x, w) with w⁺ = β(x⁺) − β₀ + ρ (w + β₀ − β(x)).
///
/// A step into a state that is not strictly safe has no finite w and is answered by
/// [`DynamicsError::Unsafe`]; so an optimiser that refuses what is not finite accepts safe
/// trajectories only. Without a barrier it is the plant itself.
pub struct SafetyEmbedded {
    plant: Box<dyn Dynamics>,
    barrier: Option<Barrier>,
    /// β₀, b numbers
    shift: Vec<f64>,
    contraction: f64,
    step: usize,
    n: usize,
    b: usize,
    scratch: Scratch,
}

struct Scratch {
    next: Vec<f64>,
    by_state: Vec<f64>,
    by_input: Vec<f64>,
    /// β and its gradient at the present state and at the next one
    value: Vec<f64>,
    gradient: Vec<f64>,
    next_gradient: Vec<f64>,
    weights: Vec<f64>,
    hessian: Vec<f64>,
    square: Vec<f64>,
    product: Vec<f64>,
    vector: Vec<f64>,
    drift: Vec<f64>,
}

impl Scratch {
    fn new(n: usize, m: usize, b: usize) -> Self {
        Self {
            next: vec![0.0; n],
            by_state: vec![0.0; n * n],
            by_input: vec![0.0; n * m],
            value: vec![0.0; b],
            gradient: vec![0.0; b * n],
            next_gradient: vec![0.0; b * n],
            weights: vec![0.0; n],
            hessian: vec![0.0; (n + m) * (n + m)],
            square: vec![0.0; n * n],
            product: vec![0.0; n * (n + m)],
            vector: vec![0.0; n],
            drift: vec![0.0; b],
        }
    }
}

impl SafetyEmbedded {
    /// With barrier states that forget with ρ, `contraction`; ρ = 0 is the usual choice.
    ///
    /// # Errors
    /// [`BarrierError`] when |ρ| is not below 1 or the course is another plant's.
    pub fn new(
        plant: Box<dyn Dynamics>,
        barrier: Barrier,
        contraction: f64,
    ) -> Result<Self, BarrierError> {
        if contraction.is_nan() || contraction.abs() >= 1.0 {
            return Err(BarrierError::Contraction { found: contraction });
        }
        let (course, n) = (barrier.course().states(), plant.states());
        if course != n {
            return Err(BarrierError::States { course, plant: n });
        }
        let (b, m) = (barrier.width(), plant.inputs());
        let scratch = Scratch::new(n, m, b);
        let shift = vec![0.0; b];
        Ok(Self { plant, barrier: Some(barrier), shift, contraction, step: 0, n, b, scratch })
    }

    /// The plant alone: nothing is forbidden.
    pub fn without_barrier(plant: Box<dyn Dynamics>) -> Self {
        let n = plant.states();
        let scratch = Scratch::new(n, plant.inputs(), 0);
        let (barrier, shift, contraction) = (None, Vec::new(), 0.0);
        Self { plant, barrier, shift, contraction, step: 0, n, b: 0, scratch }
    }

    /// Shifts barrier states so that they vanish at a state of the plant, such as an equilibrium.
    ///
    /// # Errors
    /// [`BarrierError::Shift`] when that state is not safe.
    pub fn shifted_to(mut self, state: &[f64]) -> Result<Self, BarrierError> {
        if let Some(barrier) = &self.barrier {
            barrier.value(0, state, &mut self.shift).map_err(BarrierError::Shift)?;
        }
        Ok(self)
    }

    /// States of the plant, n; barrier states follow them.
    pub fn plant_states(&self) -> usize {
        self.n
    }

    /// Number of barrier states, b.
    pub fn barrier_states(&self) -> usize {
        self.b
    }

    /// ρ.
    pub fn contraction(&self) -> f64 {
        self.contraction
    }

    /// The barrier, if there is one.
    pub fn barrier(&self) -> Option<&Barrier> {
        self.barrier.as_ref()
    }

    /// The barrier, to set its margins.
    pub fn barrier_mut(&mut self) -> Option<&mut Barrier> {
        self.barrier.as_mut()
    }

    /// The plant.
    pub fn plant_mut(&mut self) -> &mut dyn Dynamics {
        &mut *self.plant
    }

    /// Writes (x, β(x) − β₀): the embedded state of a state of the plant at a step of a horizon.
    ///
    /// # Errors
    /// [`DynamicsError`] when the state is not finite, has another length or is not strictly safe.
    pub fn embed(
        &self,
        step: usize,
        state: &[f64],
        embedded: &mut [f64],
    ) -> Result<(), DynamicsError> {
        let model = self.plant.name();
        if state.len() != self.n {
            let (expected, found) = (self.n, state.len());
            return Err(DynamicsError::Shape { model, what: "states", expected, found });
        }
        check_finite(model, "state", state)?;
        embedded[..self.n].copy_from_slice(state);
        if let Some(barrier) = &self.barrier {
            let value = &mut embedded[self.n..];
            barrier.value(step, state, value).map_err(|at| refused(model, at))?;
            value.iter_mut().zip(&self.shift).for_each(|(value, shift)| *value -= shift);
        }
        Ok(())
    }

    /// What a controller that measured `next` takes w⁺ for: the recursion from the w of `embedded`,
    /// with the measured states in place of the model's.
    ///
    /// # Errors
    /// As [`SafetyEmbedded::embed`]; `step` is that of `next`.
    pub fn track(
        &mut self,
        step: usize,
        embedded: &mut [f64],
        next: &[f64],
    ) -> Result<(), DynamicsError> {
        let (model, n) = (self.plant.name(), self.n);
        let forgotten = &mut self.scratch.drift;
        forgotten.fill(0.0);
        if let Some(barrier) = self.barrier.as_ref().filter(|_| self.contraction != 0.0) {
            let before = &mut self.scratch.value;
            let at = step.saturating_sub(1);
            barrier.value(at, &embedded[..n], before).map_err(|at| refused(model, at))?;
            for i in 0..self.b {
                forgotten[i] = self.contraction * (embedded[n + i] + self.shift[i] - before[i]);
            }
        }
        self.embed(step, next, embedded)?;
        let pairs = embedded[n..].iter_mut().zip(&self.scratch.drift);
        pairs.for_each(|(value, drift)| *value += drift);
        Ok(())
    }

    /// w⁺ − β(x⁺) + β₀ = ρ (w + β₀ − β(x)), added to `value`.
    fn add_drift(&mut self, embedded: &[f64], value: &mut [f64]) -> Result<(), Unsafe> {
        let (n, rho) = (self.n, self.contraction);
        let Some(barrier) = &self.barrier else { return Ok(()) };
        if rho != 0.0 {
            let before = &mut self.scratch.value;
            barrier.value(self.step, &embedded[..n], before)?;
            for (i, value) in value.iter_mut().enumerate() {
                *value += rho * (embedded[n + i] + self.shift[i] - before[i]);
            }
        }
        Ok(())
    }
}

fn refused(model: &'static str, at: Unsafe) -> DynamicsError {
    DynamicsError::Unsafe { model, constraint: at.constraint, value: at.value }
}

impl Dynamics for SafetyEmbedded {
    fn name(&self) -> &'static str {
        self.plant.name()
    }

    fn seek(&mut self, step: usize) {
        self.step = step;
        self.plant.seek(step);
    }

    fn clearance(&mut self, state: &[f64]) -> f64 {
        let Some(barrier) = &self.barrier else { return f64::INFINITY };
        barrier.course().least(&state[..self.n]).1
    }

    fn states(&self) -> usize {
        self.n + self.b
    }

    fn inputs(&self) -> usize {
        self.plant.inputs()
    }

    fn step(
        &mut self,
        state: &[f64],
        input: &[f64],
        next: &mut [f64],
    ) -> Result<(), DynamicsError> {
        let (model, n) = (self.plant.name(), self.n);
        let (plant_next, value) = next.split_at_mut(n);
        self.plant.step(&state[..n], input, plant_next)?;
        let Some(barrier) = &self.barrier else { return Ok(()) };
        barrier.value(self.step + 1, plant_next, value).map_err(|at| refused(model, at))?;
        value.iter_mut().zip(&self.shift).for_each(|(value, shift)| *value -= shift);
        self.add_drift(state, value).map_err(|at| refused(model, at))?;
        check_finite(model, "barrier state", value)
    }

    fn linearise(
        &mut self,
        state: &[f64],
        input: &[f64],
        into: Linearised<'_>,
    ) -> Result<(), DynamicsError> {
        let (model, n, b, m) = (self.plant.name(), self.n, self.b, input.len());
        let Linearised { next, by_state, by_input } = into;
        let (plant_next, value) = next.split_at_mut(n);
        let (plant_by_input, rows_by_input) = by_input.split_at_mut(n * m);
        let Some(barrier) = &self.barrier else {
            let into = Linearised { next: plant_next, by_state, by_input: plant_by_input };
            return self.plant.linearise(state, input, into);
        };
        let scratch = &mut self.scratch;
        let into = Linearised {
            next: &mut *plant_next,
            by_state: &mut scratch.by_state,
            by_input: &mut *plant_by_input,
        };
        self.plant.linearise(&state[..n], input, into)?;
        let (plant_rows, rows) = by_state.split_at_mut(n * (n + b));
        for (row, source) in
            plant_rows.chunks_exact_mut(n + b).zip(scratch.by_state.chunks_exact(n))
        {
            row[..n].copy_from_slice(source);
            row[n..].fill(0.0);
        }
        barrier
            .slope(self.step + 1, plant_next, value, &mut scratch.next_gradient)
            .map_err(|at| refused(model, at))?;
        value.iter_mut().zip(&self.shift).for_each(|(value, shift)| *value -= shift);
        rows.fill(0.0);
        rows_by_input.fill(0.0);
        for i in 0..b {
            let gradient = &scratch.next_gradient[i * n..(i + 1) * n];
            let row = &mut rows[i * (n + b)..(i + 1) * (n + b)];
            combine(gradient, &scratch.by_state, &mut row[..n]);
            row[n + i] = self.contraction;
            combine(gradient, plant_by_input, &mut rows_by_input[i * m..(i + 1) * m]);
        }
        if self.contraction != 0.0 {
            let before = (&mut scratch.value, &mut scratch.gradient);
            barrier
                .slope(self.step, &state[..n], before.0, before.1)
                .map_err(|at| refused(model, at))?;
            for i in 0..b {
                let drift = state[n + i] + self.shift[i] - scratch.value[i];
                value[i] += self.contraction * drift;
                let row = &mut rows[i * (n + b)..][..n];
                let pairs = row.iter_mut().zip(&scratch.gradient[i * n..(i + 1) * n]);
                pairs.for_each(|(entry, slope)| *entry -= self.contraction * slope);
            }
        }
        check_finite(model, "barrier state", value)?;
        check_finite(model, "barrier slope", rows)
    }

    fn curve(
        &mut self,
        state: &[f64],
        input: &[f64],
        weights: &[f64],
        hessian: &mut [f64],
    ) -> Result<bool, DynamicsError> {
        let (model, n, b, m) = (self.plant.name(), self.n, self.b, input.len());
        let Some(barrier) = &self.barrier else {
            return self.plant.curve(state, input, weights, hessian);
        };
        let scratch = &mut self.scratch;
        let into = Linearised {
            next: &mut scratch.next,
            by_state: &mut scratch.by_state,
            by_input: &mut scratch.by_input,
        };
        self.plant.linearise(&state[..n], input, into)?;
        let unsafe_at = |at| refused(model, at);
        let (of_plant, of_barrier) = weights.split_at(n);
        barrier
            .slope(self.step + 1, &scratch.next, &mut scratch.value, &mut scratch.next_gradient)
            .map_err(unsafe_at)?;
        // Σ V_j F_j,zz with V = V_x + V_w β_x(x⁺) …
        scratch.weights.copy_from_slice(of_plant);
        for (weight, gradient) in of_barrier.iter().zip(scratch.next_gradient.chunks_exact(n)) {
            let pairs = scratch.weights.iter_mut().zip(gradient);
            pairs.for_each(|(sum, slope)| *sum += weight * slope);
        }
        if !self.plant.curve(&state[..n], input, &scratch.weights, &mut scratch.hessian)? {
            scratch.hessian.fill(0.0);
        }
        // … and F_zᵀ (V_w β_xx(x⁺)) F_z …
        scratch.square.fill(0.0);
        barrier
            .add_hessian(
                (self.step + 1, &scratch.next),
                of_barrier,
                &mut scratch.square,
                &mut scratch.vector,
            )
            .map_err(unsafe_at)?;
        scratch.add_congruence((n, m));
        // … less ρ V_w β_xx(x).
        if self.contraction != 0.0 {
            scratch.square.fill(0.0);
            barrier
                .add_hessian(
                    (self.step, &state[..n]),
                    of_barrier,
                    &mut scratch.square,
                    &mut scratch.vector,
                )
                .map_err(unsafe_at)?;
            let rows = scratch.hessian.chunks_exact_mut(n + m);
            for (row, bend) in rows.zip(scratch.square.chunks_exact(n)) {
                let pairs = row.iter_mut().zip(bend);
                pairs.for_each(|(entry, bend)| *entry -= self.contraction * bend);
            }
        }
        spread(&scratch.hessian, hessian, (n, m, b));
        check_finite(model, "second derivative", hessian)?;
        Ok(true)
    }

    fn variance(
        &mut self,
        state: &[f64],
        input: &[f64],
        variance: &mut [f64],
    ) -> Result<bool, DynamicsError> {
        variance[self.n..].fill(0.0);
        self.plant.variance(&state[..self.n], input, &mut variance[..self.n])
    }
}

impl Scratch {
    /// `hessian += F_zᵀ · square · F_z` over (state, input).
    fn add_congruence(&mut self, (n, m): (usize, usize)) {
        let width = n + m;
        for i in 0..n {
            let (left, right) = self.product[i * width..(i + 1) * width].split_at_mut(n);
            combine(&self.square[i * n..(i + 1) * n], &self.by_state, left);
            combine(&self.square[i * n..(i + 1) * n], &self.by_input, right);
        }
        for k in 0..n {
            let source = &self.product[k * width..(k + 1) * width];
            let slopes = self.by_state[k * n..(k + 1) * n].iter();
            let slopes = slopes.chain(&self.by_input[k * m..(k + 1) * m]);
            for (row, slope) in self.hessian.chunks_exact_mut(width).zip(slopes) {
                row.iter_mut().zip(source).for_each(|(entry, other)| *entry += slope * other);
            }
        }
    }
}

/// `into = factors · rows`.
fn combine(factors: &[f64], rows: &[f64], into: &mut [f64]) {
    into.fill(0.0);
    for (factor, row) in factors.iter().zip(rows.chunks_exact(into.len())) {
        // A barrier's gradient is mostly zero: it knows positions only.
        if *factor != 0.0 {
            into.iter_mut().zip(row).for_each(|(sum, entry)| *sum += factor * entry);
        }
    }
}

/// A Hessian over (x, u) becomes one over (x, w, u) that is zero for w.
fn spread(source: &[f64], target: &mut [f64], (n, m, b): (usize, usize, usize)) {
    target.fill(0.0);
    let rows = (0..n).chain(n + b..n + b + m).zip(source.chunks_exact(n + m));
    for (place, row) in rows {
        let target = &mut target[place * (n + b + m)..(place + 1) * (n + b + m)];
        target[..n].copy_from_slice(&row[..n]);
        target[n + b..].copy_from_slice(&row[n..]);
    }
}
