//! Axes: ranges that tolerate any number, and ticks at round values.
use crate::number::Unit;

/// Maps values to places on a drawing.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Scale {
    from: f64,
    to: f64,
    start: f64,
    end: f64,
    is_log: bool,
}

impl Scale {
    /// A linear scale; equal ends are moved apart, ends that are not finite become 0 and 1.
    pub(crate) fn linear((from, to): (f64, f64), (start, end): (f64, f64)) -> Self {
        let (from, to) = if from.is_finite() && to.is_finite() { (from, to) } else { (0.0, 1.0) };
        let (from, to) = if from <= to { (from, to) } else { (to, from) };
        // A subnormal extent would vanish when halved.
        let (from, to) = if to - from > 1e-290 {
            (from, to)
        } else {
            let pad = (from.abs() * 0.1).max(1e-3);
            ((from - pad).max(f64::MIN), (to + pad).min(f64::MAX))
        };
        Self { from, to, start, end, is_log: false }
    }

    /// A logarithmic scale over a positive range, widened to whole powers of ten.
    pub(crate) fn log((from, to): (f64, f64), pixels: (f64, f64)) -> Self {
        let floor = from.max(f64::MIN_POSITIVE).log10().floor();
        let ceiling = to.max(f64::MIN_POSITIVE).log10().ceil().max(floor + 1.0);
        Self { is_log: true, ..Self::linear((floor, ceiling), pixels) }
    }

    /// A logarithmic scale where a linear one would flatten most of the values.
    pub(crate) fn fitting(values: &[f64], pixels: (f64, f64)) -> Self {
        let finite = || values.iter().copied().filter(|value| value.is_finite());
        let least = finite().fold(f64::INFINITY, f64::min);
        let greatest = finite().fold(f64::NEG_INFINITY, f64::max);
        if least > 0.0 && greatest / least > 500.0 {
            return Self::log((least, greatest), pixels);
        }
        // Zero belongs to a quantity that cannot be negative and comes near it.
        let from = if least > 0.0 && least < greatest * 0.5 { 0.0 } else { least };
        // Up to the next tick, so that no curve runs along the edge.
        let step = nice_step(greatest / 5.0 - from / 5.0);
        let to = (greatest / step - 1e-9).ceil() * step;
        Self::linear((from, if to.is_finite() { to } else { greatest }), pixels)
    }

    /// Where a value lies; `None` for one that has no place.
    pub(crate) fn at(&self, value: f64) -> Option<f64> {
        let value = if self.is_log { value.log10() } else { value };
        if !value.is_finite() {
            return None;
        }
        // Halved, so that the extent of the widest range does not overflow.
        let share = (value / 2.0 - self.from / 2.0) / (self.to / 2.0 - self.from / 2.0);
        Some(self.start + share.clamp(0.0, 1.0) * (self.end - self.start))
    }

    pub(crate) fn is_log(&self) -> bool {
        self.is_log
    }

    /// Values at round steps, about `count` of them, each with its text.
    pub(crate) fn ticks(&self, count: usize, unit: Unit) -> Vec<(f64, String)> {
        let step = nice_step(self.to / count as f64 - self.from / count as f64);
        let step = if self.is_log { step.max(1.0).round() } else { step };
        let first = (self.from / step - 1e-9).ceil();
        let last = (self.to / step + 1e-9).floor();
        if !step.is_finite() || step <= 0.0 || !(first..first + 100.0).contains(&last) {
            return Vec::new();
        }
        let tick = |place: usize| {
            let value = (first + place as f64) * step;
            match self.is_log {
                true => (10f64.powf(value), power_of_ten(value)),
                false => (value, write(value, step, unit)),
            }
        };
        (0..=(last - first) as usize).map(tick).collect()
    }
}

/// The least of 1, 2, 5 times a power of ten that is not under `rough`.
fn nice_step(rough: f64) -> f64 {
    if !rough.is_finite() || rough <= 0.0 {
        return f64::NAN;
    }
    let power = 10f64.powf(rough.log10().floor());
    [1.0, 2.0, 5.0]
        .map(|m| m * power)
        .into_iter()
        .find(|s| *s >= rough * 0.999)
        .unwrap_or(power * 10.0)
}

fn write(value: f64, step: f64, unit: Unit) -> String {
    let (value, step, suffix) = match unit {
        Unit::Share => (value * 100.0, step * 100.0, " %"),
        Unit::Plain => (value, step, ""),
    };
    let value = if value.abs() < step * 1e-6 { 0.0 } else { value };
    if value.abs() >= 1e7 || (step < 1e-4 && value != 0.0) {
        return format!("{value:.1e}{suffix}");
    }
    let decimals = (-(step.log10() + 1e-9).floor()).clamp(0.0, 6.0) as usize;
    format!("{value:.decimals$}{suffix}")
}

fn power_of_ten(exponent: f64) -> String {
    let exponent = exponent.round() as i32;
    match exponent {
        0..=4 => 10i64.pow(exponent as u32).to_string(),
        -3..=-1 => format!("{:.*}", exponent.unsigned_abs() as usize, 10f64.powi(exponent)),
        _ => format!("1e{exponent}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(scale: Scale, unit: Unit) -> Vec<String> {
        scale.ticks(5, unit).into_iter().map(|(_, text)| text).collect()
    }

    #[test]
    fn ticks_fall_on_round_values() {
        let pixels = (0.0, 100.0);
        assert_eq!(
            texts(Scale::linear((0.0, 1.0), pixels), Unit::Share),
            ["0 %", "20 %", "40 %", "60 %", "80 %", "100 %"]
        );
        assert_eq!(
            texts(Scale::linear((0.0, 600.0), pixels), Unit::Plain),
            ["0", "200", "400", "600"]
        );
        assert_eq!(
            texts(Scale::linear((-0.31, 0.12), pixels), Unit::Plain),
            ["-0.3", "-0.2", "-0.1", "0.0", "0.1"]
        );
        assert_eq!(
            texts(Scale::log((0.02, 3e3), pixels), Unit::Plain),
            ["0.01", "1", "100", "10000"]
        );
    }

    #[test]
    fn no_range_is_too_strange_for_an_axis() {
        let odd = [
            0.0,
            -0.0,
            1.0,
            f64::NAN,
            f64::INFINITY,
            f64::NEG_INFINITY,
            f64::MAX,
            f64::MIN,
            f64::MIN_POSITIVE,
            5e-324,
            1e300,
        ];
        for from in odd {
            for to in odd {
                for scale in [
                    Scale::linear((from, to), (0.0, 10.0)),
                    Scale::log((from, to), (0.0, 10.0)),
                    Scale::fitting(&[from, to], (0.0, 10.0)),
                ] {
                    assert!(scale.ticks(5, Unit::Plain).len() <= 101, "{from} {to}");
                    for value in odd {
                        let place = scale.at(value);
                        assert!(
                            place.is_none_or(|p| (0.0..=10.0).contains(&p)),
                            "{scale:?} {value}"
                        );
                    }
                }
            }
        }
    }
}
