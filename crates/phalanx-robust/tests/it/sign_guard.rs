//! SignGuard: a worked example, flipped and scaled vectors, its variants and their state.
use phalanx_robust::{AggregateError, Rng, StateError, StateReader, StateWriter, Value};

use crate::inputs::{bits, build_rule, family, gaussian, rule};

type Rule = Box<dyn phalanx_robust::Aggregator>;

const VARIANTS: [&str; 3] = ["plain", "sim", "dist"];

fn build(n: usize, f: usize, variant: &str, share: f64) -> Rule {
    let given = [("variant", Value::Text(variant.into())), ("share", Value::Number(share))];
    build_rule(rule("sign-guard"), n, f, &given)
}

fn saved(rule: &Rule) -> Vec<u8> {
    let mut out = StateWriter::default();
    rule.save(&mut out);
    out.finish()
}

fn aggregate(rule: &mut Rule, rows: &[Vec<f32>]) -> Vec<f32> {
    let views: Vec<&[f32]> = rows.iter().map(Vec::as_slice).collect();
    family(&views).aggregate(&mut **rule).unwrap()
}

fn length(row: &[f32]) -> f64 {
    row.iter().map(|x| f64::from(*x).powi(2)).sum::<f64>().sqrt()
}

/// Rows around (0.5, …, 0.5).
fn honest(rng: &mut Rng, count: usize, dim: usize) -> Vec<Vec<f32>> {
    (0..count).map(|_| (0..dim).map(|_| 0.5 + gaussian(rng)).collect()).collect()
}

/// Lengths 2, 2, 4, 2, 200: M = 2, and only 200 is beyond 3 M. Three quarters of the signs are
/// positive but for the fourth row, which is flipped. The third is clipped to length 2.
#[test]
fn five_rows_by_hand() {
    let rows: [&[f32]; 5] = [
        &[1.0, 1.0, 1.0, -1.0],
        &[1.0, 1.0, -1.0, 1.0],
        &[2.0, 2.0, 2.0, -2.0],
        &[-1.0, -1.0, -1.0, 1.0],
        &[100.0, 100.0, 100.0, -100.0],
    ];
    let out = family(&rows).aggregate(&mut *build(5, 2, "plain", 1.0)).unwrap();
    assert_eq!(out, [1.0, 1.0, 1.0 / 3.0, -1.0 / 3.0]);
}

/// M = 2, the lower of two middle lengths: 0.25 and 8 are within ⅛ M and 4 M, 0.24 and 8.5 are not.
#[test]
fn the_bounds_are_closed() {
    let numbers = [2.0f32, 0.25, 0.24, 2.5, 8.0, 8.5];
    let rows: Vec<&[f32]> = numbers.iter().map(std::slice::from_ref).collect();
    let given = [("lower", Value::Number(0.125)), ("upper", Value::Number(4.0))];
    let mut rule = build_rule(rule("sign-guard"), 6, 0, &given);
    let out = family(&rows).aggregate(&mut *rule).unwrap();
    assert_eq!(out, [(2.0 + 0.25 + 2.0 + 2.0) / 4.0]);
}

/// Only length 3 is usual, and its sign is not: the usual lengths decide.
#[test]
fn lengths_decide_where_nothing_passes_both() {
    let rows: [&[f32]; 5] = [&[1.0], &[2.0], &[-3.0], &[4.0], &[5.0]];
    let given = [("lower", Value::Number(1.0)), ("upper", Value::Number(1.0))];
    let mut rule = build_rule(rule("sign-guard"), 5, 1, &given);
    assert_eq!(family(&rows).aggregate(&mut *rule).unwrap(), [-3.0]);
}

/// The fourth row has the signs' shares and the length of the others in another direction.
#[test]
fn direction_is_what_the_variants_add() {
    let rows: [&[f32]; 4] =
        [&[1.0, 1.0, -1.0], &[1.1, 1.0, -1.0], &[1.0, 1.1, -1.0], &[-1.0, 1.0, 1.0]];
    for (variant, first) in [("plain", 0.5), ("sim", 1.0), ("dist", 1.0)] {
        let mut rule = build(4, 1, variant, 1.0);
        // Once compared with each other, then with the last result.
        for call in 0..3 {
            let out = family(&rows).aggregate(&mut *rule).unwrap();
            assert!((out[0] - first).abs() < 0.05, "{variant}, call {call}: {out:?}");
        }
    }
}

/// Four of fifteen send the flipped mean of the others at 2.5 times its length, or a hundredfold.
#[test]
fn flipped_and_scaled_vectors_are_dropped() {
    let mut rng = Rng::stream(1, 0, "sign-guard");
    let good = honest(&mut rng, 11, 2000);
    let mean = |k: usize| good.iter().map(|row| row[k]).sum::<f32>() / 11.0;
    for variant in VARIANTS {
        for factor in [-1.0, -2.5, 100.0, -100.0, 1e-3] {
            let mut rows = vec![(0..2000).map(|k| factor * mean(k)).collect::<Vec<f32>>(); 4];
            rows.extend(good.iter().cloned());
            let mut rule = build(15, 4, variant, 0.1);
            for call in 0..3 {
                let out = aggregate(&mut rule, &rows);
                // Clipping takes little, and some honest rows may be outside of the cluster.
                let along = (0..2000).map(|k| f64::from(out[k] * mean(k))).sum::<f64>();
                let squared = (0..2000).map(|k| f64::from(mean(k)).powi(2)).sum::<f64>();
                let share = along / squared;
                let is_near = (0.85..1.1).contains(&share);
                assert!(is_near, "{variant}, factor {factor}, call {call}: {share}");
            }
        }
    }
}

#[test]
fn the_result_is_never_longer_than_the_longest_honest_vector() {
    let mut rng = Rng::stream(2, 0, "sign-guard");
    for round in 0..100 {
        let (n, dim) = (3 + rng.below(9), 1 + rng.below(12));
        let f = (n - 1) / 2;
        for variant in VARIANTS {
            let mut rule = build(n, f, variant, 0.5);
            for _ in 0..3 {
                let mut rows = honest(&mut rng, n - f, dim);
                let longest = rows.iter().map(|row| length(row)).fold(0.0, f64::max);
                for _ in 0..f {
                    let bits = |rng: &mut Rng| f32::from_bits(rng.below(1 << 32) as u32);
                    rows.push((0..dim).map(|_| bits(&mut rng)).collect());
                }
                rng.shuffle(&mut rows);
                let out = length(&aggregate(&mut rule, &rows));
                assert!(out <= longest * (1.0 + 1e-6), "{round}, {variant}: {out} {longest}");
            }
        }
    }
}

#[test]
fn the_order_of_rows_matters_to_no_variant() {
    let mut rng = Rng::stream(3, 0, "sign-guard");
    for variant in VARIANTS {
        let (mut one, mut other) = (build(9, 2, variant, 0.5), build(9, 2, variant, 0.5));
        for _ in 0..20 {
            let mut rows = honest(&mut rng, 9, 30);
            let expected = aggregate(&mut one, &rows);
            rng.shuffle(&mut rows);
            let found = aggregate(&mut other, &rows);
            for (a, b) in expected.iter().zip(&found) {
                assert!((a - b).abs() < 1e-5, "{variant}");
            }
        }
    }
}

#[test]
fn a_saved_rule_continues_in_every_variant() {
    for variant in VARIANTS {
        let mut rng = Rng::stream(4, 0, "sign-guard");
        let mut rule = build(9, 2, variant, 0.2);
        for _ in 0..3 {
            aggregate(&mut rule, &honest(&mut rng, 9, 40));
        }
        let state = saved(&rule);
        let mut resumed = build(9, 2, variant, 0.2);
        let mut reader = StateReader::new(&state);
        resumed.load(&mut reader).unwrap();
        assert!(reader.is_at_end());
        let mut fresh = build(9, 2, variant, 0.2);
        let mut is_told_apart = false;
        for _ in 0..20 {
            let rows = honest(&mut rng, 9, 40);
            let expected = bits(&aggregate(&mut rule, &rows));
            assert_eq!(bits(&aggregate(&mut resumed, &rows)), expected, "{variant}");
            is_told_apart |= bits(&aggregate(&mut fresh, &rows)) != expected;
        }
        assert!(is_told_apart, "{variant}: what was saved counts");
    }
}

#[test]
fn a_refused_call_or_snapshot_changes_nothing() {
    for variant in VARIANTS {
        let mut rng = Rng::stream(5, 0, "sign-guard");
        let mut rule = build(5, 1, variant, 0.2);
        aggregate(&mut rule, &honest(&mut rng, 5, 40));
        let before = saved(&rule);
        let bad = [f32::NAN; 40];
        let good = [1.0f32; 40];
        let result = family(&[&bad, &bad, &good, &good, &good]).aggregate(&mut *rule);
        assert_eq!(result, Err(AggregateError::TooManyNotFinite { found: 2, tolerated: 1 }));
        if variant != "plain" {
            let result = family(&[&good[..3]; 5]).aggregate(&mut *rule);
            let expected =
                AggregateError::Remembered { rule: "sign-guard", expected: 40, found: 3 };
            assert_eq!(result, Err(expected));
        }
        let mut out = StateWriter::default();
        Rng::stream(9, 9, "other").save(&mut out);
        out.f32s(&[f32::INFINITY]);
        let result = rule.load(&mut StateReader::new(&out.finish()));
        assert!(matches!(result, Err(StateError::Mismatch { .. })));
        assert_eq!(saved(&rule), before, "{variant}");
    }
}

/// Only the length is bounded: equal lengths and shares of signs carry the result away from
/// honest vectors that agree exactly.
#[test]
fn vectors_of_equal_signs_in_other_places_pass() {
    let (good, bad): (&[f32], &[f32]) = (&[1.0, 1.0, -1.0, -1.0], &[-1.0, -1.0, 1.0, 1.0]);
    let out = family(&[good, bad, good, good, bad]).aggregate(&mut *build(5, 2, "plain", 1.0));
    assert!((out.unwrap()[0] - 0.2).abs() < 1e-6);
}
