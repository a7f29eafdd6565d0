//! Frames of any bytes: one message of `direct`, or an error.
#![no_main]
use libfuzzer_sys::fuzz_target;
use phalanx_fuzz::frame;
use phalanx_protocol::DirectMessage;

fuzz_target!(|bytes: &[u8]| frame::<DirectMessage>(bytes));
