//! Fully connected classifiers: linear softmax and one or more hidden ReLU layers.
use phalanx_robust::Rng;

use super::dense::{Dense, add_row_sums};
use super::elementwise::{add_bias, add_bias_relu, block_inactive};
use super::initial::fill_uniform;
use super::loss::softmax_gradient;
use super::matrix::{Layout, View, ViewMut, Write};
use super::workspace::{Pool, Workspace, grown, held};
use super::{Model, assert_training_shapes};

/// Images that go through the layers together; more come in several passes.
const BLOCK: usize = 128;

/// Dense layers with ReLU between them and log-softmax at the end.
#[derive(Debug, Clone)]
pub struct Perceptron {
    layers: Vec<Dense>,
    workspace: Pool<Buffers>,
}

#[derive(Debug, Default)]
struct Buffers {
    // What each layer puts out, outputs × batch.
    activations: Vec<Vec<f32>>,
    // The loss' slope by the output of the layer at hand and of the one below.
    slope: Vec<f32>,
    slope_below: Vec<f32>,
    bias_sums: Vec<Vec<f64>>,
}

impl Workspace for Buffers {
    fn bytes(&self) -> u64 {
        let activations: u64 = self.activations.iter().map(held).sum();
        let sums: u64 = self.bias_sums.iter().map(held).sum();
        activations + sums + held(&self.slope) + held(&self.slope_below)
    }
}

impl Perceptron {
    /// Layers between consecutive `widths`: inputs first, classes last.
    ///
    /// # Panics
    /// When there are fewer than two widths or one is zero.
    pub fn new(widths: &[usize]) -> Self {
        assert!(widths.len() >= 2 && !widths.contains(&0), "inputs and classes at least");
        let mut offset = 0;
        let layer = |pair: &[usize]| {
            let layer = Dense::new(offset, pair[0], pair[1]);
            offset = layer.end();
            layer
        };
        let layers = widths.windows(2).map(layer).collect();
        Self { layers, workspace: Pool::new() }
    }

    fn last(&self) -> Dense {
        self.layers[self.layers.len() - 1]
    }

    fn input_of<'a>(&self, index: usize, images: &'a [f32], below: &'a [Vec<f32>]) -> View<'a> {
        let batch = images.len() / self.layers[0].inputs;
        let inputs = self.layers[index].inputs;
        match index.checked_sub(1) {
            None => View::new(images, Layout::row_major(batch, inputs)),
            Some(below_index) => {
                View::new(&below[below_index], Layout::column_major(batch, inputs))
            }
        }
    }

    fn forward(&self, params: &[f32], images: &[f32], buffers: &mut Buffers) {
        let batch = images.len() / self.layers[0].inputs;
        buffers.activations.resize_with(self.layers.len(), Vec::new);
        for (index, layer) in self.layers.iter().enumerate() {
            let (below, own) = buffers.activations.split_at_mut(index);
            let x = self.input_of(index, images, below);
            let out = grown(&mut own[0], batch * layer.outputs);
            layer.forward(params, x, out);
            if index + 1 < self.layers.len() {
                add_bias_relu(out, layer.bias(params));
            } else {
                add_bias(out, layer.bias(params));
            }
        }
    }

    fn backward(
        &self,
        params: &[f32],
        (images, labels, samples): (&[f32], &[u8], usize),
        (write, buffers): (Write, &mut Buffers),
        grad: &mut [f32],
    ) -> f64 {
        let batch = labels.len();
        let Buffers { activations, slope, slope_below, bias_sums } = buffers;
        let logits = &activations[self.layers.len() - 1][..batch * self.last().outputs];
        grown(slope, logits.len()).copy_from_slice(logits);
        let loss = softmax_gradient(&mut slope[..logits.len()], labels, samples);
        for (index, layer) in self.layers.iter().enumerate().rev() {
            let x = self.input_of(index, images, activations);
            let own = &slope[..batch * layer.outputs];
            layer.weight_gradient(x, own, write, grad);
            add_row_sums(own, batch, &mut bias_sums[index]);
            let Some(below) = index.checked_sub(1) else { break };
            let to = grown(slope_below, batch * layer.inputs);
            let own = View::new(own, Layout::row_major(layer.outputs, batch));
            let layout = Layout::column_major(batch, layer.inputs);
            layer.input_gradient(params, own, ViewMut::new(&mut *to, layout));
            block_inactive(to, &activations[below]);
            std::mem::swap(slope, slope_below);
        }
        loss
    }
}

impl Model for Perceptron {
    fn dim(&self) -> usize {
        self.last().end()
    }

    fn input_len(&self) -> usize {
        self.layers[0].inputs
    }

    fn classes(&self) -> usize {
        self.last().outputs
    }

    fn init(&self, rng: &mut Rng, out: &mut [f32]) {
        for layer in &self.layers {
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
            buffers.bias_sums.resize_with(self.layers.len(), Vec::new);
            for (layer, sums) in self.layers.iter().zip(&mut buffers.bias_sums) {
                grown(sums, layer.outputs).fill(0.0);
            }
            let mut loss = 0.0;
            let blocks = images.chunks(BLOCK * self.input_len()).zip(labels.chunks(BLOCK));
            for (index, (images, block_labels)) in blocks.enumerate() {
                self.forward(params, images, buffers);
                let block = (images, block_labels, labels.len());
                loss += self.backward(params, block, (Write::part(index), buffers), grad);
            }
            for (layer, sums) in self.layers.iter().zip(&buffers.bias_sums) {
                layer.write_bias(sums, grad);
            }
            loss / labels.len() as f64
        })
    }

    fn logits(&mut self, params: &[f32], images: &[f32], out: &mut [f32]) {
        let classes = self.classes();
        assert_eq!(params.len(), self.dim(), "as many parameters as the model has");
        assert_eq!(images.len() / self.input_len() * classes, out.len(), "one row per image");
        self.workspace.with(|buffers| {
            let blocks = images.chunks(BLOCK * self.input_len());
            for (images, out) in blocks.zip(out.chunks_mut(BLOCK * classes)) {
                self.forward(params, images, buffers);
                let scores = &buffers.activations[self.layers.len() - 1];
                let batch = out.len() / classes;
                for (sample, out) in out.chunks_exact_mut(classes).enumerate() {
                    for (class, out) in out.iter_mut().enumerate() {
                        *out = scores[class * batch + sample];
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
