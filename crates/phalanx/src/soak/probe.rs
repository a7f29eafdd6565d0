//! A node that does not learn: it shares vectors of its own and looks at nothing that it gets.
use phalanx_learn::{Algorithm, Cargo, Task, TaskError};
use phalanx_protocol::Turn;
use phalanx_robust::{
    AggregateError, Aggregator, Rng, StateError, StateReader, StateWriter, Vectors,
};

/// The algorithm.
pub(super) struct Probe {
    pub seed: u64,
    pub node: u64,
    pub halvings: u16,
    pub params: Vec<f32>,
    pub rule: First,
}

/// Takes the first vector, whatever came.
pub(super) struct First;

impl Aggregator for First {
    fn aggregate(&mut self, vectors: Vectors<'_>, out: &mut [f32]) -> Result<(), AggregateError> {
        out.copy_from_slice(vectors.row(0));
        Ok(())
    }
}

impl Algorithm for Probe {
    fn propose(
        &mut self,
        turn: Turn,
        _task: &mut dyn Task,
        out: &mut [f32],
    ) -> Result<Option<f64>, TaskError> {
        let round = u64::from(turn.round.0);
        let mut rng = Rng::stream(self.seed, self.node << 32 | round, "probe");
        // Corners are where bounds are attained; now and then everybody says the same.
        let kind = Rng::stream(self.seed, round, "kind of probe").below(4);
        for entry in out {
            *entry = match kind {
                0 => 0.25,
                1 | 2 => rng.below(2) as f32,
                _ => rng.unit() as f32,
            };
        }
        Ok(None)
    }

    fn cargo(&self, _turn: Turn) -> Cargo {
        Cargo::Gradients
    }

    fn halvings(&self, _turn: Turn) -> u16 {
        self.halvings
    }

    fn rule(&mut self, _turn: Turn) -> Option<&mut dyn Aggregator> {
        Some(&mut self.rule)
    }

    fn absorb(&mut self, _turn: Turn, _aggregate: &mut Vec<f32>) {}

    fn params(&self) -> &[f32] {
        &self.params
    }

    fn save(&self, _out: &mut StateWriter) {}

    fn load(&mut self, _input: &mut StateReader<'_>) -> Result<(), StateError> {
        Ok(())
    }
}
