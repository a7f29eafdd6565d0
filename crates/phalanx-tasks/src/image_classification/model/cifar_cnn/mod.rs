//! The CIFAR-10 CNN: four 3 × 3 convolutions with ReLU and normalisation, two dense layers.
mod passes;

use phalanx_robust::{Rng, StateError, StateReader, StateWriter};
use rand::Rng as _;

use super::batch_norm::{BatchNorm, Running};
use super::convolution::Convolution;
use super::dense::Dense;
use super::initial::fill_uniform;
use super::matrix::Write;
use super::workspace::{Pool, grown, held};
use super::{Mode, Model, assert_training_shapes};
use passes::{Buffers, Pass};

/// A convolution, its ReLU and the normalisation behind it.
#[derive(Debug, Clone, Copy)]
struct Stage {
    convolution: Convolution,
    norm: BatchNorm,
}

impl Stage {
    const fn new(offset: usize, side: usize, in_channels: usize, out_channels: usize) -> Self {
        // A border of one pixel keeps the side.
        let in_side = side + 2;
        let convolution = Convolution { in_channels, out_channels, kernel: 3, in_side, offset };
        let norm = BatchNorm { channels: out_channels, offset: convolution.end() };
        Self { convolution, norm }
    }

    const fn end(self) -> usize {
        self.norm.end()
    }

    const fn side(self) -> usize {
        self.convolution.out_side()
    }

    const fn len(self) -> usize {
        self.convolution.out_len()
    }
}

const FIRST: Stage = Stage::new(0, 32, 3, 64);
const SECOND: Stage = Stage::new(FIRST.end(), 32, 64, 64);
const THIRD: Stage = Stage::new(SECOND.end(), 16, 64, 128);
const FOURTH: Stage = Stage::new(THIRD.end(), 16, 128, 128);
const STAGES: [Stage; 4] = [FIRST, SECOND, THIRD, FOURTH];
const HIDDEN: Dense = Dense::new(FOURTH.end(), 8192, 128);
const CLASSES: Dense = Dense::new(HIDDEN.end(), 128, 10);

const SIDE: usize = 32;
const IMAGE: usize = 3 * SIDE * SIDE;
const FEATURES: usize = HIDDEN.inputs;
/// Largest image between two layers.
const SLOT: usize = FIRST.len();
/// Random bytes that one image's dropout takes.
const DRAWS: usize = SECOND.len() / 4 + FEATURES + HIDDEN.outputs;
/// A byte below this drops: one in four, exactly.
const DROP_BELOW: u8 = 64;
/// What is kept is scaled so that the expectation stays.
const KEPT: f32 = 4.0 / 3.0;
/// Images per pass when no statistics tie a batch together.
const BLOCK: usize = 10;

/// [3→64, 64→64, pool], [64→128, 128→128, pool], each convolution k3 with border 1, then ReLU,
/// then batch normalisation; 8192→128, ReLU; 128→10; log-softmax; dropout ¼ after each pool and
/// after the hidden layer.
///
/// # Cost
/// 0.29 thousand million multiply-adds per image forward and backward. Buffers: 1.3 MB per
/// image of a pass plus 5 MB; a training pass holds ten images in [`Mode::Published`] and the
/// whole batch in [`Mode::Paper`], whose statistics tie the batch together.
///
/// # Source
/// The model of the published MoNNA experiments on CIFAR-10; 1,310,922 parameters.
#[derive(Debug, Clone)]
pub struct CifarCnn {
    mode: Mode,
    drops: bool,
    stream: Rng,
    running: [Running; 4],
    workspace: Pool<Buffers>,
}

impl CifarCnn {
    /// A model at the beginning of its dropout stream, with running mean 0 and variance 1.
    pub fn new(mode: Mode, dropout: Rng) -> Self {
        let running = STAGES.map(|stage| Running::new(stage.norm.channels));
        let drops = mode == Mode::Paper;
        Self { mode, drops, stream: dropout, running, workspace: Pool::new() }
    }

    /// The same with dropout off, to be compared with other implementations.
    #[must_use]
    pub fn without_dropout(mut self) -> Self {
        self.drops = false;
        self
    }

    fn training_pass(
        &mut self,
        params: &[f32],
        (images, labels): (&[f32], &[u8]),
        grad: &mut [f32],
        leaves_trace: bool,
    ) -> f64 {
        assert_training_shapes(self, params, (images, labels), grad);
        let pass = Pass { params, measures: self.mode == Mode::Paper, drops: self.drops };
        let batch = labels.len();
        let block = if pass.measures { batch } else { BLOCK };
        let mut stream = self.stream.clone();
        let pool = self.workspace.clone();
        let loss = pool.with(|buffers| {
            buffers.load(params);
            buffers.start(params);
            buffers.fix(&self.running);
            if pass.drops {
                stream.fill_bytes(grown(&mut buffers.draws, batch * DRAWS));
            }
            let mut loss = 0.0;
            let blocks = images.chunks(block * IMAGE).zip(labels.chunks(block));
            for (index, (images, labels)) in blocks.enumerate() {
                buffers.forward(pass, images);
                let part = (images, labels, batch);
                loss += buffers.backward(pass, part, Write::part(index), grad);
            }
            buffers.finish(grad);
            if pass.measures && leaves_trace {
                for (index, stage) in STAGES.iter().enumerate() {
                    let pixels = batch * stage.side() * stage.side();
                    buffers.statistics[index].enter(pixels, &mut self.running[index]);
                }
            }
            loss / batch as f64
        });
        if leaves_trace {
            self.stream = stream;
        }
        loss
    }
}

impl Model for CifarCnn {
    fn dim(&self) -> usize {
        CLASSES.end()
    }

    fn input_len(&self) -> usize {
        IMAGE
    }

    fn classes(&self) -> usize {
        CLASSES.outputs
    }

    fn init(&self, rng: &mut Rng, out: &mut [f32]) {
        for stage in STAGES {
            let range = stage.convolution.offset..stage.convolution.end();
            fill_uniform(rng, stage.convolution.window(), &mut out[range]);
            stage.norm.init(out);
        }
        for layer in [HIDDEN, CLASSES] {
            fill_uniform(rng, layer.inputs, &mut out[layer.offset..layer.end()]);
        }
    }

    fn loss_gradient(
        &mut self,
        params: &[f32],
        images: &[f32],
        labels: &[u8],
        grad: &mut [f32],
    ) -> f64 {
        self.training_pass(params, (images, labels), grad, true)
    }

    fn probe_gradient(
        &mut self,
        params: &[f32],
        images: &[f32],
        labels: &[u8],
        grad: &mut [f32],
    ) -> f64 {
        self.training_pass(params, (images, labels), grad, false)
    }

    fn logits(&mut self, params: &[f32], images: &[f32], out: &mut [f32]) {
        let classes = self.classes();
        assert_eq!(params.len(), self.dim(), "as many parameters as the model has");
        assert_eq!(images.len() / IMAGE * classes, out.len(), "one row per image");
        self.workspace.with(|buffers| {
            buffers.load(params);
            buffers.fix(&self.running);
            let pass = Pass { params, measures: false, drops: false };
            let blocks = images.chunks(BLOCK * IMAGE).zip(out.chunks_mut(BLOCK * classes));
            for (images, out) in blocks {
                buffers.forward(pass, images);
                let batch = out.len() / classes;
                for (sample, out) in out.chunks_exact_mut(classes).enumerate() {
                    for (class, out) in out.iter_mut().enumerate() {
                        *out = buffers.scores[class * batch + sample];
                    }
                }
            }
        });
    }

    fn sibling(&self, dropout: Rng) -> Box<dyn Model> {
        let fresh = Self::new(self.mode, dropout);
        Box::new(Self { drops: self.drops, workspace: self.workspace.clone(), ..fresh })
    }

    fn workspace_bytes(&self) -> u64 {
        self.workspace.bytes()
    }

    fn own_bytes(&self) -> u64 {
        let running = self.running.iter();
        running.map(|running| held(&running.mean) + held(&running.variance)).sum()
    }

    fn save(&self, out: &mut StateWriter) {
        for running in &self.running {
            out.f64s(&running.mean);
            out.f64s(&running.variance);
        }
        self.stream.save(out);
    }

    fn load(&mut self, input: &mut StateReader<'_>) -> Result<(), StateError> {
        let mut running = self.running.clone();
        for running in &mut running {
            let channels = running.mean.len();
            for values in [&mut running.mean, &mut running.variance] {
                *values = input.f64s()?;
                if values.len() != channels {
                    return Err(StateError::Mismatch { what: "number of channels" });
                }
            }
        }
        self.stream.load(input)?;
        self.running = running;
        Ok(())
    }
}
