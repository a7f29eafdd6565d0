//! The search for the parameters that explain the data best.
use rayon::prelude::*;

use super::bounded::{Stopping, minimise};
use super::error::GpError;
use super::factor::JITTER_MAX;
use super::kernel::Kernel;
use super::likelihood::Likelihood;
use super::model::{GaussianProcess, ROWS_MAX, standard_targets};
use super::parameters::{LENGTH, Parameters};
use super::points::Points;
use super::samples::Samples;
use super::standardisation::Standardisation;

/// How parameters are searched for. The defaults are chosen, not published.
#[derive(Debug, Clone, PartialEq)]
pub struct Training {
    /// the covariance of function values
    pub kernel: Kernel,
    /// length scales, in standard units, from which the search starts, one search for each
    pub starts: Vec<f64>,
    /// steps of each search
    pub iterations_max: usize,
    /// scales that are given instead of those of the data, as when several fit alike
    pub standardisation: Option<Standardisation>,
}

impl Default for Training {
    fn default() -> Self {
        Self {
            kernel: Kernel::SquaredExponential,
            starts: vec![2.0, 1.0],
            iterations_max: 100,
            standardisation: None,
        }
    }
}

/// Greatest entry of the projected gradient at which a search has arrived.
const GRADIENT: f64 = 1e-5;
/// Relative decrease of a step at which a search has arrived.
const DECREASE: f64 = 1e-8;

impl Training {
    /// Fits a model: every output from every start, in parallel, and the best start of each.
    ///
    /// # Guarantee
    /// The same bits for any number of threads.
    ///
    /// # Cost
    /// `O(N³)` an evaluation, some thirty evaluations a start.
    ///
    /// # Errors
    /// [`GpError`] when the data or the options cannot be used.
    pub fn fit(&self, samples: &Samples) -> Result<GaussianProcess, GpError> {
        let fitted = self.fit_while(samples, &|| true)?;
        Ok(fitted.expect("a fit that nobody stops ends"))
    }

    /// As [`Training::fit`], as long as `keep_going`, which is asked before each evaluation; `None`
    /// when it was stopped.
    ///
    /// # Errors
    /// As [`Training::fit`].
    pub fn fit_while(
        &self,
        samples: &Samples,
        keep_going: &(dyn Fn() -> bool + Sync),
    ) -> Result<Option<GaussianProcess>, GpError> {
        self.check(samples)?;
        let standardisation = match &self.standardisation {
            None => Standardisation::of(samples)?,
            Some(given) => given.clone(),
        };
        standardisation.check(samples.inputs(), samples.outputs())?;
        let points = Points::new(samples, &standardisation.inputs);
        let outputs = samples.outputs();
        let targets: Vec<Vec<f64>> =
            (0..outputs).map(|e| standard_targets(samples, &standardisation, e)).collect();
        let searches: Vec<(usize, f64)> = (0..outputs)
            .flat_map(|output| self.starts.iter().map(move |start| (output, *start)))
            .collect();
        let search = |(output, start): (usize, f64)| {
            self.search((&points, &targets[output]), start, keep_going)
        };
        let found: Vec<_> = searches.into_par_iter().map(search).collect();
        if !keep_going() {
            return Ok(None);
        }
        let mut best = Vec::with_capacity(outputs);
        for (output, found) in found.chunks(self.starts.len()).enumerate() {
            // Of equal ones the first.
            let least = found.iter().flatten().min_by(|a, b| a.1.total_cmp(&b.1));
            let jitter = JITTER_MAX;
            let least = least.ok_or(GpError::NotDefinite { output: output + 1, jitter })?;
            best.push(least.0.clone());
        }
        GaussianProcess::with_parameters(samples, standardisation, self.kernel, best).map(Some)
    }

    fn search(
        &self,
        (points, targets): (&Points, &[f64]),
        start: f64,
        keep_going: &(dyn Fn() -> bool + Sync),
    ) -> Option<(Parameters, f64)> {
        let (kernel, inputs) = (self.kernel, points.inputs);
        let mut likelihood = Likelihood::new(kernel, points, targets);
        let start = Parameters::start(kernel, inputs, start).logarithms();
        let stopping = Stopping {
            iterations_max: self.iterations_max,
            gradient: GRADIENT,
            decrease: DECREASE,
        };
        let function = |at: &[f64], gradient: &mut [f64]| {
            if !keep_going() {
                return None;
            }
            let parameters = Parameters::from_logarithms(kernel, inputs, at);
            likelihood.value_and_gradient(&parameters, gradient)
        };
        let found = minimise(function, &start, &Parameters::ranges(kernel, inputs), stopping)?;
        Some((Parameters::from_logarithms(kernel, inputs, &found.at), found.value))
    }

    fn check(&self, samples: &Samples) -> Result<(), GpError> {
        check_rows(samples)?;
        if self.starts.is_empty() {
            return Err(GpError::Empty { what: "starts" });
        }
        let (low, high) = LENGTH;
        match self.starts.iter().find(|start| !(low..=high).contains(*start)) {
            None => Ok(()),
            Some(&value) => {
                let (name, needed) = ("a start", "a length scale from 0.05 to 1000");
                Err(GpError::Option { name, value, needed })
            }
        }
    }
}

/// Whether there are no more rows than an exact model takes.
pub(super) fn check_rows(samples: &Samples) -> Result<(), GpError> {
    let (found, limit) = (samples.rows(), ROWS_MAX);
    let hint = "take fewer rows, or random features";
    match found > limit {
        false => Ok(()),
        true => Err(GpError::TooMany { what: "rows", found, limit, hint }),
    }
}

/// The negative logarithm of the marginal likelihood of one output, from 0, in standard units, and
/// its gradient by [`Parameters::logarithms`].
///
/// # Errors
/// [`GpError`] when the data or the parameters cannot be used.
pub fn marginal_likelihood(
    samples: &Samples,
    standardisation: &Standardisation,
    kernel: Kernel,
    (output, parameters): (usize, &Parameters),
) -> Result<(f64, Vec<f64>), GpError> {
    check_rows(samples)?;
    standardisation.check(samples.inputs(), samples.outputs())?;
    if output >= samples.outputs() {
        let (expected, found) = (samples.outputs(), output + 1);
        return Err(GpError::Shape { what: "outputs", expected, found });
    }
    parameters.check(kernel, samples.inputs(), output + 1)?;
    let points = Points::new(samples, &standardisation.inputs);
    let targets = standard_targets(samples, standardisation, output);
    let mut gradient = vec![0.0; kernel.parameters(samples.inputs())];
    let mut likelihood = Likelihood::new(kernel, &points, &targets);
    let value = likelihood.value_and_gradient(parameters, &mut gradient);
    let value = value.ok_or(GpError::NotDefinite { output: output + 1, jitter: JITTER_MAX })?;
    Ok((value, gradient))
}
