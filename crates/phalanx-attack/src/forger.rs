//! Lies in the content of messages: what an adversary can make of each kind that there is.
use phalanx_protocol::{
    Attestation, Content, DirectMessage, GatherMessage, Message, NodeId, NodeSet, Part,
    ReliableBroadcastMessage, SignedEchoMessage, Turn, Vector,
};

/// What a message is good for, over all protocols.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// it shares its sender's vector
    Opening,
    /// it says what its sender saw of another node: ECHO, READY
    Vote,
    /// a list of nodes that were heard
    Report,
    /// a proof made of votes
    Certificate,
    /// it asks for a vector, or gives one that was asked for
    Errand,
}

/// Every kind of message.
pub const KINDS: &[Kind] =
    &[Kind::Opening, Kind::Vote, Kind::Report, Kind::Certificate, Kind::Errand];

/// One lie in the content of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Twist {
    /// claims that it is about that node's vector
    Sender(NodeId),
    /// claims that it belongs to that turn
    Turn(Turn),
    /// its vector is one entry longer
    Length,
    /// its vector holds NaN
    NotFinite,
    /// a digest or a signature is off by one bit
    Spoil,
    /// its list or certificate lacks one member
    Cut,
    /// its list or certificate is said to hold these many nodes, from that node on, whatever was
    /// heard or signed; an opening becomes a proof that everybody saw it
    Invent {
        /// the first
        first: NodeId,
        /// how many
        count: u16,
        /// n
        nodes: u16,
    },
}

/// A message of which an adversary can make others.
pub trait Forger: Message {
    /// What it is good for.
    fn kind(&self) -> Kind;

    /// The message with one lie in it; `None` where the lie means nothing.
    fn twist(&self, twist: Twist) -> Option<Self>;
}

fn twist_vector(vector: &Vector, twist: Twist) -> Option<Vector> {
    let mut entries = vector.to_vec();
    match twist {
        Twist::Length => entries.push(0.0),
        Twist::NotFinite => *entries.first_mut()? = f32::NAN,
        _ => return None,
    }
    Some(Vector::new(entries))
}

fn spoil<const N: usize>(bytes: &[u8; N]) -> [u8; N] {
    let mut spoilt = *bytes;
    spoilt[N / 2] ^= 1;
    spoilt
}

/// `count` nodes from `first` on, in a circle of `nodes`.
fn circle(first: NodeId, count: u16, nodes: u16) -> impl Iterator<Item = NodeId> {
    let nodes = nodes.max(1);
    (0..count.min(nodes)).map(move |step| NodeId((first.0 % nodes + step) % nodes))
}

impl Forger for DirectMessage {
    fn kind(&self) -> Kind {
        Kind::Opening
    }

    fn twist(&self, twist: Twist) -> Option<Self> {
        let Self { turn, vector } = self.clone();
        match twist {
            Twist::Turn(turn) => Some(Self { turn, vector }),
            twist => Some(Self { turn, vector: twist_vector(&vector, twist)? }),
        }
    }
}

impl Forger for ReliableBroadcastMessage {
    fn kind(&self) -> Kind {
        match self.part {
            Part::Send(_) => Kind::Opening,
            Part::Echo { .. } | Part::Ready { .. } => Kind::Vote,
            Part::Fetch { .. } | Part::Supply { .. } => Kind::Errand,
        }
    }

    fn twist(&self, twist: Twist) -> Option<Self> {
        let Self { turn, part } = self.clone();
        let part = match twist {
            Twist::Turn(turn) => return Some(Self { turn, part }),
            Twist::Sender(claimed) => claim(part, claimed)?,
            Twist::Spoil => spoil_part(part)?,
            Twist::Length | Twist::NotFinite => bend_part(part, twist)?,
            Twist::Cut | Twist::Invent { .. } => return None,
        };
        Some(Self { turn, part })
    }
}

fn claim(part: Part, claimed: NodeId) -> Option<Part> {
    Some(match part {
        Part::Send(_) => return None,
        Part::Echo { content, .. } => Part::Echo { sender: claimed, content },
        Part::Ready { content, .. } => Part::Ready { sender: claimed, content },
        Part::Fetch { digest, .. } => Part::Fetch { sender: claimed, digest },
        Part::Supply { vector, .. } => Part::Supply { sender: claimed, vector },
    })
}

fn spoil_part(part: Part) -> Option<Part> {
    Some(match part {
        Part::Echo { sender, content: Content::Digest(digest) } => {
            Part::Echo { sender, content: Content::Digest(spoil(&digest)) }
        }
        Part::Ready { sender, content: Content::Digest(digest) } => {
            Part::Ready { sender, content: Content::Digest(spoil(&digest)) }
        }
        Part::Fetch { sender, digest } => Part::Fetch { sender, digest: spoil(&digest) },
        _ => return None,
    })
}

fn bend_part(part: Part, twist: Twist) -> Option<Part> {
    let bend = |vector: &Vector| twist_vector(vector, twist);
    Some(match part {
        Part::Send(vector) => Part::Send(bend(&vector)?),
        Part::Supply { sender, vector } => Part::Supply { sender, vector: bend(&vector)? },
        Part::Echo { sender, content: Content::Vector(vector) } => {
            Part::Echo { sender, content: Content::Vector(bend(&vector)?) }
        }
        Part::Ready { sender, content: Content::Vector(vector) } => {
            Part::Ready { sender, content: Content::Vector(bend(&vector)?) }
        }
        _ => return None,
    })
}

impl Forger for SignedEchoMessage {
    fn kind(&self) -> Kind {
        match self {
            Self::Send { .. } => Kind::Opening,
            Self::Echo { .. } => Kind::Vote,
            Self::Final { .. } => Kind::Certificate,
        }
    }

    fn twist(&self, twist: Twist) -> Option<Self> {
        let mut message = self.clone();
        match (&mut message, twist) {
            (
                Self::Send { turn, .. } | Self::Echo { turn, .. } | Self::Final { turn, .. },
                Twist::Turn(claimed),
            ) => *turn = claimed,
            (Self::Send { vector, .. }, Twist::Length | Twist::NotFinite) => {
                *vector = twist_vector(vector, twist)?;
            }
            (Self::Send { opening: Some(opening), .. }, Twist::Spoil) => {
                opening.signature = spoil(&opening.signature);
            }
            (Self::Echo { said, .. }, Twist::Spoil) => {
                said.attestation.signature = spoil(&said.attestation.signature);
            }
            (Self::Final { certificate, .. }, Twist::Spoil) => {
                let (_, attestation) = certificate.first_mut()?;
                attestation.signature = spoil(&attestation.signature);
            }
            (Self::Final { certificate, .. }, Twist::Cut) => drop(certificate.pop()?),
            (Self::Final { certificate, .. }, Twist::Sender(claimed)) => {
                certificate.last_mut()?.0 = claimed;
            }
            (Self::Final { certificate, .. }, Twist::Invent { first, count, nodes }) => {
                let (_, attestation) = certificate.first()?.clone();
                *certificate =
                    circle(first, count, nodes).map(|id| (id, attestation.clone())).collect();
                certificate.sort_by_key(|(id, _)| *id);
            }
            (Self::Send { turn, vector, opening }, Twist::Invent { first, count, nodes }) => {
                // Without a signature of its own, the forger writes something in its place.
                let nothing = Attestation { signature: [0; 64], index: 0, path: Vec::new() };
                let attestation = opening.clone().unwrap_or(nothing);
                let mut certificate: Vec<_> =
                    circle(first, count, nodes).map(|id| (id, attestation.clone())).collect();
                certificate.sort_by_key(|(id, _)| *id);
                message = Self::Final { turn: *turn, digest: vector.digest(), certificate };
            }
            _ => return None,
        }
        Some(message)
    }
}

impl<M: Forger> Forger for GatherMessage<M> {
    fn kind(&self) -> Kind {
        match self {
            Self::Broadcast(message) => message.kind(),
            Self::Report { .. } => Kind::Report,
        }
    }

    fn twist(&self, twist: Twist) -> Option<Self> {
        let (turn, ids) = match self {
            Self::Broadcast(message) => return message.twist(twist).map(Self::Broadcast),
            Self::Report { turn, ids } => (*turn, ids),
        };
        let ids: NodeSet = match twist {
            Twist::Turn(turn) => return Some(Self::Report { turn, ids: ids.clone() }),
            Twist::Cut => ids.iter().skip(1).collect(),
            Twist::Sender(claimed) => ids.iter().skip(1).chain([claimed]).collect(),
            Twist::Invent { first, count, nodes } => circle(first, count, nodes).collect(),
            Twist::Length | Twist::NotFinite | Twist::Spoil => return None,
        };
        Some(Self::Report { turn, ids })
    }
}
