//! The CIFAR-10 CNN: four 3 × 3 convolutions with ReLU and normalisation, two dense layers.
use phalanx_robust::{Rng, StateError, StateReader, StateWriter};
use rand::Rng as _;

use super::batch_norm::{BatchNorm, Running, Statistics};
use super::convolution::{Convolution, Kernel};
use super::dense::{Dense, add_row_sums};
use super::elementwise::{
    BLOCKED, Pooling, add_bias, add_bias_relu, add_channel_bias_relu, affine, block_inactive,
    pool_affine, unpool,
};
use super::initial::fill_uniform;
use super::loss::softmax_gradient;
use super::matrix::{Layout, View, ViewMut, Write};
use super::workspace::{Pool, Workspace, grown, held};
use super::{Mode, Model, assert_training_shapes};

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
/// image of a pass plus 7 MB; a training pass holds ten images in [`Mode::Published`] and the
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

#[derive(Debug, Default)]
struct Buffers {
    kernels: [Kernel; 4],
    statistics: [Statistics; 4],
    // What ReLU gives in each stage, for a block.
    active: [Vec<f32>; 4],
    // One image with its border, and one without.
    bordered: Vec<f32>,
    plain: Vec<f32>,
    // One image's windows, and their slopes.
    rows: Vec<f32>,
    rows_slope: Vec<f32>,
    // Both poolings of a block, and where each maximum came from.
    pooled: [Vec<f32>; 2],
    pooled_from: [Vec<u8>; 2],
    // The second pooling, channels first as the dense layer wants it.
    features: Vec<f32>,
    features_slope: Vec<f32>,
    // The slope by the image at hand, one slot per image.
    slope: Vec<f32>,
    // Outputs × batch.
    hidden: Vec<f32>,
    hidden_slope: Vec<f32>,
    scores: Vec<f32>,
    hidden_bias: Vec<f64>,
    classes_bias: Vec<f64>,
    // Random bytes: first pooling of all images, second of all, hidden layer.
    draws: Vec<u8>,
}

impl Workspace for Buffers {
    fn bytes(&self) -> u64 {
        let single = [
            &self.bordered,
            &self.plain,
            &self.rows,
            &self.rows_slope,
            &self.features,
            &self.features_slope,
            &self.slope,
            &self.hidden,
            &self.hidden_slope,
            &self.scores,
        ];
        single.into_iter().chain(&self.active).chain(&self.pooled).map(held).sum::<u64>()
            + self.pooled_from.iter().map(held).sum::<u64>()
            + self.kernels.iter().map(Kernel::bytes).sum::<u64>()
            + self.statistics.iter().map(Statistics::bytes).sum::<u64>()
            + held(&self.hidden_bias)
            + held(&self.classes_bias)
            + held(&self.draws)
    }
}

/// How the layers behave in one pass.
#[derive(Clone, Copy)]
struct Pass<'a> {
    params: &'a [f32],
    measures: bool,
    drops: bool,
}

impl Buffers {
    fn load(&mut self, params: &[f32]) {
        for (stage, kernel) in STAGES.iter().zip(&mut self.kernels) {
            stage.convolution.load_forward(params, kernel);
        }
    }

    fn start(&mut self, params: &[f32]) {
        for (index, stage) in STAGES.iter().enumerate() {
            stage.convolution.load_backward(params, &mut self.kernels[index]);
            self.statistics[index].start(stage.norm.channels);
        }
        grown(&mut self.hidden_bias, HIDDEN.outputs).fill(0.0);
        grown(&mut self.classes_bias, CLASSES.outputs).fill(0.0);
    }

    fn fix(&mut self, running: &[Running; 4]) {
        for (statistics, running) in self.statistics.iter_mut().zip(running) {
            statistics.fix(running);
        }
    }

    // The image that stage `index` reads, bordered, in `self.bordered`.
    fn read_into_border(&mut self, index: usize, image: usize, images: &[f32]) {
        let convolution = STAGES[index].convolution;
        let (side, channels) = (STAGES[index].side(), convolution.in_channels);
        let len = side * side * channels;
        let plain = grown(&mut self.plain, len);
        match index {
            0 => {
                let image = &images[image * IMAGE..(image + 1) * IMAGE];
                transpose(image, channels, plain);
            }
            2 => plain.copy_from_slice(&self.pooled[0][image * len..(image + 1) * len]),
            _ => {
                let active = &self.active[index - 1][image * len..(image + 1) * len];
                let below = &self.statistics[index - 1];
                affine(active, below.scale(), below.shift(), plain);
            }
        }
        let line = convolution.in_side * channels;
        let bordered = grown(&mut self.bordered, convolution.in_len());
        bordered.fill(0.0);
        let lines = bordered.chunks_exact_mut(line).skip(1);
        for (to, from) in lines.zip(plain.chunks_exact(side * channels)) {
            to[channels..channels + from.len()].copy_from_slice(from);
        }
    }

    fn forward(&mut self, pass: Pass<'_>, images: &[f32]) {
        let batch = images.len() / IMAGE;
        for index in 0..STAGES.len() {
            self.forward_stage(pass, index, images);
            if index % 2 == 1 {
                self.forward_pool(pass.drops, index / 2, batch);
            }
        }
        let features = grown(&mut self.features, batch * FEATURES);
        let pixels = FEATURES / FOURTH.norm.channels;
        let pairs = self.pooled[1].chunks_exact(FEATURES).zip(features.chunks_exact_mut(FEATURES));
        for (from, to) in pairs {
            transpose(from, pixels, to);
        }
        let features = View::new(features, Layout::row_major(batch, FEATURES));
        let hidden = grown(&mut self.hidden, batch * HIDDEN.outputs);
        HIDDEN.forward(pass.params, features, hidden);
        add_bias_relu(hidden, HIDDEN.bias(pass.params));
        if pass.drops {
            let draws = &self.draws[batch * (DRAWS - HIDDEN.outputs)..batch * DRAWS];
            for (value, &draw) in hidden.iter_mut().zip(draws) {
                *value = if draw < DROP_BELOW { 0.0 } else { *value * KEPT };
            }
        }
        let hidden = View::new(hidden, Layout::column_major(batch, HIDDEN.outputs));
        let scores = grown(&mut self.scores, batch * CLASSES.outputs);
        CLASSES.forward(pass.params, hidden, scores);
        add_bias(scores, CLASSES.bias(pass.params));
    }

    fn forward_stage(&mut self, pass: Pass<'_>, index: usize, images: &[f32]) {
        let (stage, batch) = (STAGES[index], images.len() / IMAGE);
        let convolution = stage.convolution;
        grown(&mut self.active[index], batch * stage.len());
        grown(&mut self.rows, convolution.rows_len());
        for image in 0..batch {
            self.read_into_border(index, image, images);
            let rows = &mut self.rows[..convolution.rows_len()];
            convolution.unroll(&self.bordered[..convolution.in_len()], rows);
            let out = &mut self.active[index][image * stage.len()..(image + 1) * stage.len()];
            convolution.forward(&self.kernels[index], rows, out);
            add_channel_bias_relu(out, convolution.bias(pass.params));
        }
        let statistics = &mut self.statistics[index];
        if pass.measures {
            let active = &self.active[index][..batch * stage.len()];
            statistics.measure(active, stage.norm.channels);
        }
        stage.norm.prepare(pass.params, statistics);
    }

    fn forward_pool(&mut self, drops: bool, index: usize, batch: usize) {
        let stage = STAGES[2 * index + 1];
        let len = stage.len() / 4;
        let pooled = grown(&mut self.pooled[index], batch * len);
        let from = grown(&mut self.pooled_from[index], batch * len);
        let statistics = &self.statistics[2 * index + 1];
        let (scale, shift) = (statistics.scale(), statistics.shift());
        let geometry = Pooling { side: stage.side(), scale, shift };
        let active = &self.active[2 * index + 1][..batch * stage.len()];
        pool_affine(geometry, active, pooled, from);
        if drops {
            let start = if index == 0 { 0 } else { batch * (SECOND.len() / 4) };
            let draws = &self.draws[start..start + batch * len];
            for ((value, from), &draw) in pooled.iter_mut().zip(from).zip(draws) {
                let dropped = draw < DROP_BELOW;
                *value = if dropped { 0.0 } else { *value * KEPT };
                *from = if dropped { BLOCKED } else { *from };
            }
        }
    }

    fn backward(
        &mut self,
        pass: Pass<'_>,
        (images, labels, samples): (&[f32], &[u8], usize),
        write: Write,
        grad: &mut [f32],
    ) -> f64 {
        let loss = self.backward_dense(pass, (labels, samples), write, grad);
        let batch = labels.len();
        grown(&mut self.slope, batch * SLOT);
        let pixels = FEATURES / FOURTH.norm.channels;
        for image in 0..batch {
            let plain = grown(&mut self.plain, FEATURES);
            let range = image * FEATURES..(image + 1) * FEATURES;
            transpose(&self.features_slope[range.clone()], FEATURES / pixels, plain);
            scale_kept(pass.drops, plain);
            let from = &self.pooled_from[1][range];
            let to = &mut self.slope[image * SLOT..image * SLOT + FOURTH.len()];
            unpool(plain, from, FOURTH.side(), FOURTH.norm.channels, to);
        }
        for index in (0..STAGES.len()).rev() {
            self.backward_stage(pass, index, images);
        }
        loss
    }

    fn backward_dense(
        &mut self,
        pass: Pass<'_>,
        (labels, samples): (&[u8], usize),
        write: Write,
        grad: &mut [f32],
    ) -> f64 {
        let batch = labels.len();
        let scores = &mut self.scores[..batch * CLASSES.outputs];
        let loss = softmax_gradient(scores, labels, samples);
        let hidden = &self.hidden[..batch * HIDDEN.outputs];
        let hidden_view = View::new(hidden, Layout::column_major(batch, HIDDEN.outputs));
        CLASSES.weight_gradient(hidden_view, scores, write, grad);
        add_row_sums(scores, batch, &mut self.classes_bias);

        let slope = grown(&mut self.hidden_slope, batch * HIDDEN.outputs);
        let scores = View::new(scores, Layout::row_major(CLASSES.outputs, batch));
        let layout = Layout::column_major(batch, HIDDEN.outputs);
        CLASSES.input_gradient(pass.params, scores, ViewMut::new(&mut *slope, layout));
        // A dropped output is zero too, so one test blocks both.
        block_inactive(slope, hidden);
        scale_kept(pass.drops, slope);
        let features = &self.features[..batch * FEATURES];
        let features = View::new(features, Layout::row_major(batch, FEATURES));
        HIDDEN.weight_gradient(features, slope, write, grad);
        add_row_sums(slope, batch, &mut self.hidden_bias);

        let slope = View::new(slope, Layout::row_major(HIDDEN.outputs, batch));
        let below = grown(&mut self.features_slope, batch * FEATURES);
        let to = ViewMut::new(below, Layout::row_major(batch, FEATURES));
        HIDDEN.input_gradient(pass.params, slope, to);
        loss
    }

    // Starts from the slope by the normalised image, leaves that of the stage below.
    fn backward_stage(&mut self, pass: Pass<'_>, index: usize, images: &[f32]) {
        let (stage, batch) = (STAGES[index], images.len() / IMAGE);
        let statistics = &mut self.statistics[index];
        let active = self.active[index].chunks_exact(stage.len());
        for (slope, active) in self.slope.chunks_exact(SLOT).zip(active).take(batch) {
            statistics.add_slope(&slope[..stage.len()], active);
        }
        let measured = pass.measures.then_some(batch * stage.side() * stage.side());
        stage.norm.prepare_reverse(pass.params, measured, statistics);
        for image in 0..batch {
            let slope = &mut self.slope[image * SLOT..image * SLOT + stage.len()];
            let active = &self.active[index][image * stage.len()..(image + 1) * stage.len()];
            self.statistics[index].reverse(slope, active);
            self.backward_image(pass.drops, index, image, images);
        }
    }

    fn backward_image(&mut self, drops: bool, index: usize, image: usize, images: &[f32]) {
        let stage = STAGES[index];
        let convolution = stage.convolution;
        self.read_into_border(index, image, images);
        let rows = grown(&mut self.rows, convolution.rows_len());
        convolution.unroll(&self.bordered[..convolution.in_len()], rows);
        let slope = &self.slope[image * SLOT..image * SLOT + stage.len()];
        convolution.add_bias_gradient(slope, &mut self.kernels[index]);
        convolution.add_weight_gradient(rows, slope, &mut self.kernels[index]);
        if index == 0 {
            return;
        }
        let rows_slope = grown(&mut self.rows_slope, convolution.rows_len());
        convolution.input_gradient(&self.kernels[index], slope, rows_slope);
        let bordered = &mut self.bordered[..convolution.in_len()];
        convolution.fold(rows_slope, bordered);
        let (side, channels) = (stage.side(), convolution.in_channels);
        let len = side * side * channels;
        let plain = grown(&mut self.plain, len);
        let lines = bordered.chunks_exact(convolution.in_side * channels).skip(1);
        for (to, from) in plain.chunks_exact_mut(side * channels).zip(lines) {
            to.copy_from_slice(&from[channels..channels + to.len()]);
        }
        let slot = &mut self.slope[image * SLOT..(image + 1) * SLOT];
        if index == 2 {
            scale_kept(drops, plain);
            let from = &self.pooled_from[0][image * len..(image + 1) * len];
            unpool(plain, from, SECOND.side(), channels, &mut slot[..SECOND.len()]);
        } else {
            slot[..len].copy_from_slice(plain);
        }
    }

    fn finish(&self, grad: &mut [f32]) {
        for (index, stage) in STAGES.iter().enumerate() {
            stage.convolution.write_gradient(&self.kernels[index], grad);
            stage.norm.write_gradient(&self.statistics[index], grad);
        }
        HIDDEN.write_bias(&self.hidden_bias, grad);
        CLASSES.write_bias(&self.classes_bias, grad);
    }
}

fn scale_kept(drops: bool, slope: &mut [f32]) {
    if drops {
        slope.iter_mut().for_each(|value| *value *= KEPT);
    }
}

/// Turns one image of `rows` rows around.
fn transpose(from: &[f32], rows: usize, to: &mut [f32]) {
    let columns = from.len() / rows;
    for (row, from) in from.chunks_exact(columns).enumerate() {
        for (column, &value) in from.iter().enumerate() {
            to[column * rows + row] = value;
        }
    }
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
