//! CPU time on one thread of fits and of predictions of Gaussian processes, as JSON.
//!
//! `cargo bench -p phalanx-tasks --bench gaussian_process -- [WORD]` measures what holds the word.
#![expect(clippy::print_stdout, reason = "a bench's result is what it prints")]
use std::hint::black_box;
use std::sync::Arc;

use phalanx_tasks::safe_control::dynamics::{Dynamics, Linearised};
use phalanx_tasks::safe_control::gp::{
    GaussianProcess, GpDynamics, Kernel, Parameters, Predictor, Samples, Standardisation, Training,
    marginal_likelihood,
};
use phalanx_tasks::safe_control::stream::Stream;

fn main() {
    let quadrotor = smooth((16, 12), 400);
    let dubins = smooth((5, 3), 150);
    for kernel in [Kernel::SquaredExponential, Kernel::MaternFiveHalves] {
        linearise("16 inputs, 12 outputs, 400 rows", &quadrotor, (kernel, 300));
        linearise("5 inputs, 3 outputs, 150 rows", &dubins, (kernel, 120));
    }
    variance("16 inputs, 12 outputs, 400 rows", &quadrotor);
    likelihood("16 inputs, 400 rows", &quadrotor);
    likelihood("5 inputs, 150 rows", &dubins);
    // Fits run in the pool, and CPU time is that of this thread: the pool is this thread alone.
    let one = rayon::ThreadPoolBuilder::new().num_threads(1).use_current_thread().build();
    one.expect("this thread is in no pool yet").install(|| {
        for starts in [vec![2.0], vec![2.0, 1.0]] {
            fit("16 inputs, 400 rows", &smooth((16, 1), 400), starts.clone());
            fit("5 inputs, 150 rows, 3 outputs", &dubins, starts);
        }
    });
}

/// Rows of smooth functions of all inputs, with a little noise.
fn smooth((inputs, outputs): (usize, usize), rows: usize) -> Samples {
    let mut stream = Stream::new(1);
    let points = stream.rows(rows, &vec![-1.0; inputs], &vec![1.0; inputs]);
    let mut noise = vec![0.0; rows * outputs];
    stream.normals(&mut noise);
    let value = |row: usize, e: usize| {
        let z = &points[row * inputs..(row + 1) * inputs];
        let wave: f64 = z.iter().enumerate().map(|(d, z)| z / (1.0 + ((d + e) % 5) as f64)).sum();
        wave.sin() + 0.3 * z[e % inputs] * z[(e + 1) % inputs] + 1e-3 * noise[row * outputs + e]
    };
    let targets = (0..rows * outputs).map(|k| value(k / outputs, k % outputs)).collect();
    Samples::new((inputs, outputs), points.clone(), targets).expect("whole and finite")
}

fn model(samples: &Samples, kernel: Kernel) -> Arc<GaussianProcess> {
    let scales = Standardisation::of(samples).expect("nothing is constant");
    let parameters = vec![Parameters::start(kernel, samples.inputs(), 3.0); samples.outputs()];
    let model = GaussianProcess::with_parameters(samples, scales, kernel, parameters);
    Arc::new(model.expect("noise makes it positive definite"))
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
    work();
    let mut times: Vec<f64> = (0..7)
        .map(|_| {
            let before = cpu_seconds();
            work();
            (cpu_seconds() - before) * 1e6 / count as f64
        })
        .collect();
    times.sort_by(f64::total_cmp);
    println!(
        "{{\"what\": \"{what}\", \"least_us\": {:.2}, \"median_us\": {:.2}}}",
        times[0], times[3]
    );
}

fn linearise(what: &str, samples: &Samples, (kernel, horizon): (Kernel, u64)) {
    let mut motion = GpDynamics::new(model(samples, kernel)).expect("enough inputs");
    let (n, m) = (motion.states(), motion.inputs());
    let (mut next, mut by_state, mut by_input) = (vec![0.0; n], vec![0.0; n * n], vec![0.0; n * m]);
    let (state, input) = (vec![0.1; n], vec![0.2; m]);
    let name = kernel.name();
    report(&format!("mean and derivatives, {name}, {what}"), horizon, || {
        for _ in 0..horizon {
            let into =
                Linearised { next: &mut next, by_state: &mut by_state, by_input: &mut by_input };
            motion.linearise(black_box(&state), &input, into).expect("finite");
        }
    });
    report(&format!("mean alone, {name}, {what}"), horizon, || {
        for _ in 0..horizon {
            motion.step(black_box(&state), &input, &mut next).expect("finite");
        }
    });
    let (weights, mut hessian) = (vec![1.0; n], vec![0.0; (n + m) * (n + m)]);
    report(&format!("second derivatives, {name}, {what}"), horizon, || {
        for _ in 0..horizon {
            motion.curve(black_box(&state), &input, &weights, &mut hessian).expect("finite");
        }
    });
}

fn variance(what: &str, samples: &Samples) {
    let mut predictor = Predictor::new(model(samples, Kernel::SquaredExponential));
    let (at, mut variance) = (vec![0.1; samples.inputs()], vec![0.0; samples.outputs()]);
    report(&format!("variance, {what}"), 30, || {
        (0..30).for_each(|_| predictor.variance(black_box(&at), &mut variance));
    });
}

fn likelihood(what: &str, samples: &Samples) {
    let scales = Standardisation::of(samples).expect("nothing is constant");
    let kernel = Kernel::SquaredExponential;
    let parameters = Parameters::start(kernel, samples.inputs(), 3.0);
    report(&format!("likelihood and gradient of one output, {what}"), 1, || {
        let found = marginal_likelihood(samples, &scales, kernel, (0, black_box(&parameters)));
        black_box(found.expect("noise makes it positive definite"));
    });
}

fn fit(what: &str, samples: &Samples, starts: Vec<f64>) {
    let training = Training { starts, ..Training::default() };
    let count = training.starts.len();
    report(&format!("fit from {count} starts, {what}"), 1, || {
        black_box(training.fit(black_box(samples)).expect("noise makes it definite"));
    });
}

fn cpu_seconds() -> f64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the pointer is to a timespec that lives here.
    let result = unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &raw mut time) };
    assert_eq!(result, 0, "this system counts the CPU time of a thread");
    time.tv_sec as f64 + time.tv_nsec as f64 * 1e-9
}
