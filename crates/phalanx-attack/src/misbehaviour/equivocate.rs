//! Equivocation on top of any attack: some receivers are shown another vector.
use phalanx_robust::{Entry, Param, Rng};

use phalanx_protocol::Vector;

use crate::attack::Forgery;
use crate::forger::Kind;
use crate::misbehaviour::{Misbehaviour, MisbehaviourRule};

/// The registry entry.
pub const ENTRY: Entry<MisbehaviourRule> = Entry {
    name: "equivocate",
    summary: "a share of the receivers is shown the mirrored vector",
    source: "chosen",
    params: &[Param::number("chance", (0.0, 1.0), 0.5)
        .about("share of the receivers that are shown another vector")],
    build: MisbehaviourRule {
        formula: "receivers drawn each turn, the same for all Byzantine nodes, are shown 1 − a \
                    in place of a",
        kinds: &[Kind::Opening],
        build: |args| Box::new(Equivocate { chance: args.number("chance") }),
    },
};

struct Equivocate {
    chance: f64,
}

impl Misbehaviour for Equivocate {
    fn bend(&self, forgery: &mut Forgery, receivers: usize, rng: &mut Rng) {
        let mirror = |vector: &Vector| Vector::new(vector.iter().map(|x| 1.0 - x).collect());
        let count = forgery.vectors.len();
        let mirrored: Vec<Vector> = forgery.vectors.iter().map(mirror).collect();
        forgery.vectors.extend(mirrored);
        let is_other: Vec<bool> = (0..receivers).map(|_| rng.unit() < self.chance).collect();
        for row in forgery.shown.chunks_mut(receivers.max(1)) {
            for (shown, is_other) in row.iter_mut().zip(&is_other) {
                if let Some(index) = shown.as_mut().filter(|_| *is_other) {
                    *index += count as u16;
                }
            }
        }
    }
}
