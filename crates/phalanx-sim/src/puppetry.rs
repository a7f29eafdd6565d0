//! What the adversary overhears, forges and makes its puppets do, as part of the simulation.
use std::collections::BTreeSet;

use phalanx_attack::Forgery;
use phalanx_learn::Cargo;
use phalanx_protocol::{Exchange, Message, NodeId, Turn};

use crate::adversary::{Reach, Said};
use crate::conduct::Conduct;
use crate::puppet::{PuppetSeat, Wish, Wishes};
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
                self.carry((from, to), delay, message);
            }
        }
        Ok(())
    }

    /// Makes every Byzantine node share what was forged for these honest speakers.
    fn show(&mut self, turn: Turn, nodes: &[NodeId], forgery: &Forgery) {
        let hub = self.seats.iter().find(|seat| !seat.is_speaker).map(|seat| seat.id);
        let receivers = hub.map_or_else(|| nodes.to_vec(), |hub| vec![hub]);
        let now = self.now;
        for byzantine in 0..self.settings.byzantine {
            let row = &forgery.shown[byzantine * nodes.len()..];
            let shown: Vec<(NodeId, Option<u16>)> =
                receivers.iter().copied().zip(row.iter().copied()).collect();
            let Some(seat) = self.present_seat(byzantine) else { continue };
            let wishes = seat.show(now, turn, &shown, &forgery.vectors);
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
        let Some(byzantine) = to.index().checked_sub(self.settings.n - self.settings.byzantine)
        else {
            return;
        };
        let now = self.now;
        let Some(seat) = self.present_seat(byzantine) else { return };
        let wishes = seat.receive(now, from, message, mask);
        self.fulfil(byzantine, wishes);
    }

    pub(crate) fn wake_mask(&mut self, byzantine: usize, mask: u16) {
        let now = self.now;
        let Some(seat) = self.present_seat(byzantine) else { return };
        let wishes = seat.wake(now, mask);
        self.fulfil(byzantine, wishes);
    }

    /// A Byzantine seat, unless it is down now. Who was down comes back without its memory.
    fn present_seat(&mut self, byzantine: usize) -> Option<&mut PuppetSeat<E::Message>> {
        let adversary = self.adversary.as_mut()?;
        let seat = adversary.seats.get_mut(byzantine)?;
        let is_down = |conduct: &Conduct<_>| conduct.is_down(seat.id, self.now);
        if adversary.conduct.as_ref().is_some_and(is_down) {
            seat.is_down = true;
            return None;
        }
        if seat.is_down {
            seat.forget();
        }
        Some(seat)
    }

    /// Carries out what the masks of a Byzantine node want, receiver by receiver.
    fn fulfil(&mut self, byzantine: usize, wishes: Wishes<E::Message>) {
        let Some(adversary) = &self.adversary else { return };
        let from = adversary.seats[byzantine].id;
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
            let is_indiscreet = adversary.conduct.as_ref().is_some_and(Conduct::is_indiscreet);
            if is_indiscreet || adversary.seats[byzantine].is_heard_by(to, mask, &message) {
                self.post(byzantine, (from, to), message);
            }
        }
    }

    /// Sends a message of a Byzantine node, or what its misbehaviours make of it.
    fn post(&mut self, byzantine: usize, route: (NodeId, NodeId), message: E::Message) {
        let Some(adversary) = &mut self.adversary else { return };
        let reach = adversary.reach;
        let letters = match &mut adversary.conduct {
            None => vec![(0, message)],
            Some(conduct) => conduct.treat(self.now, byzantine, route, message),
        };
        for (later, message) in letters {
            let delay = match reach {
                Reach::All => 0,
                Reach::Sampled => {
                    let rng = &mut self.seats[0].network_rng;
                    self.settings.network.draw_delay(rng).0
                }
            };
            self.traffic.byzantine_messages += 1;
            let (from, to) = route;
            let at = self.now.after(delay).after(later);
            self.schedule(at, Pending::Deliver { to, from, message });
        }
    }
}
