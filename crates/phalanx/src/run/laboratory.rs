//! A simulation whose exchange has been chosen: what a run needs of it, whatever its messages are.
use std::collections::BTreeMap;

use phalanx_learn::Sink;
use phalanx_protocol::Exchange;
use phalanx_robust::StateError;
use phalanx_sim::{Outcome, Progress, Simulation, SimulationError, Traffic};

/// A whole population that can be run, stopped and resumed.
pub trait Laboratory {
    /// Runs until the end, or until `keep_going` says no.
    ///
    /// # Errors
    /// When the attack cannot be carried out.
    fn run(
        &mut self,
        sink: &mut dyn Sink,
        keep_going: &mut dyn FnMut(&Progress) -> bool,
    ) -> Result<Outcome, SimulationError>;

    /// Everything that the next step depends on.
    fn save(&mut self) -> Vec<u8>;

    /// # Errors
    /// When the snapshot belongs to something else; the population is then unusable.
    fn load(&mut self, snapshot: &[u8]) -> Result<(), StateError>;

    /// Where it stands.
    fn progress(&self) -> Progress;

    /// What went over the network so far.
    fn traffic(&self) -> Traffic;

    /// Bytes that one honest node holds between two steps, by purpose.
    fn node_memory_bytes(&self) -> BTreeMap<String, u64>;
}

impl<E: Exchange> Laboratory for Simulation<E> {
    fn run(
        &mut self,
        sink: &mut dyn Sink,
        keep_going: &mut dyn FnMut(&Progress) -> bool,
    ) -> Result<Outcome, SimulationError> {
        Self::run(self, sink, keep_going)
    }

    fn save(&mut self) -> Vec<u8> {
        Self::save(self)
    }

    fn load(&mut self, snapshot: &[u8]) -> Result<(), StateError> {
        Self::load(self, snapshot)
    }

    fn progress(&self) -> Progress {
        Self::progress(self)
    }

    fn traffic(&self) -> Traffic {
        Self::traffic(self)
    }

    fn node_memory_bytes(&self) -> BTreeMap<String, u64> {
        Self::node_memory_bytes(self)
    }
}
