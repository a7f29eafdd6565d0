//! Local momentum step, then averaging of the half-step MODELS: the frame of MoNNA and of its
//! baselines, which differ from it in rule and momentum only.
use phalanx_protocol::{Round, Turn};
use phalanx_robust::rule::{BuildError, RULES};
use phalanx_robust::{
    Aggregator, Args, Param, Population, StateError, StateReader, StateWriter, registry,
};

use crate::algorithm::schedule::{self, Schedule};
use crate::algorithm::{Algorithm, AlgorithmRule, Cargo, Setup};
use crate::task::{Batch, Task, TaskError};

/// The update of every algorithm in this frame.
pub const FORMULA: &str =
    "m ← β m + (1 − β) g(θ);  x ← θ − γ m;  K times: x ← rule(own x, received x);  θ ← x";

/// Parameters of every algorithm in this frame; only the default momentum differs.
pub const fn params(momentum: f64) -> [Param; 6] {
    [
        schedule::LEARNING_RATE,
        schedule::DECAY_PERIOD,
        schedule::HALF_DECAY,
        Param::number("momentum", (0.0, 0.999_999), momentum)
            .about("β of Polyak momentum, dampened by 1 − β; local, never mixed"),
        Param::integer("coordination-rounds", (1, 64), 1)
            .about("K: how often the models are exchanged and averaged per round"),
        Param::choice("mode", &["paper", "published"], "paper").about(
            "published: in round 0 every node takes the SUM of all honest first steps, as the \
             authors' code does (their models alias one tensor)",
        ),
    ]
}

/// The rest of an entry in this frame.
pub const fn rule(default_rule: &'static str) -> AlgorithmRule {
    AlgorithmRule { formula: FORMULA, is_star: false, default_rule, build }
}

fn build(setup: Setup<'_>) -> Result<Box<dyn Algorithm>, BuildError> {
    let opening = match setup.args.text("mode") {
        "published" => Some(Opening::new(setup.collected)?),
        _ => None,
    };
    Ok(Box::new(HalfStep {
        schedule: Schedule::new(setup.args),
        momentum: Momentum::new(setup.args, setup.init.len()),
        coordination_rounds: setup.args.integer("coordination-rounds") as u16,
        rule: setup.rule,
        params: setup.init,
        opening,
    }))
}

/// Polyak momentum with dampening: `m ← β m + (1 − β) g`.
#[derive(Debug)]
pub struct Momentum {
    beta: f32,
    values: Vec<f32>,
}

impl Momentum {
    /// Zero momentum.
    pub fn new(args: &Args, dim: usize) -> Self {
        Self { beta: args.number("momentum") as f32, values: vec![0.0; dim] }
    }

    /// Mixes in a gradient and overwrites it with m.
    pub fn absorb(&mut self, gradient: &mut [f32]) {
        let (beta, rest) = (self.beta, 1.0 - self.beta);
        for (m, g) in self.values.iter_mut().zip(gradient) {
            *m = beta * *m + rest * *g;
            *g = *m;
        }
    }

    /// Mixes in a gradient and overwrites it with the half step `θ − γ m`, in one pass.
    pub fn half_step(&mut self, gradient: &mut [f32], (params, step): (&[f32], f32)) {
        let (beta, rest) = (self.beta, 1.0 - self.beta);
        for ((m, g), x) in self.values.iter_mut().zip(gradient).zip(params) {
            *m = beta * *m + rest * *g;
            *g = *x - step * *m;
        }
    }

    /// Appends m.
    pub fn save(&self, out: &mut StateWriter) {
        out.f32s(&self.values);
    }

    /// # Errors
    /// When the snapshot does not fit.
    pub fn load(&mut self, input: &mut StateReader<'_>) -> Result<(), StateError> {
        input.f32s_into(&mut self.values)
    }
}

/// What the published code does in its first round: all honest models are one tensor, updated in
/// place by every node in turn, so that everyone starts from `θ_0 − γ Σ_i m_i`.
///
/// Differs from that code in one point: every gradient is taken at `θ_0`, not at the model that
/// the nodes before it have already moved.
struct Opening {
    average: Box<dyn Aggregator>,
    collected: usize,
}

impl Opening {
    fn new(collected: usize) -> Result<Self, BuildError> {
        let entry = registry::find(RULES, "average").expect("the average is a rule");
        let average = (entry.build.build)(&Args::default(), Population::new(collected, 0)?)?;
        Ok(Self { average, collected })
    }
}

struct HalfStep {
    schedule: Schedule,
    momentum: Momentum,
    coordination_rounds: u16,
    rule: Box<dyn Aggregator>,
    /// θ between rounds, x_k between the exchanges of a round
    params: Vec<f32>,
    opening: Option<Opening>,
}

impl HalfStep {
    fn is_opening(&self, turn: Turn) -> bool {
        self.opening.is_some() && turn == Turn::new(0, 0)
    }

    /// Phases that come before the averaging of models in this round.
    fn phases_before(&self, round: Round) -> u16 {
        u16::from(self.opening.is_some() && round.0 == 0)
    }
}

impl Algorithm for HalfStep {
    fn phases(&self, round: Round) -> u16 {
        self.phases_before(round) + self.coordination_rounds
    }

    fn propose(
        &mut self,
        turn: Turn,
        task: &mut dyn Task,
        out: &mut [f32],
    ) -> Result<Option<f64>, TaskError> {
        if turn.phase.0 > 0 {
            out.copy_from_slice(&self.params);
            return Ok(None);
        }
        let loss = task.gradient(&self.params, Batch::Fresh, out)?;
        let step = self.schedule.step(turn.round) as f32;
        if self.is_opening(turn) {
            self.momentum.absorb(out);
        } else {
            self.momentum.half_step(out, (&self.params, step));
        }
        Ok(Some(loss))
    }

    fn cargo(&self, turn: Turn) -> Cargo {
        if self.is_opening(turn) {
            Cargo::Quiet
        } else if turn.phase.0 == self.phases_before(turn.round) {
            Cargo::HalfSteps { step: self.schedule.step(turn.round) }
        } else {
            Cargo::Models
        }
    }

    fn rule(&mut self, turn: Turn) -> Option<&mut dyn Aggregator> {
        match &mut self.opening {
            Some(opening) if turn == Turn::new(0, 0) => Some(&mut *opening.average),
            _ => Some(&mut *self.rule),
        }
    }

    fn absorb(&mut self, turn: Turn, aggregate: &mut Vec<f32>) {
        match &self.opening {
            Some(opening) if turn == Turn::new(0, 0) => {
                let scale = (self.schedule.step(turn.round) * opening.collected as f64) as f32;
                for (x, mean) in self.params.iter_mut().zip(&*aggregate) {
                    *x -= scale * mean;
                }
            }
            _ => std::mem::swap(&mut self.params, aggregate),
        }
    }

    fn params(&self) -> &[f32] {
        &self.params
    }

    fn save(&self, out: &mut StateWriter) {
        out.f32s(&self.params);
        self.momentum.save(out);
        self.rule.save(out);
    }

    fn load(&mut self, input: &mut StateReader<'_>) -> Result<(), StateError> {
        input.f32s_into(&mut self.params)?;
        self.momentum.load(input)?;
        self.rule.load(input)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // Spec 01, check 8.
    #[test]
    fn a_constant_gradient_gives_one_minus_beta_to_the_power_of_the_step() {
        for beta in [0.0f32, 0.5, 0.9, 0.99] {
            let mut momentum = Momentum { beta, values: vec![0.0; 2] };
            for t in 0..200 {
                let mut gradient = [3.0, -7.0];
                momentum.absorb(&mut gradient);
                let factor = 1.0 - f64::from(beta).powi(t + 1);
                assert!((f64::from(gradient[0]) - 3.0 * factor).abs() < 1e-4, "β = {beta}, {t}");
                assert!((f64::from(gradient[1]) + 7.0 * factor).abs() < 1e-4, "β = {beta}, {t}");
            }
        }
    }
}
