//! Snapshots of finished but undelivered work, so that a run can stop between the two.
use phalanx_protocol::{Round, Turn};
use phalanx_robust::{StateError, StateReader, StateWriter};

use crate::algorithm::Cargo;
use crate::task::{Scores, TaskError};
use crate::worker::{Done, Spied, WorkError};

impl Cargo {
    /// Appends it to a snapshot.
    pub fn save(self, out: &mut StateWriter) {
        let (kind, step) = match self {
            Self::Quiet => (0, 0.0),
            Self::Gradients => (1, 0.0),
            Self::Models => (2, 0.0),
            Self::HalfSteps { step } => (3, step),
        };
        out.u64(kind);
        out.f64(step);
    }

    /// # Errors
    /// When the snapshot does not fit; likewise below.
    pub fn load(input: &mut StateReader<'_>) -> Result<Self, StateError> {
        let (kind, step) = (input.u64()?, input.f64()?);
        match kind {
            0 => Ok(Self::Quiet),
            1 => Ok(Self::Gradients),
            2 => Ok(Self::Models),
            3 => Ok(Self::HalfSteps { step }),
            _ => Err(StateError::Mismatch { what: "the kind of a vector" }),
        }
    }
}

impl Spied {
    /// Appends it to a snapshot.
    pub fn save(&self, out: &mut StateWriter) {
        for vector in [&self.flipped, &self.model] {
            out.flag(vector.is_some());
            vector.iter().for_each(|vector| out.vector(vector));
        }
    }

    /// # Errors
    /// When the snapshot does not fit.
    pub fn load(input: &mut StateReader<'_>) -> Result<Self, StateError> {
        let mut optional = || input.flag()?.then(|| input.vector()).transpose();
        Ok(Self { flipped: optional()?, model: optional()? })
    }
}

fn save_loss(loss: Option<f64>, out: &mut StateWriter) {
    out.flag(loss.is_some());
    out.f64(loss.unwrap_or_default());
}

fn load_loss(input: &mut StateReader<'_>) -> Result<Option<f64>, StateError> {
    let (is_some, loss) = (input.flag()?, input.f64()?);
    Ok(is_some.then_some(loss))
}

fn load_text(input: &mut StateReader<'_>) -> Result<String, StateError> {
    String::from_utf8(input.bytes()?.to_vec())
        .map_err(|_| StateError::Mismatch { what: "text that is not UTF-8" })
}

/// Appends the outcome of a job.
pub fn save_result(result: &Result<Done, WorkError>, out: &mut StateWriter) {
    match result {
        Ok(Done::Proposed { turn, vector, loss, cargo, halvings, spied }) => {
            out.u64(0);
            turn.save(out);
            out.vector(vector);
            save_loss(*loss, out);
            cargo.save(out);
            out.u64(u64::from(*halvings));
            spied.save(out);
        }
        Ok(Done::Absorbed { turn, loss, is_round_over }) => {
            out.u64(1);
            turn.save(out);
            save_loss(*loss, out);
            out.flag(*is_round_over);
        }
        Ok(Done::Evaluated { round, scores }) => {
            out.u64(2);
            out.u64(u64::from(round.0));
            out.u64(scores.len() as u64);
            for (name, score) in scores {
                out.bytes(name.as_bytes());
                out.f64(*score);
            }
        }
        Err(error) => {
            out.u64(3);
            out.bytes(error.to_string().as_bytes());
        }
    }
}

/// # Errors
/// When the snapshot does not fit. An error comes back with its text, not its type.
pub fn load_result(input: &mut StateReader<'_>) -> Result<Result<Done, WorkError>, StateError> {
    Ok(match input.u64()? {
        0 => Ok(Done::Proposed {
            turn: Turn::load(input)?,
            vector: input.vector()?,
            loss: load_loss(input)?,
            cargo: Cargo::load(input)?,
            halvings: input.u64()? as u16,
            spied: Spied::load(input)?,
        }),
        1 => Ok(Done::Absorbed {
            turn: Turn::load(input)?,
            loss: load_loss(input)?,
            is_round_over: input.flag()?,
        }),
        2 => {
            let round = Round(input.u64()? as u32);
            let mut scores = Scores::new();
            for _ in 0..input.usize()? {
                scores.insert(load_text(input)?, input.f64()?);
            }
            Ok(Done::Evaluated { round, scores })
        }
        3 => Err(WorkError::Task(TaskError::Data(load_text(input)?))),
        _ => return Err(StateError::Mismatch { what: "the kind of an outcome" }),
    })
}
