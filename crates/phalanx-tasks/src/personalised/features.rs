//! Frozen features: the hidden layer of a network that was trained here, as points for its last.
use phalanx_robust::Rng;

use super::images::Images;
use super::product::{Matrix, multiply};
use crate::image_classification::Batches;
use crate::image_classification::model::{Model, Perceptron};

/// Images that go through the layer at a time.
const BLOCK: usize = 256;

/// The first layer of a trained two-layer network.
#[derive(Debug, Clone)]
pub struct Features {
    /// hidden × inputs, row-major
    weights: Vec<f64>,
    biases: Vec<f64>,
    inputs: usize,
}

impl Features {
    /// Trains inputs–hidden–classes by mini-batches of 50 at rate .1 and freezes the first layer;
    /// `None` when the images have soft labels.
    pub fn train(images: &Images, (hidden, epochs): (usize, usize), seed: u64) -> Option<Self> {
        const BATCH: usize = 50;
        const RATE: f32 = 0.1;
        let labels = images.labels()?;
        let mut model = Perceptron::new(&[images.inputs, hidden, images.classes]);
        let mut params = vec![0.0; model.dim()];
        model.init(&mut Rng::stream(seed, u64::MAX, "features"), &mut params);
        let rows = (0..images.len() as u32).collect();
        let mut batches = Batches::new(rows, Rng::stream(seed, u64::MAX, "feature batches"));
        let (mut drawn, mut gradient) = (Vec::new(), vec![0.0; model.dim()]);
        for _ in 0..epochs * images.len().div_ceil(BATCH) {
            drawn.clear();
            batches.next_within_epoch(BATCH, &mut drawn);
            let pixels: Vec<f32> =
                drawn.iter().flat_map(|row| images.feature(*row as usize)).copied().collect();
            let classes: Vec<u8> = drawn.iter().map(|row| labels[*row as usize]).collect();
            model.loss_gradient(&params, &pixels, &classes, &mut gradient);
            params.iter_mut().zip(&gradient).for_each(|(x, g)| *x -= RATE * g);
        }
        let (weights, rest) = params.split_at(hidden * images.inputs);
        let wide = |values: &[f32]| values.iter().map(|value| f64::from(*value)).collect();
        Some(Self { weights: wide(weights), biases: wide(&rest[..hidden]), inputs: images.inputs })
    }

    /// Number of features.
    pub fn hidden(&self) -> usize {
        self.biases.len()
    }

    /// The images as the last layer sees them: evaluation passes, nothing random.
    ///
    /// # Panics
    /// When the images are not those of the network.
    #[must_use]
    pub fn of(&self, images: &Images) -> Images {
        assert_eq!(images.inputs, self.inputs, "the images are those of the network");
        let hidden = self.hidden();
        let weights = Matrix::new(&self.weights, hidden, self.inputs);
        let mut features = Vec::with_capacity(images.len() * hidden);
        for pixels in images.features.chunks(BLOCK * self.inputs) {
            let x: Vec<f64> = pixels.iter().map(|pixel| f64::from(*pixel)).collect();
            let count = x.len() / self.inputs;
            let mut out = self.biases.repeat(count);
            multiply(Matrix::new(&x, count, self.inputs), weights.transposed(), true, &mut out);
            features.extend(out.iter().map(|score| score.max(0.0) as f32));
        }
        Images { features: features.into(), inputs: hidden, ..images.clone() }
    }
}
