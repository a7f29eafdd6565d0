//! A fitted model: data, parameters and the posterior of every output.
use std::sync::Arc;

use rayon::prelude::*;

use super::covariance::Weights;
use super::error::GpError;
use super::factor::{Columns, JITTER_MAX};
use super::kernel::Kernel;
use super::likelihood::Likelihood;
use super::parameters::Parameters;
use super::pass::{BLOCK, Block, blocks};
use super::points::Points;
use super::predictor::Predictor;
use super::samples::Samples;
use super::standardisation::Standardisation;
use super::training::check_rows;

/// Most rows of an exact model.
pub const ROWS_MAX: usize = 3000;

/// A Gaussian process over common inputs for each output.
#[derive(Debug, Clone)]
pub struct GaussianProcess {
    kernel: Kernel,
    samples: Samples,
    standardisation: Standardisation,
    parameters: Vec<Parameters>,
    posteriors: Vec<OutputPosterior>,
    pub(super) fast: Fast,
}

/// What prediction of one output needs besides the fast path.
#[derive(Debug, Clone)]
struct OutputPosterior {
    alpha: Vec<f64>,
    lower: Columns,
    jitter: f64,
    nlml: f64,
}

/// What predictions pass over.
#[derive(Debug, Clone)]
pub(super) struct Fast {
    pub points: Points,
    /// of each output
    pub weights: Vec<Weights>,
    /// `1 / l²` of each output, one output after the other
    pub inverse_squares: Vec<f64>,
    /// `s_f² α` of each output in one block of rows, then in the next
    pub alpha: Vec<Block>,
    /// `c_d² Σ α a_d` of each output: the slope of its line; zero where the kernel has none
    pub lines: Vec<f64>,
}

/// Means and variances of the outputs at some rows, row by row.
#[derive(Debug, Clone, PartialEq)]
pub struct Prediction {
    /// rows × outputs
    pub mean: Vec<f64>,
    /// rows × outputs: of the function's value, without noise
    pub variance: Vec<f64>,
}

/// One output in standard units.
pub(super) fn standard_targets(
    samples: &Samples,
    standardisation: &Standardisation,
    output: usize,
) -> Vec<f64> {
    let scale = standardisation.outputs[output];
    (0..samples.rows()).map(|row| scale.standard(samples.output(row)[output])).collect()
}

impl GaussianProcess {
    /// The posterior at given parameters, one set for each output.
    ///
    /// # Errors
    /// [`GpError`] when data, scales or parameters cannot be used.
    pub fn with_parameters(
        samples: &Samples,
        standardisation: Standardisation,
        kernel: Kernel,
        parameters: Vec<Parameters>,
    ) -> Result<Self, GpError> {
        check_rows(samples)?;
        standardisation.check(samples.inputs(), samples.outputs())?;
        if parameters.len() != samples.outputs() {
            let (expected, found) = (samples.outputs(), parameters.len());
            return Err(GpError::Shape { what: "sets of parameters", expected, found });
        }
        for (output, parameters) in parameters.iter().enumerate() {
            parameters.check(kernel, samples.inputs(), output + 1)?;
        }
        let points = Points::new(samples, &standardisation.inputs);
        let posterior = |(output, parameters): (usize, &Parameters)| {
            let targets = standard_targets(samples, &standardisation, output);
            let found = Likelihood::new(kernel, &points, &targets).posterior(parameters);
            let jitter = JITTER_MAX;
            let found = found.ok_or(GpError::NotDefinite { output: output + 1, jitter })?;
            let (alpha, lower) = (found.alpha, found.lower);
            Ok(OutputPosterior { alpha, lower, jitter: found.jitter, nlml: found.nlml })
        };
        let posteriors: Vec<OutputPosterior> =
            parameters.par_iter().enumerate().map(posterior).collect::<Result<_, GpError>>()?;
        let fast = Fast::new(points, &parameters, &posteriors);
        let samples = samples.clone();
        Ok(Self { kernel, samples, standardisation, parameters, posteriors, fast })
    }

    /// The covariance of function values.
    pub fn kernel(&self) -> Kernel {
        self.kernel
    }

    /// What it learnt from.
    pub fn samples(&self) -> &Samples {
        &self.samples
    }

    /// The scales of inputs and outputs.
    pub fn standardisation(&self) -> &Standardisation {
        &self.standardisation
    }

    /// Parameters of each output, in standard units.
    pub fn parameters(&self) -> &[Parameters] {
        &self.parameters
    }

    /// Number of inputs.
    pub fn inputs(&self) -> usize {
        self.samples.inputs()
    }

    /// Number of outputs.
    pub fn outputs(&self) -> usize {
        self.samples.outputs()
    }

    /// The negative logarithm of the marginal likelihood of an output, in standard units.
    pub fn nlml(&self, output: usize) -> f64 {
        self.posteriors[output].nlml
    }

    /// What was added to the diagonal of an output's covariance, in standard units: 1e-10, unless
    /// the data repeat themselves so closely that more was needed.
    pub fn jitter(&self, output: usize) -> f64 {
        self.posteriors[output].jitter
    }

    /// The deviation of the noise of an output, in its units.
    pub fn noise(&self, output: usize) -> f64 {
        self.parameters[output].noise * self.standardisation.outputs[output].deviation
    }

    pub(super) fn alpha(&self, output: usize) -> &[f64] {
        &self.posteriors[output].alpha
    }

    pub(super) fn lower(&self, output: usize) -> &Columns {
        &self.posteriors[output].lower
    }

    /// Means and variances at many rows, in parallel.
    ///
    /// # Guarantee
    /// The same bits for any number of threads.
    ///
    /// # Errors
    /// [`GpError::Shape`] when the rows are not whole.
    pub fn predict(self: &Arc<Self>, rows: &[f64]) -> Result<Prediction, GpError> {
        let (inputs, outputs) = (self.inputs(), self.outputs());
        if !rows.len().is_multiple_of(inputs) {
            let expected = rows.len().div_ceil(inputs) * inputs;
            return Err(GpError::Shape { what: "numbers of inputs", expected, found: rows.len() });
        }
        let count = rows.len() / inputs;
        let (mut mean, mut variance) = (vec![0.0; count * outputs], vec![0.0; count * outputs]);
        mean.par_chunks_exact_mut(outputs)
            .zip(variance.par_chunks_exact_mut(outputs))
            .zip(rows.par_chunks_exact(inputs))
            .for_each_init(
                || Predictor::new(Arc::clone(self)),
                |predictor, ((mean, variance), at)| {
                    predictor.mean(at, mean);
                    predictor.variance(at, variance);
                },
            );
        Ok(Prediction { mean, variance })
    }
}

impl Fast {
    fn new(points: Points, parameters: &[Parameters], posteriors: &[OutputPosterior]) -> Self {
        let weights: Vec<Weights> = parameters.iter().map(Weights::new).collect();
        let scaled = |(posterior, weights): (&OutputPosterior, &Weights)| {
            let scaled = posterior.alpha.iter().map(|alpha| weights.variance * alpha);
            blocks(&scaled.collect::<Vec<f64>>())
        };
        let by_output: Vec<Vec<Block>> = posteriors.iter().zip(&weights).map(scaled).collect();
        let alpha = (0..points.blocks())
            .flat_map(|b| by_output.iter().map(move |blocks| blocks[b]))
            .collect();
        let inputs = points.inputs;
        let mut lines = vec![0.0; inputs * posteriors.len()];
        for (e, (posterior, weights)) in posteriors.iter().zip(&weights).enumerate() {
            for (d, slope) in weights.slopes.iter().enumerate() {
                let rows = posterior.alpha.iter().enumerate();
                let sum: f64 = rows.map(|(row, alpha)| alpha * points.at(row, d)).sum();
                lines[e * inputs + d] = slope * sum;
            }
        }
        let inverse_squares =
            weights.iter().flat_map(|weights| weights.inverse_squares.iter().copied()).collect();
        debug_assert_eq!(points.rows.div_ceil(BLOCK), points.blocks(), "whole blocks");
        Self { points, weights, inverse_squares, alpha, lines }
    }
}
