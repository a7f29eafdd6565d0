//! Invented certificates: proofs of votes that nobody cast.
use phalanx_robust::{Entry, Param, Rng};

use crate::forger::{Kind, Twist};
use crate::misbehaviour::{Fate, Letter, Misbehaviour, MisbehaviourRule};

/// The registry entry.
pub const ENTRY: Entry<MisbehaviourRule> = Entry {
    name: "invent",
    summary: "beside each opening and certificate, a certificate with signatures that nobody made",
    source: "chosen",
    params: &[
        Param::number("chance", (0.0, 1.0), 0.5).about("probability that a message is treated so")
    ],
    build: MisbehaviourRule {
        formula: "a certificate of ⌊(n+f)/2⌋+1 nodes, its sender among them, all with the \
                  sender's signature",
        kinds: &[Kind::Opening, Kind::Certificate],
        build: |args| Box::new(Invent { chance: args.number("chance") }),
    },
};

struct Invent {
    chance: f64,
}

impl Misbehaviour for Invent {
    fn treat(&self, letter: &Letter, fate: Fate, rng: &mut Rng, out: &mut Vec<Fate>) {
        let is_treated = ENTRY.build.kinds.contains(&letter.kind) && rng.unit() < self.chance;
        let mut invented = fate.clone();
        out.push(fate);
        if is_treated {
            let Letter { nodes, f, from, .. } = *letter;
            let count = (nodes + f) / 2 + 1;
            invented.twists.push(Twist::Invent { first: from, count, nodes });
            out.push(invented);
        }
    }
}
