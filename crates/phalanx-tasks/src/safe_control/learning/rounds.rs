//! Rounds of learning: fit, let somebody plan and fly, append what was met, fit again.
use std::ops::ControlFlow;
use std::sync::Arc;

use crate::safe_control::gp::{Calibration, GaussianProcess, GpError, Samples, Training, Truth};

/// How rounds of learning are done.
#[derive(Debug, Clone, PartialEq)]
pub struct Learning {
    /// how each model is fitted
    pub training: Training,
    /// how many rounds
    pub rounds: usize,
    /// most rows that are appended after a round, evenly from what was met
    pub keep: usize,
}

/// What a flight met.
#[derive(Debug, Clone, PartialEq)]
pub struct Flown {
    /// transitions as they were observed: what is learnt from
    pub observed: Samples,
    /// what would have happened without noise: what the model's doubt is held against
    pub truth: Samples,
}

/// What a round is followed by.
#[derive(Debug, Clone, PartialEq)]
pub enum Met {
    /// what its flights met
    Flown(Flown),
    /// rows from elsewhere, where there was nothing to fly
    Gathered(Samples),
}

/// One round.
#[derive(Debug, Clone)]
pub struct Round {
    /// from 1
    pub number: usize,
    /// rows that its model was fitted to
    pub rows: usize,
    /// its model
    pub model: Arc<GaussianProcess>,
    /// its model on rows that were held out
    pub held_out: Vec<Calibration>,
    /// its model on what was then flown; none when nothing was
    pub flown: Option<Vec<Calibration>>,
}

impl Learning {
    /// Does the rounds; returns all data and every round that was finished.
    ///
    /// `fly` plans with the model of a round that was judged already and flies the plan:
    /// it returns what was met, or breaks off.
    ///
    /// # Guarantee
    /// The same data, seeds and `fly` give the same bits for any number of threads.
    ///
    /// # Errors
    /// [`GpError`] when a fit fails or what was met has other columns.
    pub fn run(
        &self,
        mut samples: Samples,
        held_out: &Samples,
        fly: &mut dyn FnMut(&Round) -> ControlFlow<(), Met>,
    ) -> Result<(Samples, Vec<Round>), GpError> {
        let mut rounds = Vec::with_capacity(self.rounds);
        for number in 1..=self.rounds {
            let model = Arc::new(self.training.fit(&samples)?);
            let calibration = model.calibration(held_out, Truth::Exact)?;
            let rows = samples.rows();
            let mut round = Round { number, rows, model, held_out: calibration, flown: None };
            let ControlFlow::Continue(met) = fly(&round) else { break };
            match met {
                Met::Flown(flown) => {
                    // Before the model is told: what it believed when the plan was made.
                    round.flown = Some(round.model.calibration(&flown.truth, Truth::Exact)?);
                    samples.append(&evenly(&flown.observed, self.keep)?)?;
                }
                Met::Gathered(rows) => samples.append(&rows)?,
            }
            rounds.push(round);
        }
        Ok((samples, rounds))
    }
}

/// At most `keep` rows, evenly over all of them.
fn evenly(samples: &Samples, keep: usize) -> Result<Samples, GpError> {
    let rows = samples.rows();
    let kept = keep.min(rows);
    let chosen = (0..kept).map(|place| place * rows / kept);
    let mut inputs = Vec::with_capacity(kept * samples.inputs());
    let mut outputs = Vec::with_capacity(kept * samples.outputs());
    for row in chosen {
        inputs.extend_from_slice(samples.input(row));
        outputs.extend_from_slice(samples.output(row));
    }
    Samples::new((samples.inputs(), samples.outputs()), inputs, outputs)
}
