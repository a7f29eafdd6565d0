//! What signatures cost: one of each, and a whole turn of a population, with and without a cache.
//!
//! `cargo bench -p phalanx-protocol --bench signed_echo -- --n 26 --f 5 --d 431080 --runs 9`
//!
//! CPU time of one thread, medians; figures of one run are comparable with each other only.
#![expect(clippy::print_stdout, reason = "a bench's result is what it prints")]
use std::collections::VecDeque;
use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use phalanx_protocol::{
    Echoes, Ed25519Keyring, Input, Keyring, Machine, NodeId, Outbox, Output, Share,
    SignedEchoBroadcast, SignedEchoConfig, Time, To, Turn, Vector, VerificationCache,
};
use phalanx_robust::Population;

type Anything<T> = Result<T, Box<dyn std::error::Error>>;

fn main() -> Anything<()> {
    let words: Vec<String> = std::env::args().collect();
    let value = |name: &str, default: usize| -> Anything<usize> {
        let at = words.iter().position(|word| word == name);
        Ok(at.and_then(|at| words.get(at + 1)).map_or(Ok(default), |word| word.parse())?)
    };
    let (n, f) = (value("--n", 26)?, value("--f", 5)?);
    let (d, runs) = (value("--d", 431_080)?, value("--runs", 9)?.max(1));
    let rings = Ed25519Keyring::population(1, n);
    let message = [7; 106];
    let signature = rings[0].sign(&message);
    let is_good = rings[0].verify(NodeId(0), &message, &signature);
    assert!(is_good, "a keyring knows its own signature");
    let sign = median(runs, || {
        black_box(rings[0].sign(black_box(&message)));
    });
    let verify = median(runs, || {
        black_box(rings[0].verify(NodeId(0), black_box(&message), &signature));
    });
    let vectors: Vec<_> = (0..runs).map(|run| vec![run as f32; d]).map(Vector::new).collect();
    let mut fresh = vectors.iter();
    let digest = median(runs, || {
        black_box(fresh.next().map(Vector::digest));
    });
    println!("sign {sign:.1} us, verify {verify:.1} us, digest of {d} entries {digest:.1} us");
    println!("digests of all n vectors: {:.0} us", n as f64 * digest);
    for echoes in [Echoes::Single, Echoes::Batched] {
        let config = SignedEchoConfig {
            population: Population::new(n, f)?,
            run: [0; 32],
            echoes,
            dim: 1,
            is_finite_required: true,
            turns_ahead_max: 2,
            turns_served_max: 2,
        };
        let plain = median(runs, || turn(&rings, config));
        let shared = median(runs, || {
            let cache = Arc::new(VerificationCache::new(4 * n * n));
            let with = |ring: &Ed25519Keyring| ring.clone().with_cache(Arc::clone(&cache));
            turn(&rings.iter().map(with).collect::<Vec<_>>(), config);
        });
        let (plain, shared) = (plain / n as f64, shared / n as f64);
        println!(
            "{echoes:?}, per node and turn at n = {n}, f = {f}: {plain:.0} us; with a shared \
             cache {shared:.0} us, ratio {:.1}",
            plain / shared
        );
    }
    Ok(())
}

/// Every node shares, and everything is delivered in order.
fn turn(rings: &[Ed25519Keyring], config: SignedEchoConfig) {
    let keyring = |ring: &Ed25519Keyring| Arc::new(ring.clone());
    let new = |ring| SignedEchoBroadcast::new(Ed25519Keyring::me(ring), config, keyring(ring));
    let mut nodes: Vec<_> = rings.iter().map(|ring| new(ring).expect("n > 3f")).collect();
    let mut queue = VecDeque::new();
    let mut out: Outbox<SignedEchoBroadcast> = Vec::new();
    for me in 0..nodes.len() {
        let share =
            Share { turn: Turn::new(0, 0), vector: Vector::new(vec![me as f32]), halvings: 1 };
        nodes[me].handle(Time(0), Input::Command(share), &mut out);
        post(&mut queue, me, &mut out, rings.len());
    }
    while let Some((from, to, message)) = queue.pop_front() {
        let input = Input::Message { from: NodeId(from as u16), message };
        SignedEchoBroadcast::handle(&mut nodes[to], Time(0), input, &mut out);
        post(&mut queue, to, &mut out, rings.len());
    }
}

fn post<T: Clone>(
    queue: &mut VecDeque<(usize, usize, T)>,
    from: usize,
    out: &mut Vec<Output<T, phalanx_protocol::Delivered>>,
    n: usize,
) {
    for output in out.drain(..) {
        match output {
            Output::Send { to: To::Others, message } => {
                let others = (0..n).filter(|to| *to != from);
                queue.extend(others.map(|to| (from, to, message.clone())));
            }
            Output::Send { to: To::Node(to), message } => {
                queue.push_back((from, to.index(), message))
            }
            _ => {}
        }
    }
}

/// Median CPU microseconds.
fn median(runs: usize, mut act: impl FnMut()) -> f64 {
    let mut times: Vec<f64> = (0..runs)
        .map(|_| {
            let before = cpu_time();
            act();
            (cpu_time() - before).as_secs_f64() * 1e6
        })
        .collect();
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}

fn cpu_time() -> Duration {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the call writes one `timespec`, which `time` is.
    let status = unsafe { libc::clock_gettime(libc::CLOCK_PROCESS_CPUTIME_ID, &mut time) };
    assert_eq!(status, 0, "this system has a CPU clock");
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}
