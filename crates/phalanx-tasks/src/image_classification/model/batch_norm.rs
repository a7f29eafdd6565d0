//! Batch normalisation over the channels of a block: statistics, affine form, reverse.
use super::elementwise::widened;
use super::workspace::{grown, held};

/// Added to the variance, as PyTorch's default.
const EPSILON: f64 = 1e-5;
/// How much of a new batch enters the running statistics, as PyTorch's default.
const MOMENTUM: f64 = 0.1;

/// Where a normalisation lies in the flat parameters: scale, then shift.
#[derive(Debug, Clone, Copy)]
pub(super) struct BatchNorm {
    pub(super) channels: usize,
    pub(super) offset: usize,
}

/// Mean and variance that an evaluation pass uses; not part of the exchanged parameters.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Running {
    pub(super) mean: Vec<f64>,
    pub(super) variance: Vec<f64>,
}

impl Running {
    pub(super) fn new(channels: usize) -> Self {
        Self { mean: vec![0.0; channels], variance: vec![1.0; channels] }
    }
}

/// One normalisation at work: what it divides by, and the sums of its gradient.
#[derive(Debug, Default)]
pub(super) struct Statistics {
    mean: Vec<f64>,
    variance: Vec<f64>,
    // y = scale · x + shift, per channel.
    scale: Vec<f32>,
    shift: Vec<f32>,
    // Sums over pixels of the slope, and of the slope times (x − mean).
    slope_sums: Vec<f64>,
    product_sums: Vec<f64>,
    // slope by x = direct · slope + along · x + constant, per channel.
    direct: Vec<f32>,
    along: Vec<f32>,
    constant: Vec<f32>,
}

impl Statistics {
    pub(super) fn bytes(&self) -> u64 {
        let sums = [&self.mean, &self.variance, &self.slope_sums, &self.product_sums];
        let numbers = [&self.scale, &self.shift, &self.direct, &self.along, &self.constant];
        sums.into_iter().map(held).sum::<u64>() + numbers.into_iter().map(held).sum::<u64>()
    }

    pub(super) fn scale(&self) -> &[f32] {
        &self.scale
    }

    pub(super) fn shift(&self) -> &[f32] {
        &self.shift
    }

    /// Uses these statistics instead of the batch's.
    pub(super) fn fix(&mut self, running: &Running) {
        grown(&mut self.mean, running.mean.len()).copy_from_slice(&running.mean);
        grown(&mut self.variance, running.mean.len()).copy_from_slice(&running.variance);
    }

    /// Mean and biased variance of each channel.
    ///
    /// # Shape
    /// `pixels`: pixels × channels.
    pub(super) fn measure(&mut self, pixels: &[f32], channels: usize) {
        let count = (pixels.len() / channels) as f64;
        let mean = grown(&mut self.mean, channels);
        mean.fill(0.0);
        super::elementwise::add_channel_sums(pixels, mean);
        mean.iter_mut().for_each(|mean| *mean /= count);
        let variance = grown(&mut self.variance, channels);
        variance.fill(0.0);
        add_squares(pixels, mean, variance);
        variance.iter_mut().for_each(|variance| *variance /= count);
    }

    /// Moves running statistics towards those of a batch of `pixels` pixels.
    pub(super) fn enter(&self, pixels: usize, running: &mut Running) {
        // PyTorch normalises by the biased variance but remembers the unbiased one.
        let unbias = pixels as f64 / (pixels as f64 - 1.0);
        for channel in 0..running.mean.len() {
            let (mean, variance) = (&mut running.mean[channel], &mut running.variance[channel]);
            *mean += MOMENTUM * (self.mean[channel] - *mean);
            *variance += MOMENTUM * (self.variance[channel] * unbias - *variance);
        }
    }

    fn inverse_deviation(&self, channel: usize) -> f64 {
        1.0 / (self.variance[channel] + EPSILON).sqrt()
    }

    /// Clears the sums of the gradient.
    pub(super) fn start(&mut self, channels: usize) {
        grown(&mut self.slope_sums, channels).fill(0.0);
        grown(&mut self.product_sums, channels).fill(0.0);
    }

    /// Adds one part of a block to the sums of the gradient.
    pub(super) fn add_slope(&mut self, slope: &[f32], pixels: &[f32]) {
        add_products(slope, pixels, &self.mean, &mut self.slope_sums, &mut self.product_sums);
    }

    /// Turns the slope by the normalised image into the slope by the image before ReLU.
    ///
    /// # Shape
    /// `slope`, `pixels`: pixels × channels; `pixels` is what ReLU gave.
    pub(super) fn reverse(&self, slope: &mut [f32], pixels: &[f32]) {
        reverse_with_relu(slope, pixels, &self.direct, &self.along, &self.constant);
    }
}

impl BatchNorm {
    pub(super) const fn end(self) -> usize {
        self.offset + 2 * self.channels
    }

    /// Scale one, shift zero.
    pub(super) fn init(self, out: &mut [f32]) {
        out[self.offset..self.offset + self.channels].fill(1.0);
        out[self.offset + self.channels..self.end()].fill(0.0);
    }

    /// Computes the affine form from parameters and statistics.
    pub(super) fn prepare(self, params: &[f32], statistics: &mut Statistics) {
        grown(&mut statistics.scale, self.channels);
        grown(&mut statistics.shift, self.channels);
        for channel in 0..self.channels {
            let weight = f64::from(params[self.offset + channel]);
            let bias = f64::from(params[self.offset + self.channels + channel]);
            let scale = weight * statistics.inverse_deviation(channel);
            statistics.scale[channel] = scale as f32;
            statistics.shift[channel] = (bias - statistics.mean[channel] * scale) as f32;
        }
    }

    /// Computes the reverse: through the batch's own statistics when they were measured over
    /// `measured` pixels, around them when they are fixed.
    pub(super) fn prepare_reverse(
        self,
        params: &[f32],
        measured: Option<usize>,
        statistics: &mut Statistics,
    ) {
        grown(&mut statistics.direct, self.channels);
        grown(&mut statistics.along, self.channels);
        grown(&mut statistics.constant, self.channels);
        for channel in 0..self.channels {
            let inverse = statistics.inverse_deviation(channel);
            let scale = f64::from(params[self.offset + channel]) * inverse;
            let (mut along, mut constant) = (0.0, 0.0);
            if let Some(pixels) = measured {
                let share = scale / pixels as f64;
                along = -share * statistics.product_sums[channel] * inverse * inverse;
                constant =
                    -share * statistics.slope_sums[channel] - along * statistics.mean[channel];
            }
            statistics.direct[channel] = scale as f32;
            statistics.along[channel] = along as f32;
            statistics.constant[channel] = constant as f32;
        }
    }

    /// Writes the gradient of scale and shift from the sums.
    pub(super) fn write_gradient(self, statistics: &Statistics, grad: &mut [f32]) {
        for channel in 0..self.channels {
            let inverse = statistics.inverse_deviation(channel);
            grad[self.offset + channel] = (statistics.product_sums[channel] * inverse) as f32;
            grad[self.offset + self.channels + channel] = statistics.slope_sums[channel] as f32;
        }
    }
}

widened! {
    fn add_squares(pixels: &[f32], mean: &[f64], sums: &mut [f64]) {
        for pixel in pixels.chunks_exact(sums.len()) {
            for ((sum, &value), mean) in sums.iter_mut().zip(pixel).zip(mean) {
                let centred = f64::from(value) - mean;
                *sum += centred * centred;
            }
        }
    }
}

widened! {
    fn add_products(
        slope: &[f32],
        pixels: &[f32],
        mean: &[f64],
        sums: &mut [f64],
        products: &mut [f64],
    ) {
        let channels = sums.len();
        let (mean, products) = (&mean[..channels], &mut products[..channels]);
        for (slope, pixel) in slope.chunks_exact(channels).zip(pixels.chunks_exact(channels)) {
            for channel in 0..channels {
                let slope = f64::from(slope[channel]);
                sums[channel] += slope;
                products[channel] += slope * (f64::from(pixel[channel]) - mean[channel]);
            }
        }
    }
}

widened! {
    fn reverse_with_relu(
        slope: &mut [f32],
        pixels: &[f32],
        direct: &[f32],
        along: &[f32],
        constant: &[f32],
    ) {
        let channels = direct.len();
        let (along, constant) = (&along[..channels], &constant[..channels]);
        let pairs = slope.chunks_exact_mut(channels).zip(pixels.chunks_exact(channels));
        for (slope, pixel) in pairs {
            for channel in 0..channels {
                let value = direct[channel] * slope[channel]
                    + along[channel] * pixel[channel]
                    + constant[channel];
                slope[channel] = if pixel[channel] == 0.0 { 0.0 } else { value };
            }
        }
    }
}
