//! Agreement stays in the box of the honest vectors, coordinate by coordinate.
use std::collections::BTreeMap;

use phalanx_protocol::{NodeId, Time, Turn, Vector};

use crate::checker::{Checker, Violation};
use crate::watch::Sight;

/// Every vector of a pass and every outcome lies, in each coordinate, between the least and the
/// greatest honest vector of the pass before, up to one rounding.
#[derive(Debug, Clone, Default)]
pub struct BoxValidity {
    boxes: BTreeMap<Turn, Vec<(f32, f32)>>,
    /// shared in a later pass before all honest vectors of the one before were
    last: BTreeMap<NodeId, Turn>,
    later: Vec<(Time, NodeId, Turn, Vector)>,
}

impl BoxValidity {
    fn is_inside(bounds: &[(f32, f32)], vector: &Vector) -> bool {
        let is_inside =
            |((low, high), x): (&(f32, f32), &f32)| (low.next_down()..=high.next_up()).contains(x);
        bounds.iter().zip(vector.iter()).all(is_inside)
    }
}

impl Checker for BoxValidity {
    fn see(&mut self, at: Time, node: NodeId, sight: &Sight) -> Result<(), Violation> {
        match sight {
            Sight::Shared { turn, vector } => {
                let point = || vector.iter().map(|x| (*x, *x)).collect();
                let bounds = self.boxes.entry(*turn).or_insert_with(point);
                for ((low, high), x) in bounds.iter_mut().zip(vector.iter()) {
                    (*low, *high) = (low.min(*x), high.max(*x));
                }
                if turn.pass.0 > 1 {
                    let before = turn.with_pass(turn.pass.0 - 1);
                    self.later.push((at, node, before, vector.clone()));
                }
                self.last.insert(node, *turn);
            }
            Sight::Agreed { vector, .. } => {
                if let Some(before) = self.last.get(&node) {
                    self.later.push((at, node, *before, vector.clone()));
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn conclude(&mut self, _: Time, _: crate::simulation::Outcome) -> Result<(), Violation> {
        for (at, node, before, vector) in &self.later {
            let Some(bounds) = self.boxes.get(before) else { continue };
            if !Self::is_inside(bounds, vector) {
                let what = format!("left the box of the honest vectors of turn {before}");
                return Err(Violation { checker: "box-validity", node: *node, at: *at, what });
            }
        }
        Ok(())
    }
}
