//! How often something happened, and how often it may happen after all.
use serde::{Deserialize, Serialize};

/// Quantile of the standard normal distribution that leaves one in forty above.
const QUANTILE: f64 = 1.959_963_984_540_054;

/// A share of trials with its 95 % interval.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Rate {
    /// trials in which it happened
    pub count: usize,
    /// all trials
    pub of: usize,
    /// lower end of Wilson's 95 % interval
    pub low: f64,
    /// upper end of it
    pub high: f64,
}

impl Rate {
    /// A rate from its counts.
    pub fn new(count: usize, of: usize) -> Self {
        let (low, high) = wilson(count, of);
        Self { count, of, low, high }
    }

    /// The share itself; not a number without a trial.
    pub fn share(self) -> f64 {
        self.count as f64 / self.of as f64
    }

    /// `95.0 % (19 of 20; 76.4 to 99.1 %)`.
    pub fn words(self) -> String {
        if self.of == 0 {
            return "no trial".into();
        }
        format!(
            "{:.1} % ({} of {}; {:.1} to {:.1} %)",
            self.share() * 100.0,
            self.count,
            self.of,
            self.low * 100.0,
            self.high * 100.0
        )
    }
}

/// Wilson's 95 % interval for a share. Unlike `p ± 2σ` it stays within 0 to 1 and is not empty
/// when all or none succeed; without a trial it is the whole range.
///
/// # Source
/// E. B. Wilson, Probable Inference, the Law of Succession, and Statistical Inference, 1927.
pub fn wilson(count: usize, of: usize) -> (f64, f64) {
    if of == 0 {
        return (0.0, 1.0);
    }
    let (n, z) = (of as f64, QUANTILE);
    let share = count as f64 / n;
    let divisor = 1.0 + z * z / n;
    let centre = (share + z * z / (2.0 * n)) / divisor;
    let half = z / divisor * (share * (1.0 - share) / n + z * z / (4.0 * n * n)).sqrt();
    // Rounding must not exclude what the formula includes.
    let low = if count == 0 { 0.0 } else { (centre - half).max(0.0) };
    let high = if count == of { 1.0 } else { (centre + half).min(1.0) };
    (low, high)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_interval_has_the_ends_of_the_tables() {
        // 19 of 20 and 0 of 10: values of R's `binom::binom.wilson`.
        let near = |(low, high): (f64, f64), expected: (f64, f64)| {
            assert!((low - expected.0).abs() < 1e-4 && (high - expected.1).abs() < 1e-4, "{low}");
        };
        near(wilson(19, 20), (0.7639, 0.9911));
        near(wilson(0, 10), (0.0, 0.2775));
        near(wilson(10, 10), (0.7225, 1.0));
        assert_eq!(wilson(0, 0), (0.0, 1.0));
    }

    #[test]
    fn the_interval_holds_the_share_and_shrinks_with_trials() {
        for of in [1, 7, 100, 10_000] {
            for count in [0, of / 3, of / 2, of] {
                let rate = Rate::new(count, of);
                assert!(rate.low <= rate.share() && rate.share() <= rate.high, "{rate:?}");
                let more = Rate::new(count * 4, of * 4);
                assert!(more.high - more.low < rate.high - rate.low, "{rate:?} {more:?}");
            }
        }
    }
}
