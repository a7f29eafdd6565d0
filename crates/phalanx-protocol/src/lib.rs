//! How vectors travel: broadcast and agreement as state machines without input or output.
//!
//! This crate knows who said what in which turn, but not what the numbers mean; it opens no
//! socket, reads no clock and starts no thread.
//!
//! Start reading at [`Machine`], then `direct.rs`, the simplest [`Exchange`].
pub mod averaging_agreement;
pub mod broadcast;
pub mod direct;
pub mod exchange;
pub mod gather;
pub mod keyring;
pub mod machine;
pub mod node_set;
pub mod reliable_broadcast;
pub mod signed_echo_broadcast;
pub mod wire;

pub use averaging_agreement::{
    AgreementBounds, AgreementError, AgreementRule, AveragingAgreement, Width,
};
pub use broadcast::{Broadcast, Delivered, Digest, Instance};
pub use direct::{Direct, DirectConfig, DirectMessage, Seat};
pub use exchange::{EXCHANGES, ExchangeRule, Yields};
pub use gather::{Enough, Gather, GatherConfig, GatherError, GatherMessage};
pub use keyring::{Ed25519Keyring, KeyError, Keyring, Signature, VerificationCache};
pub use machine::{
    Collected, Discard, Evidence, Exchange, Input, Machine, Malformed, Message, NodeId, Outbox,
    Output, Pass, Phase, Reader, Rejection, Round, Share, Time, To, Turn, Writer,
};
pub use node_set::NodeSet;
pub use phalanx_robust::Vector;
pub use reliable_broadcast::message::{Content, Part, ReliableBroadcastMessage};
pub use reliable_broadcast::{Form, ReliableBroadcast, ReliableBroadcastConfig};
pub use signed_echo_broadcast::attestation::Attestation;
pub use signed_echo_broadcast::message::{RunId, SignedDigest, SignedEchoMessage};
pub use signed_echo_broadcast::{Echoes, SignedEchoBroadcast, SignedEchoConfig};
pub use wire::{Framed, Limits, WireError};
