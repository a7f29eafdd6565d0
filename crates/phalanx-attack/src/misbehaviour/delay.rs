//! Delay to the edge: messages come as late as the model allows, or just before.
use phalanx_robust::{Entry, Param, Rng};

use crate::forger::KINDS;
use crate::misbehaviour::{Fate, Letter, Misbehaviour, MisbehaviourRule};

/// The registry entry.
pub const ENTRY: Entry<MisbehaviourRule> = Entry {
    name: "delay",
    summary: "messages arrive late, by a time drawn for each or by the greatest one",
    source: "textbook: asynchrony",
    params: &[
        Param::number("chance", (0.0, 1.0), 0.5).about("probability that a message is treated so"),
        Param::number("greatest-ms", (0.0, 1e6), 500.0).about("greatest delay"),
    ],
    build: MisbehaviourRule {
        formula: "half of the delayed messages come later by greatest-ms, the others by a part \
                    of it",
        kinds: KINDS,
        build: |args| {
            Box::new(Delay { chance: args.number("chance"), greatest: args.number("greatest-ms") })
        },
    },
};

struct Delay {
    chance: f64,
    /// milliseconds
    greatest: f64,
}

impl Misbehaviour for Delay {
    fn treat(&self, _letter: &Letter, mut fate: Fate, rng: &mut Rng, out: &mut Vec<Fate>) {
        if rng.unit() < self.chance {
            let part = if rng.unit() < 0.5 { 1.0 } else { rng.unit() };
            fate.delay += (part * self.greatest * 1e6) as u64;
        }
        out.push(fate);
    }
}
