//! What the machines promise, tested from outside.
mod direct;
mod signed_echo_broadcast;
mod signed_echo_network;
