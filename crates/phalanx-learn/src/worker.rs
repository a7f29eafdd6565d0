//! The slow half of a node: gradients, aggregation, evaluation. May block; never sends.
use std::collections::BTreeMap;

use phalanx_protocol::{Collected, NodeId, Round, Turn, Vector};
use phalanx_robust::kernel;
use phalanx_robust::{AggregateError, Aggregator, StateError, StateReader, StateWriter, Vectors};

use crate::algorithm::{Algorithm, Cargo};
use crate::task::{Batch, Scores, Task, TaskError};

/// What an omniscient adversary asks honest workers to reveal. All false outside a simulator.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Spy {
    /// the gradient on the same batch with flipped labels
    pub is_flipped_wanted: bool,
    /// the model before the local step
    pub is_model_wanted: bool,
}

/// Work for the slow half.
#[derive(Debug, Clone, PartialEq)]
pub enum Job {
    /// compute what to share
    Propose {
        /// for which turn
        turn: Turn,
    },
    /// condense and absorb what was collected
    Absorb(Collected),
    /// measure the model
    Evaluate {
        /// rounds done
        round: Round,
    },
}

/// What a worker revealed to an adversary.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Spied {
    /// gradient on flipped labels
    pub flipped: Option<Vector>,
    /// model before the local step
    pub model: Option<Vector>,
}

/// Finished work.
#[derive(Debug, Clone, PartialEq)]
pub enum Done {
    /// there is something to share
    Proposed {
        /// for which turn
        turn: Turn,
        /// the vector
        vector: Vector,
        /// batch loss
        loss: Option<f64>,
        /// what kind of vector it is
        cargo: Cargo,
        /// how far an exchange that iterates shall bring the honest vectors together
        halvings: u16,
        /// what an adversary asked to see; empty outside a simulator
        spied: Spied,
    },
    /// the model moved
    Absorbed {
        /// in which turn
        turn: Turn,
        /// batch loss of a node that learns alone and therefore proposes nothing
        loss: Option<f64>,
        /// whether the round is complete
        is_round_over: bool,
    },
    /// the model was measured
    Evaluated {
        /// rounds done
        round: Round,
        /// its scores
        scores: Scores,
    },
}

/// Why work could not be done.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum WorkError {
    /// the task refused
    #[error(transparent)]
    Task(#[from] TaskError),
    /// the rule refused
    #[error(transparent)]
    Aggregate(#[from] AggregateError),
}

/// Task and algorithm of one node, with the buffers that their steps reuse.
///
/// # Cost
/// Memory: the algorithm's vectors plus one of length d for the aggregate.
pub struct Worker {
    me: NodeId,
    task: Box<dyn Task>,
    algorithm: Box<dyn Algorithm>,
    aggregate: Vec<f32>,
    spy: Spy,
    /// gradient on flipped labels of the last batch, for an adversary that asked
    flipped: Option<Vector>,
    /// what was shared last: once nobody else holds it, its buffer serves again
    shared: Option<Vector>,
    /// what is shared where the algorithm only listens
    silence: Option<Vector>,
}

impl Worker {
    /// A worker at the start of its training.
    pub fn new(me: NodeId, task: Box<dyn Task>, algorithm: Box<dyn Algorithm>) -> Self {
        let (aggregate, spy) = (Vec::new(), Spy::default());
        let (flipped, shared, silence) = (None, None, None);
        Self { me, task, algorithm, aggregate, spy, flipped, shared, silence }
    }

    /// Lets an adversary look over the shoulder.
    pub fn spy(&mut self, spy: Spy) {
        self.spy = spy;
    }

    /// The model as it stands.
    pub fn params(&self) -> &[f32] {
        self.algorithm.params()
    }

    /// Does one job.
    ///
    /// # Errors
    /// When training has diverged or the rule cannot take what was collected.
    pub fn run(&mut self, job: Job) -> Result<Done, WorkError> {
        match job {
            Job::Propose { turn } => self.propose(turn),
            Job::Absorb(collected) => self.absorb(&collected),
            Job::Evaluate { round } => {
                let scores = self.task.evaluate(self.algorithm.params())?;
                Ok(Done::Evaluated { round, scores })
            }
        }
    }

    fn propose(&mut self, turn: Turn) -> Result<Done, WorkError> {
        if self.algorithm.is_listening(turn) {
            return Ok(self.listen(turn));
        }
        let params = self.algorithm.params();
        let model = self.spy.is_model_wanted.then(|| Vector::new(params.to_vec()));
        let mut vector = self.blank(self.task.shared().len());
        let loss = self.algorithm.propose(turn, &mut *self.task, &mut vector)?;
        // A phase without a gradient of its own still belongs to the last one's batch.
        if self.spy.is_flipped_wanted && loss.is_some() {
            let mut flipped = vec![0.0; self.task.dim()];
            self.task.gradient(self.algorithm.params(), Batch::LastFlipped, &mut flipped)?;
            let shared = self.task.shared();
            flipped.truncate(shared.end);
            flipped.drain(..shared.start);
            self.flipped = Some(Vector::new(flipped));
        }
        if self.algorithm.phases(turn.round) == 0 {
            if !kernel::is_finite(&vector) {
                return Err(TaskError::NotFinite { what: "model" }.into());
            }
            self.algorithm.absorb(turn, &mut vector);
            return Ok(Done::Absorbed { turn, loss, is_round_over: true });
        }
        let (vector, cargo) = (Vector::new(vector), self.algorithm.cargo(turn));
        if !vector.is_finite() {
            return Err(TaskError::NotFinite { what: "proposed vector" }.into());
        }
        self.shared = Some(vector.clone());
        let spied = Spied { flipped: self.flipped.clone(), model };
        let halvings = self.algorithm.halvings(turn);
        Ok(Done::Proposed { turn, vector, loss, cargo, halvings, spied })
    }

    /// Opens a turn in which there is nothing to say.
    fn listen(&mut self, turn: Turn) -> Done {
        let dim = self.task.shared().len();
        let silence = self.silence.get_or_insert_with(|| Vector::new(vec![0.0; dim]));
        let (vector, cargo) = (silence.clone(), self.algorithm.cargo(turn));
        let (halvings, spied) = (self.algorithm.halvings(turn), Spied::default());
        Done::Proposed { turn, vector, loss: None, cargo, halvings, spied }
    }

    /// A buffer that a proposal overwrites as a whole.
    fn blank(&mut self, dim: usize) -> Vec<f32> {
        let last = self.shared.take().and_then(Vector::into_values);
        last.filter(|values| values.len() == dim).unwrap_or_else(|| vec![0.0; dim])
    }

    fn absorb(&mut self, collected: &Collected) -> Result<Done, WorkError> {
        let rows: Vec<&[f32]> = collected.vectors.iter().map(|(_, vector)| &**vector).collect();
        let mut vectors = Vectors::new(&rows).map_err(AggregateError::from)?;
        if let Some(own) = collected.vectors.iter().position(|(from, _)| *from == self.me) {
            vectors = vectors.with_own(own);
        }
        let mut aggregate = std::mem::take(&mut self.aggregate);
        aggregate.resize(vectors.dim(), 0.0);
        match self.algorithm.rule(collected.turn) {
            Some(rule) => rule.aggregate(vectors, &mut aggregate)?,
            None => {
                assert_eq!(vectors.count(), 1, "without a rule exactly one vector is collected");
                aggregate.copy_from_slice(vectors.row(0));
            }
        }
        Ok(self.apply(collected.turn, aggregate))
    }

    /// The rule of a turn, for a driver that condenses for many nodes at once.
    pub fn rule(&mut self, turn: Turn) -> Option<&mut dyn Aggregator> {
        self.algorithm.rule(turn)
    }

    /// Takes a buffer of length d for the condensed vector, to be given back by [`Worker::apply`].
    pub fn take_buffer(&mut self, dim: usize) -> Vec<f32> {
        let mut buffer = std::mem::take(&mut self.aggregate);
        buffer.resize(dim, 0.0);
        buffer
    }

    /// Absorbs a condensed vector.
    pub fn apply(&mut self, turn: Turn, mut aggregate: Vec<f32>) -> Done {
        self.algorithm.absorb(turn, &mut aggregate);
        self.aggregate = aggregate;
        Done::Absorbed { turn, loss: None, is_round_over: self.is_last_phase(turn) }
    }

    /// Whether the round is complete once this turn is absorbed.
    pub fn is_last_phase(&self, turn: Turn) -> bool {
        turn.phase.0 + 1 >= self.algorithm.phases(turn.round)
    }

    /// Bytes that this node holds between two steps, by purpose; shared data not counted.
    pub fn memory_bytes(&self) -> BTreeMap<String, u64> {
        let mut state = StateWriter::default();
        self.algorithm.save(&mut state);
        let dim = self.task.shared().len() as u64;
        BTreeMap::from([
            ("model, momentum and rule".into(), state.finish().len() as u64),
            ("aggregate buffer".into(), 4 * dim),
            ("shared vector".into(), 4 * dim),
            ("task workspace".into(), self.task.memory_bytes()),
        ])
    }

    /// Appends everything that the next job depends on.
    pub fn save(&self, out: &mut StateWriter) {
        self.task.save(out);
        self.algorithm.save(out);
        out.flag(self.flipped.is_some());
        self.flipped.iter().for_each(|vector| out.vector(vector));
    }

    /// # Errors
    /// When the snapshot does not fit.
    pub fn load(&mut self, input: &mut StateReader<'_>) -> Result<(), StateError> {
        self.task.load(input)?;
        self.algorithm.load(input)?;
        self.flipped = input.flag()?.then(|| input.vector()).transpose()?;
        Ok(())
    }
}
