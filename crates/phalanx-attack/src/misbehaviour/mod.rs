//! Misbehaviours: what Byzantine nodes do to their own messages; one file and one line each.
//!
//! A misbehaviour knows no protocol: it decides for each message and receiver what becomes of it.
//! Several of them compose in the order given, with one another and with any vector attack.
use phalanx_protocol::{NodeId, Time, Turn};
use phalanx_robust::{Args, Entry, Rng};

use crate::attack::Forgery;
use crate::forger::{Kind, Twist};

mod babble;
mod crash;
mod delay;
mod equivocate;
mod flood;
mod impersonate;
mod invent;
mod malform;
mod omit;
mod partial_proof;
mod replay;
mod spoil;
mod witness_lie;

/// Every misbehaviour that an experiment file can name.
pub const MISBEHAVIOURS: &[Entry<MisbehaviourRule>] = &[
    babble::ENTRY,
    crash::ENTRY,
    delay::ENTRY,
    equivocate::ENTRY,
    flood::ENTRY,
    impersonate::ENTRY,
    invent::ENTRY,
    malform::ENTRY,
    omit::ENTRY,
    partial_proof::ENTRY,
    replay::ENTRY,
    spoil::ENTRY,
    witness_lie::ENTRY,
];

/// What is known of a misbehaviour besides name and parameters.
#[derive(Debug, Clone, Copy)]
pub struct MisbehaviourRule {
    /// what it does, in plain text
    pub formula: &'static str,
    /// the messages for which it means something
    pub kinds: &'static [Kind],
    /// builds it from checked parameters
    pub build: fn(&Args) -> Box<dyn Misbehaviour>,
}

/// One message of a Byzantine node on its way to one honest receiver.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Letter {
    /// when
    pub at: Time,
    /// who speaks, as the transport authenticates it
    pub from: NodeId,
    /// to whom
    pub to: NodeId,
    /// what it belongs to
    pub turn: Turn,
    /// what it is good for
    pub kind: Kind,
    /// n
    pub nodes: u16,
    /// f, as the honest nodes believe
    pub f: u16,
}

/// What becomes of a letter, or of one of its copies.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Fate {
    /// nanoseconds later than it would arrive
    pub delay: u64,
    /// lies, in this order
    pub twists: Vec<Twist>,
    /// 0: the letter; k: in its place the k-th last thing that its sender said
    pub back: u16,
}

/// What Byzantine nodes do to their own messages. A function of what it is shown and of the draws;
/// it remembers nothing.
pub trait Misbehaviour: Send {
    /// Changes who is shown which vector. `forgery.shown` has `receivers` columns.
    fn bend(&self, _forgery: &mut Forgery, _receivers: usize, _rng: &mut Rng) {}

    /// Pushes what becomes of one copy of a letter: nothing, it, or several.
    fn treat(&self, _letter: &Letter, fate: Fate, _rng: &mut Rng, out: &mut Vec<Fate>) {
        out.push(fate);
    }

    /// Whether a node is down: it neither hears nor speaks, and has forgotten everything when it
    /// comes back.
    fn is_down(&self, _node: NodeId, _at: Time) -> bool {
        false
    }

    /// Whether every receiver hears what was meant for any of them.
    fn is_indiscreet(&self) -> bool {
        false
    }
}

/// A number in 0..1 that is the same whenever it is asked for: who is left out does not flicker.
pub(crate) fn steady(a: u64, b: u64) -> f64 {
    let mut x = a.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ b.wrapping_add(0x6a09_e667_f3bc_c909);
    for _ in 0..2 {
        x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        x ^= x >> 31;
    }
    (x >> 11) as f64 / (1u64 << 53) as f64
}
