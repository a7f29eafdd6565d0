//! CPU time of a step, of a Riccati solution and of stabilisation runs on one thread, as JSON.
//!
//! `cargo bench -p phalanx-tasks --bench diffusion_control -- [WORD]` measures what holds the word.
#![expect(clippy::print_stdout, reason = "a bench's result is what it prints")]
use std::hint::black_box;

use phalanx_tasks::control::{care, eigenvalues};
use phalanx_tasks::diffusion_control::{
    Feedback, Flight, Method, NoiseModel, POLICIES, Plant, Prior, Purpose, SeededStreams, Setting,
    Stabilisation, Stepping, Streams, named, stabilise,
};

fn main() {
    for name in ["x-29a", "blood-glucose"] {
        let plant = named(name).expect("a listed plant").plant();
        step(name, &plant, Method::EulerMaruyama);
        step(name, &plant, Method::Exact);
        riccati(name, &plant);
    }
    let plant = named("x-29a").expect("a listed plant").plant();
    stabilisation(&plant, 1000);
}

/// Whether the words of the command line leave this in.
fn is_wanted(what: &str) -> bool {
    let mut words = std::env::args().skip(1).filter(|word| !word.starts_with('-')).peekable();
    words.peek().is_none() || words.any(|word| what.contains(&word))
}

/// Least and median of several CPU times of `work`, each divided by `count`.
fn report(what: &str, count: u64, mut work: impl FnMut()) {
    if !is_wanted(what) {
        return;
    }
    let mut times: Vec<f64> = (0..9)
        .map(|_| {
            let before = cpu_seconds();
            work();
            (cpu_seconds() - before) * 1e9 / count as f64
        })
        .collect();
    times.sort_by(f64::total_cmp);
    println!(
        "{{\"what\": \"{what}\", \"least_ns\": {:.1}, \"median_ns\": {:.1}}}",
        times[0], times[4]
    );
}

fn step(name: &str, plant: &Plant, method: Method) {
    let optimum = plant.check().expect("a listed plant");
    let stepping = Stepping { seconds: 1e-3, method };
    let noise = SeededStreams { seed: 1, owner: 0 }.stream(Purpose::Process);
    let mut flight = Flight::new(plant, &optimum, stepping, noise);
    let feedback = Feedback::of(optimum.care.gain.clone());
    let count = 500_000;
    report(&format!("one {method:?} step of {name}"), count, || {
        flight.fly(black_box(&feedback), count).expect("the optimal gain is stable");
    });
    let mut noise = SeededStreams { seed: 1, owner: 0 }.stream(Purpose::Process);
    let mut normals = vec![0.0; 256 * plant.states()];
    report(&format!("the normals of one step of {name}"), count, || {
        (0..count / 256).for_each(|_| noise.fill(black_box(&mut normals)));
    });
}

fn riccati(name: &str, plant: &Plant) {
    let count = 2000;
    report(&format!("the Riccati equation of {name}, checked"), count, || {
        for _ in 0..count {
            care(black_box(&plant.regulator())).expect("a listed plant");
        }
    });
    report(&format!("the poles of {name}"), count, || {
        for _ in 0..count {
            eigenvalues(black_box(&plant.a)).expect("a listed plant");
        }
    });
}

fn stabilisation(plant: &Plant, count: u64) {
    if !is_wanted("stabilisation runs") {
        return;
    }
    let optimum = plant.check().expect("a listed plant");
    let prior = Prior::isotropic(plant.states(), plant.inputs(), 1.0);
    let setting = Setting {
        plant,
        optimum: &optimum,
        stepping: Stepping { seconds: 1e-3, method: Method::EulerMaruyama },
        prior: &prior,
        noise_model: NoiseModel::Agnostic,
        stabilisation: Stabilisation::of(20.0, plant.inputs()),
    };
    let thompson = POLICIES.iter().find(|entry| entry.name == "thompson-sampling");
    let args = Default::default();
    let policy = (thompson.expect("a listed policy").build.build)(&args, &optimum);
    let before = cpu_seconds();
    for owner in 0..count {
        let streams = SeededStreams { seed: 1, owner };
        let _ = black_box(stabilise(&setting, &*policy, &streams));
    }
    let seconds = cpu_seconds() - before;
    println!("{{\"what\": \"{count} stabilisation runs of 20 s\", \"cpu_seconds\": {seconds:.2}}}");
}

fn cpu_seconds() -> f64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the pointer is to a timespec that lives here.
    let result = unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &raw mut time) };
    assert_eq!(result, 0, "this system counts the CPU time of a thread");
    time.tv_sec as f64 + time.tv_nsec as f64 * 1e-9
}
