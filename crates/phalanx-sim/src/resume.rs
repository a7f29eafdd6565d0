//! Snapshots of a whole simulation, so that a run can stop anywhere and go on bit for bit.
use phalanx_learn::{Cargo, Spied, snapshot};
use phalanx_protocol::{Exchange, Message, NodeId, Time, Turn};
use phalanx_robust::{StateError, StateReader, StateWriter};

use crate::simulation::{Held, Pending, Simulation};

impl<E: Exchange> Simulation<E> {
    /// Everything that the next step depends on. Runs the work that waits first, which changes
    /// nothing that anybody can observe.
    pub fn save(&mut self) -> Vec<u8> {
        self.crew.run_all();
        let mut out = StateWriter::default();
        out.u64(self.settings.n as u64);
        out.u64(self.seats.len() as u64);
        out.flag(self.has_started);
        out.u64(self.now.0);
        out.u64(self.sequence);
        self.traffic.save(&mut out);
        for (index, seat) in self.seats.iter().enumerate() {
            seat.participant.save(&mut out);
            seat.network_rng.save(&mut out);
            seat.compute_rng.save(&mut out);
            out.flag(seat.is_failed);
            out.u64(u64::from(seat.rounds_done));
            seat.at.save(&mut out);
            out.flag(seat.saying.is_some());
            if let Some((spied, cargo)) = &seat.saying {
                spied.save(&mut out);
                cargo.save(&mut out);
            }
            self.crew.member(index).worker.save(&mut out);
            let waiting = self.crew.waiting(index);
            out.flag(waiting.is_some());
            waiting.iter().for_each(|result| snapshot::save_result(result, &mut out));
        }
        out.flag(self.adversary.is_some());
        self.adversary.iter().for_each(|adversary| adversary.save(&mut out));
        out.u64(self.queue.len() as u64);
        for ((at, sequence), pending) in &self.queue {
            out.u64(at.0);
            out.u64(*sequence);
            save_pending::<E>(pending, &mut out);
        }
        out.u64(self.held.len() as u64);
        for (turn, held) in &self.held {
            turn.save(&mut out);
            out.u64(held.len() as u64);
            for Held { to, from, delay, message } in held {
                out.u64(u64::from(to.0));
                out.u64(u64::from(from.0));
                out.u64(*delay);
                message.write(&mut out);
            }
        }
        out.finish()
    }

    /// Restores a snapshot into a simulation that was built from the same settings.
    ///
    /// # Errors
    /// When the snapshot belongs to something else; the simulation is then unusable.
    pub fn load(&mut self, bytes: &[u8]) -> Result<(), StateError> {
        let input = &mut StateReader::new(bytes);
        if (input.usize()?, input.usize()?) != (self.settings.n, self.seats.len()) {
            return Err(StateError::Mismatch { what: "the number of nodes" });
        }
        self.has_started = input.flag()?;
        self.now = Time(input.u64()?);
        self.sequence = input.u64()?;
        self.traffic.load(input)?;
        for (index, seat) in self.seats.iter_mut().enumerate() {
            seat.participant.load(input)?;
            seat.network_rng.load(input)?;
            seat.compute_rng.load(input)?;
            seat.is_failed = input.flag()?;
            seat.rounds_done = input.u64()? as u32;
            seat.at = Turn::load(input)?;
            seat.saying = match input.flag()? {
                true => Some((Spied::load(input)?, Cargo::load(input)?)),
                false => None,
            };
            self.crew.members_mut()[index].worker.load(input)?;
            let waiting = input.flag()?.then(|| snapshot::load_result(input)).transpose()?;
            self.crew.restore(index, waiting);
        }
        if input.flag()? != self.adversary.is_some() {
            return Err(StateError::Mismatch { what: "the adversary" });
        }
        if let Some(adversary) = &mut self.adversary {
            adversary.load(input)?;
        }
        self.queue.clear();
        for _ in 0..input.usize()? {
            let key = (Time(input.u64()?), input.u64()?);
            let counts = (self.seats.len(), self.settings.byzantine);
            self.queue.insert(key, load_pending::<E>(input, counts)?);
        }
        self.held.clear();
        for _ in 0..input.usize()? {
            let turn = Turn::load(input)?;
            let held = self.held.entry(turn).or_default();
            for _ in 0..input.usize()? {
                let (to, from) = (load_node(input)?, load_node(input)?);
                let delay = input.u64()?;
                held.push(Held { to, from, delay, message: E::Message::read(input)? });
            }
        }
        match input.is_at_end() {
            true => Ok(()),
            false => Err(StateError::Mismatch { what: "bytes after the end" }),
        }
    }
}

pub(crate) fn load_node(input: &mut StateReader<'_>) -> Result<NodeId, StateError> {
    let index = u16::try_from(input.u64()?);
    index.map(NodeId).map_err(|_| StateError::Mismatch { what: "a node's index" })
}

fn save_pending<E: Exchange>(pending: &Pending<E::Message>, out: &mut StateWriter) {
    match pending {
        Pending::Deliver { to, from, message } => {
            out.u64(0);
            out.u64(u64::from(to.0));
            out.u64(u64::from(from.0));
            message.write(out);
        }
        Pending::Wake { node } => {
            out.u64(1);
            out.u64(*node as u64);
        }
        Pending::Done { node } => {
            out.u64(2);
            out.u64(*node as u64);
        }
        Pending::Whisper { to, from, mask, message } => {
            out.u64(3);
            out.u64(u64::from(to.0));
            out.u64(u64::from(from.0));
            out.u64(u64::from(*mask));
            message.write(out);
        }
        Pending::WakeMask { seat, mask } => {
            out.u64(4);
            out.u64(*seat as u64);
            out.u64(u64::from(*mask));
        }
        Pending::Restart { node } => {
            out.u64(5);
            out.u64(*node as u64);
        }
    }
}

fn load_pending<E: Exchange>(
    input: &mut StateReader<'_>,
    (seats, byzantine): (usize, usize),
) -> Result<Pending<E::Message>, StateError> {
    let index = |input: &mut StateReader<'_>, count| match input.usize()? {
        index if index < count => Ok(index),
        _ => Err(StateError::Mismatch { what: "a node's index" }),
    };
    Ok(match input.u64()? {
        0 => {
            let (to, from) = (load_node(input)?, load_node(input)?);
            Pending::Deliver { to, from, message: E::Message::read(input)? }
        }
        1 => Pending::Wake { node: index(input, seats)? },
        2 => Pending::Done { node: index(input, seats)? },
        3 => {
            let (to, from) = (load_node(input)?, load_node(input)?);
            let mask = input.u64()? as u16;
            Pending::Whisper { to, from, mask, message: E::Message::read(input)? }
        }
        4 => Pending::WakeMask { seat: index(input, byzantine)?, mask: input.u64()? as u16 },
        5 => Pending::Restart { node: index(input, seats)? },
        _ => return Err(StateError::Mismatch { what: "the kind of an event" }),
    })
}
