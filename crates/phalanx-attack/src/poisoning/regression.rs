//! From a model to data, exactly and with d points: linear regression.
use phalanx_learn::algorithm::personalised::Regularizer;

/// Points whose local optimum, tied to ρ, is a given model.
#[derive(Debug, Clone, PartialEq)]
pub struct RegressionPoison {
    /// d × d, row-major: c times the unit vectors
    pub queries: Vec<f64>,
    /// d
    pub answers: Vec<f64>,
}

impl RegressionPoison {
    /// d points after which θ♠ is exactly the attacker's optimum at ρ, for every scale c > 0
    /// (derived): the answers carry what the regulariser and ν ‖θ‖² would take away.
    ///
    /// # Shape
    /// `global`, `model`: d.
    ///
    /// # Panics
    /// When c is not positive.
    pub fn exact(
        regularizer: Regularizer,
        (global, model): (&[f64], &[f64]),
        (ridge, scale): (f64, f64),
    ) -> Self {
        let pull = regularizer.pull(global, model);
        let correction = |k: usize| pull * (model[k] - global[k]) + 2.0 * ridge * model[k];
        Self::with(model, scale, correction)
    }

    /// The honest labelling of the same queries, which misses by O((λ + ν) / c²).
    pub fn honest(model: &[f64], scale: f64) -> Self {
        Self::with(model, scale, |_| 0.0)
    }

    fn with(model: &[f64], scale: f64, correction: impl Fn(usize) -> f64) -> Self {
        assert!(scale > 0.0, "queries have a length");
        let dim = model.len();
        let mut queries = vec![0.0; dim * dim];
        (0..dim).for_each(|k| queries[k * dim + k] = scale);
        let answer = |k: usize| scale * model[k] + correction(k) / scale;
        Self { queries, answers: (0..dim).map(answer).collect() }
    }
}
