//! What the crate does with folders on a disk.
mod comparing;
mod pages;
mod reading;
mod sample;
mod tables;
