//! What nodes of a reliable broadcast say to one another.
use crate::Vector;
use crate::broadcast::{Digest, Instance};
use crate::machine::{Message, NodeId, Reader, Turn, Writer};

/// What a vote is for.
#[derive(Debug, Clone, PartialEq)]
pub enum Content {
    /// digest form: the vector of this digest
    Digest(Digest),
    /// naive form: this vector
    Vector(Vector),
}

impl Content {
    /// The digest of what is voted for.
    pub fn digest(&self) -> Digest {
        match self {
            Self::Digest(digest) => *digest,
            Self::Vector(vector) => vector.digest(),
        }
    }
}

/// What a message does.
#[derive(Debug, Clone, PartialEq)]
pub enum Part {
    /// this is my vector
    Send(Vector),
    /// this is what the sender sent me
    Echo {
        /// whose broadcast
        sender: NodeId,
        /// what it sent
        content: Content,
    },
    /// this is what I am about to deliver
    Ready {
        /// whose broadcast
        sender: NodeId,
        /// what is about to be delivered
        content: Content,
    },
    /// give me the vector that you echoed
    Fetch {
        /// whose broadcast
        sender: NodeId,
        /// digest of the vector
        digest: Digest,
    },
    /// here is the vector that you asked for
    Supply {
        /// whose broadcast
        sender: NodeId,
        /// the vector
        vector: Vector,
    },
}

/// A message of a turn.
#[derive(Debug, Clone, PartialEq)]
pub struct ReliableBroadcastMessage {
    /// the turn that it belongs to
    pub turn: Turn,
    /// what it does
    pub part: Part,
}

impl ReliableBroadcastMessage {
    /// The instance that it is about, when it came from that node.
    pub fn instance(&self, from: NodeId) -> Instance {
        let sender = match self.part {
            Part::Send(_) => from,
            Part::Echo { sender, .. }
            | Part::Ready { sender, .. }
            | Part::Fetch { sender, .. }
            | Part::Supply { sender, .. } => sender,
        };
        Instance { turn: self.turn, sender }
    }

    /// The vector in it, if any.
    pub fn vector(&self) -> Option<&Vector> {
        match &self.part {
            Part::Send(vector) | Part::Supply { vector, .. } => Some(vector),
            Part::Echo { content, .. } | Part::Ready { content, .. } => match content {
                Content::Vector(vector) => Some(vector),
                Content::Digest(_) => None,
            },
            Part::Fetch { .. } => None,
        }
    }
}

impl Message for ReliableBroadcastMessage {
    fn write(&self, out: &mut dyn Writer) {
        let mut begin = |kind: u8, sender: Option<&NodeId>| {
            out.u8(kind);
            out.u64(self.turn.bits());
            sender.into_iter().for_each(|sender| out.u16(sender.0));
        };
        match &self.part {
            Part::Send(vector) => {
                begin(0, None);
                out.vector(vector);
            }
            Part::Echo { sender, content: Content::Digest(digest) } => {
                begin(1, Some(sender));
                out.array(digest);
            }
            Part::Ready { sender, content: Content::Digest(digest) } => {
                begin(2, Some(sender));
                out.array(digest);
            }
            Part::Echo { sender, content: Content::Vector(vector) } => {
                begin(3, Some(sender));
                out.vector(vector);
            }
            Part::Ready { sender, content: Content::Vector(vector) } => {
                begin(4, Some(sender));
                out.vector(vector);
            }
            Part::Fetch { sender, digest } => {
                begin(5, Some(sender));
                out.array(digest);
            }
            Part::Supply { sender, vector } => {
                begin(6, Some(sender));
                out.vector(vector);
            }
        }
    }

    fn read<R: Reader>(input: &mut R) -> Result<Self, R::Error> {
        let kind = input.u8()?;
        let turn = Turn::from_bits(input.u64()?);
        if kind == 0 {
            return Ok(Self { turn, part: Part::Send(input.vector()?) });
        }
        if kind > 6 {
            return Err(input.malformed("a kind of message that there is not"));
        }
        let sender = NodeId(input.u16()?);
        let part = match kind {
            1 => Part::Echo { sender, content: Content::Digest(input.array()?) },
            2 => Part::Ready { sender, content: Content::Digest(input.array()?) },
            3 => Part::Echo { sender, content: Content::Vector(input.vector()?) },
            4 => Part::Ready { sender, content: Content::Vector(input.vector()?) },
            5 => Part::Fetch { sender, digest: input.array()? },
            _ => Part::Supply { sender, vector: input.vector()? },
        };
        Ok(Self { turn, part })
    }

    fn turn(&self) -> Turn {
        self.turn
    }

    fn shared(&self) -> Option<&Vector> {
        match &self.part {
            Part::Send(vector) => Some(vector),
            _ => None,
        }
    }
}
