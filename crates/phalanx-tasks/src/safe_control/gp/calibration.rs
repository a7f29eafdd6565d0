//! How right a model is about rows that it has not seen, and how right about its own doubt.
use std::sync::Arc;

use super::error::GpError;
use super::model::GaussianProcess;
use super::samples::Samples;

/// Central intervals: nominal share, and deviations on either side.
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

/// What the outputs of held-out rows are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Truth {
    /// values of the function itself, held against the model's doubt about the function alone,
    /// which is what a plan is kept safe with
    Exact,
    /// measured like the training rows; their noise belongs to the model's doubt
    Measured,
}

/// Errors of one output on held-out rows.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Calibration {
    /// root of the mean squared error, in units of the output
    pub rmse: f64,
    /// the same over the deviation of the output among these rows
    pub relative_rmse: f64,
    /// share of the rows within two deviations of the mean: 0.954 where the model is right about
    /// its doubt. It is reported, and certifies nothing
    pub coverage: f64,
    /// nominal share of central intervals, and the share of the rows found within
    pub intervals: [(f64, f64); 10],
    /// mean of `−ln p(y)`
    pub log_loss: f64,
}

impl GaussianProcess {
    /// Compares predictions with rows that were not trained on, output by output.
    ///
    /// # Errors
    /// [`GpError::Shape`] when the rows have other columns.
    pub fn calibration(
        self: &Arc<Self>,
        held_out: &Samples,
        truth: Truth,
    ) -> Result<Vec<Calibration>, GpError> {
        let sizes = [
            ("inputs", self.inputs(), held_out.inputs()),
            ("outputs", self.outputs(), held_out.outputs()),
        ];
        for (what, expected, found) in sizes {
            if expected != found {
                return Err(GpError::Shape { what, expected, found });
            }
        }
        let rows: Vec<f64> =
            (0..held_out.rows()).flat_map(|row| held_out.input(row).iter().copied()).collect();
        let prediction = self.predict(&rows)?;
        let output = |e: usize| {
            let noise = match truth {
                Truth::Exact => 0.0,
                Truth::Measured => self.noise(e) * self.noise(e),
            };
            let of = |values: &[f64]| -> Vec<f64> {
                values.iter().skip(e).step_by(self.outputs()).copied().collect()
            };
            let values: Vec<f64> =
                (0..held_out.rows()).map(|row| held_out.output(row)[e]).collect();
            let variances = of(&prediction.variance).into_iter().map(|v| v + noise).collect();
            compare(&values, &of(&prediction.mean), variances)
        };
        Ok((0..self.outputs()).map(output).collect())
    }
}

fn compare(values: &[f64], means: &[f64], variances: Vec<f64>) -> Calibration {
    let count = values.len() as f64;
    let average = |terms: &mut dyn Iterator<Item = f64>| terms.sum::<f64>() / count;
    let mean = average(&mut values.iter().copied());
    let spread = average(&mut values.iter().map(|value| (value - mean) * (value - mean)));
    let squares: Vec<f64> =
        values.iter().zip(means).map(|(value, mean)| (value - mean) * (value - mean)).collect();
    let rmse = average(&mut squares.iter().copied()).sqrt();
    let errors = values.iter().zip(means).map(|(value, mean)| (value - mean).abs());
    let deviations = variances.iter().map(|variance| variance.max(0.0).sqrt());
    let doubted: Vec<(f64, f64)> = errors.zip(deviations).collect();
    let within = |sigmas: f64| {
        let is_within = |(error, deviation): &&(f64, f64)| *error <= sigmas * deviation;
        doubted.iter().filter(is_within).count() as f64 / count
    };
    let pairs = squares.iter().zip(&variances);
    let loss = |square: &f64, variance: &f64| {
        let variance = variance.max(f64::MIN_POSITIVE);
        0.5 * (square / variance + (std::f64::consts::TAU * variance).ln())
    };
    Calibration {
        rmse,
        relative_rmse: rmse / spread.sqrt(),
        coverage: within(SIGMAS),
        intervals: INTERVALS.map(|(nominal, sigmas)| (nominal, within(sigmas))),
        log_loss: average(&mut pairs.map(|(square, v)| loss(square, v))),
    }
}
