//! Sign flipping: the mean of the honest vectors, negated.
use phalanx_robust::{Entry, Rng};

use crate::attack::{Attack, AttackError, AttackRule, Forgery, View};

/// The registry entry.
pub const ENTRY: Entry<AttackRule> = Entry {
    name: "sign-flipping",
    summary: "the mean of the honest vectors, negated",
    source: "Allen-Zhu et al., Byzantine-Resilient Non-Convex Stochastic Gradient Descent, \
             ICLR 2021",
    params: &[],
    build: AttackRule {
        formula: "a = −x̄",
        build: |setup| Ok(Box::new(SignFlipping { byzantine: setup.byzantine })),
    },
};

struct SignFlipping {
    byzantine: usize,
}

impl Attack for SignFlipping {
    fn forge(&mut self, view: &View<'_>, _rng: &mut Rng) -> Result<Forgery, AttackError> {
        let count = view.honest.count();
        let mut vector = vec![0.0; view.honest.dim()];
        let weights = vec![-1.0 / count as f64; count];
        phalanx_robust::kernel::combine(view.honest.rows(), &weights, &mut vector);
        Ok(Forgery::same(vector, self.byzantine, count))
    }
}
