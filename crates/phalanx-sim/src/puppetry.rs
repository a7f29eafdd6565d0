//! What the adversary overhears, forges and makes its puppets do, as part of the simulation.
use std::collections::BTreeSet;

use phalanx_attack::Forgery;
use phalanx_learn::Cargo;
use phalanx_protocol::{Exchange, Message, NodeId, Turn};

use crate::adversary::{Reach, Said};
use crate::puppet::{Wish, Wishes};
use crate::simulation::{Held, Pending, Seat, Simulation, SimulationError};

impl<E: Exchange> Simulation<E> {
    /// Lets the adversary hear what an honest node shares; says whether it holds the message back.
    pub(crate) fn overhear(&mut self, node: usize, message: &E::Message) -> bool {
        let seat = &self.seats[node];
        let (Some(adversary), Some(vector), Some((spied, cargo))) =
            (&mut self.adversary, message.shared(), &seat.saying)
        else {
            return false;
        };
        if !seat.is_speaker || *cargo == Cargo::Quiet {
            return false;
        }
        let said = Said { vector: vector.clone(), spied: spied.clone(), cargo: *cargo };
        adversary.hear(message.turn(), seat.id, said);
        adversary.is_holding(message.turn())
    }

    /// Lets the adversary speak in every turn in which all honest nodes have spoken.
    pub(crate) fn forge_what_is_complete(&mut self) -> Result<(), SimulationError> {
        let Some(adversary) = &self.adversary else {
            return Ok(());
        };
        let is_live = |seat: &&Seat<E>| seat.is_speaker && !seat.is_failed;
        let speakers: BTreeSet<NodeId> = self.seats.iter().filter(is_live).map(|s| s.id).collect();
        for turn in adversary.complete(&speakers) {
            let Some(adversary) = &mut self.adversary else { break };
            let forged = adversary.forge(turn);
            let (nodes, forgery) =
                forged.map_err(|source| SimulationError::Attack { turn, source })?;
            self.show(turn, &nodes, &forgery);
            for Held { to, from, delay, message } in self.held.remove(&turn).unwrap_or_default() {
                self.schedule(self.now.after(delay), Pending::Deliver { to, from, message });
            }
        }
        Ok(())
    }

    /// Makes every Byzantine node share what was forged for these honest speakers.
    fn show(&mut self, turn: Turn, nodes: &[NodeId], forgery: &Forgery) {
        let hub = self.seats.iter().find(|seat| !seat.is_speaker).map(|seat| seat.id);
        let receivers = hub.map_or_else(|| nodes.to_vec(), |hub| vec![hub]);
        for byzantine in 0..self.settings.byzantine {
            let row = &forgery.shown[byzantine * nodes.len()..];
            let shown: Vec<(NodeId, Option<u16>)> =
                receivers.iter().copied().zip(row.iter().copied()).collect();
            let Some(adversary) = &mut self.adversary else { return };
            let seat = &mut adversary.seats[byzantine];
            let wishes = seat.show(self.now, turn, &shown, &forgery.vectors);
            self.fulfil(byzantine, wishes);
        }
    }

    /// A message reaches a Byzantine node.
    pub(crate) fn pull(
        &mut self,
        to: NodeId,
        from: NodeId,
        message: &E::Message,
        mask: Option<u16>,
    ) {
        let byzantine = to.index().checked_sub(self.settings.n - self.settings.byzantine);
        let (Some(adversary), Some(byzantine)) = (&mut self.adversary, byzantine) else { return };
        let wishes = adversary.seats[byzantine].receive(self.now, from, message, mask);
        self.fulfil(byzantine, wishes);
    }

    pub(crate) fn wake_mask(&mut self, byzantine: usize, mask: u16) {
        let Some(adversary) = &mut self.adversary else { return };
        let wishes = adversary.seats[byzantine].wake(self.now, mask);
        self.fulfil(byzantine, wishes);
    }

    /// Carries out what the masks of a Byzantine node want, receiver by receiver.
    fn fulfil(&mut self, byzantine: usize, wishes: Wishes<E::Message>) {
        let Some(adversary) = &self.adversary else { return };
        let (from, reach) = (adversary.seats[byzantine].id, adversary.reach);
        let mut letters = Vec::new();
        for (mask, wish) in wishes {
            match wish {
                Wish::Send { to, message } => {
                    let receivers = self.receivers(from, to).into_iter();
                    letters.extend(receivers.map(|to| (to, mask, message.clone())));
                }
                Wish::Wait { until } => {
                    self.schedule(until, Pending::WakeMask { seat: byzantine, mask });
                }
            }
        }
        letters.sort_by_key(|(to, ..)| *to);
        for (to, mask, message) in letters {
            let Some(adversary) = &self.adversary else { return };
            if self.is_byzantine(to) {
                if adversary.is_listening() && to != from {
                    self.schedule(self.now, Pending::Whisper { to, from, mask, message });
                }
                continue;
            }
            if !adversary.seats[byzantine].is_heard_by(to, mask, &message) {
                continue;
            }
            let delay = match reach {
                Reach::All => 0,
                Reach::Sampled => {
                    let rng = &mut self.seats[0].network_rng;
                    self.settings.network.draw_delay(rng).0
                }
            };
            self.traffic.byzantine_messages += 1;
            self.schedule(self.now.after(delay), Pending::Deliver { to, from, message });
        }
    }
}
