//! What a model knows about rows it was not fitted to.
use std::sync::Arc;

use crate::safe_control::gp::{GaussianProcess, GpError, Samples};

/// Central intervals that calibration is told for: nominal share, and deviations on either side.
const INTERVALS: [(f64, f64); 10] = [
    (0.1, 0.125_661_346_855_074_13),
    (0.2, 0.253_347_103_135_799_8),
    (0.3, 0.385_320_466_407_567_6),
    (0.4, 0.524_400_512_708_040_7),
    (0.5, 0.674_489_750_196_081_7),
    (0.6, 0.841_621_233_572_914_4),
    (0.7, 1.036_433_389_493_789_4),
    (0.8, 1.281_551_565_544_600_8),
    (0.9, 1.644_853_626_951_471_5),
    (0.99, 2.575_829_303_548_9),
];

/// Deviations on either side within which coverage counts.
const SIGMAS: f64 = 2.0;

/// One output of a model, judged.
#[derive(Debug, Clone, PartialEq)]
pub struct Judgement {
    /// root mean square error
    pub rmse: f64,
    /// that over the deviation of the targets
    pub relative_error: f64,
    /// share of targets within two standard deviations
    pub coverage: f64,
    /// nominal share of central intervals, and the share of targets found within
    pub calibration: Vec<(f64, f64)>,
}

/// Judges every output of a model by rows it has not seen.
///
/// `has_noise` says whether the targets were observed with the noise that the model was fitted
/// to; the deviation then includes it. Targets without noise are held against the model's doubt
/// about the function alone, which is what a plan is kept safe with.
///
/// # Errors
/// When the rows have other columns than the model.
pub fn judge(
    model: &Arc<GaussianProcess>,
    held_out: &Samples,
    has_noise: bool,
) -> Result<Vec<Judgement>, GpError> {
    let sizes = [
        ("inputs", model.inputs(), held_out.inputs()),
        ("outputs", model.outputs(), held_out.outputs()),
    ];
    for (what, expected, found) in sizes {
        if expected != found {
            return Err(GpError::Shape { what, expected, found });
        }
    }
    let rows = held_out.rows();
    let points: Vec<f64> = (0..rows).flat_map(|row| held_out.input(row).to_vec()).collect();
    let predicted = model.predict(&points)?;
    let outputs = model.outputs();
    let one = |output: usize| {
        let noise = if has_noise { model.noise(output) } else { 0.0 };
        let at = |row: usize| row * outputs + output;
        let target = |row: usize| held_out.output(row)[output];
        let errors: Vec<f64> =
            (0..rows).map(|row| (target(row) - predicted.mean[at(row)]).abs()).collect();
        let deviations: Vec<f64> = (0..rows)
            .map(|row| (predicted.variance[at(row)] + noise * noise).max(0.0).sqrt())
            .collect();
        let count = rows as f64;
        let within = |sigmas: f64| {
            let pairs = errors.iter().zip(&deviations);
            pairs.filter(|(error, deviation)| **error <= sigmas * **deviation).count() as f64
                / count
        };
        let mean = (0..rows).map(target).sum::<f64>() / count;
        let spread = (0..rows).map(|row| (target(row) - mean).powi(2)).sum::<f64>() / count;
        let rmse = (errors.iter().map(|error| error * error).sum::<f64>() / count).sqrt();
        let calibration = INTERVALS.map(|(nominal, sigmas)| (nominal, within(sigmas)));
        Judgement {
            rmse,
            relative_error: rmse / spread.sqrt(),
            coverage: within(SIGMAS),
            calibration: calibration.into(),
        }
    };
    Ok((0..outputs).map(one).collect())
}
