//! Stride-1 convolution as a matrix product over unrolled windows, channels last.
//!
//! Images are pixel by pixel with all channels of a pixel adjacent, so that one line of a
//! window is one contiguous run; padding, where there is any, is part of the image.
use std::ops::Range;

use super::elementwise::{add_channel_sums, widened};
use super::matrix::{Layout, View, ViewMut, Write, multiply};
use super::workspace::{grown, held};

/// Where a convolution lies in the flat parameters (weights out × in × k × k, then the bias)
/// and what it reads.
#[derive(Debug, Clone, Copy)]
pub(super) struct Convolution {
    pub(super) in_channels: usize,
    pub(super) out_channels: usize,
    pub(super) kernel: usize,
    /// side of the image it reads, padding included
    pub(super) in_side: usize,
    pub(super) offset: usize,
}

/// One convolution's weights as the products want them, and the sums of its gradient.
#[derive(Debug, Default)]
pub(super) struct Kernel {
    // window × out
    forward: Vec<f32>,
    // out × window
    backward: Vec<f32>,
    // window × out
    gradient: Vec<f32>,
    bias_sums: Vec<f64>,
}

impl Kernel {
    pub(super) fn bytes(&self) -> u64 {
        held(&self.forward) + held(&self.backward) + held(&self.gradient) + held(&self.bias_sums)
    }

    /// Weights as they were loaded, window × out.
    pub(super) fn forward(&self) -> &[f32] {
        &self.forward
    }

    /// Weights as they were loaded, out × window.
    pub(super) fn backward(&self) -> &[f32] {
        &self.backward
    }

    /// The summed gradient, window × out.
    pub(super) fn gradient_mut(&mut self) -> &mut [f32] {
        &mut self.gradient
    }

    pub(super) fn bias_sums(&mut self) -> &mut [f64] {
        &mut self.bias_sums
    }
}

impl Convolution {
    pub(super) const fn out_side(self) -> usize {
        self.in_side - self.kernel + 1
    }

    pub(super) const fn window(self) -> usize {
        self.kernel * self.kernel * self.in_channels
    }

    /// Numbers per image read.
    pub(super) const fn in_len(self) -> usize {
        self.in_side * self.in_side * self.in_channels
    }

    /// Numbers per image written.
    pub(super) const fn out_len(self) -> usize {
        self.out_side() * self.out_side() * self.out_channels
    }

    /// Numbers per image unrolled.
    pub(super) const fn rows_len(self) -> usize {
        self.out_side() * self.out_side() * self.window()
    }

    const fn bias_offset(self) -> usize {
        self.offset + self.out_channels * self.window()
    }

    /// Where the next layer begins.
    pub(super) const fn end(self) -> usize {
        self.bias_offset() + self.out_channels
    }

    pub(super) fn bias(self, params: &[f32]) -> &[f32] {
        &params[self.bias_offset()..self.end()]
    }

    // Calls `visit` with the index of each weight as stored and its place (out, in window).
    fn each_weight(self, mut visit: impl FnMut(usize, usize, usize)) {
        let area = self.kernel * self.kernel;
        let mut stored = 0;
        for out in 0..self.out_channels {
            for channel in 0..self.in_channels {
                for tap in 0..area {
                    visit(stored, out, tap * self.in_channels + channel);
                    stored += 1;
                }
            }
        }
    }

    /// Prepares [`Convolution::forward`].
    pub(super) fn load_forward(self, params: &[f32], kernel: &mut Kernel) {
        let weights = &params[self.offset..self.bias_offset()];
        let to = grown(&mut kernel.forward, weights.len());
        self.each_weight(|stored, out, tap| to[tap * self.out_channels + out] = weights[stored]);
    }

    /// Prepares the backward passes; clears the sums.
    pub(super) fn load_backward(self, params: &[f32], kernel: &mut Kernel) {
        let weights = &params[self.offset..self.bias_offset()];
        let to = grown(&mut kernel.backward, weights.len());
        self.each_weight(|stored, out, tap| to[out * self.window() + tap] = weights[stored]);
        grown(&mut kernel.gradient, weights.len()).fill(0.0);
        grown(&mut kernel.bias_sums, self.out_channels).fill(0.0);
    }

    /// Writes the summed gradient in the order of the parameters.
    pub(super) fn write_gradient(self, kernel: &Kernel, grad: &mut [f32]) {
        let (weights, bias) =
            grad[self.offset..self.end()].split_at_mut(self.out_channels * self.window());
        let from = &kernel.gradient;
        self.each_weight(|stored, out, tap| weights[stored] = from[tap * self.out_channels + out]);
        for (out, &sum) in bias.iter_mut().zip(&kernel.bias_sums) {
            *out = sum as f32;
        }
    }

    /// Lays out the windows of some output lines as one row each.
    ///
    /// # Shape
    /// `images`: images × in_side² × in; `rows`: (images · lines · out_side) × window.
    pub(super) fn unroll(self, images: &[f32], lines: Range<usize>, rows: &mut [f32]) {
        unroll(self.geometry(lines), images, rows);
    }

    /// The reverse of [`Convolution::unroll`]: adds to every pixel the sum over its windows.
    pub(super) fn fold(self, rows: &[f32], lines: Range<usize>, images: &mut [f32]) {
        fold(self.geometry(lines), rows, images);
    }

    fn geometry(self, lines: Range<usize>) -> Geometry {
        assert!(lines.end <= self.out_side(), "an image has so many lines");
        Geometry {
            run: self.kernel * self.in_channels,
            line: self.in_side * self.in_channels,
            step: self.in_channels,
            image: self.in_len(),
            kernel: self.kernel,
            out_side: self.out_side(),
            first: lines.start,
            count: lines.len(),
        }
    }

    /// Convolves without the bias.
    ///
    /// # Shape
    /// `rows` as unrolled; `out`: (images · out_side²) × out.
    pub(super) fn forward(self, kernel: &Kernel, rows: &[f32], out: &mut [f32]) {
        let pixels = out.len() / self.out_channels;
        let rows = View::new(rows, Layout::row_major(pixels, self.window()));
        let layout = Layout::row_major(self.window(), self.out_channels);
        let weights = View::new(&kernel.forward, layout);
        let to = ViewMut::new(out, Layout::row_major(pixels, self.out_channels));
        multiply(rows, weights, Write::Replace, to);
    }

    /// Adds to the weights' part of the gradient.
    pub(super) fn add_weight_gradient(self, rows: &[f32], slope: &[f32], kernel: &mut Kernel) {
        let pixels = slope.len() / self.out_channels;
        let rows = View::new(rows, Layout::row_major(pixels, self.window()));
        let slope = View::new(slope, Layout::row_major(pixels, self.out_channels));
        let layout = Layout::row_major(self.window(), self.out_channels);
        let to = ViewMut::new(&mut kernel.gradient, layout);
        multiply(rows.transposed(), slope, Write::Add, to);
    }

    /// Adds to the bias' part of the gradient.
    pub(super) fn add_bias_gradient(self, slope: &[f32], kernel: &mut Kernel) {
        add_channel_sums(slope, &mut kernel.bias_sums);
    }

    /// The gradient with respect to the unrolled windows.
    pub(super) fn input_gradient(self, kernel: &Kernel, slope: &[f32], rows: &mut [f32]) {
        let pixels = slope.len() / self.out_channels;
        let slope = View::new(slope, Layout::row_major(pixels, self.out_channels));
        let layout = Layout::row_major(self.out_channels, self.window());
        let weights = View::new(&kernel.backward, layout);
        let to = ViewMut::new(rows, Layout::row_major(pixels, self.window()));
        multiply(slope, weights, Write::Replace, to);
    }
}

/// Runs and strides of the windows of `count` output lines from `first` on.
#[derive(Clone, Copy)]
struct Geometry {
    run: usize,
    line: usize,
    step: usize,
    image: usize,
    kernel: usize,
    out_side: usize,
    first: usize,
    count: usize,
}

widened! {
    fn unroll(geometry: Geometry, images: &[f32], rows: &mut [f32]) {
        // A run of known length is copied in a few instructions instead of a call.
        match geometry.run {
            9 => unroll_short::<16>(Geometry { run: 9, ..geometry }, images, rows),
            192 => unroll_runs(Geometry { run: 192, ..geometry }, images, rows),
            384 => unroll_runs(Geometry { run: 384, ..geometry }, images, rows),
            _ => unroll_runs(geometry, images, rows),
        }
    }
}

/// Copies `WIDE` entries where a run is shorter: the next run overwrites the excess.
#[inline(always)]
fn unroll_short<const WIDE: usize>(geometry: Geometry, images: &[f32], rows: &mut [f32]) {
    let Geometry { run, line, step, kernel, out_side, first, count, .. } = geometry;
    let per_image = count * out_side * kernel * run;
    let images = images.chunks_exact(geometry.image);
    for (image, rows) in images.zip(rows.chunks_exact_mut(per_image)) {
        let mut to = 0;
        for y in first..first + count {
            for x in 0..out_side {
                for tap in 0..kernel {
                    let at = (y + tap) * line + x * step;
                    let wide = (image.get(at..at + WIDE), rows.get_mut(to..to + WIDE));
                    if let (Some(from), Some(to)) = wide {
                        to.copy_from_slice(from);
                    } else {
                        rows[to..to + run].copy_from_slice(&image[at..at + run]);
                    }
                    to += run;
                }
            }
        }
    }
}

#[inline(always)]
fn unroll_runs(geometry: Geometry, images: &[f32], rows: &mut [f32]) {
    let Geometry { run, line, step, kernel, out_side, first, count, .. } = geometry;
    let per_image = count * out_side * kernel * run;
    let images = images.chunks_exact(geometry.image);
    for (image, rows) in images.zip(rows.chunks_exact_mut(per_image)) {
        for (y, rows) in rows.chunks_exact_mut(out_side * kernel * run).enumerate() {
            for (x, row) in rows.chunks_exact_mut(kernel * run).enumerate() {
                for (tap, to) in row.chunks_exact_mut(run).enumerate() {
                    let at = (first + y + tap) * line + x * step;
                    to.copy_from_slice(&image[at..at + run]);
                }
            }
        }
    }
}

widened! {
    fn fold(geometry: Geometry, rows: &[f32], images: &mut [f32]) {
        match geometry.run {
            192 => fold_runs(Geometry { run: 192, ..geometry }, rows, images),
            384 => fold_runs(Geometry { run: 384, ..geometry }, rows, images),
            _ => fold_runs(geometry, rows, images),
        }
    }
}

#[inline(always)]
fn fold_runs(geometry: Geometry, rows: &[f32], images: &mut [f32]) {
    let Geometry { run, line, step, kernel, out_side, first, count, .. } = geometry;
    let per_image = count * out_side * kernel * run;
    let images = images.chunks_exact_mut(geometry.image);
    for (image, rows) in images.zip(rows.chunks_exact(per_image)) {
        for (y, rows) in rows.chunks_exact(out_side * kernel * run).enumerate() {
            for (x, row) in rows.chunks_exact(kernel * run).enumerate() {
                for (tap, from) in row.chunks_exact(run).enumerate() {
                    let at = (first + y + tap) * line + x * step;
                    for (to, from) in image[at..at + run].iter_mut().zip(from) {
                        *to += from;
                    }
                }
            }
        }
    }
}

/// A convolution and its adjoints in f64, as the definition says.
#[cfg(test)]
pub(super) mod reference {
    use super::{Convolution, Kernel};

    /// What comes out of [`Convolution`] for some images and a slope of its output.
    pub(in super::super) struct Reference {
        pub(in super::super) images: Vec<f32>,
        pub(in super::super) slope: Vec<f32>,
        pub(in super::super) kernel: Kernel,
        out: Vec<f64>,
        images_slope: Vec<f64>,
        gradient: Vec<f64>,
    }

    fn numbers(count: usize, seed: usize) -> Vec<f32> {
        let number = |at: usize| ((at * 7919 + seed * 104_729) % 2003) as f32 / 1001.5 - 1.0;
        (0..count).map(number).collect()
    }

    impl Reference {
        pub(in super::super) fn new(shape: Convolution, count: usize) -> Self {
            let params = numbers(shape.end(), 1);
            let mut kernel = Kernel::default();
            shape.load_forward(&params, &mut kernel);
            shape.load_backward(&params, &mut kernel);
            let images = numbers(count * shape.in_len(), 2);
            let slope = numbers(count * shape.out_len(), 3);
            let mut out = vec![0.0; slope.len()];
            let mut images_slope = vec![0.0; images.len()];
            let mut gradient = vec![0.0; kernel.forward.len()];
            let (side, channels) = (shape.out_side(), shape.out_channels);
            for at in 0..slope.len() {
                let (pixel, channel) = (at / channels, at % channels);
                let (image, y, x) = (pixel / (side * side), pixel / side % side, pixel % side);
                for tap in 0..shape.window() {
                    let (place, input) = (tap / shape.in_channels, tap % shape.in_channels);
                    let (line, column) = (y + place / shape.kernel, x + place % shape.kernel);
                    let from = (image * shape.in_side + line) * shape.in_side + column;
                    let from = from * shape.in_channels + input;
                    let weight = tap * channels + channel;
                    let (w, d) = (f64::from(kernel.forward[weight]), f64::from(slope[at]));
                    out[at] += w * f64::from(images[from]);
                    images_slope[from] += w * d;
                    gradient[weight] += d * f64::from(images[from]);
                }
            }
            Self { images, slope, kernel, out, images_slope, gradient }
        }

        pub(in super::super) fn check_out(&self, found: &[f32], tolerance: f64) {
            check("output", found, &self.out, tolerance);
        }

        pub(in super::super) fn check_images_slope(&self, found: &[f32], tolerance: f64) {
            check("slope of images", found, &self.images_slope, tolerance);
        }

        /// The gradient that the kernel has summed so far, `times` that of these images.
        pub(in super::super) fn check_gradient(&self, times: f64, tolerance: f64) {
            let expected: Vec<f64> = self.gradient.iter().map(|value| times * value).collect();
            check("gradient", &self.kernel.gradient, &expected, tolerance);
        }
    }

    fn check(what: &str, found: &[f32], expected: &[f64], tolerance: f64) {
        assert_eq!(found.len(), expected.len());
        let largest = expected.iter().fold(0.0f64, |max, value| max.max(value.abs()));
        let pairs = found.iter().zip(expected);
        let error = pairs.map(|(a, b)| (f64::from(*a) - b).abs()).fold(0.0, f64::max);
        assert!(error <= tolerance * largest, "{what}: {error:e} of {largest}");
    }
}
