//! Distributed SGD: a trusted server aggregates the momenta of workers of which f may lie.
use phalanx_protocol::{Round, Turn};
use phalanx_robust::{Aggregator, Entry, Param, StateError, StateReader, StateWriter};

use crate::algorithm::half_step::Momentum;
use crate::algorithm::schedule::{self, Schedule};
use crate::algorithm::{Algorithm, AlgorithmRule, Cargo, Role};
use crate::task::{Batch, Task, TaskError};

const PARAMS: [Param; 4] = [
    schedule::LEARNING_RATE,
    schedule::DECAY_PERIOD,
    schedule::HALF_DECAY,
    Param::number("momentum", (0.0, 0.999_999), 0.9)
        .about("β of the workers' momentum, dampened by 1 − β"),
];

/// The registry entry.
pub const ENTRY: Entry<AlgorithmRule> = Entry {
    name: "distributed-sgd",
    summary: "a trusted server aggregates the workers' momenta with any robust rule",
    source: "Farhadkhani et al., Byzantine Machine Learning Made Easy By Resilient Averaging of \
             Momentums, ICML 2022",
    params: &PARAMS,
    build: AlgorithmRule {
        formula: "worker: m ← β m + (1 − β) g(θ);  server: θ ← θ − γ rule(m_1 … m_n)",
        is_star: true,
        default_rule: "average",
        build: |setup| {
            let is_hub = setup.role == Role::Hub;
            let dim = if is_hub { 0 } else { setup.init.len() };
            Ok(Box::new(DistributedSgd {
                schedule: Schedule::new(setup.args),
                momentum: Momentum::new(setup.args, dim),
                is_hub,
                rule: setup.rule,
                params: setup.init,
            }))
        },
    },
};

/// Phase 0 brings the model down to the workers, phase 1 their momenta up to the server.
struct DistributedSgd {
    schedule: Schedule,
    momentum: Momentum,
    is_hub: bool,
    rule: Box<dyn Aggregator>,
    params: Vec<f32>,
}

impl Algorithm for DistributedSgd {
    fn phases(&self, _round: Round) -> u16 {
        2
    }

    fn propose(
        &mut self,
        _turn: Turn,
        task: &mut dyn Task,
        out: &mut [f32],
    ) -> Result<Option<f64>, TaskError> {
        if self.is_hub {
            out.copy_from_slice(&self.params);
            return Ok(None);
        }
        let loss = task.gradient(&self.params, Batch::Fresh, out)?;
        self.momentum.absorb(out);
        Ok(Some(loss))
    }

    fn is_listening(&self, turn: Turn) -> bool {
        turn.phase.0 == u16::from(self.is_hub)
    }

    fn cargo(&self, turn: Turn) -> Cargo {
        if turn.phase.0 == 0 || self.is_hub { Cargo::Quiet } else { Cargo::Gradients }
    }

    fn rule(&mut self, turn: Turn) -> Option<&mut dyn Aggregator> {
        (self.is_hub && turn.phase.0 == 1).then_some(&mut *self.rule)
    }

    fn absorb(&mut self, turn: Turn, aggregate: &mut Vec<f32>) {
        match (self.is_hub, turn.phase.0) {
            (true, 1) => {
                let step = self.schedule.step(turn.round) as f32;
                for (x, direction) in self.params.iter_mut().zip(&*aggregate) {
                    *x -= step * direction;
                }
            }
            (false, 0) => std::mem::swap(&mut self.params, aggregate),
            _ => {}
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
