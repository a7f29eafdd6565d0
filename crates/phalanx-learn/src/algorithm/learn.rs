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
    Param::choice("gradient-rounds", &["log2", "one", "agreement"], "log2").about(
        "log2: ⌈log2 t⌉ exchanges of gradients in round t = 1, 2, …, as the official code has it; \
         one: always one, as in the MoNNA comparison; agreement: one exchange that shall halve the \
         diameter ⌈log2 t⌉ times, as in the paper, where the exchange iterates",
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
                  θ ← rule(received x);  with gradient-rounds=agreement: g ← agreement on g by \
                  N(t) halvings, θ ← agreement on x by one",
        is_star: false,
        default_rule: "trimmed-mean",
        build: |setup| {
            Ok(Box::new(Learn {
                schedule: Schedule::new(setup.args),
                gradient_rounds: GradientRounds::of(setup.args.text("gradient-rounds")),
                is_growing: setup.args.text("batch-growth") == "linear",
                rule: setup.rule,
                gradient: vec![0.0; setup.init.len()],
                params: setup.init,
            }))
        },
    },
};

/// How the honest gradients of round t are brought together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum GradientRounds {
    /// N(t) exchanges
    Log2,
    /// one exchange
    One,
    /// one exchange with N(t) halvings, none where N(t) = 0
    Agreement,
}

impl GradientRounds {
    fn of(word: &str) -> Self {
        match word {
            "one" => Self::One,
            "agreement" => Self::Agreement,
            _ => Self::Log2,
        }
    }
}

/// N(t) = ⌈log2 t⌉ with t = round + 1.
fn logarithm(round: Round) -> u16 {
    (u32::BITS - round.0.leading_zeros()) as u16
}

struct Learn {
    schedule: Schedule,
    gradient_rounds: GradientRounds,
    is_growing: bool,
    rule: Box<dyn Aggregator>,
    gradient: Vec<f32>,
    params: Vec<f32>,
}

impl Learn {
    fn gradient_phases(&self, round: Round) -> u16 {
        match self.gradient_rounds {
            GradientRounds::Log2 => logarithm(round),
            GradientRounds::One => 1,
            // In the first round all models are equal, and so N(1) = 0 is no exchange at all.
            GradientRounds::Agreement => logarithm(round).min(1),
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

    fn halvings(&self, turn: Turn) -> u16 {
        let is_gradient = turn.phase.0 < self.gradient_phases(turn.round);
        match is_gradient && self.gradient_rounds == GradientRounds::Agreement {
            true => logarithm(turn.round),
            false => 1,
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

    // Spec 03, section 3.1: N(t) = ⌈log2 t⌉ halvings of the gradients, one of the models.
    #[test]
    fn agreement_halves_the_gradients_log2_t_times_and_the_models_once() {
        let learn = learn(&[("gradient-rounds", "agreement")]);
        assert_eq!(learn.phases(Round(0)), 1, "at t = 1 only models are exchanged");
        assert_eq!(learn.cargo(Turn::new(0, 0)), Cargo::HalfSteps { step: 0.1 });
        assert_eq!(learn.halvings(Turn::new(0, 0)), 1);
        for t in 2..2000u32 {
            let (gradients, models) = (Turn::new(t - 1, 0), Turn::new(t - 1, 1));
            assert_eq!(learn.phases(Round(t - 1)), 2);
            assert_eq!(learn.cargo(gradients), Cargo::Gradients);
            assert_eq!(learn.cargo(models), Cargo::HalfSteps { step: 0.1 });
            let expected = f64::from(t).log2().ceil() as u16;
            assert_eq!(learn.halvings(gradients), expected, "t = {t}");
            assert_eq!(learn.halvings(models), 1);
        }
    }

    #[test]
    fn other_gradient_rounds_ask_for_one_halving_an_exchange() {
        for rounds in ["log2", "one"] {
            let learn = learn(&[("gradient-rounds", rounds)]);
            let turns = (0..100).flat_map(|round| [Turn::new(round, 0), Turn::new(round, 1)]);
            assert!(turns.into_iter().all(|turn| learn.halvings(turn) == 1), "{rounds}");
        }
    }

    #[test]
    fn the_last_phase_carries_models_and_the_others_gradients() {
        let learn = learn(&[("gradient-rounds", "one")]);
        assert_eq!(learn.cargo(Turn::new(5, 0)), Cargo::Gradients);
        assert_eq!(learn.cargo(Turn::new(5, 1)), Cargo::HalfSteps { step: 0.1 });
    }
}
