//! The MNIST CNN: two 5 × 5 convolutions with ReLU and pooling, two dense layers.
use phalanx_robust::Rng;

use super::convolution::{Convolution, Kernel};
use super::dense::{Dense, add_row_sums};
use super::direct::Direct;
use super::elementwise::{add_bias, add_bias_relu, add_open_sums, block_inactive, pool, unpool};
use super::initial::fill_uniform;
use super::loss::softmax_gradient;
use super::matrix::{Layout, View, ViewMut, Write};
use super::winograd::{Spectra, Winograd};
use super::workspace::{Pool, Workspace, grown, held};
use super::{Model, assert_training_shapes};

const FIRST: Convolution =
    Convolution { in_channels: 1, out_channels: 20, kernel: 5, in_side: 28, offset: 0 };
const SECOND: Convolution =
    Convolution { in_channels: 20, out_channels: 50, kernel: 5, in_side: 12, offset: FIRST.end() };
const FIRST_PIXELS: Direct = Direct::of(FIRST);
const SECOND_TILES: Winograd = Winograd::of(SECOND);
const HIDDEN: Dense = Dense::new(SECOND.end(), 800, 500);
const CLASSES: Dense = Dense::new(HIDDEN.end(), 500, 10);

const IMAGE: usize = FIRST.in_len();
const POOLED: usize = SECOND.in_len();
const FEATURES: usize = HIDDEN.inputs;
const MAP: usize = FEATURES / SECOND.out_channels;

/// Images that go through the dense layers together; more come in several passes.
const BLOCK: usize = 64;
/// Images that are convolved together: their tiles should stay in a second-level cache.
const CHUNK: usize = 5;

/// conv 1→20 k5, ReLU, pool; conv 20→50 k5, ReLU, pool; 800→500, ReLU; 500→10; log-softmax.
///
/// # Cost
/// 2.6 million multiply-adds per image forward and backward, where sums over windows would take
/// 6.6, and 0.2 million additions to get there; 3 MB of buffers at batch 25, 4 MB from 64 on.
///
/// # Source
/// The model of the published MoNNA experiments on MNIST; 431,080 parameters.
#[derive(Debug, Clone)]
pub struct MnistCnn {
    workspace: Pool<Buffers>,
}

#[derive(Debug, Default)]
struct Buffers {
    first: Kernel,
    second: Kernel,
    second_spectra: Spectra,
    // What a convolution puts out for a chunk, and its slope on the way back.
    map: Vec<f32>,
    // The first pooling of a block, channels last, and where each maximum came from.
    pooled: Vec<f32>,
    pooled_from: Vec<u8>,
    // The second pooling of a chunk, channels last.
    pooled_chunk: Vec<f32>,
    features_from: Vec<u8>,
    // The second pooling of a block, channels first as the dense layer wants it.
    features: Vec<f32>,
    features_slope: Vec<f32>,
    // Outputs × batch.
    hidden: Vec<f32>,
    hidden_slope: Vec<f32>,
    scores: Vec<f32>,
    hidden_bias: Vec<f64>,
    classes_bias: Vec<f64>,
}

impl Workspace for Buffers {
    fn bytes(&self) -> u64 {
        let numbers = [
            &self.map,
            &self.pooled,
            &self.pooled_chunk,
            &self.features,
            &self.features_slope,
            &self.hidden,
            &self.hidden_slope,
            &self.scores,
        ];
        numbers.into_iter().map(held).sum::<u64>()
            + held(&self.pooled_from)
            + held(&self.features_from)
            + held(&self.hidden_bias)
            + held(&self.classes_bias)
            + self.first.bytes()
            + self.second.bytes()
            + self.second_spectra.bytes()
    }
}

impl Default for MnistCnn {
    fn default() -> Self {
        Self::new()
    }
}

impl MnistCnn {
    /// A model with no buffers yet.
    pub fn new() -> Self {
        Self { workspace: Pool::new() }
    }
}

impl Buffers {
    fn start(&mut self, params: &[f32]) {
        FIRST.load_backward(params, &mut self.first);
        SECOND.load_backward(params, &mut self.second);
        SECOND_TILES.load_backward(&self.second, &mut self.second_spectra);
        grown(&mut self.hidden_bias, HIDDEN.outputs).fill(0.0);
        grown(&mut self.classes_bias, CLASSES.outputs).fill(0.0);
    }

    fn load(&mut self, params: &[f32]) {
        FIRST.load_forward(params, &mut self.first);
        SECOND.load_forward(params, &mut self.second);
        SECOND_TILES.load_forward(&self.second, &mut self.second_spectra);
    }

    fn forward(&mut self, params: &[f32], images: &[f32]) {
        let batch = images.len() / IMAGE;
        grown(&mut self.pooled, batch * POOLED);
        grown(&mut self.pooled_from, batch * POOLED);
        grown(&mut self.features, batch * FEATURES);
        grown(&mut self.features_from, batch * FEATURES);
        for (index, images) in images.chunks(CHUNK * IMAGE).enumerate() {
            self.forward_chunk(params, images, index * CHUNK);
        }
        let features = &self.features[..batch * FEATURES];
        let features = View::new(features, Layout::row_major(batch, FEATURES));
        let hidden = grown(&mut self.hidden, batch * HIDDEN.outputs);
        HIDDEN.forward(params, features, hidden);
        add_bias_relu(hidden, HIDDEN.bias(params));
        let hidden = View::new(hidden, Layout::column_major(batch, HIDDEN.outputs));
        let scores = grown(&mut self.scores, batch * CLASSES.outputs);
        CLASSES.forward(params, hidden, scores);
        add_bias(scores, CLASSES.bias(params));
    }

    fn forward_chunk(&mut self, params: &[f32], images: &[f32], start: usize) {
        let count = images.len() / IMAGE;
        let map = grown(&mut self.map, count * FIRST.out_len());
        FIRST_PIXELS.forward(&self.first, images, map);
        let pooled = &mut self.pooled[start * POOLED..(start + count) * POOLED];
        let from = &mut self.pooled_from[start * POOLED..(start + count) * POOLED];
        pool(map, FIRST.out_side(), FIRST.bias(params), pooled, from);

        let map = grown(&mut self.map, count * SECOND.out_len());
        SECOND_TILES.forward(pooled, &mut self.second_spectra, map);
        let pooled = grown(&mut self.pooled_chunk, count * FEATURES);
        let from = &mut self.features_from[start * FEATURES..(start + count) * FEATURES];
        pool(map, SECOND.out_side(), SECOND.bias(params), pooled, from);
        let features = &mut self.features[start * FEATURES..(start + count) * FEATURES];
        transpose(pooled, MAP, features);
    }

    fn backward(
        &mut self,
        params: &[f32],
        (images, labels, samples): (&[f32], &[u8], usize),
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
        CLASSES.input_gradient(params, scores, ViewMut::new(&mut *slope, layout));
        block_inactive(slope, hidden);
        let features = &self.features[..batch * FEATURES];
        let features = View::new(features, Layout::row_major(batch, FEATURES));
        HIDDEN.weight_gradient(features, slope, write, grad);
        add_row_sums(slope, batch, &mut self.hidden_bias);

        let slope = View::new(slope, Layout::row_major(HIDDEN.outputs, batch));
        let below = grown(&mut self.features_slope, batch * FEATURES);
        let layout = Layout::row_major(batch, FEATURES);
        HIDDEN.input_gradient(params, slope, ViewMut::new(below, layout));
        for (index, images) in images.chunks(CHUNK * IMAGE).enumerate() {
            self.backward_chunk(images, index * CHUNK);
        }
        loss
    }

    fn backward_chunk(&mut self, images: &[f32], start: usize) {
        let count = images.len() / IMAGE;
        let slope = grown(&mut self.pooled_chunk, count * FEATURES);
        let range = start * FEATURES..(start + count) * FEATURES;
        transpose(&self.features_slope[range.clone()], SECOND.out_channels, slope);
        let from = &self.features_from[range];
        add_open_sums(slope, from, self.second.bias_sums());
        let map = grown(&mut self.map, count * SECOND.out_len());
        unpool(slope, from, SECOND.out_side(), SECOND.out_channels, map);

        let range = start * POOLED..(start + count) * POOLED;
        let slope = grown(&mut self.pooled_chunk, count * POOLED);
        let pooled = &self.pooled[range.clone()];
        SECOND_TILES.backward(pooled, map, &mut self.second_spectra, slope);

        let from = &self.pooled_from[range];
        add_open_sums(slope, from, self.first.bias_sums());
        let map = grown(&mut self.map, count * FIRST.out_len());
        unpool(slope, from, FIRST.out_side(), FIRST.out_channels, map);
        FIRST_PIXELS.add_weight_gradient(images, map, &mut self.first);
    }

    fn finish(&mut self, grad: &mut [f32]) {
        SECOND_TILES.finish(&self.second_spectra, &mut self.second);
        FIRST.write_gradient(&self.first, grad);
        SECOND.write_gradient(&self.second, grad);
        HIDDEN.write_bias(&self.hidden_bias, grad);
        CLASSES.write_bias(&self.classes_bias, grad);
    }
}

/// Turns each image of `rows` × channels into channels × `rows`.
fn transpose(from: &[f32], rows: usize, to: &mut [f32]) {
    let columns = FEATURES / rows;
    for (from, to) in from.chunks_exact(FEATURES).zip(to.chunks_exact_mut(FEATURES)) {
        for (row, from) in from.chunks_exact(columns).enumerate() {
            for (column, &value) in from.iter().enumerate() {
                to[column * rows + row] = value;
            }
        }
    }
}

impl Model for MnistCnn {
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
        for convolution in [FIRST, SECOND] {
            let range = convolution.offset..convolution.end();
            fill_uniform(rng, convolution.window(), &mut out[range]);
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
        assert_training_shapes(self, params, (images, labels), grad);
        self.workspace.with(|buffers| {
            buffers.load(params);
            buffers.start(params);
            let mut loss = 0.0;
            let blocks = images.chunks(BLOCK * IMAGE).zip(labels.chunks(BLOCK));
            for (index, (images, block_labels)) in blocks.enumerate() {
                buffers.forward(params, images);
                let block = (images, block_labels, labels.len());
                loss += buffers.backward(params, block, Write::part(index), grad);
            }
            buffers.finish(grad);
            loss / labels.len() as f64
        })
    }

    fn logits(&mut self, params: &[f32], images: &[f32], out: &mut [f32]) {
        let classes = self.classes();
        assert_eq!(params.len(), self.dim(), "as many parameters as the model has");
        assert_eq!(images.len() / IMAGE * classes, out.len(), "one row per image");
        self.workspace.with(|buffers| {
            buffers.load(params);
            for (images, out) in images.chunks(BLOCK * IMAGE).zip(out.chunks_mut(BLOCK * classes)) {
                buffers.forward(params, images);
                let batch = out.len() / classes;
                for (sample, out) in out.chunks_exact_mut(classes).enumerate() {
                    for (class, out) in out.iter_mut().enumerate() {
                        *out = buffers.scores[class * batch + sample];
                    }
                }
            }
        });
    }

    fn sibling(&self, _dropout: Rng) -> Box<dyn Model> {
        Box::new(self.clone())
    }

    fn workspace_bytes(&self) -> u64 {
        self.workspace.bytes()
    }
}
