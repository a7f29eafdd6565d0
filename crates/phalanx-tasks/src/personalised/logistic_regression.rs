//! Logistic regression: ℓ(θ; Q, ±1) = ln(1 + exp(∓ Qᵀθ)), exact in f64.
use phalanx_learn::algorithm::personalised::LocalLoss;
use phalanx_robust::Rng;

/// One user's queries and yes-or-no answers.
///
/// # Shape
/// `queries`: points × d, row-major; `answers`: points.
#[derive(Debug, Clone, PartialEq)]
pub struct LogisticRegression {
    queries: Vec<f64>,
    answers: Vec<bool>,
    dim: usize,
}

impl LogisticRegression {
    /// Points that somebody else has made.
    ///
    /// # Panics
    /// When there is not one query of length `dim` per answer.
    pub fn new(queries: Vec<f64>, answers: Vec<bool>, dim: usize) -> Self {
        assert_eq!(queries.len(), answers.len() * dim, "one query per answer");
        Self { queries, answers, dim }
    }

    /// Honest points: bounded queries, uniform in [−1, 1]^d, answered yes with probability
    /// 1 / (1 + exp(−Qᵀθ†)).
    pub fn draw(truth: &[f64], points: usize, rng: &mut Rng) -> Self {
        let (mut queries, mut answers) = (Vec::with_capacity(points * truth.len()), Vec::new());
        for _ in 0..points {
            let query: Vec<f64> = truth.iter().map(|_| 2.0 * rng.unit() - 1.0).collect();
            let score: f64 = query.iter().zip(truth).map(|(q, t)| q * t).sum();
            answers.push(rng.unit() < 1.0 / (1.0 + (-score).exp()));
            queries.extend(query);
        }
        Self::new(queries, answers, truth.len())
    }
}

impl LocalLoss for LogisticRegression {
    fn dim(&self) -> usize {
        self.dim
    }

    fn points(&self) -> usize {
        self.answers.len()
    }

    fn add_slope(&mut self, params: &[f64], rows: Option<&[u32]>, slope: &mut [f64]) -> f64 {
        let mut sum = 0.0;
        let mut add = |row: usize| {
            let query = &self.queries[row * self.dim..][..self.dim];
            let said: f64 = query.iter().zip(params).map(|(q, x)| q * x).sum();
            let sign = if self.answers[row] { 1.0 } else { -1.0 };
            let margin = sign * said;
            // exp of what is not positive only, so that no margin overflows.
            let power = (-margin.abs()).exp();
            let doubt = if margin > 0.0 { power / (1.0 + power) } else { 1.0 / (1.0 + power) };
            slope.iter_mut().zip(query).for_each(|(out, q)| *out -= sign * doubt * q);
            sum += power.ln_1p() + (-margin).max(0.0);
        };
        match rows {
            Some(rows) => rows.iter().for_each(|row| add(*row as usize)),
            None => (0..self.answers.len()).for_each(add),
        }
        sum
    }
}
