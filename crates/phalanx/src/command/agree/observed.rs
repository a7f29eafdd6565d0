//! An exchange that notes what goes through it: the vectors of each pass, messages and bytes.
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use phalanx_protocol::{
    Exchange, Input, Machine, Message, NodeId, Outbox, Output, Time, To, Vector,
};
use phalanx_robust::{StateError, StateReader, StateWriter};

/// What went through the exchanges of all honest nodes.
#[derive(Debug, Clone, Default)]
pub struct Log {
    /// what each node shared, by pass
    pub shared: BTreeMap<u16, BTreeMap<NodeId, Vector>>,
    /// what each node ended with
    pub outcomes: BTreeMap<NodeId, Vector>,
    /// messages and bytes, each receiver counted, by pass
    pub traffic: BTreeMap<u16, (u64, u64)>,
}

/// A log that many exchanges write.
#[derive(Debug, Clone, Default)]
pub struct SharedLog(Arc<Mutex<Log>>);

impl SharedLog {
    /// The log so far.
    pub fn lock(&self) -> MutexGuard<'_, Log> {
        // Nothing that is written in between can be half a truth.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The exchange of one honest node with the log.
pub struct Observed<E> {
    /// the node
    pub me: NodeId,
    /// n
    pub nodes: usize,
    /// what is observed
    pub inner: E,
    /// where it is noted
    pub log: SharedLog,
}

impl<E: Exchange> Observed<E> {
    fn note(&self, output: &Output<E::Message, E::Event>) {
        let mut log = self.log.lock();
        match output {
            Output::Send { to, message } => {
                let pass = message.turn().pass.0;
                if let Some(vector) = message.shared() {
                    log.shared.entry(pass).or_default().insert(self.me, vector.clone());
                }
                let receivers = match to {
                    To::Others => self.nodes as u64 - 1,
                    To::Node(_) => 1,
                };
                let (messages, bytes) = log.traffic.entry(pass).or_default();
                *messages += receivers;
                *bytes += receivers * message.bytes();
            }
            Output::Event(collected) => {
                let own = collected.vectors.iter().find(|(from, _)| *from == self.me);
                log.outcomes.extend(own.cloned());
            }
            _ => {}
        }
    }
}

impl<E: Exchange> Machine for Observed<E> {
    type Message = E::Message;
    type Command = E::Command;
    type Event = E::Event;

    fn handle(&mut self, now: Time, input: Input<Self>, out: &mut Outbox<Self>) {
        let before = out.len();
        let input = match input {
            Input::Message { from, message } => Input::Message { from, message },
            Input::Command(command) => Input::Command(command),
            Input::Wake => Input::Wake,
        };
        self.inner.handle(now, input, out);
        out[before..].iter().for_each(|output| self.note(output));
    }
}

impl<E: Exchange> Exchange for Observed<E> {
    fn save(&self, out: &mut StateWriter) {
        self.inner.save(out);
    }

    fn load(&mut self, input: &mut StateReader<'_>) -> Result<(), StateError> {
        self.inner.load(input)
    }

    fn held(&self) -> usize {
        self.inner.held()
    }

    fn held_max(&self) -> usize {
        self.inner.held_max()
    }
}
