//! Replay: what was said once is said again.
use phalanx_robust::{Entry, Param, Rng};

use crate::forger::KINDS;
use crate::misbehaviour::{Fate, Letter, Misbehaviour, MisbehaviourRule};

/// The registry entry.
pub const ENTRY: Entry<MisbehaviourRule> = Entry {
    name: "replay",
    summary: "old messages are sent again, to anybody",
    source: "textbook",
    params: &[
        Param::number("chance", (0.0, 1.0), 0.3).about("probability that a message is treated so"),
        Param::integer("depth", (1, 64), 64).about("how far back"),
    ],
    build: MisbehaviourRule {
        formula: "beside the message, one of the last `depth` messages of the same node",
        kinds: KINDS,
        build: |args| {
            Box::new(Replay { chance: args.number("chance"), depth: args.integer("depth") })
        },
    },
};

struct Replay {
    chance: f64,
    depth: usize,
}

impl Misbehaviour for Replay {
    fn treat(&self, _letter: &Letter, fate: Fate, rng: &mut Rng, out: &mut Vec<Fate>) {
        if rng.unit() < self.chance {
            let back = 1 + rng.below(self.depth) as u16;
            out.push(Fate { back, ..Fate::default() });
        }
        out.push(fate);
    }
}
