//! Witness lies: reports of vectors that were never delivered.
use phalanx_robust::{Entry, Param, Rng};

use phalanx_protocol::NodeId;

use crate::forger::{Kind, Twist};
use crate::misbehaviour::{Fate, Letter, Misbehaviour, MisbehaviourRule};

/// The registry entry.
pub const ENTRY: Entry<MisbehaviourRule> = Entry {
    name: "witness-lie",
    summary: "reports name n − f nodes or more, whoever was really heard",
    source: "chosen",
    params: &[
        Param::number("chance", (0.0, 1.0), 0.5).about("probability that a message is treated so")
    ],
    build: MisbehaviourRule {
        formula: "the list becomes n − f to n nodes of a circle, from a random one on",
        kinds: &[Kind::Report],
        build: |args| Box::new(WitnessLie { chance: args.number("chance") }),
    },
};

struct WitnessLie {
    chance: f64,
}

impl Misbehaviour for WitnessLie {
    fn treat(&self, letter: &Letter, mut fate: Fate, rng: &mut Rng, out: &mut Vec<Fate>) {
        if letter.kind == Kind::Report && rng.unit() < self.chance {
            let Letter { nodes, f, .. } = *letter;
            let first = NodeId(rng.below(usize::from(nodes)) as u16);
            let count = nodes - f + rng.below(usize::from(f) + 1) as u16;
            fate.twists.push(Twist::Invent { first, count, nodes });
        }
        out.push(fate);
    }
}
