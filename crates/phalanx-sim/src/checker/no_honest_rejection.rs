//! No honest node is ever rejected.
use phalanx_learn::Event;
use phalanx_protocol::{NodeId, Time};

use crate::checker::{Checker, Violation};

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
