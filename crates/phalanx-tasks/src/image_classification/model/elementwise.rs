//! Passes that touch each number once: bias, ReLU, pooling and their reverse.
//!
//! Each is compiled for several vector widths and chosen at run time. No width changes a bit:
//! no pass sums across lanes in f32, and multiplications and additions are fused exactly where
//! `mul_add` says so (a processor that cannot fuse gets the same bits from software, slowly).

/// Defines a function whose body is compiled for AVX-512, AVX2 and the baseline.
macro_rules! widened {
    ($(#[$doc:meta])* $vis:vis fn $name:ident($($arg:ident: $kind:ty),* $(,)?) $body:block) => {
        $(#[$doc])*
        $vis fn $name($($arg: $kind),*) {
            #[inline(always)]
            fn portable($($arg: $kind),*) $body

            #[cfg(target_arch = "x86_64")]
            {
                #[target_feature(enable = "avx512f,avx512vl,avx512bw,avx512dq,fma")]
                fn avx512($($arg: $kind),*) {
                    portable($($arg),*)
                }
                #[target_feature(enable = "avx2,fma")]
                fn avx2($($arg: $kind),*) {
                    portable($($arg),*)
                }
                let has_fma = is_x86_feature_detected!("fma");
                if has_fma
                    && is_x86_feature_detected!("avx512f")
                    && is_x86_feature_detected!("avx512vl")
                    && is_x86_feature_detected!("avx512bw")
                    && is_x86_feature_detected!("avx512dq")
                {
                    // SAFETY: the CPU was just asked for every feature that is enabled.
                    return unsafe { avx512($($arg),*) };
                }
                if has_fma && is_x86_feature_detected!("avx2") {
                    // SAFETY: the CPU was just asked for both.
                    return unsafe { avx2($($arg),*) };
                }
            }
            portable($($arg),*)
        }
    };
}
pub(super) use widened;

/// In [`pool`]'s record: the maximum was cut off by ReLU, no gradient passes.
pub(super) const BLOCKED: u8 = 4;

// Unlike `f32::max` this lets NaN through: a diverged model must show in the loss.
#[inline(always)]
fn relu(value: f32) -> f32 {
    if value <= 0.0 { 0.0 } else { value }
}

widened! {
    /// Adds a bias per row.
    ///
    /// # Shape
    /// `rows`: bias × batch.
    pub(super) fn add_bias(rows: &mut [f32], bias: &[f32]) {
        let batch = rows.len() / bias.len();
        for (row, &bias) in rows.chunks_exact_mut(batch).zip(bias) {
            row.iter_mut().for_each(|value| *value += bias);
        }
    }
}

widened! {
    /// Adds a bias per row, then ReLU.
    ///
    /// # Shape
    /// `rows`: bias × batch.
    pub(super) fn add_bias_relu(rows: &mut [f32], bias: &[f32]) {
        let batch = rows.len() / bias.len();
        for (row, &bias) in rows.chunks_exact_mut(batch).zip(bias) {
            row.iter_mut().for_each(|value| *value = relu(*value + bias));
        }
    }
}

widened! {
    /// Adds a bias per column, then ReLU.
    ///
    /// # Shape
    /// `pixels`: pixels × channels; `bias`: channels.
    pub(super) fn add_channel_bias_relu(pixels: &mut [f32], bias: &[f32]) {
        for pixel in pixels.chunks_exact_mut(bias.len()) {
            for (value, bias) in pixel.iter_mut().zip(bias) {
                *value = relu(*value + bias);
            }
        }
    }
}

widened! {
    /// Clears the slope wherever ReLU gave zero.
    pub(super) fn block_inactive(slope: &mut [f32], active: &[f32]) {
        for (slope, &active) in slope.iter_mut().zip(active) {
            *slope = if active == 0.0 { 0.0 } else { *slope };
        }
    }
}

widened! {
    /// `out = scale · pixel + shift`, per channel.
    ///
    /// # Shape
    /// `pixels`, `out`: pixels × channels; `scale`, `shift`: channels.
    pub(super) fn affine(pixels: &[f32], scale: &[f32], shift: &[f32], out: &mut [f32]) {
        let channels = scale.len();
        let shift = &shift[..channels];
        for (to, pixel) in out.chunks_exact_mut(channels).zip(pixels.chunks_exact(channels)) {
            for channel in 0..channels {
                to[channel] = scale[channel] * pixel[channel] + shift[channel];
            }
        }
    }
}

/// Images of `side`² whose channels become `scale · value + shift` before pooling.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pooling<'a> {
    pub(super) side: usize,
    pub(super) scale: &'a [f32],
    pub(super) shift: &'a [f32],
}

widened! {
    /// 2 × 2 maximum over affine images; remembers where from.
    ///
    /// A scale may be negative, so here the affine map cannot wait until after the maximum.
    ///
    /// # Shape
    /// As [`pool`].
    pub(super) fn pool_affine(
        geometry: Pooling<'_>,
        pixels: &[f32],
        pooled: &mut [f32],
        winner: &mut [u8],
    ) {
        let channels = geometry.scale.len();
        let shift = &geometry.shift[..channels];
        let row = geometry.side * channels;
        let outputs = pooled.chunks_exact_mut(row / 2).zip(winner.chunks_exact_mut(row / 2));
        for (two_rows, (pooled, winner)) in pixels.chunks_exact(2 * row).zip(outputs) {
            for at in 0..row / 2 {
                let channel = at % channels;
                let start = 2 * at - channel;
                let value = |offset: usize| {
                    geometry.scale[channel] * two_rows[start + offset] + shift[channel]
                };
                let (mut best, mut from) = (value(0), 0);
                for (index, offset) in [(1, channels), (2, row), (3, row + channels)] {
                    let other = value(offset);
                    let wins = (other > best) | other.is_nan();
                    best = if wins { other } else { best };
                    from = if wins { index } else { from };
                }
                pooled[at] = best;
                winner[at] = from;
            }
        }
    }
}

/// 2 × 2 maximum over images of `side`², then bias, then ReLU; remembers where from.
///
/// Bias and ReLU never decrease with their argument, so the maximum may come first. Of equal
/// values the first in reading order wins; NaN wins over everything.
///
/// # Shape
/// `pixels`: images × side² × channels; `pooled`, `winner`: a quarter of it; `bias`: channels.
pub(super) fn pool(
    pixels: &[f32],
    side: usize,
    bias: &[f32],
    pooled: &mut [f32],
    winner: &mut [u8],
) {
    match bias.len() {
        20 => pool_20(pixels, side, bias, pooled, winner),
        50 => pool_50(pixels, side, bias, pooled, winner),
        _ => pool_any(pixels, side, bias, pooled, winner),
    }
}

widened! {
    fn pool_20(p: &[f32], side: usize, bias: &[f32], pooled: &mut [f32], winner: &mut [u8]) {
        pool_body(p, (side, 20), bias, pooled, winner);
    }
}
widened! {
    fn pool_50(p: &[f32], side: usize, bias: &[f32], pooled: &mut [f32], winner: &mut [u8]) {
        pool_body(p, (side, 50), bias, pooled, winner);
    }
}
widened! {
    fn pool_any(p: &[f32], side: usize, bias: &[f32], pooled: &mut [f32], winner: &mut [u8]) {
        pool_body(p, (side, bias.len()), bias, pooled, winner);
    }
}

// Inlined where the number of channels is a constant, so that no loop has a short tail.
#[inline(always)]
fn pool_body(
    pixels: &[f32],
    (side, channels): (usize, usize),
    bias: &[f32],
    pooled: &mut [f32],
    winner: &mut [u8],
) {
    let bias = &bias[..channels];
    let row = side * channels;
    let outputs = pooled.chunks_exact_mut(row / 2).zip(winner.chunks_exact_mut(row / 2));
    for (two_rows, (pooled, winner)) in pixels.chunks_exact(2 * row).zip(outputs) {
        let (top, bottom) = two_rows.split_at(row);
        let pairs = top.chunks_exact(2 * channels).zip(bottom.chunks_exact(2 * channels));
        let outputs = pooled.chunks_exact_mut(channels).zip(winner.chunks_exact_mut(channels));
        for ((top, bottom), (pooled, winner)) in pairs.zip(outputs) {
            let ((a, b), (c, d)) = (top.split_at(channels), bottom.split_at(channels));
            let (b, c, d) = (&b[..channels], &c[..channels], &d[..channels]);
            for channel in 0..channels {
                let (mut best, mut from) = (a[channel], 0);
                for (index, other) in [(1, b[channel]), (2, c[channel]), (3, d[channel])] {
                    let wins = (other > best) | other.is_nan();
                    best = if wins { other } else { best };
                    from = if wins { index } else { from };
                }
                let value = relu(best + bias[channel]);
                pooled[channel] = value;
                winner[channel] = if value == 0.0 { BLOCKED } else { from };
            }
        }
    }
}

/// Sends each slope back to the pixel that [`pool`] took the maximum from.
///
/// # Shape
/// As [`pool`].
pub(super) fn unpool(
    slope: &[f32],
    winner: &[u8],
    side: usize,
    channels: usize,
    pixels: &mut [f32],
) {
    match channels {
        20 => unpool_20(slope, winner, side, pixels),
        50 => unpool_50(slope, winner, side, pixels),
        _ => unpool_any(slope, winner, side, channels, pixels),
    }
}

widened! {
    fn unpool_20(slope: &[f32], winner: &[u8], side: usize, pixels: &mut [f32]) {
        unpool_body(slope, winner, side, 20, pixels);
    }
}
widened! {
    fn unpool_50(slope: &[f32], winner: &[u8], side: usize, pixels: &mut [f32]) {
        unpool_body(slope, winner, side, 50, pixels);
    }
}
widened! {
    fn unpool_any(
        slope: &[f32],
        winner: &[u8],
        side: usize,
        channels: usize,
        pixels: &mut [f32],
    ) {
        unpool_body(slope, winner, side, channels, pixels);
    }
}

#[inline(always)]
fn unpool_body(slope: &[f32], winner: &[u8], side: usize, channels: usize, pixels: &mut [f32]) {
    let row = side * channels;
    let inputs = slope.chunks_exact(row / 2).zip(winner.chunks_exact(row / 2));
    for (two_rows, (slope, winner)) in pixels.chunks_exact_mut(2 * row).zip(inputs) {
        let (top, bottom) = two_rows.split_at_mut(row);
        let pairs = top.chunks_exact_mut(2 * channels).zip(bottom.chunks_exact_mut(2 * channels));
        let inputs = slope.chunks_exact(channels).zip(winner.chunks_exact(channels));
        for ((top, bottom), (slope, winner)) in pairs.zip(inputs) {
            for (index, to) in top.chunks_exact_mut(channels).enumerate() {
                scatter(slope, winner, index as u8, to);
            }
            for (index, to) in bottom.chunks_exact_mut(channels).enumerate() {
                scatter(slope, winner, 2 + index as u8, to);
            }
        }
    }
}

#[inline(always)]
fn scatter(slope: &[f32], winner: &[u8], index: u8, to: &mut [f32]) {
    for ((to, &slope), &winner) in to.iter_mut().zip(slope).zip(winner) {
        *to = if winner == index { slope } else { 0.0 };
    }
}

widened! {
    /// Adds to `sums` the slopes of each channel that [`pool`] let through: a bias' gradient.
    ///
    /// # Shape
    /// `slope`, `winner`: pixels × channels; `sums`: channels.
    pub(super) fn add_open_sums(slope: &[f32], winner: &[u8], sums: &mut [f64]) {
        let channels = sums.len();
        let pixels = slope.chunks_exact(channels).zip(winner.chunks_exact(channels));
        for (slope, winner) in pixels {
            for ((sum, &slope), &winner) in sums.iter_mut().zip(slope).zip(winner) {
                *sum += if winner == BLOCKED { 0.0 } else { f64::from(slope) };
            }
        }
    }
}

widened! {
    /// Adds to `sums` the sum over pixels of each channel.
    ///
    /// # Shape
    /// `slope`: pixels × channels; `sums`: channels.
    pub(super) fn add_channel_sums(slope: &[f32], sums: &mut [f64]) {
        for slope in slope.chunks_exact(sums.len()) {
            for (sum, &slope) in sums.iter_mut().zip(slope) {
                *sum += f64::from(slope);
            }
        }
    }
}
