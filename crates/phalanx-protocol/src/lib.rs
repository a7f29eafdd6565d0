//! How vectors travel: broadcast and agreement as state machines without input or output.
//!
//! This crate knows who said what in which turn, but not what the numbers mean; it opens no
//! socket, reads no clock and starts no thread.
//!
//! Start reading at [`Machine`], then `direct.rs`, the simplest [`Exchange`].
pub mod broadcast;
pub mod direct;
pub mod exchange;
pub mod machine;

pub use broadcast::{Broadcast, Delivered, Digest, Instance};
pub use direct::{Direct, DirectConfig, DirectMessage, Seat};
pub use exchange::{EXCHANGES, ExchangeRule, Yields};
pub use machine::{
    Collected, Discard, Evidence, Exchange, Input, Machine, Malformed, Message, NodeId, Outbox,
    Output, Pass, Phase, Reader, Rejection, Round, Share, Time, To, Turn, Writer,
};
pub use phalanx_robust::Vector;
