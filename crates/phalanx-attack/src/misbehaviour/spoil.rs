//! Spoilt digests and signatures.
use phalanx_robust::{Entry, Param, Rng};

use crate::forger::{Kind, Twist};
use crate::misbehaviour::{Fate, Letter, Misbehaviour, MisbehaviourRule};

/// The registry entry.
pub const ENTRY: Entry<MisbehaviourRule> = Entry {
    name: "spoil",
    summary: "digests and signatures are off by one bit",
    source: "chosen",
    params: &[
        Param::number("chance", (0.0, 1.0), 0.3).about("probability that a message is treated so")
    ],
    build: MisbehaviourRule {
        formula: "one bit of the digest voted for, or of a signature, is flipped",
        kinds: &[Kind::Opening, Kind::Vote, Kind::Certificate, Kind::Errand],
        build: |args| Box::new(Spoil { chance: args.number("chance") }),
    },
};

struct Spoil {
    chance: f64,
}

impl Misbehaviour for Spoil {
    fn treat(&self, letter: &Letter, mut fate: Fate, rng: &mut Rng, out: &mut Vec<Fate>) {
        if ENTRY.build.kinds.contains(&letter.kind) && rng.unit() < self.chance {
            fate.twists.push(Twist::Spoil);
        }
        out.push(fate);
    }
}
