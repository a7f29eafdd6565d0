//! Time of every rule and mixing beside a copy of the same bytes, as JSON lines on stdout.
//!
//! `cargo bench -p phalanx-robust --bench aggregation -- --rules krum,arc --n 25 --d 1e5,1e6`
//!
//! A subject is a rule, a mixing, or mixings and then a rule joined by `+`; parameters follow each
//! name after a slash, as in `nearest-neighbor-mixing+centered-clipping/tau=100`. Without
//! `--rules` these are all rules, all mixings, and each mixing before the trimmed mean.
//! Further words: `--threads 2`, `--runs 9`, `--bound-gib 1` (larger inputs are skipped, aloud).
//! `--serve` measures what it reads on stdin, turn by turn: see `Server`.
#![expect(clippy::print_stdout, reason = "a bench's result is what it prints")]
use std::collections::BTreeMap;
use std::io::{BufRead, Write};
use std::time::{Duration, Instant};

use phalanx_robust::mixing::MIXINGS;
use phalanx_robust::registry::find;
use phalanx_robust::rule::BuildError;
use phalanx_robust::{
    Aggregator, Args, Chain, Mixing, Param, Population, PopulationError, RULES, Rng, Rows, Value,
    Vectors,
};
use rayon::prelude::*;

type Anything<T> = Result<T, Box<dyn std::error::Error>>;

fn main() -> Anything<()> {
    let words: Vec<String> = std::env::args().collect();
    let value = |name: &str, default: &str| {
        let at = words.iter().position(|word| word == name);
        at.and_then(|at| words.get(at + 1)).map_or(default.to_owned(), Clone::clone)
    };
    let threads: usize = value("--threads", "2").parse()?;
    rayon::ThreadPoolBuilder::new().num_threads(threads).build_global()?;
    if words.iter().any(|word| word == "--serve") {
        return Server::default().run();
    }
    let runs: usize = value("--runs", "9").parse()?;
    let bound = value("--bound-gib", "1").parse::<f64>()? * f64::from(1 << 30);
    let names = value("--rules", &everything());
    for d in numbers(&value("--d", "1e4,1e5,1e6,1e7"))? {
        for n in numbers(&value("--n", "10,25,50,100"))? {
            if (4 * n * d) as f64 > bound {
                println!("{{\"n\": {n}, \"d\": {d}, \"skipped\": \"over --bound-gib\"}}");
                continue;
            }
            let input = Input::new(n, d, gaussian(n, d, n / 5));
            for name in names.split(',') {
                println!("{}", row(name, &input, threads, runs));
            }
        }
    }
    Ok(())
}

/// All rules, all mixings, each mixing before the trimmed mean.
fn everything() -> String {
    let rules = RULES.iter().map(|entry| entry.name.to_owned());
    let mixings = MIXINGS.iter().map(|entry| entry.name.to_owned());
    let chains = MIXINGS.iter().map(|entry| format!("{}+trimmed-mean", entry.name));
    rules.chain(mixings).chain(chains).collect::<Vec<_>>().join(",")
}

fn numbers(text: &str) -> Anything<Vec<usize>> {
    text.split(',').map(|word| Ok(word.parse::<f64>()? as usize)).collect()
}

/// Standard normal rows around 0.1, the last `shifted` ones around 3.
fn gaussian(n: usize, d: usize, shifted: usize) -> Vec<f32> {
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

/// The vectors, and the place that a copy of them goes to.
struct Input {
    n: usize,
    d: usize,
    values: Vec<f32>,
    copy: Vec<f32>,
}

impl Input {
    fn new(n: usize, d: usize, values: Vec<f32>) -> Self {
        Self { n, d, copy: vec![1.0; values.len()], values }
    }

    /// Copies all vectors on all threads.
    fn copy(&mut self) {
        let length = self.values.len().div_ceil(rayon::current_num_threads());
        let parts = self.copy.par_chunks_mut(length).zip(self.values.par_chunks(length));
        parts.for_each(|(to, from)| to.copy_from_slice(from));
    }

    fn rows(&self) -> Vec<&[f32]> {
        self.values.chunks_exact(self.d).collect()
    }
}

/// What is measured.
enum Subject {
    Rule(Box<dyn Aggregator>, Vec<f32>),
    Mixing(Box<dyn Mixing>, Rows),
}

impl Subject {
    /// Builds what `text` names for n rows and the largest admissible f up to n / 5.
    fn parse(text: &str, n: usize, d: usize) -> Anything<(Self, usize)> {
        let mut population = Population::new(n, n / 5)?;
        loop {
            match Self::build(text, population, d) {
                Ok(subject) => return Ok((subject, population.f())),
                Err(error) => match error.downcast_ref() {
                    Some(BuildError::Population(PopulationError::Bound { largest_f, .. }))
                        if *largest_f < population.f() =>
                    {
                        population = Population::new(n, *largest_f)?;
                    }
                    _ => return Err(error),
                },
            }
        }
    }

    fn build(text: &str, population: Population, d: usize) -> Anything<Self> {
        let mut mixings = Vec::new();
        let mut links = text.split('+').peekable();
        while let Some(link) = links.next() {
            let (name, given) = link_of(link)?;
            if let Some(entry) = find(MIXINGS, name) {
                let mixing = (entry.build.build)(&check(name, entry.params, &given)?, population)?;
                if links.peek().is_none() && mixings.is_empty() {
                    return Ok(Self::Mixing(mixing, Rows::default()));
                }
                mixings.push(mixing);
            } else {
                let entry = find(RULES, name).ok_or(format!("no rule or mixing `{name}`"))?;
                let rule = (entry.build.build)(&check(name, entry.params, &given)?, population)?;
                let chain = Box::new(Chain::new(mixings, rule));
                return Ok(Self::Rule(chain, vec![0.0; d]));
            }
        }
        Err(format!("`{text}` does not end in a rule").into())
    }

    /// One call; row 0 is the own one, which most rules take no notice of.
    fn call(&mut self, rows: &[&[f32]]) -> Anything<()> {
        let vectors = Vectors::new(rows)?.with_own(0);
        match self {
            Self::Rule(rule, out) => rule.aggregate(vectors, out)?,
            Self::Mixing(mixing, out) => mixing.mix(vectors, out)?,
        }
        Ok(())
    }

    fn result(&self) -> Vec<f32> {
        match self {
            Self::Rule(_, out) => out.clone(),
            Self::Mixing(_, out) => out.rows().flatten().copied().collect(),
        }
    }
}

/// `name/key=value/key=value`.
fn link_of(link: &str) -> Anything<(&str, BTreeMap<String, Value>)> {
    let mut words = link.split('/');
    let name = words.next().unwrap_or_default();
    let given = words.map(|word| {
        let (key, text) = word.split_once('=').ok_or(format!("`{word}` is not key=value"))?;
        let value = match (text.parse(), text.parse()) {
            (Ok(whole), _) => Value::Integer(whole),
            (_, Ok(number)) => Value::Number(number),
            _ => Value::Text(text.into()),
        };
        Ok((key.to_owned(), value))
    });
    Ok((name, given.collect::<Anything<_>>()?))
}

fn check(
    name: &str,
    params: &'static [Param],
    given: &BTreeMap<String, Value>,
) -> Result<Args, BuildError> {
    Ok(Args::check(name, params, given)?)
}

/// Wall and CPU milliseconds of one act.
fn time(act: impl FnOnce() -> Anything<()>) -> Anything<[f64; 2]> {
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
fn spread(mut values: Vec<f64>) -> [f64; 3] {
    values.sort_by(f64::total_cmp);
    [values[0], values[values.len() / 2], values[values.len() - 1]]
}

/// Measures one subject, each run next to a copy of the same bytes.
fn row(name: &str, input: &Input, threads: usize, runs: usize) -> String {
    let Input { n, d, .. } = *input;
    let mut copy = Input::new(n, d, input.values.clone());
    let mut measure = || -> Anything<String> {
        let (mut subject, f) = Subject::parse(name, n, d)?;
        let rows = input.rows();
        subject.call(&rows)?;
        copy.copy();
        let mut times = Vec::with_capacity(runs);
        for _ in 0..runs.max(1) {
            let copied = time(|| {
                copy.copy();
                Ok(())
            })?;
            times.push((time(|| subject.call(&rows))?, copied[0]));
        }
        let list = |pick: fn(&([f64; 2], f64)) -> f64| spread(times.iter().map(pick).collect());
        let [wall, cpu] = [list(|t| t.0[0]), list(|t| t.0[1])];
        let [copied, fraction] = [list(|t| t.1), list(|t| t.1 / t.0[0])];
        Ok(format!(
            "\"f\": {f}, \"threads\": {threads}, \"runs\": {runs}, \
             \"wall_ms\": {wall:.4?}, \"cpu_ms\": {cpu:.4?}, \"copy_ms\": {copied:.4?}, \
             \"copy_gb_per_s\": {:.2}, \"fraction_of_copy\": {:.3}",
            (4 * n * d) as f64 / copied[1] / 1e6,
            fraction[1]
        ))
    };
    let rest = measure().unwrap_or_else(|why| format!("\"refused\": {:?}", why.to_string()));
    format!("{{\"rule\": \"{name}\", \"n\": {n}, \"d\": {d}, {rest}}}")
}

/// Answers requests, one a line, with one JSON line each, so that another program can alternate.
///
/// `load N D FILE` reads N x D values (f32, little endian); `rule SUBJECT` builds and calls once;
/// `turn MS` and `copy MS` repeat the call, or a copy of the vectors, for MS milliseconds, at
/// least once, and give the median of a call; `result FILE` writes the last result.
#[derive(Default)]
struct Server {
    input: Option<Input>,
    subject: Option<Subject>,
}

impl Server {
    fn run(mut self) -> Anything<()> {
        for line in std::io::stdin().lock().lines() {
            let line = line?;
            let words: Vec<&str> = line.split_whitespace().collect();
            let answer = self.answer(&words);
            let answer =
                answer.unwrap_or_else(|why| format!("{{\"error\": {:?}}}", why.to_string()));
            println!("{answer}");
            std::io::stdout().flush()?;
        }
        Ok(())
    }

    fn answer(&mut self, words: &[&str]) -> Anything<String> {
        match words {
            ["load", n, d, file] => {
                (self.input, self.subject) = (None, None);
                let (n, d) = (n.parse()?, d.parse()?);
                let values = read(file)?;
                if values.len() != n * d {
                    return Err(format!("`{file}` does not hold {n} x {d} values").into());
                }
                self.input = Some(Input::new(n, d, values));
                Ok("{}".into())
            }
            ["rule", text] => {
                self.subject = None;
                let input = self.input.as_ref().ok_or("nothing is loaded")?;
                let (mut subject, f) = Subject::parse(text, input.n, input.d)?;
                subject.call(&input.rows())?;
                self.subject = Some(subject);
                Ok(format!("{{\"f\": {f}}}"))
            }
            ["turn", ms] => {
                let input = self.input.as_ref().ok_or("nothing is loaded")?;
                let subject = self.subject.as_mut().ok_or("no rule is built")?;
                let rows = input.rows();
                turn(ms.parse()?, || subject.call(&rows))
            }
            ["copy", ms] => {
                let input = self.input.as_mut().ok_or("nothing is loaded")?;
                turn(ms.parse()?, || {
                    input.copy();
                    Ok(())
                })
            }
            ["result", file] => {
                let subject = self.subject.as_ref().ok_or("no rule is built")?;
                let bytes = subject.result().into_iter().flat_map(f32::to_le_bytes);
                std::fs::write(file, bytes.collect::<Vec<u8>>())?;
                Ok("{}".into())
            }
            _ => Err(format!("cannot do `{}`", words.join(" ")).into()),
        }
    }
}

fn read(file: &str) -> Anything<Vec<f32>> {
    let bytes = std::fs::read(file)?;
    let words = bytes.chunks_exact(4);
    Ok(words.map(|word| f32::from_le_bytes([word[0], word[1], word[2], word[3]])).collect())
}

/// Median wall and CPU milliseconds of a call, over at least `budget` milliseconds of calls.
fn turn(budget: f64, mut act: impl FnMut() -> Anything<()>) -> Anything<String> {
    let (mut wall, mut cpu, mut sum) = (Vec::new(), Vec::new(), 0.0);
    let first = time(&mut act)?;
    if first[0] > budget {
        // One call that fills a whole turn needs none before it that wakes the threads.
        return Ok(format!("{{\"wall\": {}, \"cpu\": {}, \"calls\": 1}}", first[0], first[1]));
    }
    while sum < budget {
        let both = time(&mut act)?;
        wall.push(both[0]);
        cpu.push(both[1]);
        sum += both[0];
    }
    let calls = wall.len();
    let [wall, cpu] = [spread(wall)[1], spread(cpu)[1]];
    Ok(format!("{{\"wall\": {wall}, \"cpu\": {cpu}, \"calls\": {calls}}}"))
}
