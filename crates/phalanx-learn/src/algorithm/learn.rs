//! LEARN: agreement on gradients, a local step, agreement on models; no momentum.
use phalanx_protocol::{Round, Turn};
use phalanx_robust::{Aggregator, Entry, Param, StateError, StateReader, StateWriter};

use crate::algorithm::schedule::{self, Schedule};
use crate::algorithm::{Algorithm, AlgorithmRule, Cargo};
use crate::task::{Batch, Task, TaskError};

const PARAMS: [Param; 5] = [
    schedule::LEARNING_RATE,
    schedule::DECAY_PERIOD,
    schedule::HALF_DECAY,
    Param::choice("gradient-rounds", &["log2", "one"], "log2").about(
        "exchanges of gradients in round t = 1, 2, …: ⌈log2 t⌉ as in the paper, or always one as \
         in the MoNNA comparison",
    ),
    Param::choice("batch-growth", &["linear", "none"], "linear")
        .about("linear: t samples in round t = 1, 2, …; none: the task's own batch size"),
];

/// The registry entry.
pub const ENTRY: Entry<AlgorithmRule> = Entry {
    name: "learn",
    summary: "agreement on gradients with growing batches, a local step, agreement on models",
    source: "El-Mhamdi et al., Collaborative Learning in the Jungle, NeurIPS 2021 (LEARN)",
    params: &PARAMS,
    build: AlgorithmRule {
        formula: "g ← gradient on t samples;  N(t) times: g ← rule(received g);  x ← θ − γ g;  \
                  θ ← rule(received x)",
        is_star: false,
        default_rule: "trimmed-mean",
        build: |setup| {
            Ok(Box::new(Learn {
                schedule: Schedule::new(setup.args),
                is_logarithmic: setup.args.text("gradient-rounds") == "log2",
                is_growing: setup.args.text("batch-growth") == "linear",
                rule: setup.rule,
                gradient: vec![0.0; setup.init.len()],
                params: setup.init,
            }))
        },
    },
};

struct Learn {
    schedule: Schedule,
    is_logarithmic: bool,
    is_growing: bool,
    rule: Box<dyn Aggregator>,
    gradient: Vec<f32>,
    params: Vec<f32>,
}

impl Learn {
    /// N(t) = ⌈log2 t⌉ with t = round + 1.
    fn gradient_phases(&self, round: Round) -> u16 {
        match self.is_logarithmic {
            true => (u32::BITS - round.0.leading_zeros()) as u16,
            false => 1,
        }
    }
}

impl Algorithm for Learn {
    fn phases(&self, round: Round) -> u16 {
        self.gradient_phases(round) + 1
    }

    fn propose(
        &mut self,
        turn: Turn,
        task: &mut dyn Task,
        out: &mut [f32],
    ) -> Result<Option<f64>, TaskError> {
        let mut loss = None;
        if turn.phase.0 == 0 {
            let batch = match self.is_growing {
                true => Batch::FreshOf(turn.round.0 as usize + 1),
                false => Batch::Fresh,
            };
            loss = Some(task.gradient(&self.params, batch, &mut self.gradient)?);
        }
        if turn.phase.0 < self.gradient_phases(turn.round) {
            out.copy_from_slice(&self.gradient);
        } else {
            let step = self.schedule.step(turn.round) as f32;
            for (out, (x, g)) in out.iter_mut().zip(self.params.iter().zip(&self.gradient)) {
                *out = x - step * g;
            }
        }
        Ok(loss)
    }

    fn cargo(&self, turn: Turn) -> Cargo {
        match turn.phase.0 < self.gradient_phases(turn.round) {
            true => Cargo::Gradients,
            false => Cargo::HalfSteps { step: self.schedule.step(turn.round) },
        }
    }

    fn rule(&mut self, _turn: Turn) -> Option<&mut dyn Aggregator> {
        Some(&mut *self.rule)
    }

    fn absorb(&mut self, turn: Turn, aggregate: &mut Vec<f32>) {
        match turn.phase.0 < self.gradient_phases(turn.round) {
            true => std::mem::swap(&mut self.gradient, aggregate),
            false => std::mem::swap(&mut self.params, aggregate),
        }
    }

    fn params(&self) -> &[f32] {
        &self.params
    }

    fn save(&self, out: &mut StateWriter) {
        out.f32s(&self.params);
        out.f32s(&self.gradient);
        self.rule.save(out);
    }

    fn load(&mut self, input: &mut StateReader<'_>) -> Result<(), StateError> {
        input.f32s_into(&mut self.params)?;
        input.f32s_into(&mut self.gradient)?;
        self.rule.load(input)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::algorithm::{Role, Setup};
    use phalanx_robust::registry::find;
    use phalanx_robust::{Args, Population, RULES, Value};
    use std::collections::BTreeMap;

    fn learn(given: &[(&str, &str)]) -> Box<dyn Algorithm> {
        let given: BTreeMap<String, Value> =
            given.iter().map(|(k, v)| (k.to_string(), Value::Text(v.to_string()))).collect();
        let args = Args::check("learn", ENTRY.params, &given).unwrap();
        let average = find(RULES, "average").unwrap();
        let rule = (average.build.build)(&Args::default(), Population::new(3, 0).unwrap()).unwrap();
        let setup = Setup { args: &args, rule, init: vec![0.0], role: Role::Peer, collected: 3 };
        (ENTRY.build.build)(setup).unwrap()
    }

    // Spec 03, section 3.1: N(t) = ⌈log2 t⌉ for t = 1, 2, …, then one exchange of models.
    #[test]
    fn gradients_are_exchanged_log2_t_times() {
        let learn = learn(&[]);
        for t in 1..2000u32 {
            let expected = f64::from(t).log2().ceil() as u16;
            assert_eq!(learn.phases(Round(t - 1)), expected + 1, "t = {t}");
        }
    }

    #[test]
    fn the_last_phase_carries_models_and_the_others_gradients() {
        let learn = learn(&[("gradient-rounds", "one")]);
        assert_eq!(learn.cargo(Turn::new(5, 0)), Cargo::Gradients);
        assert_eq!(learn.cargo(Turn::new(5, 1)), Cargo::HalfSteps { step: 0.1 });
    }
}
