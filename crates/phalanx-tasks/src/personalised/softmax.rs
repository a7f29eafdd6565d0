//! Linear softmax: ℓ(θ; x, y) = −Σ_c y_c ln softmax_c(W x + u), features in f32, sums in f64.
use phalanx_learn::algorithm::personalised::LocalLoss;
use rayon::prelude::*;

use super::images::{Images, Targets};
use super::product::{Matrix, multiply};

/// Points whose features are widened to f64 at a time.
const BLOCK: usize = 128;
/// Points whose slopes one thread sums before they are added to the others' in order.
const PART: usize = 4_096;

/// One user's classifier over points that it may share with others.
///
/// # Shape
/// Parameters: classes × inputs weights row by row, then the biases.
#[derive(Debug, Clone)]
pub struct LinearSoftmax {
    images: Images,
    rows: Vec<u32>,
    boost: f64,
}

impl LinearSoftmax {
    /// A user that holds these rows of the images.
    ///
    /// # Panics
    /// When a row does not exist.
    pub fn new(images: Images, rows: Vec<u32>) -> Self {
        assert!(rows.iter().all(|row| (*row as usize) < images.len()), "every row exists");
        Self { images, rows, boost: 1.0 }
    }

    /// A user that holds all of them.
    pub fn all(images: Images) -> Self {
        let rows = (0..images.len() as u32).collect();
        Self::new(images, rows)
    }

    /// Multiplies the loss: for poison in the range of pixels, which bends it little.
    #[must_use]
    pub fn boosted(self, boost: f64) -> Self {
        Self { boost, ..self }
    }

    /// Share of the points whose largest score is that of their class; `None` for soft labels.
    pub fn accuracy(&self, params: &[f64]) -> Option<f64> {
        let labels = self.images.labels()?;
        let classes = self.images.classes;
        let count = |rows: &[u32]| {
            let (mut x, mut scores) = (Vec::new(), Vec::new());
            self.scores(params, rows, (&mut x, &mut scores));
            let right = scores.chunks_exact(classes).zip(rows).filter(|(scores, row)| {
                let best = (0..classes)
                    .fold(0, |best, class| if scores[class] > scores[best] { class } else { best });
                best == usize::from(labels[**row as usize])
            });
            right.count()
        };
        let right: usize = self.rows.par_chunks(BLOCK).map(count).sum();
        Some(right as f64 / self.rows.len().max(1) as f64)
    }

    /// The images, whether or not it holds all of them.
    pub fn images(&self) -> &Images {
        &self.images
    }

    /// Classes and inputs.
    pub fn shape(&self) -> (usize, usize) {
        (self.images.classes, self.images.inputs)
    }

    /// Mean loss over the points.
    pub fn mean_loss(&self, params: &[f64]) -> f64 {
        let classes = self.images.classes;
        let part = |rows: &[u32]| -> f64 {
            let (mut x, mut scores) = (Vec::new(), Vec::new());
            self.scores(params, rows, (&mut x, &mut scores));
            let scores = scores.chunks_exact_mut(classes).zip(rows);
            scores.map(|(scores, row)| self.surprise(*row as usize, scores)).sum()
        };
        let parts: Vec<f64> = self.rows.par_chunks(BLOCK).map(part).collect();
        parts.iter().sum::<f64>() / self.rows.len().max(1) as f64
    }

    /// W x + u of some rows, and the rows widened.
    fn scores(&self, params: &[f64], rows: &[u32], (x, out): (&mut Vec<f64>, &mut Vec<f64>)) {
        let (inputs, classes) = (self.images.inputs, self.images.classes);
        x.clear();
        for row in rows {
            x.extend(self.images.feature(*row as usize).iter().map(|pixel| f64::from(*pixel)));
        }
        let (weights, biases) = params.split_at(classes * inputs);
        out.clear();
        rows.iter().for_each(|_| out.extend_from_slice(biases));
        let (points, weights) =
            (Matrix::new(x, rows.len(), inputs), Matrix::new(weights, classes, inputs));
        multiply(points, weights.transposed(), true, out);
    }

    fn part(&self, params: &[f64], rows: &[u32]) -> (f64, Vec<f64>) {
        let (inputs, classes) = (self.images.inputs, self.images.classes);
        let (mut sum, mut slope) = (0.0, vec![0.0; params.len()]);
        let (mut x, mut scores) = (Vec::new(), Vec::new());
        for rows in rows.chunks(BLOCK) {
            self.scores(params, rows, (&mut x, &mut scores));
            for (scores, row) in scores.chunks_exact_mut(classes).zip(rows) {
                sum += self.surprise(*row as usize, scores);
            }
            let (weights, biases) = slope.split_at_mut(classes * inputs);
            let by_score = Matrix::new(&scores, rows.len(), classes);
            multiply(by_score.transposed(), Matrix::new(&x, rows.len(), inputs), true, weights);
            for scores in scores.chunks_exact(classes) {
                biases.iter_mut().zip(scores).for_each(|(out, score)| *out += score);
            }
        }
        (sum, slope)
    }

    /// The loss of one point; its scores become the loss' slope by them.
    fn surprise(&self, row: usize, scores: &mut [f64]) -> f64 {
        let most = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let total: f64 = scores.iter().map(|score| (score - most).exp()).sum();
        let log_total = total.ln() + most;
        let mut loss = 0.0;
        let classes = scores.len();
        for (class, score) in scores.iter_mut().enumerate() {
            let target = match &self.images.targets {
                Targets::Classes(labels) => f64::from(usize::from(labels[row]) == class),
                Targets::Soft(targets) => targets[row * classes + class],
            };
            if target > 0.0 {
                loss += target * (log_total - *score);
            }
            *score = (*score - log_total).exp() - target;
        }
        loss
    }
}

impl LocalLoss for LinearSoftmax {
    fn dim(&self) -> usize {
        self.images.classes * (self.images.inputs + 1)
    }

    fn points(&self) -> usize {
        self.rows.len()
    }

    fn add_slope(&mut self, params: &[f64], rows: Option<&[u32]>, slope: &mut [f64]) -> f64 {
        let drawn: Vec<u32>;
        let rows = match rows {
            None => &self.rows,
            Some(rows) => {
                drawn = rows.iter().map(|row| self.rows[*row as usize]).collect();
                &drawn
            }
        };
        let parts: Vec<_> = rows.par_chunks(PART).map(|rows| self.part(params, rows)).collect();
        let mut sum = 0.0;
        for (loss, part) in parts {
            sum += self.boost * loss;
            slope.iter_mut().zip(part).for_each(|(out, part)| *out += self.boost * part);
        }
        sum
    }
}
