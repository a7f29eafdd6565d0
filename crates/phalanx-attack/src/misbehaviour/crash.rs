//! Crash and restart with lost memory.
use phalanx_robust::{Entry, Param};

use phalanx_protocol::{NodeId, Time};

use crate::forger::KINDS;
use crate::misbehaviour::{Misbehaviour, MisbehaviourRule};

/// The registry entry.
pub const ENTRY: Entry<MisbehaviourRule> = Entry {
    name: "crash",
    summary: "a Byzantine node is down for a while, again and again, and remembers nothing \
                    afterwards",
    source: "textbook: crash-recovery without stable storage",
    params: &[
        Param::number("period-ms", (1.0, 1e6), 200.0).about("from one crash to the next"),
        Param::number("down", (0.0, 1.0), 0.3).about("part of a period that it is down"),
    ],
    build: MisbehaviourRule {
        formula: "node i is down while (t + i · period/7) mod period < down · period",
        kinds: KINDS,
        build: |args| {
            Box::new(Crash { period: args.number("period-ms"), down: args.number("down") })
        },
    },
};

struct Crash {
    /// milliseconds
    period: f64,
    down: f64,
}

impl Misbehaviour for Crash {
    fn is_down(&self, node: NodeId, at: Time) -> bool {
        let now = at.0 as f64 / 1e6 + f64::from(node.0) * self.period / 7.0;
        now % self.period < self.down * self.period
    }
}
