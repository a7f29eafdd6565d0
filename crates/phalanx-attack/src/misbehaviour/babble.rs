//! Indiscretion: what was meant for one receiver is told to all.
use phalanx_robust::Entry;

use crate::forger::KINDS;
use crate::misbehaviour::{Misbehaviour, MisbehaviourRule};

/// The registry entry.
pub const ENTRY: Entry<MisbehaviourRule> = Entry {
    name: "babble",
    summary: "every receiver hears every face: both vectors of an equivocation, both sets of votes",
    source: "chosen",
    params: &[],
    build: MisbehaviourRule {
        formula: "no message is kept from anybody",
        kinds: KINDS,
        build: |_| Box::new(Babble),
    },
};

struct Babble;

impl Misbehaviour for Babble {
    fn is_indiscreet(&self) -> bool {
        true
    }
}
