//! The turns of a node only grow, and so does time.
use phalanx_learn::Event;
use phalanx_protocol::{NodeId, Time, Turn};

use crate::checker::{Checker, Violation};

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
