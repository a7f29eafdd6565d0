//! No honest node is ever accused.
use phalanx_learn::Event;
use phalanx_protocol::{NodeId, Time};

use crate::checker::{Checker, Violation};

/// No honest node is ever accused before everybody: who signs once cannot be.
#[derive(Debug, Clone, Copy)]
pub struct NoHonestAccusation {
    /// nodes below this index are honest
    pub honest: usize,
}

impl Checker for NoHonestAccusation {
    fn observe(&mut self, at: Time, node: NodeId, event: &Event) -> Result<(), Violation> {
        match event {
            Event::Accused { evidence } if evidence.accused.index() < self.honest => {
                let what = format!("accused an honest node: {evidence}");
                Err(Violation { checker: "no-honest-accusation", node, at, what })
            }
            _ => Ok(()),
        }
    }
}
