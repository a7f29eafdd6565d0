//! Worked examples: outputs that the field's reference library documents for three rows.
use phalanx_robust::RULES;

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
        assert!(rule.name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-'));
        for param in rule.params {
            assert!(!param.summary.is_empty(), "`{}` of `{}`", param.name, rule.name);
        }
    }
}
