//! The direct exchange under any script of inputs.
#![no_main]
use libfuzzer_sys::fuzz_target;
use phalanx_fuzz::{DIM, ME, run};
use phalanx_protocol::{Direct, DirectConfig, Seat};

fuzz_target!(|bytes: &[u8]| {
    let config = DirectConfig {
        nodes: 4,
        quorum: 3,
        timeout: 5,
        is_finite_required: true,
        dim: DIM,
        turns_ahead_max: 3,
        seat: Seat::Peer,
    };
    run(bytes, || Direct::new(ME, config), |_, _| None);
});
