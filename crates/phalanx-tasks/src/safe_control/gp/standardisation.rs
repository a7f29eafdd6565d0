//! A common scale of all columns: each less its mean, over its deviation.
use super::error::GpError;
use super::samples::Samples;

/// Mean and deviation of a column.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Scale {
    /// what is subtracted
    pub mean: f64,
    /// what it is divided by, above 0
    pub deviation: f64,
}

impl Scale {
    /// In units of the column to standard units.
    pub fn standard(self, value: f64) -> f64 {
        (value - self.mean) / self.deviation
    }
}

/// The scales of all inputs and outputs.
#[derive(Debug, Clone, PartialEq)]
pub struct Standardisation {
    /// of each input
    pub inputs: Vec<Scale>,
    /// of each output
    pub outputs: Vec<Scale>,
}

/// A deviation under so many times the greatest entry of its column is rounding.
const DEVIATION_LEAST: f64 = 1e-13;

impl Standardisation {
    /// Mean and population deviation of each column.
    ///
    /// # Errors
    /// [`GpError::Constant`] names the first column that never changes.
    pub fn of(samples: &Samples) -> Result<Self, GpError> {
        let rows = samples.rows();
        let input = |column| {
            scale(("input", column), (0..rows).map(|row| samples.input(row)[column]).collect())
        };
        let output = |column| {
            scale(("output", column), (0..rows).map(|row| samples.output(row)[column]).collect())
        };
        Ok(Self {
            inputs: (0..samples.inputs()).map(input).collect::<Result<_, _>>()?,
            outputs: (0..samples.outputs()).map(output).collect::<Result<_, _>>()?,
        })
    }

    /// Whether it is one of so many inputs and outputs, all of it finite, no deviation zero.
    ///
    /// # Errors
    /// [`GpError`] says what is not so.
    pub fn check(&self, inputs: usize, outputs: usize) -> Result<(), GpError> {
        let sides = [("inputs", inputs, &self.inputs), ("outputs", outputs, &self.outputs)];
        for (what, expected, scales) in sides {
            if scales.len() != expected {
                return Err(GpError::Shape { what, expected, found: scales.len() });
            }
            for scale in scales {
                let Scale { mean, deviation } = *scale;
                if !mean.is_finite() {
                    let (name, needed) = ("the mean of a column", "a finite number");
                    return Err(GpError::Option { name, value: mean, needed });
                }
                if !deviation.is_normal() || deviation < 0.0 {
                    let (name, needed) = ("the deviation of a column", "a number above 0");
                    return Err(GpError::Option { name, value: deviation, needed });
                }
            }
        }
        Ok(())
    }
}

fn scale((table, column): (&'static str, usize), values: Vec<f64>) -> Result<Scale, GpError> {
    let count = values.len() as f64;
    let mean = values.iter().sum::<f64>() / count;
    let squares: f64 = values.iter().map(|value| (value - mean) * (value - mean)).sum();
    let deviation = (squares / count).sqrt();
    let greatest = values.iter().fold(0.0, |greatest: f64, value| greatest.max(value.abs()));
    if deviation <= DEVIATION_LEAST * greatest || !deviation.is_normal() {
        return Err(GpError::Constant { table, column: column + 1, value: values[0] });
    }
    Ok(Scale { mean, deviation })
}
