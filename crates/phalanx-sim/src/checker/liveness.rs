//! Once everything has healed, everybody comes to an end.
use phalanx_learn::Event;
use phalanx_protocol::{NodeId, Time};

use crate::checker::{Checker, Violation};
use crate::simulation::Outcome;

/// Once everything has healed, every honest node does all its rounds.
#[derive(Debug, Clone, Copy, Default)]
pub struct Liveness;

impl Checker for Liveness {
    fn observe(&mut self, at: Time, node: NodeId, event: &Event) -> Result<(), Violation> {
        match event {
            Event::Failed { turn, reason } => {
                let what = format!("failed in turn {turn}: {reason}");
                Err(Violation { checker: "liveness", node, at, what })
            }
            _ => Ok(()),
        }
    }

    fn conclude(&mut self, at: Time, outcome: Outcome) -> Result<(), Violation> {
        match outcome {
            Outcome::Stalled => {
                let what = "some honest node waits and nothing can happen any more".into();
                Err(Violation { checker: "liveness", node: NodeId(0), at, what })
            }
            Outcome::Finished | Outcome::Interrupted => Ok(()),
        }
    }
}
