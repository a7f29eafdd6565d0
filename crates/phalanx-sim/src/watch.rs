//! What an omniscient observer sees of honest machines, beside the record.
use std::sync::{Arc, Mutex, PoisonError};

use phalanx_protocol::{
    Broadcast, Collected, Delivered, Exchange, Input, Machine, NodeId, Outbox, Output, Share, Time,
    Turn, Vector,
};
use phalanx_robust::{StateError, StateReader, StateWriter};

/// What a watched machine did.
#[derive(Debug, Clone, PartialEq)]
pub enum Sight {
    /// the node was given its vector for an agreement
    Begun {
        /// when
        turn: Turn,
        /// its vector
        vector: Vector,
        /// N
        halvings: u16,
    },
    /// the node shared its vector of a turn or of one pass of it
    Shared {
        /// when
        turn: Turn,
        /// its vector
        vector: Vector,
    },
    /// a broadcast delivered
    Delivered(Delivered),
    /// the node has enough of a turn or of one pass of it
    Collected(Collected),
    /// an agreement came to its end
    Agreed {
        /// when
        turn: Turn,
        /// the outcome
        vector: Vector,
    },
    /// more is kept on behalf of peers than was promised
    Held {
        /// is kept
        held: usize,
        /// may be
        max: usize,
    },
}

/// What was seen since somebody last looked.
#[derive(Debug, Clone, Default)]
pub struct Log(Arc<Mutex<Vec<(Time, NodeId, Sight)>>>);

impl Log {
    fn put(&self, at: Time, node: NodeId, sight: Sight) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push((at, node, sight));
    }

    /// Takes everything that is in it.
    pub fn take(&self) -> Vec<(Time, NodeId, Sight)> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Which machine of a node is watched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// an exchange of one pass, or one that does not iterate
    Pass,
    /// an agreement as a whole
    Whole,
    /// a broadcast, watched for what it delivers
    Broadcast,
}

/// A machine that somebody watches. It does what the machine inside does.
#[derive(Debug, Clone)]
pub struct Watched<M> {
    me: NodeId,
    level: Level,
    log: Log,
    held: fn(&M) -> (usize, usize),
    inner: M,
}

impl<M: Exchange> Watched<M> {
    /// Watches an exchange, of one pass or as a whole.
    pub fn exchange(me: NodeId, level: Level, log: &Log, inner: M) -> Self {
        let held = |inner: &M| (inner.held(), inner.held_max());
        Self { me, level, log: log.clone(), held, inner }
    }
}

impl<M: Broadcast> Watched<M> {
    /// Watches a broadcast.
    pub fn broadcast(me: NodeId, log: &Log, inner: M) -> Self {
        let held = |inner: &M| (inner.held(), inner.held_max());
        Self { me, level: Level::Broadcast, log: log.clone(), held, inner }
    }
}

impl<M: Machine<Command = Share>> Watched<M> {
    fn watch_input(&self, now: Time, input: &Input<M>) {
        if let Input::Command(Share { turn, vector, halvings }) = input {
            let (turn, vector) = (*turn, vector.clone());
            let sight = match self.level {
                Level::Whole => Sight::Begun { turn, vector, halvings: *halvings },
                Level::Pass => Sight::Shared { turn, vector },
                // The layer above has shown it.
                Level::Broadcast => return,
            };
            self.log.put(now, self.me, sight);
        }
    }
}

/// Events that can be seen.
pub trait Visible {
    /// What is seen.
    fn sight(&self, level: Level) -> Option<Sight>;
}

impl Visible for Delivered {
    fn sight(&self, _: Level) -> Option<Sight> {
        Some(Sight::Delivered(self.clone()))
    }
}

impl Visible for Collected {
    fn sight(&self, level: Level) -> Option<Sight> {
        match level {
            Level::Pass | Level::Broadcast => Some(Sight::Collected(self.clone())),
            Level::Whole => {
                let (_, vector) = self.vectors.first()?;
                Some(Sight::Agreed { turn: self.turn, vector: vector.clone() })
            }
        }
    }
}

impl<M: Machine<Command = Share, Event: Visible>> Machine for Watched<M> {
    type Message = M::Message;
    type Command = M::Command;
    type Event = M::Event;

    fn handle(&mut self, now: Time, input: Input<Self>, out: &mut Outbox<Self>) {
        let input: Input<M> = match input {
            Input::Message { from, message } => Input::Message { from, message },
            Input::Command(command) => Input::Command(command),
            Input::Wake => Input::Wake,
        };
        self.watch_input(now, &input);
        let before = out.len();
        self.inner.handle(now, input, out);
        for output in &out[before..] {
            if let Output::Event(event) = output
                && let Some(sight) = event.sight(self.level)
            {
                self.log.put(now, self.me, sight);
            }
        }
        let (held, max) = (self.held)(&self.inner);
        if held > max {
            self.log.put(now, self.me, Sight::Held { held, max });
        }
    }
}

impl<M: Exchange> Exchange for Watched<M> {
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

impl<M: Broadcast> Broadcast for Watched<M> {
    fn advance(&mut self, turn: Turn) {
        self.inner.advance(turn);
    }

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
