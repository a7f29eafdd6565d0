//! Log-softmax and negative log-likelihood, in f64 per sample.
use super::elementwise::widened;

/// Samples that are worked on side by side; each is summed by itself.
const LANES: usize = 16;

/// Replaces logits by the gradient of the mean loss and returns the summed loss.
///
/// # Shape
/// `logits`: classes × batch, `labels`: batch; `samples`: what the mean is taken over.
pub(super) fn softmax_gradient(logits: &mut [f32], labels: &[u8], samples: usize) -> f64 {
    let mut total = 0.0;
    add_loss_and_gradient(logits, labels, 1.0 / samples as f64, &mut total);
    total
}

widened! {
    fn add_loss_and_gradient(logits: &mut [f32], labels: &[u8], scale: f64, total: &mut f64) {
        let batch = labels.len();
        for (block, labels) in labels.chunks(LANES).enumerate() {
            let columns = block * LANES..block * LANES + labels.len();
            let mut max = [f32::NEG_INFINITY; LANES];
            for row in logits.chunks_exact(batch) {
                let row = lanes(&row[columns.clone()]);
                for lane in 0..LANES {
                    // A NaN is passed over here and reaches the sum, so it shows in the loss.
                    max[lane] = if row[lane] > max[lane] { row[lane] } else { max[lane] };
                }
            }
            let (mut chosen, mut sum) = ([0.0; LANES], [0.0; LANES]);
            for (lane, &label) in labels.iter().enumerate() {
                let logit = logits[usize::from(label) * batch + columns.start + lane];
                chosen[lane] = f64::from(logit) - f64::from(max[lane]);
            }
            for row in logits.chunks_exact_mut(batch) {
                let row = &mut row[columns.clone()];
                let mut powers = lanes(row);
                for lane in 0..LANES {
                    let power = exp_of_negative(f64::from(powers[lane]) - f64::from(max[lane]));
                    sum[lane] += power;
                    powers[lane] = power as f32;
                }
                row.copy_from_slice(&powers[..row.len()]);
            }
            for (class, row) in logits.chunks_exact_mut(batch).enumerate() {
                for (lane, value) in row[columns.clone()].iter_mut().enumerate() {
                    let target = if usize::from(labels[lane]) == class { 1.0 } else { 0.0 };
                    *value = ((f64::from(*value) / sum[lane] - target) * scale) as f32;
                }
            }
            for lane in 0..labels.len() {
                *total += sum[lane].ln() - chosen[lane];
            }
        }
    }
}

#[inline(always)]
fn lanes(row: &[f32]) -> [f32; LANES] {
    let mut lanes = [0.0; LANES];
    lanes[..row.len()].copy_from_slice(row);
    lanes
}

/// eˣ for x ≤ 0 or NaN, within a few units in the last place, the same bits on every machine.
#[inline(always)]
fn exp_of_negative(x: f64) -> f64 {
    // Adding and subtracting this rounds to a whole number, which then sits in the low bits.
    const ROUND: f64 = 6_755_399_441_055_744.0;
    const LN_2_HIGH: f64 = 0.693_147_180_369_123_8;
    const LN_2_LOW: f64 = 1.908_214_929_270_587_7e-10;
    // Below this the result would not be a normal number; softmax may as well see zero.
    let tiny = x < -708.0;
    let x = if tiny { 0.0 } else { x };
    let shifted = x * std::f64::consts::LOG2_E + ROUND;
    let whole = shifted - ROUND;
    let rest = (x - whole * LN_2_HIGH) - whole * LN_2_LOW;
    // Taylor's series to the 13th power: the rest is at most ln 2 / 2.
    let mut series = 1.0 / 6_227_020_800.0;
    for divisor in [
        479_001_600.0,
        39_916_800.0,
        3_628_800.0,
        362_880.0,
        40_320.0,
        5_040.0,
        720.0,
        120.0,
        24.0,
        6.0,
        2.0,
        1.0,
        1.0,
    ] {
        series = series * rest + 1.0 / divisor;
    }
    let power = f64::from_bits((shifted.to_bits() << 52).wrapping_add(1.0f64.to_bits()));
    if tiny { 0.0 } else { series * power }
}

/// Negative log-likelihood of `label` under one row of logits.
pub(super) fn negative_log_likelihood(logits: &[f32], label: u8) -> f64 {
    let max = f64::from(largest(logits.len(), |class| logits[class]));
    let sum: f64 = logits.iter().map(|&logit| (f64::from(logit) - max).exp()).sum();
    sum.ln() - (f64::from(logits[usize::from(label)]) - max)
}

/// The class with the largest logit, the first of equals; NaN never wins.
pub(super) fn best_class(logits: &[f32]) -> usize {
    let mut best = 0;
    for class in 1..logits.len() {
        if logits[class] > logits[best] || logits[best].is_nan() {
            best = class;
        }
    }
    best
}

// A NaN logit is passed over here and reaches the sum, so the loss is NaN as it must be.
fn largest(classes: usize, logit: impl Fn(usize) -> f32) -> f32 {
    (0..classes).map(logit).fold(f32::NEG_INFINITY, f32::max)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn powers_agree_with_the_system_library() {
        for step in 0..=70_000 {
            let x = -0.01 * f64::from(step);
            let (found, expected) = (exp_of_negative(x), x.exp());
            let error = ((found - expected) / expected).abs();
            assert!(error < 1e-15, "e^{x}: {found:e} instead of {expected:e}");
        }
        assert_eq!(exp_of_negative(0.0), 1.0);
        assert_eq!(exp_of_negative(-709.0), 0.0);
        assert_eq!(exp_of_negative(f64::NEG_INFINITY), 0.0);
        assert!(exp_of_negative(f64::NAN).is_nan());
    }

    #[test]
    fn a_worked_example_of_two_samples_and_three_classes() {
        // Logits (0, ln 2, ln 5) and (0, 0, 0), labels 2 and 0, mean over two samples.
        let (two, five) = (2.0f32.ln(), 5.0f32.ln());
        let mut slope = [0.0, 0.0, two, 0.0, five, 0.0];
        let loss = softmax_gradient(&mut slope, &[2, 0], 2);
        assert!((loss - ((8.0f64 / 5.0).ln() + 3.0f64.ln())).abs() < 1e-6);
        let third = 1.0 / 3.0;
        let expected = [0.125, third - 1.0, 0.25, third, 0.625 - 1.0, third];
        for (found, expected) in slope.into_iter().zip(expected) {
            assert!((f64::from(found) - expected / 2.0).abs() < 1e-7, "{slope:?}");
        }
    }

    #[test]
    fn one_sample_does_not_depend_on_its_neighbours() {
        let mut many: Vec<f32> = (0..37 * 10).map(|at| ((at * 7919) % 101) as f32 * 0.1).collect();
        let column: Vec<f32> = (0..10).map(|class| many[class * 37 + 33]).collect();
        let mut alone = column;
        softmax_gradient(&mut alone, &[4], 1);
        softmax_gradient(&mut many, &[4; 37], 1);
        let found: Vec<f32> = (0..10).map(|class| many[class * 37 + 33]).collect();
        assert_eq!(found, alone);
    }
}
