//! Made-up images of a real data set's shape, for tests and benchmarks without files.
use std::path::Path;
use std::sync::Arc;

use phalanx_robust::Rng;

use crate::dataset::{Dataset, DatasetError, Normalisation, Shape, TrainTest};

/// Number of classes.
pub const CLASSES: usize = 10;
/// Side of the squares of equal brightness in a class's pattern.
const SQUARE: usize = 4;

/// Every class is a random pattern of squares; a sample is its class's pattern under noise.
///
/// # Guarantee
/// The same images for the same arguments, whatever the seed of a run; labels are uniform.
///
/// # Errors
/// When a part is to have no sample.
pub fn generate(shape: Shape, train: usize, test: usize) -> Result<TrainTest, DatasetError> {
    let mut rng = Rng::stream(shape.len() as u64, u64::MAX, "synthetic images");
    let patterns: Vec<Vec<u8>> = (0..CLASSES).map(|_| pattern(shape, &mut rng)).collect();
    let file = Path::new("synthetic images");
    let mut part = |count: usize| -> Result<_, DatasetError> {
        let mut images = Vec::with_capacity(count * shape.len());
        let mut labels = Vec::with_capacity(count);
        for _ in 0..count {
            let label = rng.below(CLASSES);
            labels.push(label as u8);
            let noisy = |value: &u8| (value / 2).saturating_add(rng.below(128) as u8);
            images.extend(patterns[label].iter().map(noisy));
        }
        Ok(Arc::new(Dataset::new(file, (shape, CLASSES), images, labels)?))
    };
    let (train, test) = (part(train)?, part(test)?);
    let is_color = shape.channels == Shape::CIFAR.channels;
    let normalisation = if is_color { Normalisation::CIFAR } else { Normalisation::MNIST };
    Ok(TrainTest { train, test, normalisation })
}

fn pattern(shape: Shape, rng: &mut Rng) -> Vec<u8> {
    let across = shape.width.div_ceil(SQUARE);
    let squares = shape.channels * shape.height.div_ceil(SQUARE) * across;
    let values: Vec<u8> = (0..squares).map(|_| rng.below(256) as u8).collect();
    let mut image = Vec::with_capacity(shape.len());
    for channel in 0..shape.channels {
        for row in 0..shape.height {
            let first = (channel * shape.height.div_ceil(SQUARE) + row / SQUARE) * across;
            image.extend((0..shape.width).map(|column| values[first + column / SQUARE]));
        }
    }
    image
}
