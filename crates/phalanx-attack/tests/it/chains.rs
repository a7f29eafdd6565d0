//! Searches against whole chains of mixings and a rule, all built from the registries.
use std::collections::BTreeMap;

use phalanx_attack::Defence;
use phalanx_robust::mixing::MIXINGS;
use phalanx_robust::registry::find;
use phalanx_robust::{Args, Chain, Population, Value};

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
