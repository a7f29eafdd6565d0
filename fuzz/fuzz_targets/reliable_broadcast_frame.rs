//! Frames of any bytes: one message of `reliable_broadcast`, or an error.
#![no_main]
use libfuzzer_sys::fuzz_target;
use phalanx_fuzz::frame;
use phalanx_protocol::ReliableBroadcastMessage;

fuzz_target!(|bytes: &[u8]| frame::<ReliableBroadcastMessage>(bytes));
