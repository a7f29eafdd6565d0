//! Time of every rule and mixing beside a copy of the same bytes, as JSON lines on stdout.
//!
//! `cargo bench -p phalanx-robust --bench aggregation -- --rules krum,arc --n 25 --d 1e5,1e6`
//!
//! A subject is a rule, a mixing, or mixings and then a rule joined by `+`; parameters follow each
//! name after a slash, as in `nearest-neighbor-mixing+centered-clipping/tau=100`. Without
//! `--rules` these are all rules, all mixings, and each mixing before the trimmed mean.
//! `arc@in-place` clips a copy of the vectors that was made outside the clock, where it lies.
//! `combinations` is what a simulator does for n − f nodes at once, each the mean of other n − 2f
//! vectors; `combinations/outputs=3` is fewer of them.
//! Further words: `--threads 2`, `--runs 9`, `--bound-gib 1` (larger inputs are skipped, aloud).
//! `--serve` measures what it reads on stdin, turn by turn: see `measure::serve`.
#![expect(clippy::print_stdout, reason = "a bench's result is what it prints")]
use phalanx_robust::kernel::{Borrowed, Combination, combine_many};
use phalanx_robust::mixing::MIXINGS;
use phalanx_robust::rule::BuildError;
use phalanx_robust::{
    Aggregator, Chain, Mixing, Population, PopulationError, RULES, Rng, Rows, Value, Vectors,
};
use rayon::prelude::*;

mod chain;
mod measure;

use chain::{link_of, links};
use measure::{Anything, Measured, gaussian, numbers, serve, spread, time};

fn main() -> Anything<()> {
    let words: Vec<String> = std::env::args().collect();
    let value = |name: &str, default: &str| {
        let at = words.iter().position(|word| word == name);
        at.and_then(|at| words.get(at + 1)).map_or(default.to_owned(), Clone::clone)
    };
    let threads: usize = value("--threads", "2").parse()?;
    rayon::ThreadPoolBuilder::new().num_threads(threads).build_global()?;
    if words.iter().any(|word| word == "--serve") {
        return serve(&mut Workbench::default());
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

    /// Copies all vectors on all threads, in parts that leave no thread waiting for another one
    /// that the system has put aside.
    fn copy(&mut self) {
        const PART: usize = 1 << 18;
        let parts = self.copy.par_chunks_mut(PART).zip(self.values.par_chunks(PART));
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
    InPlace(Box<dyn Mixing>, Rows),
    Combinations(Vec<Vec<(usize, f64)>>, Rows),
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
        if let ("combinations", given) = link_of(text)? {
            let terms = combinations(population, given.get("outputs"));
            let mut out = Rows::default();
            out.resize(terms.len(), d);
            return Ok(Self::Combinations(terms, out));
        }
        let (name, is_in_place) = match text.split_once("@in-place") {
            Some((name, more)) => (format!("{name}{more}"), true),
            None => (text.to_owned(), false),
        };
        let (mut mixings, rule) = links(&name, population)?;
        match (rule, mixings.len()) {
            (Some(rule), _) => Ok(Self::Rule(Box::new(Chain::new(mixings, rule)), vec![0.0; d])),
            (None, 1) if is_in_place => Ok(Self::InPlace(mixings.remove(0), Rows::default())),
            (None, 1) => Ok(Self::Mixing(mixings.remove(0), Rows::default())),
            _ => Err(format!("`{text}` does not end in a rule").into()),
        }
    }

    /// What comes before a call and is outside the clock.
    fn prepare(&mut self, rows: &[&[f32]]) -> Anything<()> {
        if let Self::InPlace(_, copy) = self {
            copy.copy_from(Vectors::new(rows)?);
        }
        Ok(())
    }

    /// One call; row 0 is the own one, which most rules take no notice of.
    fn call(&mut self, rows: &[&[f32]]) -> Anything<()> {
        let vectors = Vectors::new(rows)?.with_own(0);
        match self {
            Self::Rule(rule, out) => rule.aggregate(vectors, out)?,
            Self::Mixing(mixing, out) => mixing.mix(vectors, out)?,
            Self::InPlace(mixing, rows) => {
                if !mixing.mix_in_place(rows)? {
                    return Err("the mixing does not work in place".into());
                }
            }
            Self::Combinations(all, out) => {
                let both = all.iter().zip(out.rows_mut());
                let mut many: Vec<Borrowed<'_>> =
                    both.map(|(terms, out)| Combination { terms: terms.as_slice(), out }).collect();
                combine_many(rows, &mut many);
            }
        }
        Ok(())
    }

    fn result(&self) -> Vec<f32> {
        match self {
            Self::Rule(_, out) => out.clone(),
            Self::Mixing(_, out) | Self::InPlace(_, out) | Self::Combinations(_, out) => {
                out.rows().flatten().copied().collect()
            }
        }
    }
}

/// Means of n − 2f rows each, drawn at random; n − f of them unless `outputs` says how many.
fn combinations(population: Population, outputs: Option<&Value>) -> Vec<Vec<(usize, f64)>> {
    let (n, f) = (population.n(), population.f());
    let outputs = match outputs {
        Some(Value::Integer(outputs)) => *outputs as usize,
        _ => n - f,
    };
    let keep = n - 2 * f;
    let draw = |output: usize| {
        let mut order: Vec<usize> = (0..n).collect();
        Rng::stream(0, output as u64, "combinations").shuffle(&mut order);
        order.truncate(keep);
        order.sort_unstable();
        order.into_iter().map(|row| (row, 1.0 / keep as f64)).collect()
    };
    (0..outputs).map(draw).collect()
}

/// Measures one subject, each run next to a copy of the same bytes.
fn row(name: &str, input: &Input, threads: usize, runs: usize) -> String {
    let Input { n, d, .. } = *input;
    let mut copy = Input::new(n, d, input.values.clone());
    let mut measure = || -> Anything<String> {
        let (mut subject, f) = Subject::parse(name, n, d)?;
        let rows = input.rows();
        subject.prepare(&rows)?;
        subject.call(&rows)?;
        copy.copy();
        let mut times = Vec::with_capacity(runs);
        for _ in 0..runs.max(1) {
            let copied = time(|| {
                copy.copy();
                Ok(())
            })?;
            subject.prepare(&rows)?;
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

/// What a server keeps from request to request.
#[derive(Default)]
struct Workbench {
    input: Option<Input>,
    subject: Option<Subject>,
}

impl Workbench {
    fn both(&mut self) -> Anything<(&mut Input, &mut Subject)> {
        let input = self.input.as_mut().ok_or("nothing is loaded")?;
        Ok((input, self.subject.as_mut().ok_or("no rule is built")?))
    }
}

impl Measured for Workbench {
    fn load(&mut self, n: usize, d: usize, values: Vec<f32>) {
        (self.input, self.subject) = (Some(Input::new(n, d, values)), None);
    }

    fn build(&mut self, text: &str) -> Anything<usize> {
        self.subject = None;
        let input = self.input.as_ref().ok_or("nothing is loaded")?;
        let (mut subject, f) = Subject::parse(text, input.n, input.d)?;
        subject.prepare(&input.rows())?;
        subject.call(&input.rows())?;
        self.subject = Some(subject);
        Ok(f)
    }

    fn prepare(&mut self) -> Anything<()> {
        let (input, subject) = self.both()?;
        subject.prepare(&input.rows())
    }

    fn call(&mut self) -> Anything<()> {
        let (input, subject) = self.both()?;
        subject.call(&input.rows())
    }

    fn copy(&mut self) -> Anything<()> {
        self.input.as_mut().ok_or("nothing is loaded")?.copy();
        Ok(())
    }

    fn result(&mut self) -> Anything<Vec<f32>> {
        Ok(self.both()?.1.result())
    }
}
