//! Time to forge one turn's vectors, searches against a rule included, as JSON lines on stdout.
//!
//! `cargo bench -p phalanx-attack --bench attacks -- --attacks mimic,a-little-is-enough --d 1e5`
//!
//! A subject is an attack, with parameters after slashes, and after `@` the rule that it searches
//! against: `a-little-is-enough/factor=expansion-search@nearest-neighbor-mixing+trimmed-mean`.
//! Further words: `--n 25`, `--threads 2`, `--runs 5`; `--serve` as in the bench of aggregation.
//! Of n vectors the first n − f are the honest ones, f = n / 5 nodes attack.
#![expect(clippy::print_stdout, reason = "a bench's result is what it prints")]
use phalanx_attack::{ATTACKS, Attack, AttackSetup, Defence, View};
use phalanx_protocol::Turn;
use phalanx_robust::registry::find;
use phalanx_robust::{Chain, Population, Rng, Vectors};

#[path = "../../phalanx-robust/benches/aggregation/chain.rs"]
mod chain;
#[path = "../../phalanx-robust/benches/aggregation/measure.rs"]
mod measure;

use chain::{check, link_of, links};
use measure::{Anything, Measured, gaussian, numbers, serve, spread, time};

/// Without `--attacks`: the attacks of one pass, and both searches against two rules.
const SUBJECTS: &str = "sign-flipping,inner-product-manipulation,a-little-is-enough,mimic,gaussian,\
     infinity,\
     a-little-is-enough/factor=expansion-search@trimmed-mean,\
     inner-product-manipulation/factor=expansion-search@trimmed-mean,\
     a-little-is-enough/factor=expansion-search@nearest-neighbor-mixing+trimmed-mean,\
     inner-product-manipulation/factor=expansion-search@nearest-neighbor-mixing+trimmed-mean";

fn main() -> Anything<()> {
    let words: Vec<String> = std::env::args().collect();
    let value = |name: &str, default: &str| {
        let at = words.iter().position(|word| word == name);
        at.and_then(|at| words.get(at + 1)).map_or(default.to_owned(), Clone::clone)
    };
    let threads: usize = value("--threads", "2").parse()?;
    rayon::ThreadPoolBuilder::new().num_threads(threads).build_global()?;
    let mut workbench = Workbench::default();
    if words.iter().any(|word| word == "--serve") {
        return serve(&mut workbench);
    }
    let runs: usize = value("--runs", "5").parse()?;
    for d in numbers(&value("--d", "1e5"))? {
        for n in numbers(&value("--n", "25"))? {
            workbench.load(n, d, gaussian(n, d, n / 5));
            for name in value("--attacks", SUBJECTS).split(',') {
                println!("{}", row(&mut workbench, name, runs));
            }
        }
    }
    Ok(())
}

fn row(workbench: &mut Workbench, name: &str, runs: usize) -> String {
    let (n, d) = (workbench.n, workbench.d);
    let mut measure = || -> Anything<String> {
        let f = workbench.build(name)?;
        let times: Anything<Vec<[f64; 2]>> =
            (0..runs.max(1)).map(|_| time(|| workbench.call())).collect();
        let times = times?;
        let [wall, cpu] = [0, 1].map(|which| spread(times.iter().map(|t| t[which]).collect()));
        Ok(format!("\"f\": {f}, \"wall_ms\": {wall:.4?}, \"cpu_ms\": {cpu:.4?}"))
    };
    let rest = measure().unwrap_or_else(|why| format!("\"refused\": {:?}", why.to_string()));
    format!("{{\"attack\": \"{name}\", \"n\": {n}, \"d\": {d}, {rest}}}")
}

/// The vectors, what attacks, and what it forged last.
#[derive(Default)]
struct Workbench {
    n: usize,
    d: usize,
    values: Vec<f32>,
    attack: Option<Box<dyn Attack>>,
    forged: Vec<f32>,
}

impl Measured for Workbench {
    fn load(&mut self, n: usize, d: usize, values: Vec<f32>) {
        *self = Self { n, d, values, ..Self::default() };
    }

    fn build(&mut self, text: &str) -> Anything<usize> {
        let (text, rule) = text.split_once('@').unwrap_or((text, "average"));
        let population = Population::new(self.n, self.n / 5)?;
        let (mixings, rule) = links(rule, population)?;
        let rule = Box::new(Chain::new(mixings, rule.ok_or("a defence ends in a rule")?));
        let (name, given) = link_of(text)?;
        let entry = find(ATTACKS, name).ok_or(format!("no attack `{name}`"))?;
        let setup = AttackSetup {
            args: &check(name, entry.params, &given)?,
            population,
            byzantine: population.f().max(1),
            defence: Defence { rule, is_self_centred: false },
        };
        self.attack = Some((entry.build.build)(setup)?);
        self.call()?;
        Ok(population.f())
    }

    fn call(&mut self) -> Anything<()> {
        let rows: Vec<&[f32]> = self.values.chunks_exact(self.d).collect();
        let honest = Vectors::new(&rows[..self.n - (self.n / 5).max(1)])?;
        let turn = Turn::new(0, 0);
        let view = View { turn, honest, step: None, flipped: None, models: None };
        let attack = self.attack.as_mut().ok_or("no attack is built")?;
        let forgery = attack.forge(&view, &mut Rng::stream(0, 0, "bench"))?;
        // The vector itself is kept, as a simulation would; its address costs nothing.
        self.forged = forgery.vectors.first().map(|vector| vector.to_vec()).unwrap_or_default();
        Ok(())
    }

    fn copy(&mut self) -> Anything<()> {
        self.forged = self.values.clone();
        Ok(())
    }

    fn result(&mut self) -> Anything<Vec<f32>> {
        Ok(self.forged.clone())
    }
}
