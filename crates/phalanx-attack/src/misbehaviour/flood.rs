//! Floods: many copies, for many turns.
use phalanx_robust::{Entry, Param, Rng};

use phalanx_protocol::Turn;

use crate::forger::{KINDS, Twist};
use crate::misbehaviour::{Fate, Letter, Misbehaviour, MisbehaviourRule};

/// The registry entry.
pub const ENTRY: Entry<MisbehaviourRule> = Entry {
    name: "flood",
    summary: "each message comes with copies for turns far ahead",
    source: "chosen",
    params: &[
        Param::number("chance", (0.0, 1.0), 0.2).about("probability that a message is treated so"),
        Param::integer("copies", (1, 1000), 20).about("further messages for each"),
    ],
    build: MisbehaviourRule {
        formula: "copies for the next turns, rounds and passes",
        kinds: KINDS,
        build: |args| {
            Box::new(Flood { chance: args.number("chance"), copies: args.integer("copies") })
        },
    },
};

struct Flood {
    chance: f64,
    copies: usize,
}

impl Misbehaviour for Flood {
    fn treat(&self, letter: &Letter, fate: Fate, rng: &mut Rng, out: &mut Vec<Fate>) {
        let is_treated = rng.unit() < self.chance;
        if is_treated {
            for copy in 1..=self.copies as u64 {
                // Passes, phases and rounds ahead in turn.
                let step = [copy, copy << 16, copy << 32][copy as usize % 3];
                let turn = Turn::from_bits(letter.turn.bits().saturating_add(step));
                let mut twists = fate.twists.clone();
                twists.push(Twist::Turn(turn));
                out.push(Fate { twists, ..fate.clone() });
            }
        }
        out.push(fate);
    }
}
