//! One user of personalised learning as a node's task.
use std::sync::Arc;

use phalanx_learn::algorithm::personalised::LocalLoss as _;
use phalanx_learn::{Batch, Scores, Task, TaskError};
use phalanx_robust::{Rng, StateError, StateReader, StateWriter};

use super::softmax::LinearSoftmax;
use super::target::linear_init;

/// K of a user that holds a model: far stiffer than any regulariser of strength 1.
const STIFFNESS: f64 = 1_000.0;

/// What a user learns from.
pub(super) enum Holding {
    /// points with labels
    Points(LinearSoftmax),
    /// a model that it insists on: a model attack
    Model(Arc<[f64]>),
}

pub(super) struct PersonalData {
    holding: Holding,
    test: Arc<LinearSoftmax>,
    is_mean: bool,
    batch: usize,
    rng: Rng,
    slope: Vec<f64>,
}

impl PersonalData {
    pub(super) fn new(
        holding: Holding,
        test: Arc<LinearSoftmax>,
        is_mean: bool,
        (batch, rng): (usize, Rng),
    ) -> Self {
        let slope = vec![0.0; test.dim()];
        Self { holding, test, is_mean, batch, rng, slope }
    }

    /// Which points the next slope is of; `None`: all.
    fn draw(&mut self, batch: Batch, points: usize) -> Result<Option<Vec<u32>>, TaskError> {
        let count = match batch {
            Batch::LastFlipped => {
                return Err(TaskError::Unsupported { what: "batch with flipped labels" });
            }
            Batch::FreshOf(0) => return Err(TaskError::Unsupported { what: "batch of nothing" }),
            Batch::FreshOf(count) => count,
            Batch::Fresh if self.batch == 0 => return Ok(None),
            Batch::Fresh => self.batch,
        };
        Ok(Some((0..count).map(|_| self.rng.below(points) as u32).collect()))
    }
}

impl Task for PersonalData {
    fn dim(&self) -> usize {
        self.test.dim()
    }

    fn init(&self, rng: &mut Rng, out: &mut [f32]) {
        let (classes, inputs) = self.test.shape();
        let drawn = linear_init((classes, inputs), rng);
        // Somebody who insists on a model starts there, as published.
        let init: &[f64] = match &self.holding {
            Holding::Points(_) => &drawn,
            Holding::Model(model) => model,
        };
        out.iter_mut().zip(init).for_each(|(out, entry)| *out = *entry as f32);
    }

    fn gradient(
        &mut self,
        params: &[f32],
        batch: Batch,
        grad: &mut [f32],
    ) -> Result<f64, TaskError> {
        check_finite(params, "model")?;
        let params: Vec<f64> = params.iter().map(|entry| f64::from(*entry)).collect();
        let points = match &self.holding {
            Holding::Points(points) => points.points(),
            Holding::Model(_) => 1,
        };
        let rows = self.draw(batch, points)?;
        self.slope.fill(0.0);
        let (mut loss, mut scale) = (0.0, 1.0);
        match &mut self.holding {
            Holding::Points(data) => {
                loss += data.add_slope(&params, rows.as_deref(), &mut self.slope);
                let drawn = rows.as_ref().map_or(points, Vec::len) as f64;
                scale = if self.is_mean { 1.0 / drawn } else { points as f64 / drawn };
            }
            Holding::Model(model) => {
                for ((slope, x), goal) in self.slope.iter_mut().zip(&params).zip(&**model) {
                    *slope += STIFFNESS * (x - goal);
                    loss += 0.5 * STIFFNESS * (x - goal) * (x - goal);
                }
            }
        }
        grad.iter_mut().zip(&self.slope).for_each(|(out, g)| *out = (scale * g) as f32);
        if !loss.is_finite() {
            return Err(TaskError::NotFinite { what: "loss" });
        }
        check_finite(grad, "gradient")?;
        Ok(scale * loss)
    }

    fn evaluate(&mut self, params: &[f32]) -> Result<Scores, TaskError> {
        check_finite(params, "model")?;
        let params: Vec<f64> = params.iter().map(|entry| f64::from(*entry)).collect();
        let accuracy = self.test.accuracy(&params).expect("test images have one class each");
        let loss = self.test.mean_loss(&params);
        if !loss.is_finite() {
            return Err(TaskError::NotFinite { what: "test loss" });
        }
        Ok([("accuracy".to_owned(), accuracy), ("loss".to_owned(), loss)].into())
    }

    fn memory_bytes(&self) -> u64 {
        let rows = match &self.holding {
            Holding::Points(points) => points.points() * size_of::<u32>(),
            Holding::Model(_) => 0,
        };
        (self.slope.len() * size_of::<f64>() + rows) as u64
    }

    fn save(&self, out: &mut StateWriter) {
        self.rng.save(out);
    }

    fn load(&mut self, input: &mut StateReader<'_>) -> Result<(), StateError> {
        self.rng.load(input)
    }
}

fn check_finite(values: &[f32], what: &'static str) -> Result<(), TaskError> {
    match phalanx_robust::kernel::is_finite(values) {
        true => Ok(()),
        false => Err(TaskError::NotFinite { what }),
    }
}
