//! Silence: the Byzantine nodes say nothing, as crashed ones would.
use phalanx_robust::{Entry, Rng};

use crate::attack::{Attack, AttackError, AttackRule, Forgery, View};

/// The registry entry.
pub const ENTRY: Entry<AttackRule> = Entry {
    name: "silence",
    summary: "nothing is said: whoever waits for everybody waits for ever",
    source: "textbook: crash faults from the start",
    params: &[],
    build: AttackRule {
        formula: "no vector",
        build: |setup| Ok(Box::new(Silence { byzantine: setup.byzantine })),
    },
};

struct Silence {
    byzantine: usize,
}

impl Attack for Silence {
    fn forge(&mut self, view: &View<'_>, _rng: &mut Rng) -> Result<Forgery, AttackError> {
        Ok(Forgery::silence(self.byzantine, view.honest.count()))
    }
}
