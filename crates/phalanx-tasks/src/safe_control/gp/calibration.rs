//! How right a model is about rows that it has not seen, and how right about its own doubt.
use std::sync::Arc;

use super::error::GpError;
use super::model::GaussianProcess;
use super::samples::Samples;

/// What the outputs of held-out rows are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Truth {
    /// values of the function itself, without noise
    Exact,
    /// measured like the training rows, with their noise
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
    let pairs = || squares.iter().zip(&variances);
    let loss = |square: &f64, variance: &f64| {
        let variance = variance.max(f64::MIN_POSITIVE);
        0.5 * (square / variance + (std::f64::consts::TAU * variance).ln())
    };
    Calibration {
        rmse,
        relative_rmse: rmse / spread.sqrt(),
        coverage: average(&mut pairs().map(|(square, v)| f64::from(*square <= 4.0 * v))),
        log_loss: average(&mut pairs().map(|(square, v)| loss(square, v))),
    }
}
