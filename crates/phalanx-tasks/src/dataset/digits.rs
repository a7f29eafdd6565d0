//! The embedded digits: 10,000 of MNIST, 8,000 for training and 2,000 for testing.
use std::path::Path;
use std::sync::Arc;

use crate::dataset::{Dataset, DatasetError, Normalisation, Shape, TrainTest, idx};

const IMAGES: &[u8] = include_bytes!("../../data/digits-images-idx3-ubyte.gz");
const LABELS: &[u8] = include_bytes!("../../data/digits-labels-idx1-ubyte.gz");
/// Samples in the training part; the rest are the test part.
pub const TRAIN: usize = 8_000;
/// Number of classes.
pub const CLASSES: usize = 10;

/// Unpacks the digits; `data/README.md` of this crate tells their origin.
///
/// # Errors
/// None, unless the binary was built from damaged files.
pub fn load() -> Result<TrainTest, DatasetError> {
    let file = Path::new("embedded digits");
    let images = idx::parse(file, IMAGES, 3)?;
    let labels = idx::parse(file, LABELS, 1)?;
    let (mut images, mut labels) = (images.values, labels.values);
    let test_images = images.split_off(TRAIN * Shape::MNIST.len());
    let test_labels = labels.split_off(TRAIN);
    let part = |images, labels| -> Result<_, DatasetError> {
        Ok(Arc::new(Dataset::new(file, (Shape::MNIST, CLASSES), images, labels)?))
    };
    Ok(TrainTest {
        train: part(images, labels)?,
        test: part(test_images, test_labels)?,
        normalisation: Normalisation::MNIST,
    })
}
