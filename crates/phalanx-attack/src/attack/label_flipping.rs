//! Label flipping: what honest nodes would have sent had their labels been flipped.
use phalanx_robust::{Entry, Rng, StateError, StateReader, StateWriter};

use crate::attack::{Attack, AttackError, AttackRule, Forgery, Needs, View};
use crate::moments;

/// The registry entry.
pub const ENTRY: Entry<AttackRule> = Entry {
    name: "label-flipping",
    summary: "a step along the honest nodes' gradients on labels C − 1 − y",
    source: "models: published simulator of Farhadkhani et al., Robust Collaborative Learning \
             with Linear Gradient Overhead, ICML 2023; gradients: the ByzFL library",
    params: &[],
    build: AttackRule {
        formula: "models after a step γ: a = x̄ − γ g̃; gradients, momenta: a = g̃; g̃ the mean of \
                  the honest gradients on the same batches with flipped labels. Where models are \
                  exchanged again without a step or gradients of their own, the last are used",
        build: |setup| {
            Ok(Box::new(LabelFlipping {
                flipped: Vec::new(),
                step: 0.0,
                byzantine: setup.byzantine,
            }))
        },
    },
};

struct LabelFlipping {
    /// g̃ of the last exchange that had gradients; empty before
    flipped: Vec<f32>,
    /// γ of the last exchange of models after a step; 0 before
    step: f64,
    byzantine: usize,
}

impl Attack for LabelFlipping {
    fn needs(&self) -> Needs {
        Needs { flipped: true, ..Needs::default() }
    }

    fn forge(&mut self, view: &View<'_>, _rng: &mut Rng) -> Result<Forgery, AttackError> {
        if let Some(flipped) = view.flipped {
            self.flipped = moments::mean(flipped.rows());
        }
        if self.flipped.len() != view.honest.dim() {
            let what = "gradients on flipped labels";
            return Err(AttackError::Missing { attack: ENTRY.name, what });
        }
        let vector = match view.step {
            None => self.flipped.clone(),
            Some(step) => {
                if step != 0.0 {
                    self.step = step;
                }
                let mean = moments::exact_mean(view.honest.rows()).into_iter();
                let forge = |(x, g): (f64, &f32)| (x - self.step * f64::from(*g)) as f32;
                mean.zip(&self.flipped).map(forge).collect()
            }
        };
        Ok(Forgery::same(vector, self.byzantine, view.honest.count()))
    }

    fn save(&self, out: &mut StateWriter) {
        out.f32s(&self.flipped);
        out.f64(self.step);
    }

    fn load(&mut self, input: &mut StateReader<'_>) -> Result<(), StateError> {
        self.flipped = input.f32s()?;
        self.step = input.f64()?;
        Ok(())
    }
}
