//! Labelled images: stored once as bytes, shared by all nodes, normalised per batch.
use std::path::Path;
use std::sync::Arc;

use phalanx_robust::Rng;

pub mod catalogue;
pub mod cifar;
pub mod digits;
mod error;
pub mod idx;
mod normalisation;
pub mod synthetic;

pub use catalogue::{CATALOGUE, Finding, Known, load, survey};
pub use error::DatasetError;
pub use normalisation::{Normalisation, NormalisationTable};

/// Size of one image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shape {
    /// 1 for grey, 3 for colour
    pub channels: usize,
    /// rows
    pub height: usize,
    /// columns
    pub width: usize,
}

impl Shape {
    /// MNIST and its relatives.
    pub const MNIST: Self = Self { channels: 1, height: 28, width: 28 };
    /// CIFAR-10.
    pub const CIFAR: Self = Self { channels: 3, height: 32, width: 32 };

    /// Values of one image.
    pub const fn len(self) -> usize {
        self.channels * self.height * self.width
    }

    /// Whether an image has no values.
    pub const fn is_empty(self) -> bool {
        self.len() == 0
    }
}

/// Images with labels.
///
/// # Shape
/// Images: `len × channels × height × width` bytes; labels: `len`, each below `classes`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dataset {
    shape: Shape,
    classes: usize,
    images: Vec<u8>,
    labels: Vec<u8>,
}

impl Dataset {
    /// Images and labels that belong together; `file` only names them in errors.
    ///
    /// # Errors
    /// When their numbers differ, there are none, or a label is out of range.
    pub fn new(
        file: &Path,
        (shape, classes): (Shape, usize),
        images: Vec<u8>,
        labels: Vec<u8>,
    ) -> Result<Self, DatasetError> {
        let wrong = |what, found, expected| {
            Err(DatasetError::Shape { file: file.into(), what, found, expected })
        };
        if labels.is_empty() {
            return wrong("the number of labels", 0, "at least 1".into());
        }
        if images.len() != labels.len() * shape.len() {
            let expected = format!("{} (as labels)", labels.len());
            return wrong("the number of images", images.len() / shape.len().max(1), expected);
        }
        check_labels(file, &labels, classes, |index| index as u64)?;
        Ok(Self { shape, classes, images, labels })
    }

    /// Number of samples.
    pub fn len(&self) -> usize {
        self.labels.len()
    }
    /// Whether there is no sample; never for a data set that was loaded.
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }
    /// Size of every image.
    pub fn shape(&self) -> Shape {
        self.shape
    }
    /// Number of classes.
    pub fn classes(&self) -> usize {
        self.classes
    }
    /// All labels.
    pub fn labels(&self) -> &[u8] {
        &self.labels
    }
    /// Image `index`, channel by channel, row by row.
    pub fn image(&self, index: usize) -> &[u8] {
        &self.images[index * self.shape.len()..][..self.shape.len()]
    }
    /// Bytes held.
    pub fn memory_bytes(&self) -> u64 {
        (self.images.len() + self.labels.len()) as u64
    }

    fn only(&self, indices: &[u32]) -> Self {
        let mut images = Vec::with_capacity(indices.len() * self.shape.len());
        indices.iter().for_each(|index| images.extend_from_slice(self.image(*index as usize)));
        let labels = indices.iter().map(|index| self.labels[*index as usize]).collect();
        Self { shape: self.shape, classes: self.classes, images, labels }
    }

    /// The first `count` samples, or all if there are fewer; `count ≥ 1`.
    pub fn truncate(&mut self, count: usize) {
        self.labels.truncate(count.max(1));
        self.images.truncate(self.labels.len() * self.shape.len());
        self.labels.shrink_to_fit();
        self.images.shrink_to_fit();
    }
}

/// A data set as it is used: training and test part, and how pixels become numbers.
#[derive(Debug, Clone)]
pub struct TrainTest {
    /// to be partitioned among the nodes
    pub train: Arc<Dataset>,
    /// held out, the same for every node
    pub test: Arc<Dataset>,
    /// pixel statistics
    pub normalisation: Normalisation,
}

impl TrainTest {
    /// Trains on some of the training samples and tests on the others, which are drawn at random;
    /// the test samples are given up. Each part keeps the order of the data set.
    ///
    /// # Guarantee
    /// Every training sample is in exactly one part, at least one in each where there are two;
    /// no test sample is in any.
    #[must_use]
    pub fn held_out(self, share: f64, rng: &mut Rng) -> Self {
        let Self { train, test: _, normalisation } = self;
        let most = train.len().saturating_sub(1).max(1);
        let count = ((train.len() as f64 * share).round() as usize).clamp(1, most);
        let mut order: Vec<u32> = (0..train.len() as u32).collect();
        rng.shuffle(&mut order);
        let (held, kept) = order.split_at_mut(count);
        held.sort_unstable();
        kept.sort_unstable();
        let (test, train) = (Arc::new(train.only(held)), Arc::new(train.only(kept)));
        Self { train, test, normalisation }
    }
}

pub(crate) fn check_labels(
    file: &Path,
    labels: &[u8],
    classes: usize,
    at: impl Fn(usize) -> u64,
) -> Result<(), DatasetError> {
    match labels.iter().position(|label| usize::from(*label) >= classes) {
        None => Ok(()),
        Some(index) => {
            let (label, at) = (labels[index], at(index));
            Err(DatasetError::Label { file: file.into(), at, label, classes })
        }
    }
}
