//! What the crate does with folders on a disk.
#![expect(clippy::unwrap_used, reason = "a test that cannot be set up stops there")]
mod comparing;
mod pages;
mod reading;
mod safe;
mod sample;
mod tables;
