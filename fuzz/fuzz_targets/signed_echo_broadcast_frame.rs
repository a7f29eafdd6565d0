//! Frames of any bytes: one message of `signed_echo_broadcast`, or an error.
#![no_main]
use libfuzzer_sys::fuzz_target;
use phalanx_fuzz::frame;
use phalanx_protocol::SignedEchoMessage;

fuzz_target!(|bytes: &[u8]| frame::<SignedEchoMessage>(bytes));
