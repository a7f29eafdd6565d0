//! Local only: every node trains alone; what collaboration must beat.
use phalanx_protocol::{Round, Turn};
use phalanx_robust::{Aggregator, Entry, Param, StateError, StateReader, StateWriter};

use crate::algorithm::half_step::Momentum;
use crate::algorithm::schedule::{self, Schedule};
use crate::algorithm::{Algorithm, AlgorithmRule, Cargo};
use crate::task::{Batch, Task, TaskError};

const PARAMS: [Param; 4] = [
    schedule::LEARNING_RATE,
    schedule::DECAY_PERIOD,
    schedule::HALF_DECAY,
    Param::number("momentum", (0.0, 0.999_999), 0.99)
        .about("β of Polyak momentum, dampened by 1 − β"),
];

/// The registry entry.
pub const ENTRY: Entry<AlgorithmRule> = Entry {
    name: "local-only",
    summary: "every node trains alone on its own data and exchanges nothing",
    source: "textbook",
    params: &PARAMS,
    build: AlgorithmRule {
        formula: "m ← β m + (1 − β) g(θ);  θ ← θ − γ m",
        is_star: false,
        default_rule: "average",
        build: |setup| {
            Ok(Box::new(LocalOnly {
                schedule: Schedule::new(setup.args),
                momentum: Momentum::new(setup.args, setup.init.len()),
                params: setup.init,
            }))
        },
    },
};

struct LocalOnly {
    schedule: Schedule,
    momentum: Momentum,
    params: Vec<f32>,
}

impl Algorithm for LocalOnly {
    fn phases(&self, _round: Round) -> u16 {
        0
    }

    fn propose(
        &mut self,
        turn: Turn,
        task: &mut dyn Task,
        out: &mut [f32],
    ) -> Result<Option<f64>, TaskError> {
        let loss = task.gradient(&self.params, Batch::Fresh, out)?;
        let step = self.schedule.step(turn.round) as f32;
        self.momentum.half_step(out, (&self.params, step));
        Ok(Some(loss))
    }

    fn cargo(&self, _turn: Turn) -> Cargo {
        Cargo::Quiet
    }

    fn rule(&mut self, _turn: Turn) -> Option<&mut dyn Aggregator> {
        None
    }

    fn absorb(&mut self, _turn: Turn, aggregate: &mut Vec<f32>) {
        std::mem::swap(&mut self.params, aggregate);
    }

    fn params(&self) -> &[f32] {
        &self.params
    }

    fn save(&self, out: &mut StateWriter) {
        out.f32s(&self.params);
        self.momentum.save(out);
    }

    fn load(&mut self, input: &mut StateReader<'_>) -> Result<(), StateError> {
        input.f32s_into(&mut self.params)?;
        self.momentum.load(input)
    }
}
