//! A chain that ends in a coordinate-wise rule equals mixing row by row.
use phalanx_robust::kernel::{Combination, combine_many};
use phalanx_robust::mixing::MIXINGS;
use phalanx_robust::registry::find;
use phalanx_robust::{
    AggregateError, Aggregator, Args, Chain, Geometry, Mixing, Population, Rng, Rows, Vectors,
};

use super::build;
use crate::inputs::bits;

const RULES: [&str; 5] =
    ["trimmed-mean", "coordinate-wise-median", "meamed", "phocas", "trimmed-midpoint"];

/// Each with whether the bits are those of mixing row by row: weights of several mixings are
/// multiplied before a mixture is rounded, instead of after each of them.
const BEFORE: &[(&[&str], bool)] = &[
    (&["nearest-neighbor-mixing"], true),
    (&["bucketing"], true),
    (&["static-clipping"], true),
    (&["arc"], true),
    (&["bucketing", "nearest-neighbor-mixing"], false),
    (&["nearest-neighbor-mixing", "nearest-neighbor-mixing"], false),
    (&["static-clipping", "nearest-neighbor-mixing"], false),
    (&["arc", "nearest-neighbor-mixing"], false),
    (&["static-clipping", "bucketing"], false),
    // Not of the kind, and mixed row by row.
    (&["nearest-neighbor-mixing", "static-clipping"], true),
];

fn chain(mixings: &[&str], rule: &str, (n, f): (usize, usize)) -> Chain {
    let mut count = n;
    let mut boxes: Vec<Box<dyn Mixing>> = Vec::new();
    for name in mixings {
        let entry = find(MIXINGS, name).unwrap();
        let args = Args::check(name, entry.params, &Default::default()).unwrap();
        boxes.push((entry.build.build)(&args, Population::new(count, f).unwrap()).unwrap());
        count = if *name == "bucketing" { count.div_ceil(2) } else { count };
    }
    Chain::new(boxes, build(rule, (count, f), &[]))
}

/// Around a common point of length 2, with up to f rows of another kind.
fn family(case: usize, (n, f): (usize, usize), d: usize) -> Vec<Vec<f32>> {
    let mut rng = Rng::stream(7, case as u64, "columns");
    let scale = 2.0 / (d as f64).sqrt();
    let mut row = |shift: f64| -> Vec<f32> {
        (0..d).map(|_| (scale * (shift + 2.0 * (rng.unit() - 0.5))) as f32).collect()
    };
    let mut rows: Vec<Vec<f32>> = (0..n).map(|_| row(0.7)).collect();
    for far in &mut rows[n - f..] {
        match case % 8 {
            1 => far.fill(f32::NAN),
            2 => far[d / 2] = f32::NEG_INFINITY,
            3 => far.iter_mut().for_each(|x| *x *= -300.0),
            4 => far.fill(3e38),
            5 => far.fill(-1e9),
            6 => far.fill(0.0),
            _ => {}
        }
    }
    if case % 8 == 7 {
        rows[n - 1] = rows[0].clone();
    }
    rows
}

#[test]
fn a_pass_over_blocks_equals_mixing_row_by_row() {
    // A part of a block; several blocks and a remainder.
    for (case, d) in (0..24).map(|case| (case, 37)).chain([(0, 20_011), (1, 20_011), (3, 9_000)]) {
        let (n, f) = [(12, 2), (9, 1), (33, 1)][case % 3];
        let rows = family(case, (n, f), d);
        let views: Vec<&[f32]> = rows.iter().map(|row| &row[..]).collect();
        let vectors = Vectors::new(&views).unwrap();
        for rule in RULES {
            for (mixings, is_exact) in BEFORE {
                let run = |is_direct: bool| {
                    let mut chain = chain(mixings, rule, (n, f));
                    let mut out = vec![f32::NAN; d];
                    match is_direct {
                        true => chain.aggregate_rows(vectors, &mut out),
                        false => chain.aggregate(vectors, &mut out),
                    }
                    .map(|()| out)
                };
                let what = format!("{case}: {mixings:?} {rule}");
                match (run(true), run(false)) {
                    (Ok(direct), Ok(found)) if *is_exact => {
                        assert!(bits(&direct) == bits(&found), "{what}");
                    }
                    // A vector that was clipped to 0 is as far from all that were clipped.
                    (Ok(_), Ok(_)) if matches!(case % 8, 1 | 2 | 6) => {}
                    (Ok(direct), Ok(found)) => {
                        let scale = direct.iter().fold(1e-3f32, |max, x| max.max(x.abs()));
                        for (a, b) in direct.iter().zip(&found) {
                            assert!((a - b).abs() <= 3e-6 * scale, "{what}: {a} {b}");
                        }
                    }
                    (direct, found) => assert_eq!(direct.err(), found.err(), "{what}"),
                }
            }
        }
    }
}

/// Whatever the mixings, the result is that of the same mixtures, written down.
#[test]
fn mixtures_are_rounded_as_if_they_were_written_down() {
    let (n, f, d) = (12, 2, 9_001);
    let rows = family(3, (n, f), d);
    let views: Vec<&[f32]> = rows.iter().map(|row| &row[..]).collect();
    let vectors = Vectors::new(&views).unwrap();
    for rule in RULES {
        for (mixings, _) in &BEFORE[..BEFORE.len() - 1] {
            let mut found = vec![0.0; d];
            chain(mixings, rule, (n, f)).aggregate(vectors, &mut found).unwrap();
            let mut chain = chain(mixings, rule, (n, f));
            let columns = chain.column_rule().expect("of that kind");
            let (mut geometry, mut terms) = (Geometry::default(), Vec::new());
            geometry.compute(vectors, columns.needs());
            columns.mixtures(&geometry, None, &mut terms).unwrap().expect("no long row");
            let mut written = Rows::default();
            written.resize(terms.len(), d);
            let both = terms.into_iter().zip(written.rows_mut());
            let mut many: Vec<_> = both.map(|(terms, out)| Combination { terms, out }).collect();
            combine_many(&views, &mut many);
            drop(many);
            let written: Vec<&[f32]> = written.rows().collect();
            let mut expected = vec![0.0; d];
            let mut rule = build(rule, (written.len(), f), &[]);
            rule.aggregate(Vectors::new(&written).unwrap(), &mut expected).unwrap();
            assert!(bits(&expected) == bits(&found), "{mixings:?}");
        }
    }
}

/// A row of length 1e30 leaves nothing of its distances to short rows: the rows themselves are
/// clipped and compared then.
#[test]
fn rows_that_are_too_long_for_a_shortcut_are_clipped_themselves() {
    let mut rows = family(0, (12, 2), 50);
    rows[3].iter_mut().for_each(|x| *x *= 1e30);
    let views: Vec<&[f32]> = rows.iter().map(|row| &row[..]).collect();
    let vectors = Vectors::new(&views).unwrap();
    let mut chain = chain(&["static-clipping", "nearest-neighbor-mixing"], "meamed", (12, 2));
    let (mut geometry, mut terms) = (Geometry::default(), Vec::new());
    let columns = chain.column_rule().unwrap();
    geometry.compute(vectors, columns.needs());
    assert_eq!(columns.mixtures(&geometry, None, &mut terms), Ok(None));
    let (mut found, mut expected) = (vec![0.0; 50], vec![0.0; 50]);
    chain.aggregate(vectors, &mut found).unwrap();
    chain.aggregate_rows(vectors, &mut expected).unwrap();
    assert_eq!(bits(&found), bits(&expected));
}

#[test]
fn threads_change_no_bit_of_it() {
    let (n, f, d) = (12, 2, 40_000);
    let rows = family(3, (n, f), d);
    let views: Vec<&[f32]> = rows.iter().map(|row| &row[..]).collect();
    let run = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        let mut chain = chain(&["static-clipping", "nearest-neighbor-mixing"], "phocas", (n, f));
        let mut out = vec![0.0; d];
        pool.install(|| chain.aggregate(Vectors::new(&views).unwrap(), &mut out)).unwrap();
        bits(&out)
    };
    assert!(run(1) == run(3));
}

/// A bucket of too few is refused, and the next permutation is the one that would have come.
#[test]
fn a_refusal_draws_no_more_than_row_by_row() {
    let rows = family(1, (12, 2), 5);
    let views: Vec<&[f32]> = rows.iter().map(|row| &row[..]).collect();
    let run = |is_direct: bool| {
        let mut chain = chain(&["bucketing"], "trimmed-mean", (12, 2));
        let mut call = |count: usize| {
            let (mut out, vectors) = (vec![0.0; 5], Vectors::new(&views[..count]).unwrap());
            let result = match is_direct {
                true => chain.aggregate_rows(vectors, &mut out),
                false => chain.aggregate(vectors, &mut out),
            };
            result.map(|()| bits(&out))
        };
        (call(10), call(4), call(9))
    };
    let found = run(false);
    assert!(matches!(found.1, Err(AggregateError::Population(_))), "{found:?}");
    assert!(found.0.is_ok() && found.2.is_ok());
    assert_eq!(found, run(true));
}
