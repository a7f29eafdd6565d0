//! What the crate does with folders on a disk.
#![expect(clippy::unwrap_used, reason = "a test that cannot be set up stops there")]
mod campaign;
mod comparing;
mod events;
mod pages;
mod parquet;
mod reading;
mod safe;
mod sample;
mod tables;
mod tidy;
