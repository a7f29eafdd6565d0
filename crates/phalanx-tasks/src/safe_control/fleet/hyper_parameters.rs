//! Parameters that a whole fleet shares: the gradient of everybody's likelihood, condensed.
use phalanx_robust::{AggregateError, Aggregator, Vectors};

use crate::safe_control::gp::{
    GpError, Kernel, Parameters, Samples, Standardisation, marginal_likelihood,
};

/// Why a fleet did not agree on parameters.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum HyperParametersError {
    /// The rule refused what it was given.
    #[error(transparent)]
    Aggregate(#[from] AggregateError),
    /// An honest member's data or the parameters cannot be used.
    #[error(transparent)]
    Model(#[from] GpError),
}

/// How a fleet agrees (steps and rounds are chosen).
///
/// The likelihood of all data is taken to be the product of the members' likelihoods. Parameters
/// are one flat vector: the logarithms of one output after those of the other.
#[derive(Debug, Clone, PartialEq)]
pub struct HyperParameters {
    /// the covariance of function values
    pub kernel: Kernel,
    /// number of inputs and of outputs
    pub columns: (usize, usize),
    /// rounds
    pub rounds: usize,
    /// η
    pub step: f64,
    /// greatest length of an output's part of a step's gradient
    pub length_max: f64,
}

/// What a member says of parameters: `(1 / N_i) dNLML_i`.
pub type Member<'a> = &'a mut dyn FnMut(&[f64]) -> Result<Vec<f64>, GpError>;

impl HyperParameters {
    /// The defaults for a kernel.
    pub fn new(kernel: Kernel, columns: (usize, usize)) -> Self {
        Self { kernel, columns, rounds: 100, step: 0.1, length_max: 1.0 }
    }

    /// Logarithms where the search starts, the same for all outputs: lengths of 2.
    pub fn start(&self) -> Vec<f64> {
        Parameters::start(self.kernel, self.columns.0, 2.0).logarithms().repeat(self.columns.1)
    }

    /// `(1 / N) NLML` of rows summed over outputs, and its gradient.
    ///
    /// A logarithm outside its range counts as the nearest inside it.
    ///
    /// # Errors
    /// [`GpError`] when rows, scales or parameters cannot be used.
    pub fn likelihood(
        &self,
        samples: &Samples,
        standardisation: &Standardisation,
        logarithms: &[f64],
    ) -> Result<(f64, Vec<f64>), GpError> {
        let (mut value, mut gradient) = (0.0, Vec::with_capacity(logarithms.len()));
        let rows = samples.rows() as f64;
        for (output, parameters) in self.parameters(logarithms)?.iter().enumerate() {
            let found =
                marginal_likelihood(samples, standardisation, self.kernel, (output, parameters))?;
            value += found.0 / rows;
            gradient.extend(found.1.iter().map(|slope| slope / rows));
        }
        Ok((value, gradient))
    }

    /// The flat vector as parameters of each output, within their ranges.
    ///
    /// # Errors
    /// [`GpError`] when it has another length or is not finite.
    pub fn parameters(&self, logarithms: &[f64]) -> Result<Vec<Parameters>, GpError> {
        let (inputs, outputs) = self.columns;
        let each = self.kernel.parameters(inputs);
        let (expected, found) = (each * outputs, logarithms.len());
        if expected != found {
            return Err(GpError::Shape { what: "logarithms of parameters", expected, found });
        }
        if let Some(value) = logarithms.iter().copied().find(|value| !value.is_finite()) {
            let name = "a logarithm of a parameter";
            return Err(GpError::Option { name, value, needed: "a finite number" });
        }
        let ranges = Parameters::ranges(self.kernel, inputs);
        let part = |part: &[f64]| {
            let inside = part.iter().zip(&ranges).map(|(at, (low, high))| at.clamp(*low, *high));
            let inside: Vec<f64> = inside.collect();
            Parameters::from_logarithms(self.kernel, inputs, &inside)
        };
        Ok(logarithms.chunks_exact(each).map(part).collect())
    }

    /// Descends together: `θ ← θ − η rule(g_1, …, g_n)`, each output's part of the condensed
    /// gradient no longer than `length_max`.
    ///
    /// # Errors
    /// [`HyperParametersError`] when the rule refuses, or an honest member cannot answer.
    pub fn agree(
        &self,
        members: &mut [Member<'_>],
        rule: &mut dyn Aggregator,
    ) -> Result<Vec<f64>, HyperParametersError> {
        let each = self.kernel.parameters(self.columns.0);
        let ranges = Parameters::ranges(self.kernel, self.columns.0);
        let mut at = self.start();
        let mut condensed = vec![0.0f32; at.len()];
        for _ in 0..self.rounds {
            let mut rows = Vec::with_capacity(members.len());
            for member in members.iter_mut() {
                let gradient = member(&at)?;
                rows.push(gradient.iter().map(|slope| *slope as f32).collect::<Vec<f32>>());
            }
            let rows: Vec<&[f32]> = rows.iter().map(Vec::as_slice).collect();
            let vectors = Vectors::new(&rows).map_err(AggregateError::from)?;
            rule.aggregate(vectors, &mut condensed)?;
            for (at, part) in at.chunks_exact_mut(each).zip(condensed.chunks_exact(each)) {
                let length = part.iter().map(|g| f64::from(*g) * f64::from(*g)).sum::<f64>().sqrt();
                let step = self.step * (self.length_max / length).min(1.0);
                for ((at, slope), (low, high)) in at.iter_mut().zip(part).zip(&ranges) {
                    *at = (*at - step * f64::from(*slope)).clamp(*low, *high);
                }
            }
        }
        Ok(at)
    }
}
