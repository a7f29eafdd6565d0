//! Other ids: messages claim to be about another node's vector.
use phalanx_robust::{Entry, Param, Rng};

use phalanx_protocol::NodeId;

use crate::forger::{Kind, Twist};
use crate::misbehaviour::{Fate, Letter, Misbehaviour, MisbehaviourRule};

/// The registry entry.
pub const ENTRY: Entry<MisbehaviourRule> = Entry {
    name: "impersonate",
    summary: "echoes, votes, lists and certificates name another node than they should",
    source: "textbook; the transport authenticates who speaks, so only ids inside of messages \
                    can lie",
    params: &[
        Param::number("chance", (0.0, 1.0), 0.5).about("probability that a message is treated so")
    ],
    build: MisbehaviourRule {
        formula: "the claimed sender, or one member of a list, becomes a random id of 0..=n",
        kinds: &[Kind::Vote, Kind::Report, Kind::Certificate, Kind::Errand],
        build: |args| Box::new(Impersonate { chance: args.number("chance") }),
    },
};

struct Impersonate {
    chance: f64,
}

impl Misbehaviour for Impersonate {
    fn treat(&self, letter: &Letter, mut fate: Fate, rng: &mut Rng, out: &mut Vec<Fate>) {
        if ENTRY.build.kinds.contains(&letter.kind) && rng.unit() < self.chance {
            let claimed = rng.below(usize::from(letter.nodes) + 1) as u16;
            fate.twists.push(Twist::Sender(NodeId(claimed)));
        }
        out.push(fate);
    }
}
