//! What one honest node delivers, all deliver.
use std::collections::{BTreeMap, BTreeSet};

use phalanx_protocol::{Instance, NodeId, Time, Turn};

use crate::checker::{Checker, Violation};
use crate::simulation::Outcome;
use crate::watch::Sight;

/// What one honest node delivers, every honest node delivers that has not left the turn before:
/// when nothing can happen any more, who still waits in a turn lacks nothing that others have.
#[derive(Debug, Clone, Default)]
pub struct Totality {
    honest: usize,
    delivered: BTreeMap<Instance, BTreeSet<NodeId>>,
    open: BTreeMap<NodeId, Turn>,
}

impl Totality {
    /// Nodes below this index are honest.
    pub fn new(honest: usize) -> Self {
        Self { honest, ..Self::default() }
    }
}

impl Checker for Totality {
    fn see(&mut self, _at: Time, node: NodeId, sight: &Sight) -> Result<(), Violation> {
        match sight {
            Sight::Shared { turn, .. } => drop(self.open.insert(node, *turn)),
            Sight::Collected(collected) if self.open.get(&node) == Some(&collected.turn) => {
                self.open.remove(&node);
            }
            Sight::Delivered(delivered) => {
                self.delivered.entry(delivered.instance).or_default().insert(node);
            }
            _ => {}
        }
        Ok(())
    }

    fn conclude(&mut self, at: Time, _: Outcome) -> Result<(), Violation> {
        for (instance, by) in &self.delivered {
            let waits = |node: &NodeId| self.open.get(node) == Some(&instance.turn);
            let mut lacking = (0..self.honest as u16).map(NodeId).filter(|id| !by.contains(id));
            if let Some(node) = lacking.find(waits) {
                let what = format!("others delivered {instance:?}, it waits and never will");
                return Err(Violation { checker: "totality", node, at, what });
            }
        }
        Ok(())
    }
}
