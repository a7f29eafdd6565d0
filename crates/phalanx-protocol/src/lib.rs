//! How vectors travel: broadcast and agreement as state machines without input or output.
//!
//! This crate knows who said what in which turn, but not what the numbers mean; it opens no
//! socket, reads no clock and starts no thread.
//!
//! Start reading at [`Machine`], then `direct.rs`, the simplest [`Exchange`].
pub mod direct;
pub mod machine;

pub use direct::{Direct, DirectConfig, DirectMessage, Seat};
pub use machine::{
    Collected, Discard, Exchange, Input, Machine, NodeId, Outbox, Output, Phase, Rejection, Round,
    Share, Time, To, Turn,
};
pub use phalanx_robust::Vector;
