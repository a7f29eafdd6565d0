//! What the machines promise, tested from outside.
mod direct;
