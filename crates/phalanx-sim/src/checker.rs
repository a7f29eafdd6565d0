//! Checkers watch the record and object when a promise is broken.
use phalanx_learn::{Event, Sink};
use phalanx_protocol::{NodeId, Time, Turn};

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

/// Watches every event of every honest node.
pub trait Checker: Send {
    /// # Errors
    /// When a promise is broken.
    fn observe(&mut self, at: Time, node: NodeId, event: &Event) -> Result<(), Violation>;
}

/// No honest node is ever rejected: a rejection is proof of a fault.
#[derive(Debug, Clone, Copy)]
pub struct NoHonestRejection {
    /// nodes below this index, and the hub at index n, are honest
    pub honest: usize,
    /// number of nodes without the hub
    pub n: usize,
}

impl Checker for NoHonestRejection {
    fn observe(&mut self, at: Time, node: NodeId, event: &Event) -> Result<(), Violation> {
        match event {
            Event::Rejected { from, reason }
                if from.index() < self.honest || from.index() == self.n =>
            {
                let what = format!("rejected honest node {from}: {reason:?}");
                Err(Violation { checker: "no-honest-rejection", node, at, what })
            }
            _ => Ok(()),
        }
    }
}

/// The turns of a node only grow, and so does time.
#[derive(Debug, Clone, Default)]
pub struct RoundsInOrder {
    last: Vec<Option<(Time, Turn)>>,
}

impl Checker for RoundsInOrder {
    fn observe(&mut self, at: Time, node: NodeId, event: &Event) -> Result<(), Violation> {
        let Event::Collected { turn, .. } = event else {
            return Ok(());
        };
        let index = node.index();
        if self.last.len() <= index {
            self.last.resize(index + 1, None);
        }
        if self.last[index].is_some_and(|(then, before)| then > at || before >= *turn) {
            let what = format!("turn {turn} came after turn {:?}", self.last[index]);
            return Err(Violation { checker: "rounds-in-order", node, at, what });
        }
        self.last[index] = Some((at, *turn));
        Ok(())
    }
}

/// Passes events on and remembers the first violation.
pub struct Checked<'a> {
    sink: &'a mut dyn Sink,
    checkers: &'a mut [Box<dyn Checker>],
    /// the first promise that was broken
    pub violation: Option<Violation>,
}

impl<'a> Checked<'a> {
    /// Watches everything that goes to `sink`.
    pub fn new(sink: &'a mut dyn Sink, checkers: &'a mut [Box<dyn Checker>]) -> Self {
        Self { sink, checkers, violation: None }
    }
}

impl Sink for Checked<'_> {
    fn record(&mut self, at: Time, node: NodeId, event: &Event) {
        self.sink.record(at, node, event);
        for checker in &mut *self.checkers {
            if let Err(violation) = checker.observe(at, node, event) {
                self.violation.get_or_insert(violation);
            }
        }
    }
}
