//! Searches against whole chains of mixings and a rule, all built from the registries.
use std::collections::BTreeMap;

use phalanx_attack::{Defence, Line};
use phalanx_robust::mixing::MIXINGS;
use phalanx_robust::registry::find;
use phalanx_robust::{Aggregator, Args, Chain, Population, Value, Vectors};

use crate::setting::{self, Scenario};

/// Nearest-neighbour mixing, static clipping at 2, trimmed mean; n = 4, f = 1.
fn chain() -> Defence {
    let population = Population::new(4, 1).unwrap();
    let mixing = |name| {
        let entry = find(MIXINGS, name).unwrap();
        let args = Args::check(entry.name, entry.params, &BTreeMap::new()).unwrap();
        (entry.build.build)(&args, population).unwrap()
    };
    let mixings = vec![mixing("nearest-neighbor-mixing"), mixing("static-clipping")];
    let rule = setting::rule("trimmed-mean", 4, 1).rule;
    Defence { rule: Box::new(Chain::new(mixings, rule)), is_self_centred: false }
}

// Spec 11, section 4.
#[test]
fn optimal_attacks_against_a_chain_are_the_documented_ones() {
    let cases = [
        ("inner-product-manipulation", [-2.74877907, -3.43597384, -4.1231686]),
        ("a-little-is-enough", [12.919851, 13.919851, 14.919851]),
    ];
    for (name, expected) in cases {
        let factor = [("factor", Value::Text("expansion-search".into()))];
        let scenario = Scenario { n: 4, f: 1, byzantine: 1 };
        let mut attack = setting::build_against(name, &factor, scenario, chain()).unwrap();
        let forged = setting::forged(&mut *attack, &setting::documented());
        setting::assert_close(&forged, &expected, 1e-5);
    }
}

/// Mixings with default parameters, then a rule, for n = 11, f = 3.
fn chain_of(mixings: &[&str], rule: &str) -> Chain {
    let population = Population::new(11, 3).unwrap();
    let mixing = |name: &&str| {
        let entry = find(MIXINGS, name).unwrap();
        let args = Args::check(entry.name, entry.params, &BTreeMap::new()).unwrap();
        (entry.build.build)(&args, population).unwrap()
    };
    Chain::new(mixings.iter().map(mixing).collect(), setting::rule(rule, 11, 3).rule)
}

/// The last one is not of the kind, and is run.
const CHAINS: &[(&[&str], &str)] = &[
    (&[], "trimmed-mean"),
    (&["static-clipping"], "coordinate-wise-median"),
    (&["arc"], "phocas"),
    (&["nearest-neighbor-mixing"], "trimmed-mean"),
    (&["static-clipping", "nearest-neighbor-mixing"], "trimmed-mean"),
    (&["arc", "nearest-neighbor-mixing"], "meamed"),
    (&["nearest-neighbor-mixing", "nearest-neighbor-mixing"], "trimmed-midpoint"),
    (&["nearest-neighbor-mixing", "static-clipping"], "trimmed-mean"),
];

/// Blocks of columns and weights from a quadratic form against the rule itself; 1e40 overflows.
#[test]
fn a_pass_over_blocks_equals_running_the_rule() {
    let rows = setting::random_rows(8, 9_001, 11);
    let rows = setting::rows_of(&rows);
    let honest = Vectors::new(&rows).unwrap();
    let base: Vec<f32> = (0..9_001).map(|k| (k % 7) as f32 / 7.0 - 0.4).collect();
    let line = Line { direction: setting::random_rows(1, 9_001, 12).remove(0), base };
    for (mixings, rule) in CHAINS {
        let curve = |is_direct: bool| {
            let chain = chain_of(mixings, rule);
            let rule: Box<dyn Aggregator> = match is_direct {
                true => Box::new(setting::Opaque(Box::new(chain))),
                false => Box::new(chain),
            };
            let mut defence = Defence { rule, is_self_centred: false };
            let mut displacement = defence.along(honest, 3, &line);
            [0.0, 0.3, 1.0, 7.0, 1e4, 1e40].map(|factor| displacement.squared(factor))
        };
        for (found, direct) in curve(false).into_iter().zip(curve(true)) {
            let is_close = found == direct || (found - direct).abs() <= 1e-5 * direct.abs();
            assert!(is_close, "{mixings:?} {rule}: {found} {direct}");
        }
    }
}
