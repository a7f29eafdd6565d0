//! Mimic with a learned target: repeat the honest node that lies farthest along a direction of
//! large variance.
use phalanx_robust::rule::BuildError;
use phalanx_robust::{Entry, Param, Rng, StateError, StateReader, StateWriter, Vectors};

use crate::attack::{Attack, AttackError, AttackRule, AttackSetup, Forgery, Needs, View};
use crate::moments;

/// The registry entry.
pub const ENTRY: Entry<AttackRule> = Entry {
    name: "mimic-heuristic",
    summary: "the vector of the honest node farthest along a direction learned in the first rounds",
    source: "Karimireddy, He, Jaggi, Byzantine-Robust Learning on Heterogeneous Datasets via \
             Bucketing, ICLR 2022, in the form of the published simulator of Farhadkhani et al., \
             ICML 2023; from gradients, which that simulator does not treat so, as in the ByzFL \
             library: learned from the shared vectors themselves",
    params: &[Param::integer("rounds", (0, u32::MAX as i64), 100)
        .about("rounds of learning, in which the first honest node is repeated")],
    build: AttackRule {
        formula: "a = x_1 while learning, then x_i of largest |⟨x_i, z⟩|. Round t of learning: μ ← \
                  ((t+1) μ + mean θ)/(t+2); z ← (t+1)/(t+2) z; w = Σ |⟨θ_i − μ, z⟩| (θ_i − μ); z \
                  ← ((t+1) z + w/‖w‖)/(t+2); z ← z/‖z‖. θ_i: models after round t; z starts \
                  uniform in [0,1)^d, μ at 0",
        build: |setup| Ok(Box::new(MimicHeuristic::new(&setup)?)),
    },
};

struct MimicHeuristic {
    rounds: usize,
    byzantine: usize,
    /// rounds learned from
    learned: usize,
    /// μ; empty before the first turn
    mean: Vec<f32>,
    /// z; empty before the first turn
    direction: Vec<f32>,
}

impl MimicHeuristic {
    fn new(setup: &AttackSetup<'_>) -> Result<Self, BuildError> {
        let (rounds, byzantine) = (setup.args.integer("rounds"), setup.byzantine);
        let (mean, direction) = (Vec::new(), Vec::new());
        Ok(Self { rounds, byzantine, learned: 0, mean, direction })
    }

    /// One round of learning.
    fn learn(&mut self, models: Vectors<'_>) {
        let t = self.learned as f64;
        let (keep, add) = ((t + 1.0) / (t + 2.0), 1.0 / (t + 2.0));
        let models_mean = moments::exact_mean(models.rows());
        for (mean, model) in self.mean.iter_mut().zip(models_mean) {
            *mean = (keep * f64::from(*mean) + add * model) as f32;
        }
        let mut weighted = vec![0.0_f64; self.mean.len()];
        for model in models.rows() {
            let pairs = || model.iter().zip(&self.mean).map(|(x, m)| f64::from(*x) - f64::from(*m));
            // w is normalised, so that it does not matter that z is shrunk beforehand.
            let product: f64 = pairs().zip(&self.direction).map(|(e, z)| e * f64::from(*z)).sum();
            let weight = product.abs();
            weighted.iter_mut().zip(pairs()).for_each(|(sum, e)| *sum += weight * e);
        }
        // When no model deviates, there is nothing to add.
        let scale = inverse_norm(weighted.iter().copied()) * add;
        let old = self.direction.iter().map(|z| keep * keep * f64::from(*z));
        let new: Vec<f64> = old.zip(&weighted).map(|(z, w)| z + scale * w).collect();
        let scale = inverse_norm(new.iter().copied());
        if scale > 0.0 {
            self.direction.iter_mut().zip(new).for_each(|(z, new)| *z = (scale * new) as f32);
        }
        self.learned += 1;
    }

    fn farthest(&self, honest: Vectors<'_>) -> usize {
        let mut best = (0, f64::NEG_INFINITY);
        for (i, row) in honest.rows().iter().enumerate() {
            let product = phalanx_robust::kernel::dot(row, &self.direction).abs();
            if product > best.1 {
                best = (i, product);
            }
        }
        best.0
    }
}

/// 0 when the norm is 0 or not finite.
fn inverse_norm(values: impl Iterator<Item = f64>) -> f64 {
    let norm = values.map(|value| value * value).sum::<f64>().sqrt();
    if norm > 0.0 && norm.is_finite() { 1.0 / norm } else { 0.0 }
}

impl Attack for MimicHeuristic {
    fn needs(&self) -> Needs {
        Needs { models: true, ..Needs::default() }
    }

    fn forge(&mut self, view: &View<'_>, rng: &mut Rng) -> Result<Forgery, AttackError> {
        let missing = |what| AttackError::Missing { attack: ENTRY.name, what };
        if self.direction.is_empty() {
            self.direction = (0..view.honest.dim()).map(|_| rng.unit() as f32).collect();
            self.mean = vec![0.0; view.honest.dim()];
        }
        let round = view.turn.round.0 as usize;
        // Passes of agreement are numbered from 1.
        let is_first_exchange = view.turn.phase.0 == 0 && view.turn.pass.0 <= 1;
        if view.step.is_some() && is_first_exchange {
            // Models before this round's step are the models after the round before.
            let models = view.models.ok_or(missing("honest models before the local step"))?;
            if models.dim() != view.honest.dim() {
                return Err(missing("models of the same length as the shared vectors"));
            }
            if round > self.learned && self.learned < self.rounds {
                self.learn(models);
            }
        }
        let target = if round < self.rounds { 0 } else { self.farthest(view.honest) };
        if view.step.is_none() && is_first_exchange && self.learned < self.rounds {
            self.learn(view.honest);
        }
        let vector = view.honest.row(target).to_vec();
        Ok(Forgery::same(vector, self.byzantine, view.honest.count()))
    }

    fn save(&self, out: &mut StateWriter) {
        out.u64(self.learned as u64);
        out.f32s(&self.mean);
        out.f32s(&self.direction);
    }

    fn load(&mut self, input: &mut StateReader<'_>) -> Result<(), StateError> {
        self.learned = input.usize()?;
        self.mean = input.f32s()?;
        self.direction = input.f32s()?;
        if self.mean.len() != self.direction.len() {
            return Err(StateError::Mismatch { what: "lengths of mean and direction" });
        }
        Ok(())
    }
}
