//! Frames of any bytes: one message of `gather` over either broadcast, or an error.
#![no_main]
use libfuzzer_sys::fuzz_target;
use phalanx_fuzz::frame;
use phalanx_protocol::{GatherMessage, ReliableBroadcastMessage, SignedEchoMessage};

fuzz_target!(|bytes: &[u8]| {
    frame::<GatherMessage<ReliableBroadcastMessage>>(bytes);
    frame::<GatherMessage<SignedEchoMessage>>(bytes);
});
