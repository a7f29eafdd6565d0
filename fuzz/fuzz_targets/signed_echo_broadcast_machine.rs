//! Signed echo broadcast under any script of inputs, and over restarts.
#![no_main]
use std::sync::Arc;

use libfuzzer_sys::fuzz_target;
use phalanx_fuzz::{DIM, ME, OpenKeyring, population, run, signed_echo};
use phalanx_protocol::{Echoes, SignedEchoBroadcast, SignedEchoConfig};

fuzz_target!(|bytes: &[u8]| {
    let Some((&first, script)) = bytes.split_first() else { return };
    let config = SignedEchoConfig {
        population: population(),
        run: [0; 32],
        echoes: if first % 2 == 0 { Echoes::Single } else { Echoes::Batched },
        dim: DIM,
        is_finite_required: true,
        turns_ahead_max: 2,
        turns_served_max: 2,
    };
    let new = || SignedEchoBroadcast::new(ME, config, Arc::new(OpenKeyring)).expect("n > 3f");
    run(script, new, signed_echo);
});
