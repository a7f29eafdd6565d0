//! Partial proofs: lists and certificates that lack a member.
use phalanx_robust::{Entry, Param, Rng};

use crate::forger::{Kind, Twist};
use crate::misbehaviour::{Fate, Letter, Misbehaviour, MisbehaviourRule};

/// The registry entry.
pub const ENTRY: Entry<MisbehaviourRule> = Entry {
    name: "partial-proof",
    summary: "lists and certificates are one member short of a quorum",
    source: "chosen",
    params: &[
        Param::number("chance", (0.0, 1.0), 0.5).about("probability that a message is treated so")
    ],
    build: MisbehaviourRule {
        formula: "one member is taken away",
        kinds: &[Kind::Report, Kind::Certificate],
        build: |args| Box::new(PartialProof { chance: args.number("chance") }),
    },
};

struct PartialProof {
    chance: f64,
}

impl Misbehaviour for PartialProof {
    fn treat(&self, letter: &Letter, mut fate: Fate, rng: &mut Rng, out: &mut Vec<Fate>) {
        if ENTRY.build.kinds.contains(&letter.kind) && rng.unit() < self.chance {
            fate.twists.push(Twist::Cut);
        }
        out.push(fate);
    }
}
