//! Worked examples: outputs that the field's reference library documents for three rows.
use phalanx_robust::{Population, RULES, Value};

use crate::inputs::{build_rule, family, rule};

const ROWS: [&[f32]; 3] = [&[1.0, 2.0, 3.0], &[4.0, 5.0, 6.0], &[7.0, 8.0, 9.0]];

/// Rule, f, result for [`ROWS`].
const EXAMPLES: &[(&str, usize, [f32; 3])] = &[
    ("average", 0, [4.0, 5.0, 6.0]),
    ("coordinate-wise-median", 1, [4.0, 5.0, 6.0]),
    ("meamed", 1, [2.5, 3.5, 4.5]),
    ("phocas", 1, [2.5, 3.5, 4.5]),
    ("trimmed-mean", 1, [4.0, 5.0, 6.0]),
    ("trimmed-midpoint", 1, [4.0, 5.0, 6.0]),
];

#[test]
fn documented_examples() {
    for (name, f, expected) in EXAMPLES {
        let out = family(&ROWS).aggregate(&mut *build_rule(rule(name), 3, *f, &[])).unwrap();
        assert_eq!(out, expected, "{name}");
    }
}

fn on_numbers(name: &str, f: usize, numbers: &[f32]) -> f32 {
    let rows: Vec<&[f32]> = numbers.iter().map(std::slice::from_ref).collect();
    family(&rows).aggregate(&mut *build_rule(rule(name), rows.len(), f, &[])).unwrap()[0]
}

#[test]
fn examples_by_hand() {
    let numbers = [10.0, -1.0, 2.0, 4.0, 3.0, 100.0];
    assert_eq!(on_numbers("coordinate-wise-median", 1, &numbers), 3.5);
    assert_eq!(on_numbers("coordinate-wise-median", 1, &numbers[..5]), 3.0);
    assert_eq!(on_numbers("trimmed-mean", 0, &numbers), 118.0 / 6.0);
    assert_eq!(on_numbers("trimmed-mean", 1, &numbers), 19.0 / 4.0);
    assert_eq!(on_numbers("trimmed-mean", 2, &numbers), 3.5);
    assert_eq!(on_numbers("trimmed-midpoint", 1, &numbers), 6.0);
    assert_eq!(on_numbers("trimmed-midpoint", 2, &numbers), 3.5);
    // Median 3.5: without 100.
    assert_eq!(on_numbers("meamed", 1, &numbers), 18.0 / 5.0);
    // Median 3.5: without 100 and 10.
    assert_eq!(on_numbers("meamed", 2, &numbers), 2.0);
    // Trimmed mean 4.75: without 100.
    assert_eq!(on_numbers("phocas", 1, &numbers), 18.0 / 5.0);
    // Around 5 both 0 and 10 are farthest: the smaller value is kept.
    assert_eq!(on_numbers("meamed", 1, &[0.0, 10.0, 4.0, 5.0, 6.0]), 15.0 / 4.0);
    assert_eq!(on_numbers("phocas", 1, &[0.0, 10.0, 4.0, 5.0, 6.0]), 15.0 / 4.0);
}

/// f = 1 of seven: Krum takes 3, 2, 4, 1, then the first of 0, 10 and 90 that are left; of
/// {0, 1, 2, 3, 4} the three closest to 2 are 1, 2, 3.
#[test]
fn bulyan_by_hand() {
    assert_eq!(on_numbers("bulyan", 1, &[0.0, 1.0, 2.0, 3.0, 4.0, 10.0, 90.0]), 2.0);
    assert_eq!(on_numbers("bulyan", 0, &[0.0, 1.0, 5.0]), 2.0);
}

/// Own (0, 2): (3, 3) counts 1/√2 at length 2, (0, 5) counts 1, (1, −1) and NaN nothing.
#[test]
fn fltrust_by_hand() {
    let rows: [&[f32]; 5] = [&[0.0, 2.0], &[3.0, 3.0], &[0.0, 5.0], &[1.0, -1.0], &[f32::NAN, 1.0]];
    let out = family(&rows).aggregate(&mut *build_rule(rule("fltrust"), 5, 1, &[])).unwrap();
    let half = 0.5f64.sqrt();
    let expected = [half * 2.0 * half / (half + 1.0), (half * 2.0 * half + 2.0) / (half + 1.0)];
    assert!((f64::from(out[0]) - expected[0]).abs() < 1e-6, "{out:?} {expected:?}");
    assert!((f64::from(out[1]) - expected[1]).abs() < 1e-6, "{out:?} {expected:?}");
    let alone: [&[f32]; 2] = [&[0.0, 2.0], &[0.0, -2.0]];
    let out = family(&alone).aggregate(&mut *build_rule(rule("fltrust"), 2, 1, &[])).unwrap();
    assert_eq!(out, alone[0], "nobody to trust");
}

/// The spread is along (1, 1), and (9, 9) sticks out; with f = 2 so does (−3, −3).
#[test]
fn divide_and_conquer_by_hand() {
    let rows: [&[f32]; 5] = [&[0.0, 0.0], &[1.0, 0.0], &[0.0, 1.0], &[9.0, 9.0], &[-3.0, -3.0]];
    let on = |f| family(&rows).aggregate(&mut *build_rule(rule("dnc"), 5, f, &[])).unwrap();
    assert_eq!(on(1), [-0.5, -0.5]);
    assert_eq!(on(2), [1.0f32 / 3.0; 2]);
}

/// A row that is not finite is dropped wherever the NaN is, in a sampled coordinate or not.
#[test]
fn divide_and_conquer_sees_what_it_does_not_sample() {
    for seed in 0..20 {
        let given = [("sample", Value::Integer(2)), ("seed", Value::Integer(seed))];
        let mut bad = [1.0f32; 50];
        bad[31] = f32::NAN;
        let rows: [&[f32]; 4] = [&[1.0; 50], &[1.0; 50], &bad, &[1.0; 50]];
        let out = family(&rows).aggregate(&mut *build_rule(rule("dnc"), 4, 1, &given)).unwrap();
        assert_eq!(out, [1.0; 50]);
    }
}

#[test]
fn divide_and_conquer_never_drops_everything() {
    let given = [("iterations", Value::Integer(3)), ("filter", Value::Integer(1))];
    let args = crate::inputs::args("dnc", rule("dnc").params, &given);
    let build = |n, f| (rule("dnc").build.build)(&args, Population::new(n, f).unwrap());
    assert!(build(7, 2).is_ok());
    assert!(build(6, 2).is_err());
}

/// NaN counts as `+∞`, so the median of finite values and a minority of NaN stays among them.
#[test]
fn not_a_number_is_the_largest_value() {
    let nan = f32::NAN;
    assert_eq!(on_numbers("coordinate-wise-median", 2, &[nan, 1.0, -nan, 2.0, 3.0]), 3.0);
    assert_eq!(on_numbers("coordinate-wise-median", 1, &[nan, 1.0, 2.0, 3.0]), 2.5);
    assert_eq!(on_numbers("trimmed-mean", 1, &[nan, 1.0, 2.0, 3.0]), 2.5);
    assert_eq!(on_numbers("trimmed-mean", 1, &[f32::NEG_INFINITY, 1.0, 2.0, 3.0]), 1.5);
    assert_eq!(on_numbers("meamed", 1, &[nan, 1.0, 2.0, 3.0]), 2.0);
    assert_eq!(on_numbers("phocas", 1, &[f32::NEG_INFINITY, 1.0, 2.0, 3.0]), 2.0);
}

#[test]
fn the_list_is_in_alphabetical_order_and_complete() {
    assert!(RULES.iter().map(|rule| rule.name).is_sorted());
    for rule in RULES {
        let texts = [
            rule.name,
            rule.summary,
            rule.source,
            rule.build.formula,
            rule.build.guarantee,
            rule.build.cost,
        ];
        assert!(texts.iter().all(|text| !text.is_empty()), "`{}`", rule.name);
        assert!(rule.name.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-')));
        for param in rule.params {
            assert!(!param.summary.is_empty(), "`{}` of `{}`", param.name, rule.name);
        }
    }
}
