//! The clocks: progress, checkpoints and the environment file read them, results never do.
use std::time::{Duration, Instant};

use phalanx_report::Environment;

/// What a stretch of work took.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Spent {
    /// wall-clock seconds
    pub wall_seconds: f64,
    /// processor seconds of the threads that did it; 0 where the system does not tell
    pub cpu_seconds: f64,
}

impl Spent {
    /// What a run folder says of the machine that did the work, besides the results.
    pub fn environment(self, command: &str) -> Environment {
        Environment {
            version: env!("CARGO_PKG_VERSION").into(),
            commit: option_env!("PHALANX_COMMIT").map(Into::into),
            toolchain: env!("PHALANX_TOOLCHAIN").into(),
            platform: format!("{}-{}", std::env::consts::ARCH, std::env::consts::OS),
            threads: rayon::current_num_threads(),
            wall_seconds: self.wall_seconds,
            cpu_seconds: self.cpu_seconds,
            command: command.into(),
        }
    }
}

impl std::ops::Add for Spent {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self {
            wall_seconds: self.wall_seconds + other.wall_seconds,
            cpu_seconds: self.cpu_seconds + other.cpu_seconds,
        }
    }
}

/// Time since a start.
#[derive(Debug, Clone, Copy)]
pub struct Stopwatch {
    start: Instant,
    cpu: f64,
}

impl Stopwatch {
    /// Starts now.
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the wall clock")]
    pub fn start() -> Self {
        Self { start: Instant::now(), cpu: cpu_seconds() }
    }

    /// Wall-clock time since the start.
    pub fn elapsed(self) -> Duration {
        self.start.elapsed()
    }

    /// Wall-clock and processor time since the start.
    pub fn spent(self) -> Spent {
        let wall_seconds = self.elapsed().as_secs_f64();
        Spent { wall_seconds, cpu_seconds: cpu_seconds() - self.cpu }
    }
}

/// Of the pool that the caller belongs to, since runs beside it are not its work; otherwise of the
/// whole process.
#[cfg(unix)]
fn cpu_seconds() -> f64 {
    use rustix::time::{ClockId, clock_gettime};
    let seconds = |clock| {
        let time = clock_gettime(clock);
        time.tv_sec as f64 + time.tv_nsec as f64 * 1e-9
    };
    match rayon::current_thread_index() {
        Some(_) => rayon::broadcast(|_| seconds(ClockId::ThreadCPUTime)).iter().sum(),
        None => seconds(ClockId::ProcessCPUTime),
    }
}

#[cfg(not(unix))]
fn cpu_seconds() -> f64 {
    0.0
}
