//! Numbers as a person reads them; files keep full precision instead.
use crate::spread::Spread;

/// What a number measures, hence how it is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// a share, written in percent
    Share,
    /// anything else
    Plain,
}

impl Unit {
    /// The unit of a score, which shows in its name.
    pub fn of(score: &str) -> Self {
        if score.ends_with("accuracy") { Self::Share } else { Self::Plain }
    }

    /// `91.3 %` or `0.0312`.
    pub fn write(self, value: f64) -> String {
        match self {
            _ if !value.is_finite() => special(value).into(),
            Self::Share => format!("{:.1} %", value * 100.0),
            Self::Plain => plain(value),
        }
    }

    /// The number alone, for a table whose head names the unit.
    pub fn digits(self, value: f64) -> String {
        match self {
            _ if !value.is_finite() => special(value).into(),
            Self::Share => format!("{:.1}", value * 100.0),
            Self::Plain => plain(value),
        }
    }

    /// `91.3 ± 0.4`; without a deviation where there is only one seed.
    pub fn spread(self, spread: &Spread) -> String {
        if spread.count < 2 || !spread.mean.is_finite() {
            return self.digits(spread.mean);
        }
        format!("{} ± {}", self.digits(spread.mean), self.digits(spread.deviation))
    }
}

/// `inf`, `-inf` or `nan`: one spelling everywhere, that of the run folder.
fn special(value: f64) -> &'static str {
    match value {
        value if value.is_nan() => "nan",
        value if value > 0.0 => "inf",
        _ => "-inf",
    }
}

/// About four digits, without an exponent unless it would be long.
pub fn plain(value: f64) -> String {
    if !value.is_finite() {
        return special(value).into();
    }
    match value.abs() {
        0.0 => "0".into(),
        size if !(1e-3..1e6).contains(&size) => format!("{value:.2e}"),
        size if size >= 1e3 => format!("{value:.0}"),
        size if size >= 10.0 => format!("{value:.1}"),
        size if size >= 0.1 => format!("{value:.3}"),
        _ => format!("{value:.4}"),
    }
}

/// `1,234,567`.
pub fn count(value: u64) -> String {
    let digits = value.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `1.72 MB`, in powers of 1000.
pub fn bytes(value: f64) -> String {
    scaled(value, 1000.0, &["B", "kB", "MB", "GB", "TB", "PB", "EB"])
}

fn scaled(value: f64, base: f64, units: &[&str]) -> String {
    let mut rest = value;
    let mut place = 0;
    while rest.abs() >= base && place + 1 < units.len() {
        rest /= base;
        place += 1;
    }
    match place {
        0 => format!("{rest:.0} {}", units[0]),
        _ if rest.abs() >= 100.0 => format!("{rest:.0} {}", units[place]),
        _ if rest.abs() >= 10.0 => format!("{rest:.1} {}", units[place]),
        _ => format!("{rest:.2} {}", units[place]),
    }
}

/// `3 min 20 s`.
pub fn seconds(value: f64) -> String {
    if !value.is_finite() {
        return special(value).into();
    }
    match value {
        value if value < 1e-3 => format!("{:.0} µs", value * 1e6),
        value if value < 1.0 => format!("{:.0} ms", value * 1e3),
        value if value < 10.0 => format!("{value:.2} s"),
        value if value < 100.0 => format!("{value:.1} s"),
        value if value < 6000.0 => {
            let whole = value.round() as u64;
            format!("{} min {} s", whole / 60, whole % 60)
        }
        value => {
            let minutes = (value / 60.0).round() as u64;
            format!("{} h {} min", count(minutes / 60), minutes % 60)
        }
    }
}
