//! The search itself: sweep back, try steps forward, accept what is safe and cheaper.
use std::ops::ControlFlow;

use crate::safe_control::dynamics::{Dynamics, DynamicsError, Linearised, check_finite};

use super::backward::{Along, Backward, Broken, Slope, Sweep};
use super::{Cost, InputLimits, PlanError, Regularisation, Settings};

/// One sweep of a search.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Iteration {
    /// which, from 1
    pub number: usize,
    /// J after it
    pub cost: f64,
    /// by how much J fell; 0 when no step was accepted
    pub decrease: f64,
    /// the step that was accepted, α; 0 when none was
    pub step: f64,
    /// λ of the sweep
    pub lambda: f64,
    /// greatest |Q_u| that no limit holds
    pub gradient: f64,
    /// least clearance along the trajectory
    pub clearance: f64,
}

/// How a search ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// J hardly falls any more
    Converged,
    /// sweeps ran out
    IterationLimit,
    /// no step helps, however large λ is
    Stalled,
    /// whoever watched said stop
    Interrupted,
}

/// What a search came to.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Solved {
    /// how it ended
    pub status: Status,
    /// J
    pub cost: f64,
    /// sweeps
    pub iterations: usize,
    /// least clearance along the trajectory
    pub clearance: f64,
}

/// A trajectory of one size that is improved in place; nothing is allocated after the first.
pub struct Planner {
    n: usize,
    m: usize,
    horizon: usize,
    now: Trajectory,
    trial: Trajectory,
    by_state: Vec<f64>,
    by_input: Vec<f64>,
    next: Vec<f64>,
    backward: Backward,
}

/// Writes the input for a step and a state.
type Policy<'a> = dyn FnMut(usize, &[f64], &mut [f64]) + 'a;

struct Trajectory {
    states: Vec<f64>,
    inputs: Vec<f64>,
    cost: f64,
}

impl Trajectory {
    fn new(n: usize, m: usize, horizon: usize) -> Self {
        let (states, inputs) = (vec![0.0; (horizon + 1) * n], vec![0.0; horizon * m]);
        Self { states, inputs, cost: f64::INFINITY }
    }

    /// Becomes the trajectory of a policy.
    fn follow(
        &mut self,
        (model, cost): (&mut dyn Dynamics, &mut dyn Cost),
        start: &[f64],
        limits: Option<&InputLimits>,
        policy: &mut Policy<'_>,
    ) -> Result<(), PlanError> {
        let (n, m) = (model.states(), model.inputs());
        let horizon = self.inputs.len() / m;
        self.states[..n].copy_from_slice(start);
        let mut sum = 0.0;
        for step in 0..horizon {
            let (before, after) = self.states.split_at_mut((step + 1) * n);
            let (state, input) = (&before[step * n..], &mut self.inputs[step * m..(step + 1) * m]);
            policy(step, state, input);
            if let Some(limits) = limits {
                limits.clip(input);
            }
            let refused = |error| PlanError::Nominal { step, error };
            check_finite(model.name(), "input", input).map_err(refused)?;
            sum += cost.running(state, input);
            model.seek(step);
            model.step(state, input, &mut after[..n]).map_err(refused)?;
        }
        sum += cost.terminal(&self.states[horizon * n..]);
        if !sum.is_finite() {
            return Err(PlanError::NominalCost { cost: sum });
        }
        self.cost = sum;
        Ok(())
    }
}

/// `input += K (state − planned)`.
#[inline]
fn add_feedback(gain: &[f64], (state, planned): (&[f64], &[f64]), input: &mut [f64]) {
    for (input, row) in input.iter_mut().zip(gain.chunks_exact(state.len())) {
        let terms = row.iter().zip(state.iter().zip(planned));
        *input += terms.map(|(k, (x, planned))| k * (x - planned)).sum::<f64>();
    }
}

/// A gradient below this, relative to 1, is as flat as rounding allows.
const FLAT: f64 = 1e-9;

impl Planner {
    /// For models with n states (barrier states included), m inputs and a horizon.
    ///
    /// # Panics
    /// When one of them is zero.
    pub fn new((n, m): (usize, usize), horizon: usize) -> Self {
        assert!(n * m * horizon > 0, "a planner has states, inputs and steps");
        Self {
            n,
            m,
            horizon,
            now: Trajectory::new(n, m, horizon),
            trial: Trajectory::new(n, m, horizon),
            by_state: vec![0.0; horizon * n * n],
            by_input: vec![0.0; horizon * n * m],
            next: vec![0.0; n],
            backward: Backward::new(n, m, horizon),
        }
    }

    /// States of the trajectory, (H + 1) × n.
    pub fn states(&self) -> &[f64] {
        &self.now.states
    }

    /// Inputs of the trajectory, H × m.
    pub fn inputs(&self) -> &[f64] {
        &self.now.inputs
    }

    /// Gains of the last sweep, H × m × n.
    pub fn gains(&self) -> &[f64] {
        &self.backward.gains
    }

    /// J of the trajectory.
    pub fn cost(&self) -> f64 {
        self.now.cost
    }

    /// H.
    pub fn horizon(&self) -> usize {
        self.horizon
    }

    /// Takes the trajectory of these inputs as the one to improve; inputs are brought between
    /// the limits first.
    ///
    /// # Errors
    /// [`PlanError::Nominal`] when it leaves the safe set or the numbers, or its cost does.
    ///
    /// # Panics
    /// When start or inputs have another size than the planner.
    pub fn begin(
        &mut self,
        (model, cost): (&mut dyn Dynamics, &mut dyn Cost),
        start: &[f64],
        inputs: &[f64],
        limits: Option<&InputLimits>,
    ) -> Result<(), PlanError> {
        self.begin_with((model, cost), start, limits, |step, _, input| {
            let m = input.len();
            input.copy_from_slice(&inputs[step * m..][..m]);
        })
    }

    /// The same with inputs that a policy chooses from step and state.
    ///
    /// # Errors
    /// As [`Planner::begin`].
    ///
    /// # Panics
    /// As [`Planner::begin`].
    pub fn begin_with(
        &mut self,
        (model, cost): (&mut dyn Dynamics, &mut dyn Cost),
        start: &[f64],
        limits: Option<&InputLimits>,
        mut policy: impl FnMut(usize, &[f64], &mut [f64]),
    ) -> Result<(), PlanError> {
        assert_eq!(model.states(), self.n, "the planner is of the model's size");
        assert_eq!(model.inputs(), self.m, "the planner is of the model's size");
        self.trial.follow((model, cost), start, limits, &mut policy)?;
        std::mem::swap(&mut self.now, &mut self.trial);
        Ok(())
    }

    /// The same with the trajectory's own feedback, one step on; the input after its last is
    /// `last`, or the last one held.
    pub(super) fn begin_shifted(
        &mut self,
        (model, cost): (&mut dyn Dynamics, &mut dyn Cost),
        start: &[f64],
        last: Option<&[f64]>,
        limits: Option<&InputLimits>,
    ) -> Result<(), PlanError> {
        let (n, m, end) = (self.n, self.m, self.horizon - 1);
        let (now, gains) = (&self.now, &self.backward.gains);
        let mut policy = |step: usize, state: &[f64], input: &mut [f64]| {
            let at = (step + 1).min(end);
            input.copy_from_slice(&now.inputs[at * m..][..m]);
            if let (true, Some(last)) = (step == end, last) {
                input.copy_from_slice(last);
            }
            if step < end {
                let gain = &gains[at * m * n..][..m * n];
                add_feedback(gain, (state, &now.states[at * n..][..n]), input);
            }
        };
        self.trial.follow((model, cost), start, limits, &mut policy)?;
        std::mem::swap(&mut self.now, &mut self.trial);
        Ok(())
    }

    /// Improves the trajectory that [`Planner::begin`] set, from λ₀ = `first` on, until it has
    /// converged, and sweeps once more for its gains.
    ///
    /// # Guarantee
    /// Each accepted trajectory is one that the model steps through without refusal, so with a
    /// barrier strictly safe at every step; each costs less than the one before.
    ///
    /// # Errors
    /// [`PlanError::Indefinite`] and [`PlanError::Model`].
    pub fn solve(
        &mut self,
        (model, cost): (&mut dyn Dynamics, &mut dyn Cost),
        settings: &Settings,
        first: f64,
        observe: &mut dyn FnMut(&Iteration) -> ControlFlow<()>,
    ) -> Result<Solved, PlanError> {
        let mut regularisation = Regularisation::new(settings.scheme, first);
        let (mut status, mut iterations) = (Status::IterationLimit, 0);
        let mut clearance = self.clearance(model);
        self.linearise(model)?;
        while iterations < settings.iterations_max {
            iterations += 1;
            let lambda = regularisation.lambda();
            let slope = match self.sweep((&mut *model, &mut *cost), settings, lambda) {
                Ok(slope) => slope,
                Err(Broken::Model(error)) => return Err(error),
                Err(Broken::Indefinite(step)) => {
                    if !regularisation.tighten() {
                        return Err(PlanError::Indefinite { step, lambda });
                    }
                    continue;
                }
            };
            let before = self.now.cost;
            let step = self.improve((&mut *model, &mut *cost), settings, &slope);
            if step > 0.0 {
                clearance = self.clearance(model);
            }
            let decrease = before - self.now.cost;
            let (cost, gradient) = (self.now.cost, slope.gradient);
            let iteration =
                Iteration { number: iterations, cost, decrease, step, lambda, gradient, clearance };
            let is_stopped = observe(&iteration).is_break();
            if step > 0.0 {
                regularisation.relax();
                self.linearise(model)?;
                if decrease < settings.tolerance {
                    status = Status::Converged;
                    break;
                }
            } else if slope.gradient <= FLAT || slope.change <= FLAT {
                status = Status::Converged;
                break;
            } else if !regularisation.tighten() {
                status = Status::Stalled;
                break;
            }
            if is_stopped {
                status = Status::Interrupted;
                break;
            }
        }
        self.finish((model, cost), settings)?;
        Ok(Solved { status, cost: self.now.cost, iterations, clearance })
    }

    /// The sweep for the executed gains: without regularisation, which would weaken them, unless
    /// the curvature needs it.
    fn finish(
        &mut self,
        (model, cost): (&mut dyn Dynamics, &mut dyn Cost),
        settings: &Settings,
    ) -> Result<(), PlanError> {
        let mut regularisation = Regularisation::new(settings.scheme, 0.0);
        loop {
            let lambda = regularisation.lambda();
            match self.sweep((&mut *model, &mut *cost), settings, lambda) {
                Ok(_) => return Ok(()),
                Err(Broken::Model(error)) => return Err(error),
                Err(Broken::Indefinite(step)) => {
                    if !regularisation.tighten() {
                        return Err(PlanError::Indefinite { step, lambda });
                    }
                }
            }
        }
    }

    fn sweep(
        &mut self,
        with: (&mut dyn Dynamics, &mut dyn Cost),
        settings: &Settings,
        lambda: f64,
    ) -> Result<Slope, Broken> {
        let along = Along {
            states: &self.now.states,
            inputs: &self.now.inputs,
            by_state: &self.by_state,
            by_input: &self.by_input,
        };
        let how = Sweep { method: settings.method, lambda, limits: settings.limits.as_ref() };
        self.backward.sweep(&along, with, &how)
    }

    /// Takes the longest step that is safe and cheaper; 0 when there is none.
    fn improve(
        &mut self,
        (model, cost): (&mut dyn Dynamics, &mut dyn Cost),
        settings: &Settings,
        slope: &Slope,
    ) -> f64 {
        for step in settings.scheme.steps() {
            if slope.expected(*step) <= 0.0 {
                continue;
            }
            let limits = settings.limits.as_ref();
            if self.roll((&mut *model, &mut *cost), *step, limits).is_ok()
                && self.trial.cost < self.now.cost
            {
                std::mem::swap(&mut self.now, &mut self.trial);
                return *step;
            }
        }
        0.0
    }

    /// The trajectory of a step along the gains.
    fn roll(
        &mut self,
        (model, cost): (&mut dyn Dynamics, &mut dyn Cost),
        length: f64,
        limits: Option<&InputLimits>,
    ) -> Result<(), DynamicsError> {
        let (n, m) = (self.n, self.m);
        let (now, trial) = (&self.now, &mut self.trial);
        trial.cost = f64::INFINITY;
        trial.states[..n].copy_from_slice(&now.states[..n]);
        let mut sum = 0.0;
        for step in 0..self.horizon {
            let (before, after) = trial.states.split_at_mut((step + 1) * n);
            let state = &before[step * n..];
            let input = &mut trial.inputs[step * m..][..m];
            let old = &now.states[step * n..][..n];
            let gain = &self.backward.gains[step * m * n..][..m * n];
            for (i, input) in input.iter_mut().enumerate() {
                let place = step * m + i;
                *input = now.inputs[place] + length * self.backward.offsets[place];
            }
            add_feedback(gain, (state, old), input);
            if let Some(limits) = limits {
                limits.clip(input);
            }
            sum += cost.running(state, input);
            model.seek(step);
            model.step(state, input, &mut after[..n])?;
        }
        trial.cost = sum + cost.terminal(&trial.states[self.horizon * n..]);
        Ok(())
    }

    fn linearise(&mut self, model: &mut dyn Dynamics) -> Result<(), PlanError> {
        let (n, m) = (self.n, self.m);
        for step in 0..self.horizon {
            let into = Linearised {
                next: &mut self.next,
                by_state: &mut self.by_state[step * n * n..][..n * n],
                by_input: &mut self.by_input[step * n * m..][..n * m],
            };
            model.seek(step);
            let (state, input) =
                (&self.now.states[step * n..][..n], &self.now.inputs[step * m..][..m]);
            model
                .linearise(state, input, into)
                .map_err(|error| PlanError::Model { step, error })?;
        }
        Ok(())
    }

    /// The least clearance along the trajectory.
    pub fn clearance(&self, model: &mut dyn Dynamics) -> f64 {
        let states = self.now.states.chunks_exact(self.n);
        states.fold(f64::INFINITY, |least: f64, state| least.min(model.clearance(state)))
    }
}
