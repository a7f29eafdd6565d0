//! A chain of geometric mixings and a geometric rule is itself a geometric rule.
use phalanx_robust::mixing::MIXINGS;
use phalanx_robust::registry::find;
use phalanx_robust::{
    AggregateError, Aggregator, Args, Chain, Geometry, Mixing, Population, RULES, Rng, Vectors,
};

use super::{build, cloud};

fn mixing(name: &str, n: usize, f: usize) -> Box<dyn Mixing> {
    let entry = find(MIXINGS, name).unwrap();
    let args = Args::check(name, entry.params, &std::collections::BTreeMap::new()).unwrap();
    (entry.build.build)(&args, Population::new(n, f).unwrap()).unwrap()
}

const MIXINGS_BEFORE: &[&[&str]] = &[
    &["nearest-neighbor-mixing"],
    &["bucketing"],
    &["nearest-neighbor-mixing", "nearest-neighbor-mixing"],
    &["nearest-neighbor-mixing", "bucketing"],
    &["bucketing", "nearest-neighbor-mixing"],
];

fn chain(mixings: &[&str], rule: &str, (n, f): (usize, usize)) -> Chain {
    let mut count = n;
    let mut boxes = Vec::new();
    for name in mixings {
        boxes.push(mixing(name, count, f));
        count = if *name == "bucketing" { count.div_ceil(2) } else { count };
    }
    Chain::new(boxes, build(rule, (count, f), &[]))
}

/// Rules that are geometric and need no own row, with small f so that every bound holds.
fn rules() -> Vec<&'static str> {
    let is_fit = |name: &str| build(name, (9, 1), &[]).geometric().is_some();
    let free = RULES.iter().filter(|rule| !rule.build.is_self_centred);
    free.map(|rule| rule.name).filter(|name| is_fit(name)).collect()
}

#[test]
fn weights_and_rows_give_the_same_result() {
    let mut rng = Rng::stream(1, 0, "chain");
    for case in 0..40 {
        let (n, f) = (14 + rng.below(8), 1);
        let mut rows = cloud(&mut rng, n, 30);
        match case % 4 {
            1 => rows[n - 1] = vec![1e4; 30],
            2 => rows[n - 1] = vec![f32::NAN; 30],
            3 => rows[n - 1] = rows[0].clone(),
            _ => {}
        }
        let views: Vec<&[f32]> = rows.iter().map(|row| &row[..]).collect();
        let vectors = Vectors::new(&views).unwrap();
        for rule in rules() {
            for mixings in MIXINGS_BEFORE {
                let run = |is_direct: bool| {
                    let mut chain = chain(mixings, rule, (n, f));
                    let mut out = vec![0.0; 30];
                    match is_direct {
                        true => chain.aggregate_rows(vectors, &mut out),
                        false => chain.aggregate(vectors, &mut out),
                    }
                    .map(|()| out)
                };
                let what = format!("{case}: {mixings:?} {rule} n = {n}");
                match (run(true), run(false)) {
                    (Ok(direct), Ok(found)) => {
                        let scale = direct.iter().fold(1.0f32, |max, x| max.max(x.abs()));
                        for (a, b) in direct.iter().zip(&found) {
                            assert!((a - b).abs() <= 1e-6 * scale, "{what}: {a} {b}");
                        }
                    }
                    (direct, found) => assert_eq!(direct.err(), found.err(), "{what}"),
                }
            }
        }
    }
}

#[test]
fn a_chain_is_geometric_exactly_when_all_its_parts_are() {
    for (mixings, rule, is_geometric) in [
        (&["nearest-neighbor-mixing"][..], "krum", true),
        (&["bucketing", "nearest-neighbor-mixing"], "geometric-median", true),
        (&[], "krum", true),
        (&["arc"], "krum", false),
        (&["nearest-neighbor-mixing"], "trimmed-mean", false),
    ] {
        let found = chain(mixings, rule, (11, 1)).geometric().is_some();
        assert_eq!(found, is_geometric, "{mixings:?} {rule}");
    }
}

/// The weights that a line search asks for are those of the chain's own result.
#[test]
fn weights_from_a_given_geometry_combine_to_the_result() {
    let mut rng = Rng::stream(2, 0, "chain");
    let rows = cloud(&mut rng, 15, 8);
    let views: Vec<&[f32]> = rows.iter().map(|row| &row[..]).collect();
    let vectors = Vectors::new(&views).unwrap();
    let mut chain = chain(&["nearest-neighbor-mixing"], "multi-krum", (15, 3));
    let mut out = vec![0.0; 8];
    chain.aggregate(vectors, &mut out).unwrap();
    let rule = chain.geometric().unwrap();
    let mut geometry = Geometry::default();
    geometry.compute(vectors, rule.needs());
    let mut weights = vec![f64::NAN; 15];
    rule.weights(&geometry, None, &mut weights).unwrap();
    assert!((weights.iter().sum::<f64>() - 1.0).abs() < 1e-12);
    for (k, out) in out.iter().enumerate() {
        let sum: f64 = rows.iter().zip(&weights).map(|(row, w)| w * f64::from(row[k])).sum();
        assert!((sum - f64::from(*out)).abs() < 1e-6);
    }
}

#[test]
fn bad_input_is_refused_as_without_the_shortcut() {
    let rows = [vec![f32::NAN, 1.0], vec![f32::NAN, 2.0], vec![1.0, 3.0], vec![1.0, 4.0]];
    let views: Vec<&[f32]> = rows.iter().map(|row| &row[..]).collect();
    let mut out = vec![0.0; 2];
    let mut chain = chain(&["nearest-neighbor-mixing"], "minimum-diameter-averaging", (4, 1));
    let refused = chain.aggregate(Vectors::new(&views).unwrap(), &mut out);
    assert_eq!(refused, Err(AggregateError::TooManyNotFinite { found: 2, tolerated: 1 }));
    let alone: [&[f32]; 1] = [&[f32::INFINITY]];
    let mut single = self::chain(&["nearest-neighbor-mixing"], "average", (1, 0));
    let refused = single.aggregate(Vectors::new(&alone).unwrap(), &mut [0.0]);
    assert_eq!(refused, Err(AggregateError::TooManyNotFinite { found: 1, tolerated: 0 }));
}
