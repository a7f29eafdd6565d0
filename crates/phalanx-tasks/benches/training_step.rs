//! CPU time of one training step (forward and backward) on one thread, as JSON on stdout.
//!
//! `cargo bench -p phalanx-tasks --bench training_step -- --model mnist-cnn --batch 25 --steps 50`
#![expect(clippy::print_stdout, reason = "a bench's result is what it prints")]
use std::time::Duration;

use phalanx_robust::Rng;
use phalanx_tasks::image_classification::model::{Architecture, Mode};

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let value = |name: &str| {
        let at = arguments.iter().position(|argument| argument == name)?;
        arguments.get(at + 1).cloned()
    };
    let number = |name: &str, default: usize| match value(name) {
        Some(text) => text.parse().expect("a whole number"),
        None => default,
    };
    let names = match value("--model") {
        Some(name) => vec![name],
        None => ["linear", "mlp", "mnist-cnn"].map(String::from).to_vec(),
    };
    let (batch, steps) = (number("--batch", 25), number("--steps", 50));
    for name in names {
        let (times, bytes) = measure(&name, batch, steps);
        let list: Vec<String> =
            times.iter().map(|time| format!("{:.5}", time.as_secs_f64() * 1e3)).collect();
        let median = list[list.len() / 2].clone();
        println!(
            "{{\"model\": \"{name}\", \"batch\": {batch}, \"steps\": {steps}, \
             \"workspace_bytes\": {bytes}, \"cpu_ms_median\": {median}, \"cpu_ms\": [{}]}}",
            list.join(", ")
        );
    }
}

fn architecture(name: &str) -> (Architecture, Mode) {
    match name {
        "linear" => (Architecture::Linear, Mode::Published),
        "mlp" => (Architecture::Mlp, Mode::Published),
        "mnist-cnn" => (Architecture::MnistCnn, Mode::Published),
        "cifar-cnn" => (Architecture::CifarCnn, Mode::Published),
        "cifar-cnn-paper" => (Architecture::CifarCnn, Mode::Paper),
        _ => panic!("models: linear, mlp, mnist-cnn, cifar-cnn, cifar-cnn-paper"),
    }
}

/// Sorted CPU times of `steps` steps after three that warm up, and the bytes of the buffers.
fn measure(name: &str, batch: usize, steps: usize) -> (Vec<Duration>, u64) {
    let (architecture, mode) = architecture(name);
    let mut model = architecture.build(mode, Rng::stream(1, 0, "dropout"));
    let mut rng = Rng::stream(1, 0, "bench");
    let mut params = vec![0.0; model.dim()];
    let mut grad = vec![0.0; model.dim()];
    model.init(&mut rng, &mut params);
    let images: Vec<f32> =
        (0..batch * model.input_len()).map(|_| (3.4 * rng.unit() - 0.6) as f32).collect();
    let labels: Vec<u8> = (0..batch).map(|_| rng.below(10) as u8).collect();
    let mut times = Vec::with_capacity(steps);
    for step in 0..steps + 3 {
        let start = cpu_time();
        let loss = model.loss_gradient(&params, &images, &labels, &mut grad);
        let time = cpu_time() - start;
        assert!(loss.is_finite(), "a bench on ordinary numbers has a finite loss");
        if step >= 3 {
            times.push(time);
        }
    }
    times.sort();
    (times, model.workspace_bytes())
}

fn cpu_time() -> Duration {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the call writes one `timespec`, which `time` is.
    let status = unsafe { libc::clock_gettime(libc::CLOCK_PROCESS_CPUTIME_ID, &mut time) };
    assert_eq!(status, 0, "this system has a CPU clock");
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}
