//! Clipping around the own vector and around the last result, against plain loops.
use phalanx_robust::{AggregateError, Rng, StateReader, StateWriter, Value};

use super::{aggregate, build, cloud, squared, whole, widen, word};

fn clipped(rows: &[Vec<f32>], from: &[f64], tau: f64) -> Vec<f64> {
    let mut v = from.to_vec();
    for row in rows {
        let row = widen(row);
        let distance = squared(&row, from).sqrt();
        let factor = if distance <= tau { 1.0 } else { tau / distance };
        for k in 0..v.len() {
            v[k] += (row[k] - from[k]) * factor / rows.len() as f64;
        }
    }
    v
}

#[test]
fn the_published_form_repeats_around_its_own_result() {
    let mut rng = Rng::stream(1, 0, "scc");
    for case in 0..200 {
        let count = 3 + rng.below(10);
        let dim = 1 + rng.below(30);
        let mut rows = cloud(&mut rng, count, dim);
        rows[0].iter_mut().for_each(|x| *x *= [1.0, 1e3][case % 2]);
        let own = rng.below(count);
        let tau = 0.1 + 3.0 * rng.unit();
        let mut expected = widen(&rows[own]);
        for _ in 0..3 {
            expected = clipped(&rows, &expected, tau);
        }
        let given = [("tau", Value::Number(tau))];
        let mut rule = build("self-centered-clipping", (count, 1), &given);
        let found = aggregate(&mut rule, &rows, own).unwrap();
        let error = squared(&widen(&found), &expected).sqrt();
        let scale = expected.iter().fold(1.0f64, |most, x| most.max(x.abs()));
        assert!(error <= 1e-6 * scale, "{case}: {error}");
    }
}

#[test]
fn the_original_form_clips_at_the_second_largest_distance() {
    let mut rng = Rng::stream(2, 0, "scc original");
    for _ in 0..200 {
        let count = 3 + rng.below(10);
        let rows = cloud(&mut rng, count, 4);
        let own = widen(&rows[1]);
        let others = (0..count).filter(|i| *i != 1);
        let mut distances: Vec<f64> =
            others.map(|i| squared(&widen(&rows[i]), &own).sqrt()).collect();
        distances.sort_by(f64::total_cmp);
        let expected = clipped(&rows, &own, distances[distances.len() - 2]);
        let given = [("form", word("original"))];
        let mut rule = build("self-centered-clipping", (count, 1), &given);
        let found = aggregate(&mut rule, &rows, 1).unwrap();
        assert!(squared(&widen(&found), &expected).sqrt() < 1e-6);
    }
}

#[test]
fn centered_clipping_continues_from_its_last_result() {
    let mut rng = Rng::stream(3, 0, "cc");
    let given = [("tau", Value::Number(0.7)), ("iterations", whole(2))];
    let mut rule = build("centered-clipping", (6, 1), &given);
    let mut expected = vec![0.0; 11];
    for _ in 0..5 {
        let mut rows = cloud(&mut rng, 6, 11);
        rows[5].iter_mut().for_each(|x| *x *= 1e6);
        for _ in 0..2 {
            expected = clipped(&rows, &expected, 0.7);
        }
        let found = aggregate(&mut rule, &rows, 0).unwrap();
        assert!(squared(&widen(&found), &expected).sqrt() < 1e-5);

        let mut writer = StateWriter::default();
        rule.save(&mut writer);
        let bytes = writer.finish();
        let mut resumed = build("centered-clipping", (6, 1), &given);
        let mut reader = StateReader::new(&bytes);
        resumed.load(&mut reader).unwrap();
        assert!(reader.is_at_end());
        let rows = cloud(&mut rng, 6, 11);
        let again = aggregate(&mut resumed, &rows, 0).unwrap();
        let (mut writer, mut back) = (StateWriter::default(), StateReader::new(&bytes));
        assert_eq!(aggregate(&mut rule, &rows, 0).unwrap(), again);
        rule.save(&mut writer);
        assert_ne!(writer.finish(), bytes);
        rule.load(&mut back).unwrap();
    }
}

#[test]
fn a_refused_call_leaves_the_last_result_alone() {
    let mut rng = Rng::stream(4, 0, "cc refused");
    let mut rule = build("centered-clipping", (5, 1), &[]);
    let mut twin = build("centered-clipping", (5, 1), &[]);
    let rows = cloud(&mut rng, 5, 3);
    assert_eq!(aggregate(&mut rule, &rows, 0), aggregate(&mut twin, &rows, 0));
    let mut bad = rows.clone();
    bad[0][0] = f32::NAN;
    bad[1][0] = f32::NAN;
    let refused = aggregate(&mut rule, &bad, 2).unwrap_err();
    assert_eq!(refused, AggregateError::TooManyNotFinite { found: 2, tolerated: 1 });
    let refused = aggregate(&mut rule, &cloud(&mut rng, 5, 4), 2).unwrap_err();
    assert!(matches!(refused, AggregateError::Remembered { expected: 3, found: 4, .. }));
    assert_eq!(aggregate(&mut rule, &rows, 0), aggregate(&mut twin, &rows, 0));
}

#[test]
fn a_row_that_is_not_finite_pulls_nowhere() {
    for name in ["centered-clipping", "self-centered-clipping"] {
        let mut rows = vec![vec![1.0f32, 2.0], vec![1.0, 2.0], vec![1.0, 2.0]];
        rows[2] = vec![f32::NEG_INFINITY, 2.0];
        let found = aggregate(&mut build(name, (3, 1), &[]), &rows, 0).unwrap();
        assert!(found.iter().all(|x| x.is_finite()), "{name}");
    }
}
