//! Checkers watch the record and what only an omniscient observer sees, and object when a promise
//! is broken.
use phalanx_learn::{Event, Sink};
use phalanx_protocol::{NodeId, Time};

use crate::simulation::Outcome;
use crate::watch::{Log, Sight};

mod bounded_memory;
mod box_validity;
mod consistency;
mod contraction;
mod integrity;
mod liveness;
mod no_honest_accusation;
mod no_honest_rejection;
mod overlap;
mod rounds_in_order;
mod totality;

pub use bounded_memory::BoundedMemory;
pub use box_validity::BoxValidity;
pub use consistency::Consistency;
pub use contraction::Contraction;
pub use integrity::Integrity;
pub use liveness::Liveness;
pub use no_honest_accusation::NoHonestAccusation;
pub use no_honest_rejection::NoHonestRejection;
pub use overlap::Overlap;
pub use rounds_in_order::RoundsInOrder;
pub use totality::Totality;

/// A broken promise: a bug of ours, never a mere misfortune.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("checker `{checker}` at node `{node}`, {at} ns: {what}", node = node.0, at = at.0)]
pub struct Violation {
    /// which checker
    pub checker: &'static str,
    /// where
    pub node: NodeId,
    /// when
    pub at: Time,
    /// what happened
    pub what: String,
}

/// Watches every honest node.
pub trait Checker: Send {
    /// Takes note of an event of the record.
    ///
    /// # Errors
    /// When a promise is broken; likewise below.
    fn observe(&mut self, _at: Time, _node: NodeId, _event: &Event) -> Result<(), Violation> {
        Ok(())
    }

    /// Takes note of what a watched machine did.
    ///
    /// # Errors
    /// When a promise is broken.
    fn see(&mut self, _at: Time, _node: NodeId, _sight: &Sight) -> Result<(), Violation> {
        Ok(())
    }

    /// Looks at the whole, when nothing can happen any more.
    ///
    /// # Errors
    /// When a promise is broken.
    fn conclude(&mut self, _at: Time, _outcome: Outcome) -> Result<(), Violation> {
        Ok(())
    }
}

/// Passes events on and remembers the first violation.
pub struct Checked<'a> {
    sink: &'a mut dyn Sink,
    checkers: &'a mut [Box<dyn Checker>],
    log: Option<Log>,
    /// the first promise that was broken
    pub violation: Option<Violation>,
}

impl<'a> Checked<'a> {
    /// Watches everything that goes to `sink`.
    pub fn new(sink: &'a mut dyn Sink, checkers: &'a mut [Box<dyn Checker>]) -> Self {
        Self { sink, checkers, log: None, violation: None }
    }

    /// Watches, beside it, what goes to a log of sights.
    #[must_use]
    pub fn watching(mut self, log: Log) -> Self {
        self.log = Some(log);
        self
    }

    /// Lets every checker look at the whole.
    pub fn conclude(&mut self, at: Time, outcome: Outcome) {
        self.look();
        self.ask(|checker| checker.conclude(at, outcome));
    }

    fn look(&mut self) {
        for (at, node, sight) in self.log.as_ref().map(Log::take).unwrap_or_default() {
            self.ask(|checker| checker.see(at, node, &sight));
        }
    }

    fn ask(&mut self, mut question: impl FnMut(&mut dyn Checker) -> Result<(), Violation>) {
        for checker in &mut *self.checkers {
            if let Err(violation) = question(&mut **checker) {
                self.violation.get_or_insert(violation);
            }
        }
    }
}

impl Sink for Checked<'_> {
    fn record(&mut self, at: Time, node: NodeId, event: &Event) {
        self.look();
        self.sink.record(at, node, event);
        self.ask(|checker| checker.observe(at, node, event));
    }
}
