//! One node's image classification: its model, its shard, its place in the epoch.
use std::sync::Arc;

use phalanx_learn::{Batch, Scores, Task, TaskError};
use phalanx_robust::{Rng, StateError, StateReader, StateWriter, kernel};

use crate::dataset::{Dataset, NormalisationTable, TrainTest};
use crate::image_classification::batches::Batches;
use crate::image_classification::model::Model;
use crate::image_classification::regularizer::Regularizer;

/// Samples that are evaluated at a time; the buffer lives only as long as the evaluation.
const EVALUATION_CHUNK: usize = 200;
/// Larger batches (an algorithm may ask for any size) are computed in parts of this many samples
/// or of the task's own batch, whichever is more, so that memory does not grow with them.
/// The result is that of the whole, except that batch normalisation takes statistics per part.
const GRADIENT_CHUNK: usize = 100;

/// Which images are mirrored left to right at random.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mirroring {
    None,
    Training,
    /// deviation Q7 of specification 01: the published code mirrors test images, too
    TrainingAndTest,
}

/// What is the same at every node.
#[derive(Clone)]
pub(super) struct Settings {
    pub(super) data: TrainTest,
    pub(super) table: Arc<NormalisationTable>,
    pub(super) batch: usize,
    pub(super) regularizer: Regularizer,
    pub(super) mirroring: Mirroring,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Sample {
    index: u32,
    is_mirrored: bool,
}

pub(super) struct ImageClassification {
    settings: Settings,
    model: Box<dyn Model>,
    batches: Batches,
    mirroring: Rng,
    test_mirroring: Rng,
    // The samples of the last batch, so that they can be asked for once more.
    last: Vec<Sample>,
    drawn: Vec<u32>,
    images: Vec<f32>,
    labels: Vec<u8>,
    // Weighted sum of the parts of a batch that exceeds a chunk; otherwise never allocated.
    sum: Vec<f64>,
}

impl ImageClassification {
    pub(super) fn new(
        settings: Settings,
        model: Box<dyn Model>,
        shard: Vec<u32>,
        (seed, node): (u64, u64),
    ) -> Self {
        let size = settings.data.train.shape().len();
        let batch = settings.batch;
        let capacity = batch.min(shard.len());
        Self {
            settings,
            model,
            batches: Batches::new(shard, Rng::stream(seed, node, "batches")),
            mirroring: Rng::stream(seed, node, "mirrored images"),
            test_mirroring: Rng::stream(seed, node, "mirrored test images"),
            last: Vec::with_capacity(capacity),
            drawn: Vec::with_capacity(capacity),
            images: Vec::with_capacity(capacity * size),
            labels: Vec::with_capacity(capacity),
            sum: Vec::new(),
        }
    }

    /// Makes the samples of `batch` the last ones.
    fn draw(&mut self, batch: Batch) -> Result<(), TaskError> {
        self.drawn.clear();
        match batch {
            Batch::Fresh => {
                self.batches.next_within_epoch(self.settings.batch, &mut self.drawn);
            }
            Batch::FreshOf(0) => return Err(TaskError::Unsupported { what: "batch of nothing" }),
            Batch::FreshOf(count) => self.batches.next_across_epochs(count, &mut self.drawn),
            Batch::LastFlipped if self.last.is_empty() => {
                return Err(TaskError::Unsupported { what: "batch to repeat before the first" });
            }
            Batch::LastFlipped => return Ok(()),
        }
        self.last.clear();
        let is_on = self.settings.mirroring != Mirroring::None;
        for index in &self.drawn {
            let is_mirrored = is_on && self.mirroring.below(2) == 1;
            self.last.push(Sample { index: *index, is_mirrored });
        }
        Ok(())
    }

    /// Mean loss and gradient over the last batch, without the penalty.
    fn loss_gradient(&mut self, params: &[f32], is_flipped: bool, grad: &mut [f32]) -> f64 {
        let last = std::mem::take(&mut self.last);
        let chunk = GRADIENT_CHUNK.max(self.settings.batch);
        let loss = if last.len() <= chunk {
            self.part(params, (&last, is_flipped), grad)
        } else {
            self.sum.clear();
            self.sum.resize(grad.len(), 0.0);
            let mut loss = 0.0;
            for samples in last.chunks(chunk) {
                let weight = samples.len() as f64 / last.len() as f64;
                loss += weight * self.part(params, (samples, is_flipped), grad);
                for (sum, entry) in self.sum.iter_mut().zip(&*grad) {
                    *sum += weight * f64::from(*entry);
                }
            }
            grad.iter_mut().zip(&self.sum).for_each(|(entry, sum)| *entry = *sum as f32);
            loss
        };
        self.last = last;
        loss
    }

    fn part(
        &mut self,
        params: &[f32],
        (samples, is_flipped): (&[Sample], bool),
        grad: &mut [f32],
    ) -> f64 {
        let Settings { data, table, .. } = &self.settings;
        gather((&data.train, table), samples, &mut self.images, &mut self.labels);
        if is_flipped {
            let most = (data.train.classes() - 1) as u8;
            self.labels.iter_mut().for_each(|label| *label = most - *label);
        }
        // The adversary's look at flipped labels must not move an honest node's statistics.
        if is_flipped {
            self.model.probe_gradient(params, &self.images, &self.labels, grad)
        } else {
            self.model.loss_gradient(params, &self.images, &self.labels, grad)
        }
    }
}

/// Copies samples out of the shared bytes and normalises them.
fn gather(
    (data, table): (&Dataset, &NormalisationTable),
    samples: &[Sample],
    images: &mut Vec<f32>,
    labels: &mut Vec<u8>,
) {
    let shape = data.shape();
    images.resize(samples.len() * shape.len(), 0.0);
    labels.clear();
    for (sample, out) in samples.iter().zip(images.chunks_exact_mut(shape.len())) {
        let index = sample.index as usize;
        table.apply(shape, data.image(index), sample.is_mirrored, out);
        labels.push(data.labels()[index]);
    }
}

// A model may drop a NaN on the way (a rectifier maps it to 0), so parameters are looked at.
fn check_finite(values: &[f32], what: &'static str) -> Result<(), TaskError> {
    match kernel::is_finite(values) {
        true => Ok(()),
        false => Err(TaskError::NotFinite { what }),
    }
}

impl Task for ImageClassification {
    fn dim(&self) -> usize {
        self.model.dim()
    }

    fn init(&self, rng: &mut Rng, out: &mut [f32]) {
        self.model.init(rng, out);
    }

    fn gradient(
        &mut self,
        params: &[f32],
        batch: Batch,
        grad: &mut [f32],
    ) -> Result<f64, TaskError> {
        // A sum of squares of f32 in f64 is finite exactly when every entry is.
        let square = kernel::dot(params, params);
        if !square.is_finite() {
            return Err(TaskError::NotFinite { what: "model" });
        }
        self.draw(batch)?;
        let loss = self.loss_gradient(params, batch == Batch::LastFlipped, grad);
        let loss = loss + self.settings.regularizer.add((params, square), grad);
        if !loss.is_finite() {
            return Err(TaskError::NotFinite { what: "loss" });
        }
        check_finite(grad, "gradient")?;
        Ok(loss)
    }

    fn evaluate(&mut self, params: &[f32]) -> Result<Scores, TaskError> {
        check_finite(params, "model")?;
        let Settings { data, table, mirroring, .. } = &self.settings;
        let (mut images, mut labels, mut samples) = (Vec::new(), Vec::new(), Vec::new());
        let (mut correct, mut loss) = (0, 0.0);
        let count = data.test.len();
        for first in (0..count).step_by(EVALUATION_CHUNK) {
            samples.clear();
            for index in first..count.min(first + EVALUATION_CHUNK) {
                let is_on = *mirroring == Mirroring::TrainingAndTest;
                let is_mirrored = is_on && self.test_mirroring.below(2) == 1;
                samples.push(Sample { index: index as u32, is_mirrored });
            }
            gather((&data.test, table), &samples, &mut images, &mut labels);
            let found = self.model.evaluate(params, &images, &labels);
            correct += found.correct;
            loss += found.loss_sum;
        }
        let (accuracy, loss) = (correct as f64 / count as f64, loss / count as f64);
        if !loss.is_finite() {
            return Err(TaskError::NotFinite { what: "test loss" });
        }
        Ok([("accuracy".to_owned(), accuracy), ("loss".to_owned(), loss)].into())
    }

    fn memory_bytes(&self) -> u64 {
        let samples = self.batches.epoch_len() + self.drawn.capacity();
        let own = samples * size_of::<u32>()
            + self.last.capacity() * size_of::<Sample>()
            + self.images.capacity() * size_of::<f32>()
            + self.labels.capacity()
            + self.sum.capacity() * size_of::<f64>();
        own as u64 + self.model.own_bytes()
    }

    fn save(&self, out: &mut StateWriter) {
        self.batches.save(out);
        self.mirroring.save(out);
        self.test_mirroring.save(out);
        out.u64(self.last.len() as u64);
        for sample in &self.last {
            out.u64(u64::from(sample.index) << 1 | u64::from(sample.is_mirrored));
        }
        self.model.save(out);
    }

    fn load(&mut self, input: &mut StateReader<'_>) -> Result<(), StateError> {
        self.batches.load(input)?;
        self.mirroring.load(input)?;
        self.test_mirroring.load(input)?;
        self.last.clear();
        for _ in 0..input.usize()? {
            let word = input.u64()?;
            let index = u32::try_from(word >> 1).unwrap_or(u32::MAX);
            if index as usize >= self.settings.data.train.len() {
                return Err(StateError::Mismatch { what: "a sample of the last batch" });
            }
            self.last.push(Sample { index, is_mirrored: word & 1 == 1 });
        }
        self.model.load(input)
    }
}
