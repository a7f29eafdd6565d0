//! Reliable broadcast in either form under any script of inputs; the first byte chooses.
#![no_main]
use libfuzzer_sys::fuzz_target;
use phalanx_fuzz::{DIM, ME, population, run};
use phalanx_protocol::{Form, ReliableBroadcast, ReliableBroadcastConfig};

fuzz_target!(|bytes: &[u8]| {
    let Some((first, script)) = bytes.split_first() else { return };
    let config = ReliableBroadcastConfig {
        population: population(),
        form: if first % 2 == 0 { Form::Digest } else { Form::Naive },
        dim: DIM,
        is_finite_required: true,
        turns_ahead_max: 2,
        turns_served_max: 2,
    };
    run(script, || ReliableBroadcast::new(ME, config).expect("n > 3f"), |_, _| None);
});
