//! Broadcasts: one sender's vector of a turn, delivered at most once and the same to everybody.
use phalanx_robust::{StateError, StateReader, StateWriter, Vector};

use crate::machine::{Machine, Message, NodeId, Share, Turn};

/// blake3 of a vector's entries.
pub type Digest = [u8; 32];

/// Which broadcast: one sender's vector of one turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Instance {
    /// the turn
    pub turn: Turn,
    /// whose vector
    pub sender: NodeId,
}

/// Event: this is the sender's vector of this turn; no other will be delivered for it.
#[derive(Debug, Clone, PartialEq)]
pub struct Delivered {
    /// which broadcast
    pub instance: Instance,
    /// the vector
    pub vector: Vector,
}

/// A machine that carries each node's vector of a turn to everybody, the same to all.
///
/// The own vector is delivered like any other. Unlike an exchange, a broadcast waits for nobody:
/// the layer above decides what is enough.
pub trait Broadcast: Machine<Message: Message, Command = Share, Event = Delivered> + Send {
    /// The layer above has left all turns before this one. The machine goes on serving the last
    /// few of them, for slower nodes, and discards what is older.
    fn advance(&mut self, turn: Turn);

    /// Appends everything that the next input depends on.
    fn save(&self, out: &mut StateWriter);

    /// # Errors
    /// When the snapshot does not fit.
    fn load(&mut self, input: &mut StateReader<'_>) -> Result<(), StateError>;

    /// What is kept on behalf of peers: vectors, votes and signatures, counted one by one.
    fn held(&self) -> usize;

    /// The most that [`Broadcast::held`] can ever be, whatever peers send.
    fn held_max(&self) -> usize;
}
