//! What the machines promise, tested from outside.
mod direct;
mod network;
mod reliable_broadcast;
