//! Poisoning as it is usually done, for comparison: flipped labels and a backdoor.
use phalanx_robust::Rng;

/// A square of bright pixels in the lower right corner, and what images that carry it shall be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Trigger {
    /// side of the square in pixels
    pub side: usize,
    /// the class that the attacker wants
    pub class: u8,
}

/// Replaces every label by the next class; the last becomes the first.
pub fn shift_labels(labels: &mut [u8], classes: usize) {
    labels.iter_mut().for_each(|label| *label = ((usize::from(*label) + 1) % classes) as u8);
}

/// Replaces every label c by C − 1 − c, as the label-flipping attack of the field does.
pub fn flip_labels(labels: &mut [u8], classes: usize) {
    labels.iter_mut().for_each(|label| *label = (classes - 1) as u8 - *label);
}

impl Trigger {
    /// Stamps one image of `width` columns whose pixels lie in 0..=1.
    pub fn stamp(self, image: &mut [f32], width: usize) {
        let height = image.len() / width.max(1);
        for row in height.saturating_sub(self.side + 1)..height.saturating_sub(1) {
            for column in width.saturating_sub(self.side + 1)..width.saturating_sub(1) {
                image[row * width + column] = 1.0;
            }
        }
    }

    /// Stamps a share of the images and gives them the attacker's class; returns how many.
    ///
    /// # Shape
    /// `images`: labels × pixels, row-major.
    pub fn plant(
        self,
        (images, width): (&mut [f32], usize),
        labels: &mut [u8],
        (share, rng): (f64, &mut Rng),
    ) -> usize {
        let size = images.len() / labels.len().max(1);
        let mut count = 0;
        for (image, label) in images.chunks_exact_mut(size.max(1)).zip(labels) {
            if rng.unit() < share {
                self.stamp(image, width);
                *label = self.class;
                count += 1;
            }
        }
        count
    }
}
