//! Tests of the crate from outside: contracts over the registries, papers' numbers, small types.
#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]
mod geometric;
