//! What trials were at each step: the middle one and the outermost.
use super::record::Flight;
use crate::csv::Csv;

/// Clearance over all trials that came to a step.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Spread {
    pub(super) seconds: f64,
    pub(super) flying: usize,
    pub(super) least: f64,
    pub(super) median: f64,
    pub(super) greatest: f64,
}

/// Clearance at each step over the trials that came to it.
pub(super) fn clearances(flights: &[Flight], dt: f64) -> Vec<Spread> {
    let steps = flights.iter().map(|flight| flight.clearance.len()).max().unwrap_or(0);
    let at = |step: usize| {
        let mut values: Vec<f64> =
            flights.iter().filter_map(|flight| flight.clearance.get(step).copied()).collect();
        values.sort_by(f64::total_cmp);
        Spread {
            seconds: step as f64 * dt,
            flying: values.len(),
            least: values[0],
            median: values[(values.len() - 1) / 2],
            greatest: values[values.len() - 1],
        }
    };
    (0..steps).map(at).collect()
}

/// The spreads of several ways of flying, as a table.
pub(super) fn csv<'a>(arms: impl IntoIterator<Item = (&'a str, &'a [Spread])>) -> String {
    let mut csv = Csv::new(&["arm", "seconds", "flying", "least", "median", "greatest"]);
    for (arm, spreads) in arms {
        for spread in spreads {
            let numbers = [spread.least, spread.median, spread.greatest].map(|v| v.to_string());
            let head = [arm.to_owned(), spread.seconds.to_string(), spread.flying.to_string()];
            csv.row(&[&head[..], &numbers].concat());
        }
    }
    csv.finish()
}
