//! Malformed vectors: of a wrong length, or not finite.
use phalanx_robust::{Entry, Param, Rng};

use crate::forger::{KINDS, Twist};
use crate::misbehaviour::{Fate, Letter, Misbehaviour, MisbehaviourRule};

/// The registry entry.
pub const ENTRY: Entry<MisbehaviourRule> = Entry {
    name: "malform",
    summary: "vectors are too long or hold NaN",
    source: "chosen",
    params: &[
        Param::number("chance", (0.0, 1.0), 0.5).about("probability that a message is treated so")
    ],
    build: MisbehaviourRule {
        formula: "one entry more, or the first entry NaN",
        kinds: KINDS,
        build: |args| Box::new(Malform { chance: args.number("chance") }),
    },
};

struct Malform {
    chance: f64,
}

impl Misbehaviour for Malform {
    fn treat(&self, _letter: &Letter, mut fate: Fate, rng: &mut Rng, out: &mut Vec<Fate>) {
        if rng.unit() < self.chance {
            let is_long = rng.unit() < 0.5;
            fate.twists.push(if is_long { Twist::Length } else { Twist::NotFinite });
        }
        out.push(fate);
    }
}
