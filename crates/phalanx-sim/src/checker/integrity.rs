//! An honest node's vector arrives as it was shared, and each vector once.
use std::collections::{BTreeMap, BTreeSet};

use phalanx_protocol::{Instance, NodeId, Time, Turn, Vector};

use crate::checker::{Checker, Violation};
use crate::watch::Sight;

/// What is handed over as an honest node's is what that node shared before; nothing is delivered
/// twice, except by a node that restarted in between.
#[derive(Debug, Clone, Default)]
pub struct Integrity {
    /// nodes below this index are honest
    pub honest: usize,
    /// nodes that restart
    pub restarting: BTreeSet<NodeId>,
    shared: BTreeMap<(Turn, NodeId), Vector>,
    delivered: BTreeSet<(NodeId, Instance)>,
}

impl Integrity {
    /// A checker that has seen nothing.
    pub fn new(honest: usize, restarting: BTreeSet<NodeId>) -> Self {
        Self { honest, restarting, ..Self::default() }
    }

    fn broken(at: Time, node: NodeId, what: String) -> Result<(), Violation> {
        Err(Violation { checker: "integrity", node, at, what })
    }

    fn compare(&self, at: Time, node: NodeId, told: (Instance, &Vector)) -> Result<(), Violation> {
        let (Instance { turn, sender }, vector) = told;
        if sender.index() < self.honest && self.shared.get(&(turn, sender)) != Some(vector) {
            let what = format!("honest node {sender} did not share this vector in turn {turn}");
            return Self::broken(at, node, what);
        }
        Ok(())
    }
}

impl Checker for Integrity {
    fn see(&mut self, at: Time, node: NodeId, sight: &Sight) -> Result<(), Violation> {
        match sight {
            Sight::Shared { turn, vector } => {
                let before = self.shared.insert((*turn, node), vector.clone());
                if before.is_some_and(|before| before != *vector) {
                    let what = format!("it shared two vectors in turn {turn}");
                    return Self::broken(at, node, what);
                }
                Ok(())
            }
            Sight::Delivered(delivered) => {
                let is_new = self.delivered.insert((node, delivered.instance));
                if !is_new && !self.restarting.contains(&node) {
                    let what = format!("delivered twice: {:?}", delivered.instance);
                    return Self::broken(at, node, what);
                }
                self.compare(at, node, (delivered.instance, &delivered.vector))
            }
            Sight::Collected(collected) => {
                collected.vectors.iter().try_for_each(|(from, vector)| {
                    let instance = Instance { turn: collected.turn, sender: *from };
                    self.compare(at, node, (instance, vector))
                })
            }
            _ => Ok(()),
        }
    }
}
