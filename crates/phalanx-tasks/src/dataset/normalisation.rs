//! From bytes to numbers: `(v / 255 − mean) / deviation` per channel, by table.
use crate::dataset::Shape;

/// Pixel statistics of a data set.
///
/// # Source
/// Specification 01, section 7 for MNIST and CIFAR-10 (read in the published code); the values
/// of Fashion-MNIST are derived from its training images.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Normalisation {
    /// per channel: mean and standard deviation of `v / 255`
    pub channels: &'static [(f32, f32)],
}

impl Normalisation {
    /// MNIST, and the embedded digits, which are part of it.
    pub const MNIST: Self = Self { channels: &[(0.1307, 0.3081)] };
    /// Fashion-MNIST.
    pub const FASHION_MNIST: Self = Self { channels: &[(0.2860, 0.3530)] };
    /// CIFAR-10.
    pub const CIFAR: Self =
        Self { channels: &[(0.4914, 0.2023), (0.4822, 0.1994), (0.4465, 0.2010)] };

    /// The number that stands for byte `value` of channel `channel`.
    pub fn number(self, channel: usize, value: u8) -> f32 {
        let (mean, deviation) = self.channels[channel];
        (f32::from(value) / 255.0 - mean) / deviation
    }
}

/// All 256 numbers of every channel.
#[derive(Debug, Clone)]
pub struct NormalisationTable(Vec<[f32; 256]>);

impl NormalisationTable {
    /// The table of `normalisation`.
    pub fn new(normalisation: Normalisation) -> Self {
        let row = |channel| std::array::from_fn(|v| normalisation.number(channel, v as u8));
        Self((0..normalisation.channels.len()).map(row).collect())
    }

    /// Writes one image as numbers, mirrored left to right if asked.
    ///
    /// # Shape
    /// `image` and `out`: `channels × height × width`, with as many channels as the table.
    pub fn apply(&self, shape: Shape, image: &[u8], is_mirrored: bool, out: &mut [f32]) {
        let plane = shape.height * shape.width;
        let planes = image.chunks_exact(plane).zip(out.chunks_exact_mut(plane));
        for (table, (from, to)) in self.0.iter().zip(planes) {
            if is_mirrored {
                for (from, to) in
                    from.chunks_exact(shape.width).zip(to.chunks_exact_mut(shape.width))
                {
                    for (value, number) in from.iter().rev().zip(to) {
                        *number = table[usize::from(*value)];
                    }
                }
            } else {
                for (value, number) in from.iter().zip(to) {
                    *number = table[usize::from(*value)];
                }
            }
        }
    }
}
