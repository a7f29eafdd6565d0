//! Omission: some receivers are told nothing.
use phalanx_robust::{Entry, Param, Rng};

use crate::forger::KINDS;
use crate::misbehaviour::{Fate, Letter, Misbehaviour, MisbehaviourRule, steady};

/// The registry entry.
pub const ENTRY: Entry<MisbehaviourRule> = Entry {
    name: "omit",
    summary: "some receivers get nothing: each turn another share of them",
    source: "textbook: omission faults",
    params: &[Param::number("chance", (0.0, 1.0), 0.5)
        .about("share of the receivers that a turn leaves out")],
    build: MisbehaviourRule {
        formula: "a message of turn t to receiver i is dropped when h(i, t) < chance",
        kinds: KINDS,
        build: |args| Box::new(Omit { chance: args.number("chance") }),
    },
};

struct Omit {
    chance: f64,
}

impl Misbehaviour for Omit {
    fn treat(&self, letter: &Letter, fate: Fate, _rng: &mut Rng, out: &mut Vec<Fate>) {
        if steady(u64::from(letter.to.0), letter.turn.bits()) >= self.chance {
            out.push(fate);
        }
    }
}
