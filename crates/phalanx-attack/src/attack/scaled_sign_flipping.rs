//! Scaled sign flipping: the honest mean, negated and scaled so that the mean of all is zero.
use phalanx_robust::{Entry, Rng, kernel};

use crate::attack::{Attack, AttackError, AttackRule, Forgery, View};

/// The registry entry.
pub const ENTRY: Entry<AttackRule> = Entry {
    name: "scaled-sign-flipping",
    summary: "the mean of the honest vectors, negated and scaled so that the mean of all is 0",
    source: "published simulator of Farhadkhani et al., Robust Collaborative Learning with Linear \
             Gradient Overhead, ICML 2023",
    params: &[],
    build: AttackRule {
        formula: "a = −(h/b) x̄, b the number of Byzantine nodes that really attack",
        build: |setup| Ok(Box::new(ScaledSignFlipping { byzantine: setup.byzantine })),
    },
};

struct ScaledSignFlipping {
    byzantine: usize,
}

impl Attack for ScaledSignFlipping {
    fn forge(&mut self, view: &View<'_>, _rng: &mut Rng) -> Result<Forgery, AttackError> {
        let count = view.honest.count();
        let mut vector = vec![0.0; view.honest.dim()];
        // −(h/b) x̄ = −(1/b) Σ x_i
        let weights = vec![-1.0 / self.byzantine as f64; count];
        kernel::combine(view.honest.rows(), &weights, &mut vector);
        Ok(Forgery::same(vector, self.byzantine, count))
    }
}
