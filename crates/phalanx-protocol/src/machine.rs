//! The one dialect that every protocol speaks: an input in, outputs pushed, nothing else.
use std::fmt;

use phalanx_robust::{StateError, StateReader, StateWriter, Vector};

/// A node's index, `0..n`. Keys are mapped to indices at the transport.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId(pub u16);

impl NodeId {
    /// As an index into a table of nodes.
    pub fn index(self) -> usize {
        usize::from(self.0)
    }
}

impl fmt::Display for NodeId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}", self.0)
    }
}

/// Nanoseconds since the start, virtual or measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Time(pub u64);

impl Time {
    /// Later by so many nanoseconds; saturates.
    pub fn after(self, nanoseconds: u64) -> Self {
        Self(self.0.saturating_add(nanoseconds))
    }
}

/// One learning iteration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Round(pub u32);

/// One exchange inside a round.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Phase(pub u16);

/// What one exchange is about: a phase of a round. Ordered as time goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Turn {
    /// the learning iteration
    pub round: Round,
    /// the exchange inside it
    pub phase: Phase,
}

impl Turn {
    /// A turn by its numbers.
    pub fn new(round: u32, phase: u16) -> Self {
        Self { round: Round(round), phase: Phase(phase) }
    }

    /// Appends it to a snapshot.
    pub fn save(self, out: &mut StateWriter) {
        out.u64(u64::from(self.round.0) << 16 | u64::from(self.phase.0));
    }

    /// # Errors
    /// When the snapshot ends.
    pub fn load(input: &mut StateReader<'_>) -> Result<Self, StateError> {
        let bits = input.u64()?;
        Ok(Self::new((bits >> 16) as u32, bits as u16))
    }
}

impl fmt::Display for Turn {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}.{}", self.round.0, self.phase.0)
    }
}

/// Whom a message is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum To {
    /// every other node
    Others,
    /// one node
    Node(NodeId),
}

/// Proof of a peer's fault: an honest peer never causes one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rejection {
    /// the vector has another length than the model
    WrongLength,
    /// the vector holds NaN or infinity
    NotFinite,
    /// two different vectors for one turn
    Equivocation,
    /// a message that its sender's role does not allow
    OutOfRole,
    /// a phase that the round does not have
    NoSuchTurn,
}

/// A limit of ours, or lateness; nobody is to blame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Discard {
    /// for a turn that is over
    Late,
    /// too far ahead to be kept
    TooEarly,
    /// the same vector again
    Duplicate,
}

/// A state machine without input or output of its own.
///
/// Driving it is somebody else's business: the simulator and the runtime run the same code.
pub trait Machine {
    /// node to node
    type Message: Clone;
    /// layer above to machine
    type Command;
    /// machine to layer above
    type Event;

    /// Takes one input and pushes its consequences. Total: no input from a peer can make it fail.
    fn handle(&mut self, now: Time, input: Input<Self>, out: &mut Outbox<Self>);
}

/// What can happen to a machine.
#[derive(Debug)]
pub enum Input<M: Machine + ?Sized> {
    /// a message arrived; `from` was authenticated by the transport
    Message {
        /// the authenticated sender
        from: NodeId,
        /// what it says
        message: M::Message,
    },
    /// the layer above wants something
    Command(M::Command),
    /// the time that was waited for has come
    Wake,
}

impl<M: Machine + ?Sized> Clone for Input<M>
where
    M::Command: Clone,
{
    fn clone(&self) -> Self {
        match self {
            Self::Message { from, message } => {
                Self::Message { from: *from, message: message.clone() }
            }
            Self::Command(command) => Self::Command(command.clone()),
            Self::Wake => Self::Wake,
        }
    }
}

/// What a machine wants to happen.
#[derive(Debug, Clone, PartialEq)]
pub enum Output<Message, Event> {
    /// send a message
    Send {
        /// to whom
        to: To,
        /// what
        message: Message,
    },
    /// call `handle` with [`Input::Wake`] at that time
    Wait {
        /// when
        until: Time,
    },
    /// tell the layer above
    Event(Event),
    /// something was dropped; nobody is to blame
    Discard {
        /// who sent it
        from: NodeId,
        /// why
        reason: Discard,
    },
    /// something was refused, and that proves a fault of its sender
    Reject {
        /// who sent it
        from: NodeId,
        /// why
        reason: Rejection,
    },
}

/// Where a machine pushes its outputs; the caller's, so that nested machines share one.
pub type Outbox<M> = Vec<Output<<M as Machine>::Message, <M as Machine>::Event>>;

/// Command: carry my vector of this turn to the others.
#[derive(Debug, Clone, PartialEq)]
pub struct Share {
    /// the turn it belongs to; turns of one node only grow
    pub turn: Turn,
    /// the node's own vector
    pub vector: Vector,
}

/// Event: enough vectors of this turn have come.
#[derive(Debug, Clone, PartialEq)]
pub struct Collected {
    /// the turn
    pub turn: Turn,
    /// by ascending sender; the own vector is among them where the node shared one
    pub vectors: Vec<(NodeId, Vector)>,
}

/// A machine that turns one shared vector per turn into a collection of the others'.
pub trait Exchange: Machine<Command = Share, Event = Collected> + Send {
    /// Appends everything that the next input depends on.
    fn save(&self, out: &mut StateWriter);

    /// # Errors
    /// When the snapshot does not fit.
    fn load(&mut self, input: &mut StateReader<'_>) -> Result<(), StateError>;

    /// Appends a message in flight.
    fn save_message(message: &Self::Message, out: &mut StateWriter);

    /// # Errors
    /// When the snapshot does not fit.
    fn load_message(input: &mut StateReader<'_>) -> Result<Self::Message, StateError>;

    /// Bytes that the message would take on a wire: header and entries.
    fn message_bytes(message: &Self::Message) -> u64;

    /// The turn and vector that a message carries, for an adversary that reads everything.
    fn cargo(message: &Self::Message) -> Option<(Turn, &Vector)>;

    /// The message by which a node shares `vector`, for an adversary that writes its own.
    fn carry(turn: Turn, vector: Vector) -> Self::Message;
}
