//! Gather over either broadcast, with and without witnesses, under any script of inputs; the
//! first byte chooses.
#![no_main]
use std::sync::Arc;

use libfuzzer_sys::fuzz_target;
use phalanx_fuzz::{DIM, ME, OpenKeyring, population, run, signed_echo};
use phalanx_protocol::{
    Broadcast, Echoes, Enough, Form, Gather, GatherConfig, GatherMessage, ReliableBroadcast,
    ReliableBroadcastConfig, SignedEchoBroadcast, SignedEchoConfig,
};

fn gather<B: Broadcast>(first: u8, broadcast: B) -> Gather<B> {
    let enough = if first / 2 % 2 == 0 { Enough::Witnesses } else { Enough::Deliveries(3) };
    let config = GatherConfig { population: population(), enough, turns_ahead_max: 2 };
    Gather::new(ME, broadcast, config).expect("n > 3f")
}

fuzz_target!(|bytes: &[u8]| {
    let Some((&first, script)) = bytes.split_first() else { return };
    if first % 2 == 0 {
        let config = ReliableBroadcastConfig {
            population: population(),
            form: if first / 4 % 2 == 0 { Form::Digest } else { Form::Naive },
            dim: DIM,
            is_finite_required: true,
            turns_ahead_max: 2,
            turns_served_max: 2,
        };
        let new = || gather(first, ReliableBroadcast::new(ME, config).expect("n > 3f"));
        return run(script, new, |_, _| None);
    }
    let config = SignedEchoConfig {
        population: population(),
        run: [0; 32],
        echoes: if first / 4 % 2 == 0 { Echoes::Single } else { Echoes::Batched },
        dim: DIM,
        is_finite_required: true,
        turns_ahead_max: 2,
        turns_served_max: 2,
    };
    let keyring = || Arc::new(OpenKeyring);
    let new = || gather(first, SignedEchoBroadcast::new(ME, config, keyring()).expect("n > 3f"));
    run(script, new, |to, message| match message {
        GatherMessage::Broadcast(message) => signed_echo(to, message),
        GatherMessage::Report { .. } => None,
    });
});
