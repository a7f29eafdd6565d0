//! What a learnt model knows about itself: errors and coverage on rows it was not fitted to.
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::page;
use crate::folder::FolderError;
use crate::real;

/// One output of a model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OutputFit {
    /// what it predicts
    pub name: String,
    /// negative logarithm of the marginal likelihood, in standardised units
    #[serde(with = "real")]
    pub nlml: f64,
    /// estimated standard deviation of the noise, in the output's unit
    #[serde(with = "real")]
    pub noise: f64,
    /// estimated standard deviation of the signal, in the output's unit
    #[serde(with = "real")]
    pub signal: f64,
    /// per input, in standardised units; large where the input does not matter
    pub length_scales: Vec<f64>,
    /// root mean square error on held-out rows
    #[serde(with = "real")]
    pub rmse: f64,
    /// that over the standard deviation of the held-out targets
    #[serde(with = "real")]
    pub relative_error: f64,
    /// share of held-out targets within two standard deviations
    #[serde(with = "real")]
    pub coverage: f64,
    /// nominal share and share found, for central intervals of several sizes
    pub calibration: Vec<(f64, f64)>,
}

/// A fitted model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FitSummary {
    /// name of the kernel
    pub kernel: String,
    /// rows it was fitted to
    pub rows: usize,
    /// rows it was judged by
    pub held_out: usize,
    /// names of the inputs of the model
    pub inputs: Vec<String>,
    /// each output
    pub outputs: Vec<OutputFit>,
}

impl FitSummary {
    /// Mean and least coverage over outputs.
    pub fn coverage(&self) -> (f64, f64) {
        let all = self.outputs.iter().map(|output| output.coverage);
        let mean = all.clone().sum::<f64>() / self.outputs.len() as f64;
        (mean, all.fold(f64::INFINITY, f64::min))
    }

    /// Mean relative error over outputs.
    pub fn relative_error(&self) -> f64 {
        let all = self.outputs.iter().map(|output| output.relative_error);
        all.sum::<f64>() / self.outputs.len() as f64
    }
}

/// Writes `report.html` and `figures/` of a model by itself; returns where the page lies.
///
/// # Errors
/// When a file cannot be written.
pub fn write_fit_report(
    folder: &Path,
    fit: &FitSummary,
    (title, settings, command): (&str, &str, &str),
) -> Result<PathBuf, FolderError> {
    page::write_fit(folder, fit, (title, settings, command))
}
