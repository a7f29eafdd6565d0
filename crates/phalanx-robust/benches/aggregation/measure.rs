//! Clocks, seeded vectors, and turns on request.
use std::io::{BufRead, Write};
use std::time::{Duration, Instant};

use phalanx_robust::Rng;
use rayon::prelude::*;

/// What a bench may fail with.
pub type Anything<T> = Result<T, Box<dyn std::error::Error>>;

/// `1e4,25` as whole numbers.
pub fn numbers(text: &str) -> Anything<Vec<usize>> {
    text.split(',').map(|word| Ok(word.parse::<f64>()? as usize)).collect()
}

/// Standard normal rows around 0.1, the last `shifted` ones around 3.
pub fn gaussian(n: usize, d: usize, shifted: usize) -> Vec<f32> {
    let mut values = vec![0.0; n * d];
    values.par_chunks_exact_mut(d).enumerate().for_each(|(row, values)| {
        let mut rng = Rng::stream(0, row as u64, "bench");
        let mean = if row < n - shifted { 0.1 } else { 3.0 };
        for pair in values.chunks_mut(2) {
            let radius = (-2.0 * (1.0 - rng.unit()).ln()).sqrt();
            let (sine, cosine) = (std::f64::consts::TAU * rng.unit()).sin_cos();
            let both = [radius * sine, radius * cosine];
            pair.iter_mut().zip(both).for_each(|(value, z)| *value = (mean + z) as f32);
        }
    });
    values
}

/// Wall and CPU milliseconds of one act.
#[expect(clippy::disallowed_methods, reason = "a bench reads clocks; no result depends on them")]
pub fn time(act: impl FnOnce() -> Anything<()>) -> Anything<[f64; 2]> {
    let (wall, cpu) = (Instant::now(), cpu_time());
    act()?;
    let both = [wall.elapsed(), cpu_time() - cpu];
    Ok(both.map(|time| time.as_secs_f64() * 1e3))
}

fn cpu_time() -> Duration {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the call writes one `timespec`, which `time` is.
    let status = unsafe { libc::clock_gettime(libc::CLOCK_PROCESS_CPUTIME_ID, &mut time) };
    assert_eq!(status, 0, "this system has a CPU clock");
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

/// Least, median and greatest.
pub fn spread(mut values: Vec<f64>) -> [f64; 3] {
    values.sort_by(f64::total_cmp);
    [values[0], values[values.len() / 2], values[values.len() - 1]]
}

/// What a server measures.
pub trait Measured {
    /// Takes n vectors of length d.
    fn load(&mut self, n: usize, d: usize, values: Vec<f32>);
    /// Builds a subject and calls it once; gives the f that it is built for.
    fn build(&mut self, text: &str) -> Anything<usize>;
    /// What comes before a call and is outside the clock.
    fn prepare(&mut self) -> Anything<()> {
        Ok(())
    }
    /// Calls the subject.
    fn call(&mut self) -> Anything<()>;
    /// Copies the vectors.
    fn copy(&mut self) -> Anything<()>;
    /// What the last call made.
    fn result(&mut self) -> Anything<Vec<f32>>;
}

/// Answers requests, one a line, with one JSON line each, so that another program can alternate.
///
/// `load N D FILE` reads N x D values (f32, little endian); `rule SUBJECT` builds and calls once;
/// `turn MS` and `copy MS` repeat the call, or a copy of the vectors, for MS milliseconds, at
/// least once, and give the median of a call; `result FILE` writes the last result.
pub fn serve(measured: &mut dyn Measured) -> Anything<()> {
    let mut output = std::io::stdout();
    for line in std::io::stdin().lock().lines() {
        let line = line?;
        let words: Vec<&str> = line.split_whitespace().collect();
        let answer = answer(measured, &words);
        let answer = answer.unwrap_or_else(|why| format!("{{\"error\": {:?}}}", why.to_string()));
        writeln!(output, "{answer}")?;
        output.flush()?;
    }
    Ok(())
}

fn answer(measured: &mut dyn Measured, words: &[&str]) -> Anything<String> {
    match words {
        ["load", n, d, file] => {
            let (n, d) = (n.parse()?, d.parse()?);
            let values = read(file)?;
            if values.len() != n * d {
                return Err(format!("`{file}` does not hold {n} x {d} values").into());
            }
            measured.load(n, d, values);
            Ok("{}".into())
        }
        ["rule", text] => Ok(format!("{{\"f\": {}}}", measured.build(text)?)),
        ["turn", ms] => turn(ms.parse()?, || {
            measured.prepare()?;
            time(|| measured.call())
        }),
        ["copy", ms] => turn(ms.parse()?, || time(|| measured.copy())),
        ["result", file] => {
            let bytes = measured.result()?.into_iter().flat_map(f32::to_le_bytes);
            std::fs::write(file, bytes.collect::<Vec<u8>>())?;
            Ok("{}".into())
        }
        _ => Err(format!("cannot do `{}`", words.join(" ")).into()),
    }
}

fn read(file: &str) -> Anything<Vec<f32>> {
    let bytes = std::fs::read(file)?;
    let words = bytes.chunks_exact(4);
    Ok(words.map(|word| f32::from_le_bytes([word[0], word[1], word[2], word[3]])).collect())
}

/// Median wall and CPU milliseconds of a call, over at least `budget` milliseconds of calls.
fn turn(budget: f64, mut timed: impl FnMut() -> Anything<[f64; 2]>) -> Anything<String> {
    let (mut wall, mut cpu, mut sum) = (Vec::new(), Vec::new(), 0.0);
    let first = timed()?;
    if first[0] > budget {
        // One call that fills a whole turn needs none before it that wakes the threads.
        return Ok(format!("{{\"wall\": {}, \"cpu\": {}, \"calls\": 1}}", first[0], first[1]));
    }
    while sum < budget {
        let both = timed()?;
        wall.push(both[0]);
        cpu.push(both[1]);
        sum += both[0];
    }
    let calls = wall.len();
    let [wall, cpu] = [spread(wall)[1], spread(cpu)[1]];
    Ok(format!("{{\"wall\": {wall}, \"cpu\": {cpu}, \"calls\": {calls}}}"))
}
