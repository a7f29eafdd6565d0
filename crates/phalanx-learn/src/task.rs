//! A task: a model and the local data behind one flat vector of `f32`.
use std::collections::BTreeMap;
use std::ops::Range;
use std::path::Path;

use phalanx_robust::{Args, Rng, StateError, StateReader, StateWriter};

/// Named results of an evaluation, such as `accuracy` in 0..=1 and `loss`.
pub type Scores = BTreeMap<String, f64>;

/// Why a task could not do what it was asked.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum TaskError {
    /// The loss or gradient is NaN or infinite: training has diverged.
    #[error("the {what} is not finite: training has diverged")]
    NotFinite {
        /// loss or gradient
        what: &'static str,
    },
    /// The task cannot do that.
    #[error("the task has no {what}")]
    Unsupported {
        /// what was asked for
        what: &'static str,
    },
    /// The data cannot be used.
    #[error("{0}")]
    Data(String),
}

/// Which gradient is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Batch {
    /// a fresh mini-batch of the task's own size
    Fresh,
    /// a fresh mini-batch of so many samples (more than one epoch holds: drawn on from the next)
    FreshOf(usize),
    /// the batch of the last call once more, with every label c replaced by `C − 1 − c`
    LastFlipped,
}

/// What the tasks of a population are built from.
pub struct TaskSetup<'a> {
    /// checked parameters
    pub args: &'a Args,
    /// honest nodes: each gets a shard of its own
    pub nodes: usize,
    /// seed of the run: partition and batch streams derive from it
    pub seed: u64,
    /// directory with the data sets of this machine
    pub data: &'a Path,
}

/// Builds one task per honest node, in node order.
pub type BuildTasks = fn(TaskSetup<'_>) -> Result<Vec<Box<dyn Task>>, TaskError>;

/// What is known of a task besides name and parameters.
#[derive(Debug, Clone, Copy)]
pub struct TaskRule {
    /// model, data and scores in plain text
    pub formula: &'static str,
    /// what it measures when it evaluates, ascending: what a file can expect or select by
    pub scores: &'static [&'static str],
    /// builds the population's tasks
    pub build: BuildTasks,
}

/// A model and local data behind one flat vector.
///
/// # Guarantee
/// Given the same state and arguments every call yields the same bits: one task is
/// single-threaded and draws only from the stream that it was built with.
pub trait Task: Send {
    /// Number of parameters, d.
    fn dim(&self) -> usize;

    /// The part of the parameters that peers see; the rest is personal.
    fn shared(&self) -> Range<usize> {
        0..self.dim()
    }

    /// Initial parameters, the same for every node that passes the same stream.
    ///
    /// # Shape
    /// `out`: d.
    fn init(&self, rng: &mut Rng, out: &mut [f32]);

    /// Writes a stochastic gradient at `params`, all of it whatever `grad` held before, and
    /// returns the batch loss.
    ///
    /// # Errors
    /// [`TaskError::NotFinite`] when training has diverged.
    fn gradient(
        &mut self,
        params: &[f32],
        batch: Batch,
        grad: &mut [f32],
    ) -> Result<f64, TaskError>;

    /// Scores on held-out data.
    ///
    /// # Errors
    /// When the parameters are not finite.
    fn evaluate(&mut self, params: &[f32]) -> Result<Scores, TaskError>;

    /// Bytes that this node's copy of the task holds, shared data not counted.
    fn memory_bytes(&self) -> u64 {
        0
    }

    /// Appends what the next gradient depends on: position in the data and random stream.
    fn save(&self, out: &mut StateWriter);

    /// # Errors
    /// When the snapshot does not fit.
    fn load(&mut self, input: &mut StateReader<'_>) -> Result<(), StateError>;
}
