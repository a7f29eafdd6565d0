//! Stride-1 5 × 5 convolution by Winograd's minimal filtering F(4 × 4, 5 × 5), channels last.
//!
//! A tile of 8 × 8 pixels and a kernel are each taken to 64 frequencies; there a convolution is one
//! small matrix product per frequency, and 4 × 4 pixels of output cost 64 multiply-adds per pair of
//! channels instead of 400. Backward passes are the exact adjoints of the forward one. The price is
//! rounding: about 5e-6 of the largest output, several times that of a direct sum.
use super::convolution::{Convolution, Kernel};
use super::elementwise::widened;
use super::workspace::{grown, held};

mod product;
mod transform;

use product::{Shape, add_transposed_products, products};
use transform::{
    IN, KERNEL, OUT, frequency_to_input, frequency_to_kernel, frequency_to_output,
    input_to_frequency, kernel_to_frequency, output_to_frequency,
};

/// Numbers of one vector.
pub(super) const LANES: usize = 16;
const FREQUENCIES: usize = IN * IN;

pub(super) type Lanes = [f32; LANES];

/// A convolution whose output is cut into tiles.
#[derive(Debug, Clone, Copy)]
pub(super) struct Winograd {
    in_channels: usize,
    out_channels: usize,
    in_side: usize,
}

/// Kernels, their gradient and the tiles at hand, by frequency.
#[derive(Debug, Default)]
pub(super) struct Spectra {
    // frequencies × in × padded out
    forward: Vec<f32>,
    // frequencies × out × padded in
    backward: Vec<f32>,
    // frequencies × in × padded out
    gradient: Vec<f32>,
    // frequencies × tiles × in
    inputs: Vec<f32>,
    // frequencies × tiles × padded in
    inputs_slope: Vec<f32>,
    // frequencies × tiles × padded out; on the way back, their slope
    outputs: Vec<f32>,
}

impl Spectra {
    pub(super) fn bytes(&self) -> u64 {
        let all = [
            &self.forward,
            &self.backward,
            &self.gradient,
            &self.inputs,
            &self.inputs_slope,
            &self.outputs,
        ];
        all.into_iter().map(held).sum()
    }
}

/// Channels as whole vectors.
const fn padded(channels: usize) -> usize {
    channels.next_multiple_of(LANES)
}

/// Numbers from one frequency to the next: an odd number of vectors, so that the same place of all
/// frequencies falls into different sets of a cache.
const fn spaced(len: usize) -> usize {
    (len.div_ceil(LANES) | 1) * LANES
}

impl Winograd {
    /// # Panics
    /// When the convolution is not one of 5 × 5 with at least 16 channels on either side whose
    /// output is made of whole tiles.
    pub(super) const fn of(convolution: Convolution) -> Self {
        let Convolution { in_channels, out_channels, kernel, in_side, .. } = convolution;
        assert!(kernel == KERNEL && convolution.out_side().is_multiple_of(OUT));
        assert!(in_channels >= LANES && out_channels >= LANES);
        Self { in_channels, out_channels, in_side }
    }

    const fn out_side(self) -> usize {
        self.in_side - KERNEL + 1
    }

    const fn tiles_per_side(self) -> usize {
        self.out_side() / OUT
    }

    /// Tiles of the images of a slice.
    fn tiles(self, images: &[f32]) -> usize {
        let count = images.len() / (self.in_side * self.in_side * self.in_channels);
        count * self.tiles_per_side() * self.tiles_per_side()
    }

    /// Kernels of one input each, as [`Kernel::forward`] stores them.
    const fn by_input(self) -> Kernels {
        let Self { in_channels, out_channels, .. } = self;
        let tap = in_channels * out_channels;
        Kernels { count: in_channels, channels: out_channels, step: out_channels, tap }
    }

    /// Kernels of one output each, as [`Kernel::backward`] stores them.
    const fn by_output(self) -> Kernels {
        let Self { in_channels, out_channels, .. } = self;
        let step = KERNEL * KERNEL * in_channels;
        Kernels { count: out_channels, channels: in_channels, step, tap: in_channels }
    }

    /// Prepares [`Winograd::forward`] from a kernel that is loaded.
    pub(super) fn load_forward(self, kernel: &Kernel, spectra: &mut Spectra) {
        let shape = self.by_input();
        spread_kernels(shape, kernel.forward(), grown(&mut spectra.forward, shape.len()));
    }

    /// Prepares [`Winograd::backward`] from a kernel that is loaded; clears the sums.
    pub(super) fn load_backward(self, kernel: &Kernel, spectra: &mut Spectra) {
        let shape = self.by_output();
        spread_kernels(shape, kernel.backward(), grown(&mut spectra.backward, shape.len()));
        grown(&mut spectra.gradient, self.by_input().len()).fill(0.0);
    }

    /// Convolves without the bias.
    ///
    /// # Shape
    /// `images`: images × in_side² × in; `out`: images × out_side² × out.
    pub(super) fn forward(self, images: &[f32], spectra: &mut Spectra, out: &mut [f32]) {
        let tiles = self.tiles(images);
        let inputs = grown(&mut spectra.inputs, FREQUENCIES * spaced(tiles * self.in_channels));
        cut_inputs(self, images, inputs);
        let width = padded(self.out_channels);
        let outputs = grown(&mut spectra.outputs, FREQUENCIES * spaced(tiles * width));
        let shape = Shape { rows: tiles, inner: self.in_channels, step: self.in_channels, width };
        products(shape, inputs, &spectra.forward, outputs);
        join_outputs(self, outputs, out);
    }

    /// Adds to the gradient of the kernel, and writes the slope of the images.
    ///
    /// # Shape
    /// `images`, `images_slope`: images × in_side² × in; `slope`: images × out_side² × out.
    pub(super) fn backward(
        self,
        images: &[f32],
        slope: &[f32],
        spectra: &mut Spectra,
        images_slope: &mut [f32],
    ) {
        let tiles = self.tiles(images);
        let inputs = grown(&mut spectra.inputs, FREQUENCIES * spaced(tiles * self.in_channels));
        cut_inputs(self, images, inputs);
        let width = padded(self.out_channels);
        let outputs = grown(&mut spectra.outputs, FREQUENCIES * spaced(tiles * width));
        cut_outputs(self, slope, outputs);
        let shape = Shape { rows: self.in_channels, inner: tiles, step: self.in_channels, width };
        add_transposed_products(shape, inputs, outputs, &mut spectra.gradient);
        let shape = Shape {
            rows: tiles,
            inner: self.out_channels,
            step: width,
            width: padded(self.in_channels),
        };
        let inputs_slope =
            grown(&mut spectra.inputs_slope, FREQUENCIES * spaced(tiles * shape.width));
        products(shape, outputs, &spectra.backward, inputs_slope);
        images_slope.fill(0.0);
        add_inputs(self, inputs_slope, images_slope);
    }

    /// Writes the summed gradient to that of the kernel.
    pub(super) fn finish(self, spectra: &Spectra, kernel: &mut Kernel) {
        gather_kernels(self.by_input(), &spectra.gradient, kernel.gradient_mut());
    }

    /// Where a tile of the images begins in the input and in the output.
    #[inline(always)]
    const fn tile(self, tile: usize) -> (usize, usize) {
        let (side, input, output) = (self.tiles_per_side(), self.in_side, self.out_side());
        let (image, y, x) = (tile / (side * side), tile / side % side, tile % side);
        let from = (image * input + y * OUT) * input + x * OUT;
        let to = (image * output + y * OUT) * output + x * OUT;
        (from * self.in_channels, to * self.out_channels)
    }
}

/// Vectors of channels: where each begins, and how many of its lanes an earlier one had already.
#[inline(always)]
fn groups(channels: usize) -> impl Iterator<Item = (usize, usize)> {
    (0..channels).step_by(LANES).map(move |start| {
        let begin = start.min(channels - LANES);
        (begin, start - begin)
    })
}

#[inline(always)]
pub(super) fn load(from: &[f32], at: usize) -> Lanes {
    let mut lanes = [0.0; LANES];
    lanes.copy_from_slice(&from[at..at + LANES]);
    lanes
}

/// `sums += left · right`, each product fused with its sum.
#[inline(always)]
pub(super) fn add_products<const W: usize>(left: f32, right: &[Lanes; W], sums: &mut [Lanes; W]) {
    for w in 0..W {
        for lane in 0..LANES {
            sums[w][lane] = left.mul_add(right[w][lane], sums[w][lane]);
        }
    }
}

#[inline(always)]
fn lanewise<const N: usize, const M: usize>(
    from: [Lanes; N],
    transform: impl Fn([f32; N]) -> [f32; M],
) -> [Lanes; M] {
    let mut to = [[0.0; LANES]; M];
    for lane in 0..LANES {
        let values = transform(std::array::from_fn(|n| from[n][lane]));
        for m in 0..M {
            to[m][lane] = values[m];
        }
    }
    to
}

/// A transform along every line.
#[inline(always)]
fn along_lines<const N: usize, const M: usize>(
    load: impl Fn(usize, usize) -> Lanes,
    transform: impl Fn([f32; N]) -> [f32; M] + Copy,
) -> [[Lanes; M]; N] {
    let mut lines = [[[0.0; LANES]; M]; N];
    for y in 0..N {
        lines[y] = lanewise(std::array::from_fn(|x| load(y, x)), transform);
    }
    lines
}

/// Then along one column.
#[inline(always)]
fn along_column<const N: usize, const M: usize>(
    lines: &[[Lanes; M]; N],
    x: usize,
    transform: impl Fn([f32; N]) -> [f32; M],
) -> [Lanes; M] {
    lanewise(std::array::from_fn(|y| lines[y][x]), transform)
}

/// How the taps of many kernels are stored, in numbers from one to the next.
#[derive(Debug, Clone, Copy)]
struct Kernels {
    count: usize,
    /// channels of one kernel, one after the other
    channels: usize,
    /// from one kernel to the next
    step: usize,
    /// from one tap to the next
    tap: usize,
}

impl Kernels {
    /// Numbers of all kernels as frequencies × kernels × padded channels.
    const fn len(self) -> usize {
        FREQUENCIES * spaced(self.count * padded(self.channels))
    }
}

widened! {
    /// Kernels to frequencies.
    fn spread_kernels(shape: Kernels, from: &[f32], to: &mut [f32]) {
        let Kernels { count, channels, step, tap } = shape;
        let frequency = spaced(count * padded(channels));
        for kernel in 0..count {
            for (begin, _) in groups(channels) {
                let lines = along_lines(
                    |y, x| load(from, (y * KERNEL + x) * tap + kernel * step + begin),
                    kernel_to_frequency,
                );
                for x in 0..IN {
                    let column = along_column(&lines, x, kernel_to_frequency);
                    for (y, lanes) in column.iter().enumerate() {
                        let at = (y * IN + x) * frequency + kernel * padded(channels) + begin;
                        to[at..at + LANES].copy_from_slice(lanes);
                    }
                }
            }
        }
    }
}

widened! {
    /// The adjoint of [`spread_kernels`].
    fn gather_kernels(shape: Kernels, from: &[f32], to: &mut [f32]) {
        let Kernels { count, channels, step, tap } = shape;
        let frequency = spaced(count * padded(channels));
        for kernel in 0..count {
            for (begin, _) in groups(channels) {
                let start = kernel * padded(channels) + begin;
                let lines = along_lines(
                    |y, x| load(from, (y * IN + x) * frequency + start),
                    frequency_to_kernel,
                );
                for x in 0..KERNEL {
                    let column = along_column(&lines, x, frequency_to_kernel);
                    for (y, lanes) in column.iter().enumerate() {
                        let at = (y * KERNEL + x) * tap + kernel * step + begin;
                        to[at..at + LANES].copy_from_slice(lanes);
                    }
                }
            }
        }
    }
}

widened! {
    /// Tiles of images to frequencies.
    fn cut_inputs(shape: Winograd, images: &[f32], to: &mut [f32]) {
        let channels = shape.in_channels;
        let tiles = shape.tiles(images);
        let frequency = spaced(tiles * channels);
        for tile in 0..tiles {
            let (start, _) = shape.tile(tile);
            for (begin, _) in groups(channels) {
                let lines = along_lines(
                    |y, x| load(images, start + (y * shape.in_side + x) * channels + begin),
                    input_to_frequency,
                );
                for x in 0..IN {
                    let column = along_column(&lines, x, input_to_frequency);
                    for (y, lanes) in column.iter().enumerate() {
                        let at = (y * IN + x) * frequency + tile * channels + begin;
                        to[at..at + LANES].copy_from_slice(lanes);
                    }
                }
            }
        }
    }
}

widened! {
    /// Adds to the slope of images that of their tiles: the adjoint of [`cut_inputs`].
    fn add_inputs(shape: Winograd, from: &[f32], images: &mut [f32]) {
        let (channels, stride) = (shape.in_channels, padded(shape.in_channels));
        let tiles = shape.tiles(images);
        let frequency = spaced(tiles * stride);
        for tile in 0..tiles {
            let (start, _) = shape.tile(tile);
            for (begin, skip) in groups(channels) {
                let lines = along_lines(
                    |y, x| load(from, (y * IN + x) * frequency + tile * stride + begin),
                    frequency_to_input,
                );
                for x in 0..IN {
                    let column = along_column(&lines, x, frequency_to_input);
                    for (y, lanes) in column.iter().enumerate() {
                        let at = start + (y * shape.in_side + x) * channels + begin;
                        let sums = &mut images[at..at + LANES];
                        for lane in 0..LANES {
                            sums[lane] += if lane < skip { 0.0 } else { lanes[lane] };
                        }
                    }
                }
            }
        }
    }
}

widened! {
    /// Frequencies to tiles of output.
    fn join_outputs(shape: Winograd, from: &[f32], out: &mut [f32]) {
        let (channels, stride) = (shape.out_channels, padded(shape.out_channels));
        let tiles = out.len() / (OUT * OUT * channels);
        let frequency = spaced(tiles * stride);
        for tile in 0..tiles {
            let (_, start) = shape.tile(tile);
            for (begin, _) in groups(channels) {
                let lines = along_lines(
                    |y, x| load(from, (y * IN + x) * frequency + tile * stride + begin),
                    frequency_to_output,
                );
                for x in 0..OUT {
                    let column = along_column(&lines, x, frequency_to_output);
                    for (y, lanes) in column.iter().enumerate() {
                        let at = start + (y * shape.out_side() + x) * channels + begin;
                        out[at..at + LANES].copy_from_slice(lanes);
                    }
                }
            }
        }
    }
}

widened! {
    /// The slope of tiles of output to frequencies: the adjoint of [`join_outputs`].
    fn cut_outputs(shape: Winograd, slope: &[f32], to: &mut [f32]) {
        let (channels, stride) = (shape.out_channels, padded(shape.out_channels));
        let tiles = slope.len() / (OUT * OUT * channels);
        let frequency = spaced(tiles * stride);
        for tile in 0..tiles {
            let (_, start) = shape.tile(tile);
            for (begin, _) in groups(channels) {
                let lines = along_lines(
                    |y, x| load(slope, start + (y * shape.out_side() + x) * channels + begin),
                    output_to_frequency,
                );
                for x in 0..IN {
                    let column = along_column(&lines, x, output_to_frequency);
                    for (y, lanes) in column.iter().enumerate() {
                        let at = (y * IN + x) * frequency + tile * stride + begin;
                        to[at..at + LANES].copy_from_slice(lanes);
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::convolution::reference::Reference;
    use super::*;

    /// Of the largest entry; a direct sum in f32 is at 1e-6.
    const TOLERANCE: f64 = 2e-5;

    #[test]
    fn a_convolution_and_its_adjoints_are_those_of_the_definition() {
        for ((in_channels, out_channels), in_side, count) in
            [((20, 50), 12, 3), ((20, 50), 12, 1), ((16, 33), 8, 2), ((37, 80), 16, 1)]
        {
            let shape = Convolution { in_channels, out_channels, kernel: 5, in_side, offset: 3 };
            let (tiled, mut spectra) = (Winograd::of(shape), Spectra::default());
            let mut reference = Reference::new(shape, count);
            tiled.load_forward(&reference.kernel, &mut spectra);
            tiled.load_backward(&reference.kernel, &mut spectra);
            let mut out = vec![f32::NAN; reference.slope.len()];
            let mut images_slope = vec![f32::NAN; reference.images.len()];
            for _ in 0..2 {
                let (images, slope) = (&reference.images, &reference.slope);
                tiled.forward(images, &mut spectra, &mut out);
                tiled.backward(images, slope, &mut spectra, &mut images_slope);
            }
            tiled.finish(&spectra, &mut reference.kernel);
            reference.check_out(&out, TOLERANCE);
            reference.check_images_slope(&images_slope, TOLERANCE);
            reference.check_gradient(2.0, TOLERANCE);
        }
    }
}
