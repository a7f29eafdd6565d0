//! The backward sweep: gains of every step from the value of the last state.
use crate::safe_control::dynamics::Dynamics;

use super::box_program::{BoxProgram, Quadric};
use super::kernel::{Gains, Kernel, Node};
use super::{Cost, Expansion, InputLimits, Method, PlanError};

/// Trajectory and linear models that a sweep reads.
pub(super) struct Along<'a> {
    /// (H + 1) × n
    pub states: &'a [f64],
    /// H × m
    pub inputs: &'a [f64],
    /// H × n × n
    pub by_state: &'a [f64],
    /// H × n × m
    pub by_input: &'a [f64],
}

/// How a sweep goes.
pub(super) struct Sweep<'a> {
    pub method: Method,
    pub lambda: f64,
    pub limits: Option<&'a InputLimits>,
}

/// What a sweep says of the whole trajectory.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Slope {
    /// Σ kᵀ Q_u
    pub first: f64,
    /// ½ Σ kᵀ Q_uu k
    pub second: f64,
    /// greatest |Q_u| that no limit holds
    pub gradient: f64,
    /// greatest |k|
    pub change: f64,
}

impl Slope {
    /// The decrease of the cost that is expected of a step.
    pub fn expected(&self, step: f64) -> f64 {
        -step * (self.first + step * self.second)
    }
}

/// Why a sweep ended early.
pub(super) enum Broken {
    /// Q_uu + λ I is not positive definite at this step.
    Indefinite(usize),
    /// The model has no finite second derivatives.
    Model(PlanError),
}

/// Gains and workspace of sweeps of one size.
pub(super) struct Backward {
    n: usize,
    m: usize,
    kernel: Kernel,
    node: Node,
    program: BoxProgram,
    low: Vec<f64>,
    high: Vec<f64>,
    curvature: Vec<f64>,
    /// k, H × m
    pub offsets: Vec<f64>,
    /// K, H × m × n
    pub gains: Vec<f64>,
}

impl Backward {
    pub fn new(n: usize, m: usize, horizon: usize) -> Self {
        Self {
            n,
            m,
            kernel: Kernel::of(n, m),
            node: Node::new(n, m),
            program: BoxProgram::new(n, m),
            low: vec![0.0; m],
            high: vec![0.0; m],
            curvature: vec![0.0; (n + m) * (n + m)],
            offsets: vec![0.0; horizon * m],
            gains: vec![0.0; horizon * m * n],
        }
    }

    /// Fills gains and offsets.
    pub fn sweep(
        &mut self,
        along: &Along<'_>,
        (model, cost): (&mut dyn Dynamics, &mut dyn Cost),
        how: &Sweep<'_>,
    ) -> Result<Slope, Broken> {
        let (n, m) = (self.n, self.m);
        let horizon = along.inputs.len() / m;
        let last = &along.states[horizon * n..];
        cost.expand_terminal(last, &mut self.node.vx, &mut self.node.vxx);
        let mut slope = Slope::default();
        for step in (0..horizon).rev() {
            let (state, input) = (&along.states[step * n..][..n], &along.inputs[step * m..][..m]);
            let node = &mut self.node;
            let into = Expansion {
                by_state: &mut node.qx,
                by_input: &mut node.qu,
                state_state: &mut node.qxx,
                input_input: &mut node.quu,
                input_state: &mut node.qux,
            };
            cost.expand_running(state, input, into);
            let (a, b) = (&along.by_state[step * n * n..], &along.by_input[step * n * m..]);
            (self.kernel.expand)(node, &a[..n * n], &b[..n * m]);
            if how.method == Method::Ddp {
                model.seek(step);
                self.curve(model, (state, input))
                    .map_err(|error| Broken::Model(PlanError::Model { step, error }))?;
            }
            if !self.gain(step, input, how) {
                return Err(Broken::Indefinite(step));
            }
            self.observe(step, how.limits.map(|limits| (limits, input)), &mut slope);
            let (offset, gain) =
                (&self.offsets[step * m..][..m], &self.gains[step * m * n..][..m * n]);
            (self.kernel.close)(&mut self.node, offset, gain);
        }
        Ok(slope)
    }

    /// Adds the model's curvature, weighted by V_x, to the expansion.
    fn curve(
        &mut self,
        model: &mut dyn Dynamics,
        (state, input): (&[f64], &[f64]),
    ) -> Result<(), crate::safe_control::dynamics::DynamicsError> {
        let (n, m, node) = (self.n, self.m, &mut self.node);
        if !model.curve(state, input, &node.vx, &mut self.curvature)? {
            return Ok(());
        }
        let (of_state, of_input) = self.curvature.split_at(n * (n + m));
        for (row, bend) in node.qxx.chunks_exact_mut(n).zip(of_state.chunks_exact(n + m)) {
            row.iter_mut().zip(bend).for_each(|(entry, bend)| *entry += bend);
        }
        for (i, bend) in of_input.chunks_exact(n + m).enumerate() {
            let row = &mut node.qux[i * n..(i + 1) * n];
            row.iter_mut().zip(bend).for_each(|(entry, bend)| *entry += bend);
            let row = &mut node.quu[i * m..(i + 1) * m];
            row.iter_mut().zip(&bend[n..]).for_each(|(entry, bend)| *entry += bend);
        }
        Ok(())
    }

    fn gain(&mut self, step: usize, input: &[f64], how: &Sweep<'_>) -> bool {
        let (n, m) = (self.n, self.m);
        let offset = &mut self.offsets[step * m..][..m];
        let gain = &mut self.gains[step * m * n..][..m * n];
        let Some(limits) = how.limits else {
            return (self.kernel.solve)(&mut self.node, how.lambda, Gains { offset, gain });
        };
        for i in 0..m {
            self.low[i] = limits.low()[i] - input[i];
            self.high[i] = limits.high()[i] - input[i];
        }
        let node = &self.node;
        let goal = Quadric { hessian: &node.quu, lambda: how.lambda, slope: &node.qu };
        offset.fill(0.0);
        if !self.program.minimise(goal, &self.low, &self.high, offset) {
            return false;
        }
        self.program.gain(&node.qux, gain);
        true
    }

    fn observe(&self, step: usize, limits: Option<(&InputLimits, &[f64])>, slope: &mut Slope) {
        let (m, node) = (self.m, &self.node);
        let offset = &self.offsets[step * m..][..m];
        for i in 0..m {
            slope.first += offset[i] * node.qu[i];
            let row = &node.quu[i * m..(i + 1) * m];
            let product: f64 = row.iter().zip(offset).map(|(entry, k)| entry * k).sum();
            slope.second += 0.5 * offset[i] * product;
            slope.change = slope.change.max(offset[i].abs());
            let is_held = limits.is_some_and(|(limits, input)| {
                (input[i] <= limits.low()[i] && node.qu[i] > 0.0)
                    || (input[i] >= limits.high()[i] && node.qu[i] < 0.0)
            });
            if !is_held {
                slope.gradient = slope.gradient.max(node.qu[i].abs());
            }
        }
    }
}
