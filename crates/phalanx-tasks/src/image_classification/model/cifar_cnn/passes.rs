//! Forward and backward passes of the CIFAR-10 CNN over preallocated buffers.
use super::super::batch_norm::{Running, Statistics};
use super::super::convolution::Kernel;
use super::super::dense::add_row_sums;
use super::super::elementwise::{
    BLOCKED, Pooling, add_bias, add_bias_relu, add_channel_bias_relu, affine, block_inactive,
    pool_affine, unpool,
};
use super::super::loss::softmax_gradient;
use super::super::matrix::{Layout, View, ViewMut, Write};
use super::super::workspace::{Workspace, grown, held};
use super::{
    CLASSES, DRAWS, DROP_BELOW, FEATURES, FOURTH, HIDDEN, IMAGE, KEPT, SECOND, SLOT, STAGES,
};

/// Output lines that are unrolled together: their windows should stay in a second-level cache.
const BAND: usize = 8;

#[derive(Debug, Default)]
pub(super) struct Buffers {
    kernels: [Kernel; 4],
    pub(super) statistics: [Statistics; 4],
    // What ReLU gives in each stage, for a block.
    active: [Vec<f32>; 4],
    // One image with its border, its slope, and one image without a border.
    bordered: Vec<f32>,
    bordered_slope: Vec<f32>,
    plain: Vec<f32>,
    // The windows of one band of one image, and their slopes.
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
    pub(super) scores: Vec<f32>,
    hidden_bias: Vec<f64>,
    classes_bias: Vec<f64>,
    // Random bytes: first pooling of all images, second of all, hidden layer.
    pub(super) draws: Vec<u8>,
}

impl Workspace for Buffers {
    fn bytes(&self) -> u64 {
        let single = [
            &self.bordered,
            &self.bordered_slope,
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
pub(super) struct Pass<'a> {
    pub(super) params: &'a [f32],
    pub(super) measures: bool,
    pub(super) drops: bool,
}

impl Buffers {
    pub(super) fn load(&mut self, params: &[f32]) {
        for (stage, kernel) in STAGES.iter().zip(&mut self.kernels) {
            stage.convolution.load_forward(params, kernel);
        }
    }

    pub(super) fn start(&mut self, params: &[f32]) {
        for (index, stage) in STAGES.iter().enumerate() {
            stage.convolution.load_backward(params, &mut self.kernels[index]);
            self.statistics[index].start(stage.norm.channels);
        }
        grown(&mut self.hidden_bias, HIDDEN.outputs).fill(0.0);
        grown(&mut self.classes_bias, CLASSES.outputs).fill(0.0);
    }

    pub(super) fn fix(&mut self, running: &[Running; 4]) {
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

    pub(super) fn forward(&mut self, pass: Pass<'_>, images: &[f32]) {
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
        let rows = grown(&mut self.rows, convolution.rows_len() / stage.side() * BAND).len();
        let band = stage.side() * stage.norm.channels * BAND;
        for image in 0..batch {
            self.read_into_border(index, image, images);
            let bordered = &self.bordered[..convolution.in_len()];
            let out = &mut self.active[index][image * stage.len()..(image + 1) * stage.len()];
            for (at, out) in out.chunks_exact_mut(band).enumerate() {
                let rows = &mut self.rows[..rows];
                convolution.unroll(bordered, at * BAND..(at + 1) * BAND, rows);
                convolution.forward(&self.kernels[index], rows, out);
                add_channel_bias_relu(out, convolution.bias(pass.params));
            }
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

    pub(super) fn backward(
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
        let len = convolution.rows_len() / stage.side() * BAND;
        let rows = grown(&mut self.rows, len);
        let rows_slope = grown(&mut self.rows_slope, len);
        let bordered = &self.bordered[..convolution.in_len()];
        let below = grown(&mut self.bordered_slope, bordered.len());
        below.fill(0.0);
        let slope = &self.slope[image * SLOT..image * SLOT + stage.len()];
        let kernel = &mut self.kernels[index];
        convolution.add_bias_gradient(slope, kernel);
        let bands = slope.chunks_exact(stage.side() * stage.norm.channels * BAND);
        for (at, slope) in bands.enumerate() {
            let lines = at * BAND..(at + 1) * BAND;
            convolution.unroll(bordered, lines.clone(), rows);
            convolution.add_weight_gradient(rows, slope, kernel);
            if index > 0 {
                convolution.input_gradient(kernel, slope, rows_slope);
                convolution.fold(rows_slope, lines, below);
            }
        }
        if index == 0 {
            return;
        }
        let (side, channels) = (stage.side(), convolution.in_channels);
        let len = side * side * channels;
        let plain = grown(&mut self.plain, len);
        let lines = below.chunks_exact(convolution.in_side * channels).skip(1);
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

    pub(super) fn finish(&self, grad: &mut [f32]) {
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
