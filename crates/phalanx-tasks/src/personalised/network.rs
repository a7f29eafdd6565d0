//! A network as a user's loss: the laboratory's f32 models, their slopes summed in f64.
use phalanx_learn::algorithm::personalised::LocalLoss;
use rayon::prelude::*;

use super::images::Images;
use crate::image_classification::model::{Model, Perceptron};

/// Points of one pass through the network.
const PART: usize = 1_000;
/// Passes that are computed side by side before they are added in order: memory is this times d.
const WAVE: usize = 8;

/// One user's multi-layer perceptron with ReLU over points that it may share with others.
///
/// # Guarantee
/// Parts have a fixed size and are summed in order: no thread count changes the result.
pub struct NetworkLoss {
    model: Perceptron,
    images: Images,
    labels: Vec<u8>,
    rows: Vec<u32>,
}

impl NetworkLoss {
    /// Layers between consecutive widths over these rows of the images; `None` when the images
    /// have soft labels, which the networks do not take.
    ///
    /// # Panics
    /// When the first and last width are not those of the images, or a row does not exist.
    pub fn new(widths: &[usize], images: Images, rows: Vec<u32>) -> Option<Self> {
        let ends = (widths.first().copied(), widths.last().copied());
        assert_eq!(ends, (Some(images.inputs), Some(images.classes)), "the widths are the images'");
        assert!(rows.iter().all(|row| (*row as usize) < images.len()), "every row exists");
        let labels = images.labels()?.to_vec();
        Some(Self { model: Perceptron::new(widths), images, labels, rows })
    }

    /// Initial parameters as PyTorch draws them.
    pub fn init(&self, rng: &mut phalanx_robust::Rng) -> Vec<f64> {
        let mut params = vec![0.0; self.model.dim()];
        self.model.init(rng, &mut params);
        params.iter().map(|entry| f64::from(*entry)).collect()
    }

    /// Share of the points whose largest score is that of their class.
    pub fn accuracy(&self, params: &[f64]) -> f64 {
        let params: Vec<f32> = params.iter().map(|entry| *entry as f32).collect();
        let count = |rows: &[u32]| {
            let (images, labels) = self.gather(rows);
            self.model.clone().evaluate(&params, &images, &labels).correct
        };
        let right: usize = self.rows.par_chunks(PART).map(count).sum();
        right as f64 / self.rows.len().max(1) as f64
    }

    fn gather(&self, rows: &[u32]) -> (Vec<f32>, Vec<u8>) {
        let images = rows.iter().flat_map(|row| self.images.feature(*row as usize)).copied();
        (images.collect(), rows.iter().map(|row| self.labels[*row as usize]).collect())
    }
}

impl LocalLoss for NetworkLoss {
    fn dim(&self) -> usize {
        self.model.dim()
    }

    fn points(&self) -> usize {
        self.rows.len()
    }

    fn add_slope(&mut self, params: &[f64], rows: Option<&[u32]>, slope: &mut [f64]) -> f64 {
        let drawn: Vec<u32> = match rows {
            None => self.rows.clone(),
            Some(rows) => rows.iter().map(|row| self.rows[*row as usize]).collect(),
        };
        let params: Vec<f32> = params.iter().map(|entry| *entry as f32).collect();
        let mut sum = 0.0;
        for wave in drawn.chunks(PART * WAVE) {
            let part = |rows: &[u32]| {
                let (images, labels) = self.gather(rows);
                let mut gradient = vec![0.0; params.len()];
                let mut model = self.model.clone();
                let mean = model.loss_gradient(&params, &images, &labels, &mut gradient);
                (rows.len() as f64, mean, gradient)
            };
            let parts: Vec<_> = wave.par_chunks(PART).map(part).collect();
            for (count, mean, gradient) in parts {
                sum += count * mean;
                slope.iter_mut().zip(gradient).for_each(|(s, g)| *s += count * f64::from(g));
            }
        }
        sum
    }
}
