//! The one dialect that every protocol speaks: an input in, outputs pushed, nothing else.
use std::fmt;

use phalanx_robust::{StateError, StateReader, StateWriter, Vector};

use crate::signed_echo_broadcast::attestation::Attestation;

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

/// One pass of agreement inside an exchange; 0 where the exchange does not iterate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Pass(pub u16);

/// What one exchange is about: a pass of a phase of a round. Ordered as time goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Turn {
    /// the learning iteration
    pub round: Round,
    /// the exchange inside it
    pub phase: Phase,
    /// the pass of agreement inside that
    pub pass: Pass,
}

impl Turn {
    /// A turn by its numbers; its first pass.
    pub fn new(round: u32, phase: u16) -> Self {
        Self { round: Round(round), phase: Phase(phase), pass: Pass(0) }
    }

    /// Another pass of the same phase.
    pub fn with_pass(self, pass: u16) -> Self {
        Self { pass: Pass(pass), ..self }
    }

    /// As one number, in the same order.
    pub fn bits(self) -> u64 {
        u64::from(self.round.0) << 32 | u64::from(self.phase.0) << 16 | u64::from(self.pass.0)
    }

    /// The least turn after it.
    pub fn next(self) -> Self {
        Self::from_bits(self.bits().saturating_add(1))
    }

    /// The turn of a number.
    pub fn from_bits(bits: u64) -> Self {
        Self::new((bits >> 32) as u32, (bits >> 16) as u16).with_pass(bits as u16)
    }

    /// Appends it to a snapshot.
    pub fn save(self, out: &mut StateWriter) {
        out.u64(self.bits());
    }

    /// # Errors
    /// When the snapshot ends.
    pub fn load(input: &mut StateReader<'_>) -> Result<Self, StateError> {
        Ok(Self::from_bits(input.u64()?))
    }
}

impl fmt::Display for Turn {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}.{}", self.round.0, self.phase.0)?;
        match self.pass {
            Pass(0) => Ok(()),
            Pass(pass) => write!(out, ".{pass}"),
        }
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
    /// a signature that is not its signer's over what it stands beside
    BadSignature,
    /// a list or certificate that no honest node would send
    Malformed,
    /// a vector that is not the one that was asked for by its digest
    WrongDigest,
}

/// A proof that anybody can check: one node signed two digests for one instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Evidence {
    /// who signed twice
    pub accused: NodeId,
    /// the turn of the instance
    pub turn: Turn,
    /// whose broadcast the instance is
    pub sender: NodeId,
    /// the two digests, ascending
    pub digests: [[u8; 32]; 2],
    /// the accused's attestations of them
    pub attestations: Box<[Attestation; 2]>,
}

impl fmt::Display for Evidence {
    /// Everything that a reader needs to check the proof.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        let Self { accused, turn, sender, .. } = self;
        let said = |at: usize| {
            let Attestation { signature, index, path } = &self.attestations[at];
            let (digest, signature) = (hex(&self.digests[at]), hex(signature));
            let path = hex(path.as_flattened());
            match path.is_empty() {
                true => format!("{digest} by {signature}"),
                false => format!("{digest} by {signature}, leaf {index} below {path}"),
            }
        };
        write!(
            out,
            "node `{accused}` signed two digests for the broadcast of node `{sender}` in turn \
             `{turn}`: {}, and {}",
            said(0),
            said(1)
        )
    }
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
    /// something was refused, and that proves a fault of its sender to this node
    Reject {
        /// who sent it
        from: NodeId,
        /// why
        reason: Rejection,
    },
    /// something proves a fault to everybody
    Accuse(Box<Evidence>),
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
    /// N: an exchange that iterates divides the diameter of the honest vectors by 2^N at least;
    /// others ignore it
    pub halvings: u16,
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
pub trait Exchange: Machine<Message: Message, Command = Share, Event = Collected> + Send {
    /// Appends everything that the next input depends on.
    fn save(&self, out: &mut StateWriter);

    /// # Errors
    /// When the snapshot does not fit.
    fn load(&mut self, input: &mut StateReader<'_>) -> Result<(), StateError>;

    /// What is kept on behalf of peers: vectors, votes, signatures and lists, counted one by one.
    fn held(&self) -> usize;

    /// The most that [`Exchange::held`] can ever be, whatever peers send.
    fn held_max(&self) -> usize;
}

/// Something is wrong with what a [`Reader`] reads: said by `Message::read`, worded by the reader.
pub type Malformed = &'static str;

/// Where a message is written: a snapshot or a frame on the wire.
pub trait Writer {
    /// A small whole number.
    fn u8(&mut self, value: u8);
    /// A whole number, often a node or a count of nodes.
    fn u16(&mut self, value: u16);
    /// A large whole number.
    fn u64(&mut self, value: u64);
    /// Bytes of a known number: a digest, a signature.
    fn array(&mut self, value: &[u8]);
    /// A model-sized vector.
    fn vector(&mut self, value: &Vector);
}

/// Where a message is read from. Lists are limited: no count is believed before it is checked.
pub trait Reader {
    /// why reading failed
    type Error;

    /// # Errors
    /// When the input ends; likewise below.
    fn u8(&mut self) -> Result<u8, Self::Error>;
    /// A whole number.
    fn u16(&mut self) -> Result<u16, Self::Error>;
    /// A large whole number.
    fn u64(&mut self) -> Result<u64, Self::Error>;
    /// Bytes of a known number.
    fn array<const N: usize>(&mut self) -> Result<[u8; N], Self::Error>;
    /// A model-sized vector.
    fn vector(&mut self) -> Result<Vector, Self::Error>;
    /// How many nodes there can be, which limits every list.
    fn nodes_max(&self) -> usize;
    /// An error of this reader.
    fn malformed(&self, what: Malformed) -> Self::Error;
}

/// What travels between nodes, written in one way for snapshots and for the wire.
pub trait Message: Clone + PartialEq + fmt::Debug + Send {
    /// Appends it.
    fn write(&self, out: &mut dyn Writer);

    /// # Errors
    /// When the input is no message of this kind.
    fn read<R: Reader>(input: &mut R) -> Result<Self, R::Error>;

    /// The turn that it belongs to.
    fn turn(&self) -> Turn;

    /// The sender's own vector, where this message is the one that shares it.
    fn shared(&self) -> Option<&Vector>;

    /// Bytes that it takes on a wire, framing not counted.
    fn bytes(&self) -> u64 {
        let mut count = ByteCount(0);
        self.write(&mut count);
        count.0
    }
}

struct ByteCount(u64);

impl Writer for ByteCount {
    fn u8(&mut self, _: u8) {
        self.0 += 1;
    }
    fn u16(&mut self, _: u16) {
        self.0 += 2;
    }
    fn u64(&mut self, _: u64) {
        self.0 += 8;
    }
    fn array(&mut self, value: &[u8]) {
        self.0 += value.len() as u64;
    }
    fn vector(&mut self, value: &Vector) {
        self.0 += 4 + 4 * value.len() as u64;
    }
}

impl Writer for StateWriter {
    fn u8(&mut self, value: u8) {
        Self::u64(self, u64::from(value));
    }
    fn u16(&mut self, value: u16) {
        Self::u64(self, u64::from(value));
    }
    fn u64(&mut self, value: u64) {
        Self::u64(self, value);
    }
    fn array(&mut self, value: &[u8]) {
        Self::bytes(self, value);
    }
    fn vector(&mut self, value: &Vector) {
        Self::vector(self, value);
    }
}

impl Reader for StateReader<'_> {
    type Error = StateError;

    fn u8(&mut self) -> Result<u8, StateError> {
        let value = Self::u64(self)?;
        value.try_into().map_err(|_| self.malformed("a small number"))
    }
    fn u16(&mut self) -> Result<u16, StateError> {
        let value = Self::u64(self)?;
        value.try_into().map_err(|_| self.malformed("a small number"))
    }
    fn u64(&mut self) -> Result<u64, StateError> {
        Self::u64(self)
    }
    fn array<const N: usize>(&mut self) -> Result<[u8; N], StateError> {
        let bytes = Self::bytes(self)?;
        bytes.try_into().map_err(|_| self.malformed("a number of bytes"))
    }
    fn vector(&mut self) -> Result<Vector, StateError> {
        Self::vector(self)
    }
    fn nodes_max(&self) -> usize {
        usize::from(u16::MAX)
    }
    fn malformed(&self, what: Malformed) -> StateError {
        StateError::Mismatch { what }
    }
}
