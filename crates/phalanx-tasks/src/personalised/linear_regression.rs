//! Linear regression: ℓ(θ; Q, A) = ½ (Qᵀθ − A)², exact in f64.
use phalanx_learn::algorithm::personalised::LocalLoss;
use phalanx_robust::Rng;
use rand_distr::{Distribution, StandardNormal};

/// One user's queries and answers.
///
/// # Shape
/// `queries`: points × d, row-major; `answers`: points.
#[derive(Debug, Clone, PartialEq)]
pub struct LinearRegression {
    /// Q, row by row
    pub queries: Vec<f64>,
    /// A
    pub answers: Vec<f64>,
    dim: usize,
}

impl LinearRegression {
    /// Points that somebody else has made.
    ///
    /// # Panics
    /// When there is not one query of length `dim` per answer.
    pub fn new(queries: Vec<f64>, answers: Vec<f64>, dim: usize) -> Self {
        assert_eq!(queries.len(), answers.len() * dim, "one query per answer");
        Self { queries, answers, dim }
    }

    /// Honest points: Q ~ N(0, I), A = Qᵀθ† + σ ξ with ξ ~ N(0, 1).
    pub fn draw(truth: &[f64], (points, noise): (usize, f64), rng: &mut Rng) -> Self {
        let mut normal = || -> f64 { StandardNormal.sample(rng) };
        let (mut queries, mut answers) = (Vec::with_capacity(points * truth.len()), Vec::new());
        for _ in 0..points {
            let query: Vec<f64> = truth.iter().map(|_| normal()).collect();
            let clean: f64 = query.iter().zip(truth).map(|(q, t)| q * t).sum();
            answers.push(clean + noise * normal());
            queries.extend(query);
        }
        Self::new(queries, answers, truth.len())
    }
}

impl LocalLoss for LinearRegression {
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
            let gap = said - self.answers[row];
            slope.iter_mut().zip(query).for_each(|(out, q)| *out += gap * q);
            sum += 0.5 * gap * gap;
        };
        match rows {
            Some(rows) => rows.iter().for_each(|row| add(*row as usize)),
            None => (0..self.answers.len()).for_each(add),
        }
        sum
    }
}
