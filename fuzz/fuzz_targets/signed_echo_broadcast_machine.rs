//! Signed echo broadcast under any script of inputs, and over restarts.
#![no_main]
use std::sync::Arc;

use libfuzzer_sys::fuzz_target;
use phalanx_fuzz::{DIM, ME, OpenKeyring, population, run, signed_echo};
use phalanx_protocol::{SignedEchoBroadcast, SignedEchoConfig};

fuzz_target!(|bytes: &[u8]| {
    let config = SignedEchoConfig {
        population: population(),
        run: [0; 32],
        dim: DIM,
        is_finite_required: true,
        turns_ahead_max: 2,
        turns_served_max: 2,
    };
    let new = || SignedEchoBroadcast::new(ME, config, Arc::new(OpenKeyring)).expect("n > 3f");
    run(bytes, new, signed_echo);
});
