//! No two honest nodes hold different vectors of one sender and turn.
use std::collections::BTreeMap;

use phalanx_protocol::{Instance, NodeId, Time, Vector};

use crate::checker::{Checker, Violation};
use crate::watch::Sight;

/// No two honest nodes are handed different vectors of one sender and turn: agreement of
/// broadcasts, and of whatever collects from them.
#[derive(Debug, Clone, Default)]
pub struct Consistency {
    first: BTreeMap<Instance, (NodeId, Vector)>,
}

impl Consistency {
    fn compare(
        &mut self,
        (at, node): (Time, NodeId),
        instance: Instance,
        vector: &Vector,
    ) -> Result<(), Violation> {
        let first = self.first.entry(instance).or_insert_with(|| (node, vector.clone()));
        if first.1 == *vector {
            return Ok(());
        }
        let Instance { turn, sender } = instance;
        let what = format!("node {sender}'s vector of turn {turn} is another than at {}", first.0);
        Err(Violation { checker: "consistency", node, at, what })
    }
}

impl Checker for Consistency {
    fn see(&mut self, at: Time, node: NodeId, sight: &Sight) -> Result<(), Violation> {
        match sight {
            Sight::Delivered(delivered) => {
                self.compare((at, node), delivered.instance, &delivered.vector)
            }
            Sight::Collected(collected) => {
                collected.vectors.iter().try_for_each(|(sender, vector)| {
                    let instance = Instance { turn: collected.turn, sender: *sender };
                    self.compare((at, node), instance, vector)
                })
            }
            _ => Ok(()),
        }
    }
}
