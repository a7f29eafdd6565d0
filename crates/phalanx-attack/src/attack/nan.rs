//! Vectors of NaN: what a rule must survive, and what a wire must refuse.
use phalanx_robust::{Entry, Rng};

use crate::attack::{Attack, AttackError, AttackRule, Forgery, View};

/// The registry entry.
pub const ENTRY: Entry<AttackRule> = Entry {
    name: "nan",
    summary: "NaN in every coordinate; a wire that checks refuses it",
    source: "textbook; in the ByzFL library and in published simulators",
    params: &[],
    build: AttackRule {
        formula: "a_k = NaN",
        build: |setup| Ok(Box::new(Nan { byzantine: setup.byzantine })),
    },
};

struct Nan {
    byzantine: usize,
}

impl Attack for Nan {
    fn forge(&mut self, view: &View<'_>, _rng: &mut Rng) -> Result<Forgery, AttackError> {
        let vector = vec![f32::NAN; view.honest.dim()];
        Ok(Forgery::same(vector, self.byzantine, view.honest.count()))
    }
}
