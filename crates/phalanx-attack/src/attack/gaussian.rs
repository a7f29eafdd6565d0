//! Gaussian noise instead of a vector.
use phalanx_protocol::Vector;
use phalanx_robust::{Entry, Param, Rng};
use rand_distr::{Distribution, StandardNormal};

use crate::attack::{Attack, AttackError, AttackRule, Forgery, View};

/// The registry entry.
pub const ENTRY: Entry<AttackRule> = Entry {
    name: "gaussian",
    summary: "independent normal noise in every coordinate, drawn anew in every turn",
    source: "Blanchard et al., Machine Learning with Adversaries: Byzantine Tolerant Gradient \
             Descent, NIPS 2017 (standard deviation 200, independent draws); defaults as in the \
             ByzFL library",
    params: &[
        Param::number("mean", (-1e30, 1e30), 0.0).about("μ"),
        Param::number("sigma", (0.0, 1e30), 1.0).about("σ, the standard deviation"),
        Param::flag("independent", false)
            .about("a draw of its own for each Byzantine node instead of one that all repeat"),
    ],
    build: AttackRule {
        formula: "a_k ~ N(μ, σ²), independent over k",
        build: |setup| {
            Ok(Box::new(Gaussian {
                mean: setup.args.number("mean"),
                sigma: setup.args.number("sigma"),
                is_independent: setup.args.flag("independent"),
                byzantine: setup.byzantine,
            }))
        },
    },
};

struct Gaussian {
    mean: f64,
    sigma: f64,
    is_independent: bool,
    byzantine: usize,
}

impl Gaussian {
    fn draw(&self, dim: usize, rng: &mut Rng) -> Vec<f32> {
        let mut normal = || -> f64 { StandardNormal.sample(rng) };
        (0..dim).map(|_| (self.mean + self.sigma * normal()) as f32).collect()
    }
}

impl Attack for Gaussian {
    fn forge(&mut self, view: &View<'_>, rng: &mut Rng) -> Result<Forgery, AttackError> {
        let (receivers, dim) = (view.honest.count(), view.honest.dim());
        if !self.is_independent {
            return Ok(Forgery::same(self.draw(dim, rng), self.byzantine, receivers));
        }
        let vectors = (0..self.byzantine).map(|_| Vector::new(self.draw(dim, rng))).collect();
        let shown = (0..self.byzantine * receivers).map(|at| Some((at / receivers) as u16));
        Ok(Forgery { vectors, shown: shown.collect() })
    }
}
