//! No machine keeps more on behalf of its peers than it said it would.
use phalanx_protocol::{NodeId, Time};

use crate::checker::{Checker, Violation};
use crate::watch::Sight;

/// No machine keeps more on behalf of its peers than it said it would.
#[derive(Debug, Clone, Copy, Default)]
pub struct BoundedMemory;

impl Checker for BoundedMemory {
    fn see(&mut self, at: Time, node: NodeId, sight: &Sight) -> Result<(), Violation> {
        match sight {
            Sight::Held { held, max } if held > max => {
                let what = format!("{held} things are kept, {max} at most were promised");
                Err(Violation { checker: "bounded-memory", node, at, what })
            }
            _ => Ok(()),
        }
    }
}
