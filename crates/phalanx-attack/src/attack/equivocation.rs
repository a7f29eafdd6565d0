//! Equivocation: different vectors for different receivers, so that honest nodes drift apart.
use std::collections::BTreeMap;

use phalanx_protocol::Vector;
use phalanx_robust::registry::find;
use phalanx_robust::rule::BuildError;
use phalanx_robust::{Args, Entry, Param, Rng, StateError, StateReader, StateWriter, Vectors};
use rayon::prelude::*;

use crate::attack::{ATTACKS, Attack, AttackError, AttackRule, AttackSetup, Forgery, Needs, View};
use crate::moments;

/// The registry entry.
pub const ENTRY: Entry<AttackRule> = Entry {
    name: "equivocation",
    summary: "each honest node is shown a vector that pulls it away from the others; a broadcast \
              that forbids two values for one turn defeats it",
    source: "apart: dissensus of He, Karimireddy, Jaggi, Byzantine-Robust Decentralized Learning \
             via ClippedGossip, 2022, on the complete graph, where its ε is c·b/h; sides: chosen \
             here",
    params: &[
        Param::choice("form", &["apart", "sides"], "apart").about(
            "apart: a vector for each receiver; sides: another attack's vector or its mirror",
        ),
        Param::number("push", (0.0, 1e6), 1.0).about("c of form apart"),
        Param::choice("attack", WRAPPED, "a-little-is-enough")
            .about("the attack of form sides, with its defaults"),
    ],
    build: AttackRule {
        formula: "apart: receiver i sees x_i + c (x_i − x̄). sides: with a of another attack, \
                  receiver i sees a when ⟨x_i − x̄, a − x̄⟩ ≥ 0, else the mirrored 2x̄ − a",
        build: |setup| match setup.args.text("form") {
            "apart" => {
                let (push, byzantine) = (setup.args.number("push"), setup.byzantine);
                Ok(Box::new(Apart { push, byzantine }))
            }
            _ => Sides::boxed(setup),
        },
    },
};

/// Attacks that show one finite vector to everybody.
const WRAPPED: &[&str] = &[
    "a-little-is-enough",
    "coordinate-shift",
    "fall-of-empires",
    "gaussian",
    "inner-product-manipulation",
    "label-flipping",
    "mimic",
    "mimic-heuristic",
    "scaled-sign-flipping",
    "sign-flipping",
    "small-perturbation",
];

struct Apart {
    push: f64,
    byzantine: usize,
}

impl Attack for Apart {
    fn forge(&mut self, view: &View<'_>, _rng: &mut Rng) -> Result<Forgery, AttackError> {
        let mean = moments::exact_mean(view.honest.rows());
        let aim = |row: &&[f32]| {
            let pushed = row.iter().zip(&mean).map(|(x, mean)| {
                let x = f64::from(*x);
                (x + self.push * (x - mean)) as f32
            });
            Vector::new(pushed.collect())
        };
        let vectors = view.honest.rows().par_iter().map(aim).collect();
        let receivers = view.honest.count();
        let shown = (0..self.byzantine * receivers).map(|at| Some((at % receivers) as u16));
        Ok(Forgery { vectors, shown: shown.collect() })
    }
}

struct Sides {
    wrapped: Box<dyn Attack>,
    byzantine: usize,
}

impl Sides {
    fn boxed(setup: AttackSetup<'_>) -> Result<Box<dyn Attack>, BuildError> {
        let entry = find(ATTACKS, setup.args.text("attack"))
            .ok_or_else(|| BuildError::Other("the wrapped attack is not in the list".into()))?;
        let args = Args::check(entry.name, entry.params, &BTreeMap::new())?;
        let byzantine = setup.byzantine;
        let wrapped = (entry.build.build)(AttackSetup { args: &args, ..setup })?;
        Ok(Box::new(Self { wrapped, byzantine }))
    }
}

/// `⟨x_i − x̄, a − x̄⟩ ≥ 0` for every receiver.
fn is_on_side(honest: Vectors<'_>, mean: &[f64], forged: &[f32]) -> Vec<bool> {
    let toward: Vec<f64> = forged.iter().zip(mean).map(|(a, mean)| f64::from(*a) - mean).collect();
    let is_on_side = |row: &&[f32]| {
        let terms = row.iter().zip(mean).zip(&toward);
        terms.map(|((x, mean), toward)| (f64::from(*x) - mean) * toward).sum::<f64>() >= 0.0
    };
    honest.rows().par_iter().map(is_on_side).collect()
}

impl Attack for Sides {
    fn needs(&self) -> Needs {
        self.wrapped.needs()
    }

    fn forge(&mut self, view: &View<'_>, rng: &mut Rng) -> Result<Forgery, AttackError> {
        let wrapped = self.wrapped.forge(view, rng)?.vectors.into_iter().next();
        let what = "an attack to wrap that shows a vector";
        let forged = wrapped.ok_or(AttackError::Missing { attack: ENTRY.name, what })?;
        let mean = moments::exact_mean(view.honest.rows());
        let mirror = |(a, mean): (&f32, &f64)| (2.0 * mean - f64::from(*a)) as f32;
        let mirrored = Vector::new(forged.iter().zip(&mean).map(mirror).collect());
        let sides = is_on_side(view.honest, &mean, &forged);
        let row = sides.iter().map(|is_on_side| Some(u16::from(!is_on_side)));
        let shown = (0..self.byzantine).flat_map(|_| row.clone()).collect();
        Ok(Forgery { vectors: vec![forged, mirrored], shown })
    }

    fn save(&self, out: &mut StateWriter) {
        self.wrapped.save(out);
    }

    fn load(&mut self, input: &mut StateReader<'_>) -> Result<(), StateError> {
        self.wrapped.load(input)
    }
}
