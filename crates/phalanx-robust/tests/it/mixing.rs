//! Mixings one by one, and chains of them.
use phalanx_robust::mixing::MIXINGS;
use phalanx_robust::{AggregateError, Chain, Mixing, Population, Rng, Rows, Value, Vectors};

use crate::inputs::{bits, build_mixing, build_rule, family, gaussian, mixing, rule};

const ROWS: [&[f32]; 3] = [&[1.0, 2.0, 3.0], &[4.0, 5.0, 6.0], &[7.0, 8.0, 9.0]];

fn mix(mixing: &mut dyn Mixing, rows: &[&[f32]]) -> Result<Vec<Vec<f32>>, AggregateError> {
    let mut out = Rows::default();
    mixing.mix(Vectors::new(rows)?, &mut out)?;
    Ok(out.rows().map(<[f32]>::to_vec).collect())
}

fn assert_close(found: &[Vec<f32>], expected: &[[f64; 3]]) {
    assert_eq!(found.len(), expected.len());
    for (a, b) in found.iter().flatten().zip(expected.iter().flatten()) {
        assert!((f64::from(*a) - b).abs() <= 1e-6 * b.abs(), "{found:?} instead of {expected:?}");
    }
}

#[test]
fn documented_examples() {
    let out = mix(&mut *build_mixing(mixing("static-clipping"), 3, 0, &[]), &ROWS).unwrap();
    assert_close(
        &out,
        &[
            [0.53452248, 1.06904497, 1.60356745],
            [0.91168461, 1.13960576, 1.36752692],
            [1.00514142, 1.14873305, 1.29232469],
        ],
    );
    let out = mix(&mut *build_mixing(mixing("arc"), 3, 1, &[]), &ROWS).unwrap();
    assert_eq!(out[0], ROWS[0]);
    assert_eq!(out[1], ROWS[1]);
    assert_close(&out[2..], &[[4.41004009, 5.04004582, 5.67005155]]);
}

#[test]
fn clipping_leaves_short_vectors_and_zero_alone() {
    let mut clipping = build_mixing(mixing("static-clipping"), 3, 1, &[]);
    let rows: [&[f32]; 3] = [&[0.0, -0.0], &[1.2, -1.6], &[1e-45, 0.0]];
    let out = mix(&mut *clipping, &rows).unwrap();
    for (row, out) in rows.iter().zip(&out) {
        assert_eq!(bits(row), bits(out));
    }
    let radius = [("radius", Value::Number(1.0))];
    let mut clipping = build_mixing(mixing("static-clipping"), 2, 1, &radius);
    let out = mix(&mut *clipping, &[&[3e38, -3e38], &[f32::NAN, 1.0]]).unwrap();
    assert_eq!(out[0], [0.5f32.sqrt(), -(0.5f32.sqrt())]);
    assert_eq!(out[1], [0.0, 0.0]);
}

/// Rows that nobody needs any more are clipped where they lie: the same bits, and a chain does so.
#[test]
fn clipping_in_place_is_clipping() {
    let mut rng = Rng::stream(3, 0, "in place");
    let mut rows: Vec<Vec<f32>> =
        (0..9).map(|i| (0..37).map(|_| gaussian(&mut rng) * i as f32).collect()).collect();
    rows[4][3] = f32::INFINITY;
    let views: Vec<&[f32]> = rows.iter().map(Vec::as_slice).collect();
    for name in ["static-clipping", "arc"] {
        let mut clipping = build_mixing(mixing(name), 9, 2, &[]);
        let expected = mix(&mut *clipping, &views).unwrap();
        let mut found = Rows::default();
        found.copy_from(Vectors::new(&views).unwrap());
        assert_eq!(clipping.mix_in_place(&mut found), Ok(true), "{name}");
        let found: Vec<Vec<u32>> = found.rows().map(bits).collect();
        assert_eq!(found, expected.iter().map(|row| bits(row)).collect::<Vec<_>>(), "{name}");
        assert!(found != views.iter().map(|row| bits(row)).collect::<Vec<_>>(), "{name}");

        let mixed = mix(&mut *build_mixing(mixing("nearest-neighbor-mixing"), 9, 2, &[]), &views);
        let mixed = mixed.unwrap();
        let mixed: Vec<&[f32]> = mixed.iter().map(Vec::as_slice).collect();
        let clipped = mix(&mut *build_mixing(mixing(name), 9, 2, &[]), &mixed).unwrap();
        let clipped: Vec<&[f32]> = clipped.iter().map(Vec::as_slice).collect();
        let rule = || build_rule(rule("coordinate-wise-median"), 9, 2, &[]);
        let expected = family(&clipped).aggregate(&mut *rule()).unwrap();
        let mixings = ["nearest-neighbor-mixing", name];
        let mixings = mixings.map(|name| build_mixing(mixing(name), 9, 2, &[])).into();
        let found = family(&views).aggregate(&mut Chain::new(mixings, rule())).unwrap();
        assert_eq!(bits(&found), bits(&expected), "{name}");
    }
}

#[test]
fn clipping_refuses_a_majority_that_is_not_finite() {
    for name in ["static-clipping", "arc"] {
        let rows: [&[f32]; 5] = [&[1.0], &[2.0], &[f32::NAN], &[3.0], &[f32::INFINITY]];
        let error = mix(&mut *build_mixing(mixing(name), 5, 1, &[]), &rows).unwrap_err();
        assert_eq!(error, AggregateError::TooManyNotFinite { found: 2, tolerated: 1 });
        assert!(mix(&mut *build_mixing(mixing(name), 5, 2, &[]), &rows).is_ok());
    }
}

/// `⌊2 (f/n) (n − f)⌋` in floating point is one too small for n = 242, f = 33.
#[test]
fn arc_counts_in_integers() {
    for (n, f, clipped) in
        [(3, 1, 1), (10, 2, 3), (50, 15, 21), (49, 21, 24), (9, 0, 0), (242, 33, 57)]
    {
        let values: Vec<f32> = (1..=n).map(|i| i as f32).collect();
        let rows: Vec<&[f32]> = values.iter().map(std::slice::from_ref).collect();
        let out = mix(&mut *build_mixing(mixing("arc"), n, f, &[]), &rows).unwrap();
        let changed = out.iter().zip(&values).filter(|(out, value)| out[0] != **value).count();
        assert_eq!(changed, clipped, "n {n}, f {f}");
        let largest = out.iter().map(|row| row[0]).fold(0.0, f32::max);
        assert_eq!(largest, (n - clipped) as f32);
    }
}

#[test]
fn arc_demands_an_honest_majority() {
    let population = Population::new(4, 2).unwrap();
    assert!((mixing("arc").build.build)(&Default::default(), population).is_err());
    let mut arc = build_mixing(mixing("arc"), 5, 2, &[]);
    assert!(matches!(mix(&mut *arc, &[&[1.0f32][..]; 4]), Err(AggregateError::Population(_))));
}

#[test]
fn buckets_partition_the_rows() {
    for (n, size) in [(6, 2), (7, 2), (7, 3), (5, 1), (5, 5), (5, 9)] {
        // Distinct powers of two: a sum says who is in it.
        let values: Vec<f32> = (0..n).map(|i| (1 << i) as f32).collect();
        let rows: Vec<&[f32]> = values.iter().map(std::slice::from_ref).collect();
        let given = [("size", Value::Integer(size as i64))];
        let mut bucketing = build_mixing(mixing("bucketing"), n, 0, &given);
        let mut seen = std::collections::BTreeSet::new();
        for _ in 0..20 {
            let out = mix(&mut *bucketing, &rows).unwrap();
            assert_eq!(out.len(), n.div_ceil(size));
            let mut members = 0;
            for (b, row) in out.iter().enumerate() {
                let count = size.min(n - b * size);
                let sum = (row[0] * count as f32).round() as u32;
                assert_eq!((sum.count_ones() as usize, members & sum), (count, 0));
                members |= sum;
            }
            assert_eq!(members, (1 << n) - 1);
            seen.insert(format!("{out:?}"));
        }
        assert!(size >= n || seen.len() > 1, "the permutation changes from call to call");
    }
}

#[test]
fn bucketing_is_a_function_of_its_seed() {
    let values: Vec<f32> = (0..20).map(|i| i as f32).collect();
    let rows: Vec<&[f32]> = values.iter().map(std::slice::from_ref).collect();
    let with_seed = |seed: i64| {
        let given = [("seed", Value::Integer(seed))];
        mix(&mut *build_mixing(mixing("bucketing"), 20, 0, &given), &rows).unwrap()
    };
    assert_eq!(with_seed(1), with_seed(1));
    assert_ne!(with_seed(1), with_seed(2));
}

#[test]
fn a_chain_without_mixings_is_its_rule() {
    let mut chain = Chain::new(vec![], build_rule(rule("trimmed-mean"), 3, 1, &[]));
    assert_eq!(family(&ROWS).aggregate(&mut chain).unwrap(), ROWS[1]);
}

#[test]
fn a_chain_applies_mixings_first_to_last() {
    let radius = |radius| [("radius", Value::Number(radius))];
    let clip = |to| build_mixing(mixing("static-clipping"), 3, 0, &radius(to));
    let mut rng = Rng::stream(1, 0, "chain");
    let rows: Vec<Vec<f32>> =
        (0..3).map(|_| (0..5).map(|_| gaussian(&mut rng) * 9.0).collect()).collect();
    let views: Vec<&[f32]> = rows.iter().map(Vec::as_slice).collect();
    let bucketing = || build_mixing(mixing("bucketing"), 3, 0, &[]);
    let once = mix(&mut *clip(2.0), &views).unwrap();
    let once: Vec<&[f32]> = once.iter().map(Vec::as_slice).collect();
    let twice = mix(&mut *bucketing(), &once).unwrap();
    let twice: Vec<&[f32]> = twice.iter().map(Vec::as_slice).collect();
    let thrice = mix(&mut *clip(0.5), &twice).unwrap();
    let thrice: Vec<&[f32]> = thrice.iter().map(Vec::as_slice).collect();
    let average = || build_rule(rule("average"), 2, 0, &[]);
    let expected = family(&thrice).aggregate(&mut *average()).unwrap();
    let mut chain = Chain::new(vec![clip(2.0), bucketing(), clip(0.5)], average());
    assert_eq!(family(&views).aggregate(&mut chain).unwrap(), expected);
}

#[test]
fn a_chain_passes_the_own_row_on_and_drops_it_where_it_is_lost() {
    let rows: [&[f32]; 5] = [&[0.0], &[0.1], &[100.0], &[100.1], &[100.2]];
    let centred = || build_rule(rule("nearest-neighbor-averaging"), 5, 2, &[]);
    let radius = [("radius", Value::Number(1e6))];
    let clipping = || build_mixing(mixing("static-clipping"), 5, 2, &radius);
    let mut chain = Chain::new(vec![clipping(), clipping()], centred());
    let mut family = family(&rows);
    family.own = 3;
    assert!((family.aggregate(&mut chain).unwrap()[0] - 100.1).abs() < 1e-4);
    let bucketing = build_mixing(mixing("bucketing"), 5, 0, &[]);
    let mut chain =
        Chain::new(vec![bucketing], build_rule(rule("nearest-neighbor-averaging"), 3, 1, &[]));
    let error = family.aggregate(&mut chain).unwrap_err();
    assert_eq!(error, AggregateError::NoOwn { rule: "nearest-neighbor-averaging" });
}

#[test]
fn a_chain_recovers_from_an_error() {
    let mut chain = Chain::new(
        vec![build_mixing(mixing("static-clipping"), 3, 1, &[])],
        build_rule(rule("trimmed-mean"), 3, 1, &[]),
    );
    let bad: [&[f32]; 3] = [&[f32::NAN], &[f32::NAN], &[1.0]];
    assert!(family(&bad).aggregate(&mut chain).is_err());
    assert_eq!(family(&[&[1.0], &[1.5], &[2.0]]).aggregate(&mut chain).unwrap(), [1.5]);
}

#[test]
fn every_mixing_is_described_and_in_alphabetical_order() {
    assert!(MIXINGS.iter().map(|mixing| mixing.name).is_sorted());
    for mixing in MIXINGS {
        let texts = [mixing.summary, mixing.source, mixing.build.formula, mixing.build.cost];
        assert!(texts.iter().all(|text| !text.is_empty()), "`{}`", mixing.name);
        assert!(mixing.params.iter().all(|param| !param.summary.is_empty()), "`{}`", mixing.name);
    }
}
