//! Enough is collected, and with witnesses any two honest nodes share enough of it.
use std::collections::{BTreeMap, BTreeSet};

use phalanx_protocol::{NodeId, Time, Turn};

use crate::checker::{Checker, Violation};
use crate::watch::Sight;

/// Every collection holds `least` vectors, the own one among them, and any two honest nodes'
/// collections of a turn share `shared` senders.
#[derive(Debug, Clone, Default)]
pub struct Overlap {
    least: usize,
    shared: usize,
    collected: BTreeMap<Turn, Vec<(NodeId, BTreeSet<NodeId>)>>,
}

impl Overlap {
    /// With witnesses both numbers are n − f; without them `shared` is `2(n − f) − n` at least.
    pub fn new(least: usize, shared: usize) -> Self {
        Self { least, shared, collected: BTreeMap::new() }
    }
}

impl Checker for Overlap {
    fn see(&mut self, at: Time, node: NodeId, sight: &Sight) -> Result<(), Violation> {
        let Sight::Collected(collected) = sight else { return Ok(()) };
        let broken = |what| Err(Violation { checker: "overlap", node, at, what });
        let turn = collected.turn;
        let ids: BTreeSet<NodeId> = collected.vectors.iter().map(|(from, _)| *from).collect();
        if ids.len() < self.least || !ids.contains(&node) {
            return broken(format!("collected {ids:?} in turn {turn}, {} needed", self.least));
        }
        let others = self.collected.entry(turn).or_default();
        for (other, theirs) in &*others {
            let common = ids.intersection(theirs).count();
            if common < self.shared {
                let what = format!(
                    "shares {common} senders with node {other} in turn {turn}, {} promised",
                    self.shared
                );
                return broken(what);
            }
        }
        others.push((node, ids));
        Ok(())
    }
}
