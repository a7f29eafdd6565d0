//! What the machines promise, tested from outside.
#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]
mod averaging_agreement;
mod direct;
mod exhaustive;
mod exhaustive_broadcast;
mod gather;
mod network;
mod reliable_broadcast;
mod signed_echo_broadcast;
mod signed_echo_exhaustive;
mod signed_echo_network;
mod wire;
