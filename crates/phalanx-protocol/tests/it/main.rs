//! What the machines promise, tested from outside.
#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]
mod averaging_agreement;
mod direct;
mod network;
mod reliable_broadcast;
