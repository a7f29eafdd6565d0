//! FoolsGold: a worked example, sybils, its memory of senders.
use phalanx_robust::{AggregateError, StateError, StateReader, StateWriter};

use crate::inputs::{bits, build_rule, family, rule};

type Rule = Box<dyn phalanx_robust::Aggregator>;

fn build(n: usize, f: usize) -> Rule {
    build_rule(rule("fools-gold"), n, f, &[])
}

fn saved(rule: &Rule) -> Vec<u8> {
    let mut out = StateWriter::default();
    rule.save(&mut out);
    out.finish()
}

/// Cosines 0.8, 0.6 and 0 give v = (0.8, 0.8, 0.6). Row 2 is less like its likest than that one
/// is: 0.6 becomes 0.6 · 0.6/0.8 = 0.45. So a = (0.2, 0.2, 0.55), over 0.55 (4/11, 4/11, 1), with
/// logits ln(4/7) + ½ < 0 and ln 99 + ½ > 1. Without the pardon the first two would have ½.
#[test]
fn three_directions_by_hand() {
    let rows: [&[f32]; 3] = [&[5.0, 0.0], &[4.0, 3.0], &[0.0, 7.0]];
    let out = family(&rows).aggregate(&mut *build(3, 0)).unwrap();
    assert_eq!(out, [0.0, 7.0]);
    // The pair of cosine 0.8 is now rows 1 and 2, and row 0 is pardoned.
    let rows: [&[f32]; 3] = [&[5.0, 0.0], &[3.0, 4.0], &[0.0, 7.0]];
    assert_eq!(family(&rows).aggregate(&mut *build(3, 0)).unwrap(), [5.0, 0.0]);
}

/// Cosine ½ for rows 0 and 1, row 2 is orthogonal: a = (½, ½, 1), logits ln 1 + ½ = ½ twice.
#[test]
fn weights_between_nothing_and_all() {
    let rows: [&[f32]; 3] = [&[1.0, 1.0, 0.0, 0.0], &[1.0, 0.0, 1.0, 0.0], &[0.0, 0.0, 0.0, 1.0]];
    let out = family(&rows).aggregate(&mut *build(3, 0)).unwrap();
    let expected = [0.5, 0.25, 0.25, 0.5];
    for (a, b) in out.iter().zip(expected) {
        assert!((a - b).abs() < 1e-6, "{out:?}");
    }
}

/// Five of nine send one direction at several lengths and are left without any weight.
#[test]
fn sybils_share_nothing_even_in_the_majority() {
    let sybils = [[-3.0; 6], [-3.0; 6], [-1.1; 6], [-0.7; 6], [-900.0; 6]];
    let mut honest = [[0.0f32; 6]; 4];
    (0..4).for_each(|i| honest[i][i] = 1.0);
    let rows: Vec<&[f32]> =
        sybils.iter().map(|row| &row[..]).chain(honest.iter().map(|row| &row[..])).collect();
    let out = family(&rows).aggregate(&mut *build(9, 5)).unwrap();
    assert_eq!(out, [0.25, 0.25, 0.25, 0.25, 0.0, 0.0]);
}

/// The rule's weakness: a flipped, enlarged vector of one sender alone has full weight.
#[test]
fn one_attacker_alone_is_not_seen() {
    let rows: [&[f32]; 3] = [&[1.0, 0.0, 0.0], &[0.0, 1.0, 0.0], &[-900.0, -900.0, 0.0]];
    let out = family(&rows).aggregate(&mut *build(3, 1)).unwrap();
    assert!(out[0] < -200.0, "{out:?}");
}

#[test]
fn what_was_sent_before_counts() {
    let [a, b, c]: [&[f32]; 3] = [&[1.0, 0.0, 0.0], &[0.0, 1.0, 0.0], &[0.0, 0.0, 1.0]];
    let mut rule = build(3, 1);
    for _ in 0..50 {
        assert_eq!(family(&[a, a, b]).aggregate(&mut *rule).unwrap(), b);
    }
    // Now all differ, but rows 0 and 1 have a common past: to a new rule all are equal.
    assert_eq!(family(&[a, c, b]).aggregate(&mut *rule).unwrap(), b);
    let fresh = family(&[a, c, b]).aggregate(&mut *build(3, 1)).unwrap();
    assert!(fresh.iter().all(|x| (x - 1.0 / 3.0).abs() < 1e-6), "{fresh:?}");
    // A sender is a position: exchanged rows are other senders.
    assert_eq!(family(&[b, a, c]).aggregate(&mut *rule).unwrap(), c);
}

#[test]
fn sending_nothing_finite_hides_no_history() {
    let [a, b]: [&[f32]; 2] = [&[1.0, 0.0], &[0.0, 1.0]];
    let mut rule = build(3, 1);
    family(&[a, a, b]).aggregate(&mut *rule).unwrap();
    let before = saved(&rule);
    let nan: &[f32] = &[f32::NAN, 1.0];
    assert_eq!(family(&[a, nan, b]).aggregate(&mut *rule).unwrap(), b, "row 0 is still a sybil");
    assert_ne!(saved(&rule), before);
    let before = saved(&rule);
    let result = family(&[nan, nan, b]).aggregate(&mut *rule);
    assert_eq!(result, Err(AggregateError::TooManyNotFinite { found: 2, tolerated: 1 }));
    assert_eq!(saved(&rule), before, "a refused call changes nothing");
}

#[test]
fn everybody_alike_is_the_mean() {
    let rows: [&[f32]; 3] = [&[1.0, 2.0], &[2.0, 4.0], &[f32::INFINITY, 0.0]];
    assert_eq!(family(&rows).aggregate(&mut *build(3, 1)).unwrap(), [1.5, 3.0]);
    // Entries of other lengths are rounded, and rounding must not decide who counts.
    let at = |length: f32| std::array::from_fn::<f32, 50, _>(|k| (k as f32 / 49.0).sin() * length);
    let rows = [at(1.0), at(3.3), at(0.77), at(1.93)];
    let out = family(&rows.each_ref().map(|row| &row[..])).aggregate(&mut *build(4, 0)).unwrap();
    for (a, b) in out.iter().zip(at(1.75)) {
        assert!((a - b).abs() < 1e-6, "{out:?}");
    }
}

#[test]
fn sums_saturate() {
    let rows: [&[f32]; 2] = [&[f32::MAX, -f32::MAX], &[f32::MAX, f32::MAX]];
    let mut rule = build(2, 0);
    for _ in 0..5 {
        assert_eq!(family(&rows).aggregate(&mut *rule).unwrap(), [f32::MAX, 0.0]);
    }
    build(2, 0).load(&mut StateReader::new(&saved(&rule))).unwrap();
}

#[test]
fn other_senders_or_lengths_are_typed_errors() {
    let row: &[f32] = &[1.0, 2.0];
    let mut rule = build(3, 1);
    family(&[row; 3]).aggregate(&mut *rule).unwrap();
    let expected = AggregateError::Senders { rule: "fools-gold", expected: 3, found: 4 };
    assert_eq!(family(&[row; 4]).aggregate(&mut *rule), Err(expected));
    let expected = AggregateError::Remembered { rule: "fools-gold", expected: 2, found: 1 };
    assert_eq!(family(&[&row[..1]; 3]).aggregate(&mut *rule), Err(expected));
}

#[test]
fn a_snapshot_holds_the_histories_and_nothing_else_is_read() {
    let rows: [&[f32]; 3] = [&[1.0, 1.0, 0.0, 0.0], &[1.0, 0.0, 1.0, 0.0], &[0.0, 0.0, 0.0, 1.0]];
    let mut rule = build(3, 1);
    family(&rows).aggregate(&mut *rule).unwrap();
    let state = saved(&rule);
    let mut resumed = build(3, 1);
    resumed.load(&mut StateReader::new(&state)).unwrap();
    let next = family(&[rows[2], rows[1], rows[0]]);
    let expected = bits(&next.aggregate(&mut *rule).unwrap());
    assert_eq!(bits(&next.aggregate(&mut *resumed).unwrap()), expected);
    assert_ne!(bits(&next.aggregate(&mut *build(3, 1)).unwrap()), expected, "the past counts");
    for histories in [vec![vec![1.0], vec![1.0, 2.0]], vec![vec![f32::NAN]], vec![vec![]]] {
        let mut out = StateWriter::default();
        out.u64(histories.len() as u64);
        histories.iter().for_each(|history| out.f32s(history));
        let result = build(3, 1).load(&mut StateReader::new(&out.finish()));
        assert!(matches!(result, Err(StateError::Mismatch { .. })), "{histories:?}");
    }
}
