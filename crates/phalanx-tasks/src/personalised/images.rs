//! Points with labels that many users share: features once, an index list per user.
use std::sync::Arc;

use phalanx_robust::Rng;

use crate::dataset::Dataset;

/// What a classifier shall say of each point.
#[derive(Debug, Clone, PartialEq)]
pub enum Targets {
    /// one class each
    Classes(Vec<u8>),
    /// points × classes, row-major: a probability for each
    Soft(Vec<f64>),
}

/// Points and what they shall be called.
///
/// # Shape
/// `features`: points × inputs, row-major; grey pixels lie in 0..=1.
#[derive(Debug, Clone)]
pub struct Images {
    /// one row per point
    pub features: Arc<[f32]>,
    /// one target per point
    pub targets: Targets,
    /// p
    pub inputs: usize,
    /// number of classes
    pub classes: usize,
}

impl Images {
    /// A data set with pixels in 0..=1, as the published runs have it (no other normalisation).
    pub fn of(data: &Dataset) -> Self {
        let inputs = data.shape().len();
        let pixels = (0..data.len()).flat_map(|index| data.image(index));
        Self {
            features: pixels.map(|pixel| f32::from(*pixel) / 255.0).collect(),
            targets: Targets::Classes(data.labels().to_vec()),
            inputs,
            classes: data.classes(),
        }
    }

    /// Points with soft labels, such as poison.
    ///
    /// # Panics
    /// When lengths do not belong together.
    pub fn soft(features: Vec<f32>, targets: Vec<f64>, (inputs, classes): (usize, usize)) -> Self {
        assert_eq!(features.len() / inputs, targets.len() / classes, "one target per point");
        Self { features: features.into(), targets: Targets::Soft(targets), inputs, classes }
    }

    /// Number of points.
    pub fn len(&self) -> usize {
        self.features.len() / self.inputs
    }

    /// Whether there is no point.
    pub fn is_empty(&self) -> bool {
        self.features.is_empty()
    }

    /// The features of one point.
    pub fn feature(&self, row: usize) -> &[f32] {
        &self.features[row * self.inputs..][..self.inputs]
    }

    /// The classes, where points have one each.
    pub fn labels(&self) -> Option<&[u8]> {
        match &self.targets {
            Targets::Classes(labels) => Some(labels),
            Targets::Soft(_) => None,
        }
    }

    /// The same features under labels that `change` has altered; soft labels stay.
    #[must_use]
    pub fn relabelled(&self, change: impl FnOnce(&mut [u8])) -> Self {
        let mut changed = self.clone();
        if let Targets::Classes(labels) = &mut changed.targets {
            change(labels);
        }
        changed
    }

    /// `count` users with `points` points each, drawn with replacement across users.
    pub fn shares(&self, (count, points): (usize, usize), rng: &mut Rng) -> Vec<Vec<u32>> {
        let share = |rng: &mut Rng| (0..points).map(|_| rng.below(self.len()) as u32).collect();
        (0..count).map(|_| share(rng)).collect()
    }

    /// Replaces the labels of a share of the points by random ones.
    #[must_use]
    pub fn with_noise(&self, share: f64, rng: &mut Rng) -> Self {
        let classes = self.classes;
        self.relabelled(|labels| {
            for label in labels {
                if rng.unit() < share {
                    *label = rng.below(classes) as u8;
                }
            }
        })
    }
}
