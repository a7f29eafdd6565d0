//! Stride-1 convolution of few channels without unrolling: sums of several pixels in registers.
//!
//! Unrolling costs as much as the products where a window holds few numbers; here they are read
//! from the image itself.
use super::convolution::{Convolution, Kernel};
use super::elementwise::widened;
use super::winograd::{LANES, Lanes, add_products, load};

/// Vectors of output channels.
const WIDTH: usize = 2;
/// Neighbouring pixels whose sums are in registers.
const PIXELS: usize = 12;
/// Taps whose sums are in registers.
const TAPS: usize = 13;

/// What a convolution of 5 × 5 reads and writes, in numbers.
#[derive(Debug, Clone, Copy)]
pub(super) struct Direct {
    in_side: usize,
    in_channels: usize,
    out_channels: usize,
}

const KERNEL: usize = 5;

impl Direct {
    /// # Panics
    /// When the kernel is not 5 × 5, there are not 16 to 32 output channels, or lines of output
    /// are not whole groups of pixels.
    pub(super) const fn of(convolution: Convolution) -> Self {
        let Convolution { in_channels, out_channels, kernel, in_side, .. } = convolution;
        assert!(kernel == KERNEL && out_channels >= LANES && out_channels <= WIDTH * LANES);
        assert!(convolution.out_side().is_multiple_of(PIXELS));
        Self { in_side, in_channels, out_channels }
    }

    const fn out_side(self) -> usize {
        self.in_side - KERNEL + 1
    }

    const fn image(self) -> usize {
        self.in_side * self.in_side * self.in_channels
    }

    /// Where the vectors of output channels begin; the last one goes back to be whole.
    const fn begins(self) -> [usize; WIDTH] {
        [0, self.out_channels - LANES]
    }

    /// Numbers from one line of an image to the next.
    const fn line(self) -> usize {
        self.in_side * self.in_channels
    }

    /// Numbers of one line of a window, which lie one after the other.
    const fn run(self) -> usize {
        KERNEL * self.in_channels
    }

    /// Convolves without the bias.
    ///
    /// # Shape
    /// `images`: images × in_side² × in; `out`: images × out_side² × out.
    pub(super) fn forward(self, kernel: &Kernel, images: &[f32], out: &mut [f32]) {
        convolve(self, kernel.forward(), images, out);
    }

    /// Adds to the weights' part of the gradient.
    pub(super) fn add_weight_gradient(self, images: &[f32], slope: &[f32], kernel: &mut Kernel) {
        add_gradient(self, images, slope, kernel.gradient_mut());
    }
}

widened! {
    fn convolve(shape: Direct, weights: &[f32], images: &[f32], out: &mut [f32]) {
        // Where all distances are known, a pixel's neighbours are at hand from one address.
        match shape {
            Direct { in_side: 28, in_channels: 1, out_channels: 20 } => {
                let shape = Direct { in_side: 28, in_channels: 1, out_channels: 20 };
                convolve_body(shape, weights, images, out);
            }
            _ => convolve_body(shape, weights, images, out),
        }
    }
}

#[inline(always)]
fn convolve_body(shape: Direct, weights: &[f32], images: &[f32], out: &mut [f32]) {
    let (side, channels, begins) = (shape.out_side(), shape.out_channels, shape.begins());
    let pixels = out.chunks_exact_mut(side * side * channels);
    for (image, out) in images.chunks_exact(shape.image()).zip(pixels) {
        for (index, out) in out.chunks_exact_mut(PIXELS * channels).enumerate() {
            let (y, x) = (index * PIXELS / side, index * PIXELS % side);
            let mut sums = [[[0.0; LANES]; WIDTH]; PIXELS];
            for tap_line in 0..KERNEL {
                let start = (y + tap_line) * shape.line() + x * shape.in_channels;
                let reach = shape.run() + (PIXELS - 1) * shape.in_channels;
                let window = &image[start..start + reach];
                let weights = &weights[tap_line * shape.run() * channels..];
                for tap in 0..shape.run() {
                    let right: [Lanes; WIDTH] =
                        std::array::from_fn(|w| load(weights, tap * channels + begins[w]));
                    for pixel in 0..PIXELS {
                        let left = window[tap + pixel * shape.in_channels];
                        add_products(left, &right, &mut sums[pixel]);
                    }
                }
            }
            for pixel in 0..PIXELS {
                for w in 0..WIDTH {
                    let at = pixel * channels + begins[w];
                    out[at..at + LANES].copy_from_slice(&sums[pixel][w]);
                }
            }
        }
    }
}

widened! {
    fn add_gradient(shape: Direct, images: &[f32], slope: &[f32], gradient: &mut [f32]) {
        match shape {
            Direct { in_side: 28, in_channels: 1, out_channels: 20 } => {
                let shape = Direct { in_side: 28, in_channels: 1, out_channels: 20 };
                gradient_body(shape, images, slope, gradient);
            }
            _ => gradient_body(shape, images, slope, gradient),
        }
    }
}

#[inline(always)]
fn gradient_body(shape: Direct, images: &[f32], slope: &[f32], gradient: &mut [f32]) {
    let (side, channels) = (shape.out_side(), shape.out_channels);
    let slope = slope.chunks_exact(side * side * channels);
    for (image, slope) in images.chunks_exact(shape.image()).zip(slope) {
        let taps = KERNEL * shape.run();
        let mut first = 0;
        while first + TAPS <= taps {
            some_taps::<TAPS>(shape, first, (image, slope), gradient);
            first += TAPS;
        }
        while first + TAPS - 1 <= taps {
            some_taps::<{ TAPS - 1 }>(shape, first, (image, slope), gradient);
            first += TAPS - 1;
        }
        while first < taps {
            some_taps::<1>(shape, first, (image, slope), gradient);
            first += 1;
        }
    }
}

/// Adds one image's gradient of `R` taps.
#[inline(always)]
fn some_taps<const R: usize>(
    shape: Direct,
    first: usize,
    (image, slope): (&[f32], &[f32]),
    gradient: &mut [f32],
) {
    let (side, channels, begins) = (shape.out_side(), shape.out_channels, shape.begins());
    let offset = |tap: usize| tap / shape.run() * shape.line() + tap % shape.run();
    let last = offset(first + R - 1);
    let mut sums = [[[0.0; LANES]; WIDTH]; R];
    for (y, slope) in slope.chunks_exact(side * channels).enumerate() {
        for (x, slope) in slope.chunks_exact(channels).enumerate() {
            let start = y * shape.line() + x * shape.in_channels;
            let window = &image[start..=start + last];
            let right: [Lanes; WIDTH] = std::array::from_fn(|w| load(slope, begins[w]));
            for r in 0..R {
                add_products(window[offset(first + r)], &right, &mut sums[r]);
            }
        }
    }
    for r in 0..R {
        let out = &mut gradient[(first + r) * channels..][..channels];
        let (whole, rest) = out.split_at_mut(LANES);
        for lane in 0..LANES {
            whole[lane] += sums[r][0][lane];
        }
        let skip = LANES - rest.len();
        for (lane, out) in rest.iter_mut().enumerate() {
            *out += sums[r][1][skip + lane];
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::convolution::reference::Reference;
    use super::*;

    #[test]
    fn a_convolution_and_its_gradient_are_those_of_the_definition() {
        for ((in_channels, out_channels), in_side, count) in
            [((1, 20), 28, 2), ((1, 32), 16, 1), ((3, 16), 28, 1)]
        {
            let shape = Convolution { in_channels, out_channels, kernel: 5, in_side, offset: 3 };
            let direct = Direct::of(shape);
            let mut reference = Reference::new(shape, count);
            let mut out = vec![f32::NAN; reference.slope.len()];
            direct.forward(&reference.kernel, &reference.images, &mut out);
            for _ in 0..2 {
                let (images, slope) = (reference.images.clone(), reference.slope.clone());
                direct.add_weight_gradient(&images, &slope, &mut reference.kernel);
            }
            reference.check_out(&out, 2e-6);
            reference.check_gradient(2.0, 2e-6);
        }
    }
}
