//! The geometric median through distances equals Weiszfeld on coordinates.
use phalanx_robust::{Rng, Value};

use super::{aggregate, build, cloud, squared, whole, widen};

const MEDIAN: &str = "geometric-median";

/// The published loop, in f64 on coordinates.
fn weiszfeld(rows: &[Vec<f32>], nu: f64, iterations: usize) -> Vec<f64> {
    let mut z = vec![0.0; rows[0].len()];
    for _ in 0..iterations {
        let weights: Vec<f64> =
            rows.iter().map(|row| 1.0 / squared(&widen(row), &z).sqrt().max(nu)).collect();
        let sum: f64 = weights.iter().sum();
        z.fill(0.0);
        for (row, weight) in rows.iter().zip(&weights) {
            z.iter_mut().zip(row).for_each(|(z, x)| *z += weight / sum * f64::from(*x));
        }
    }
    z
}

#[test]
fn distances_give_what_coordinates_give() {
    let mut rng = Rng::stream(1, 0, "weiszfeld");
    for case in 0..200 {
        let count = 3 + rng.below(12);
        let f = (count - 1) / 3;
        let dim = 1 + rng.below(40);
        let mut rows = cloud(&mut rng, count, dim);
        // A common offset, then far vectors: where inner products would cancel.
        let offset = [0.0, 1e3][case % 2];
        rows.iter_mut().flatten().for_each(|x| *x += offset);
        let far = 10f32.powi(rng.below(6) as i32);
        rows[..f].iter_mut().flatten().for_each(|x| *x *= far);
        let iterations = 1 + rng.below(60);
        let given = [("iterations", whole(iterations as i64))];
        let found = aggregate(&mut build(MEDIAN, (count, f), &given), &rows, 0).unwrap();
        let expected = weiszfeld(&rows, 0.1, iterations);
        let scale = expected.iter().fold(1.0f64, |most, x| most.max(x.abs()));
        let error = squared(&widen(&found), &expected).sqrt();
        assert!(error <= 1e-5 * scale, "{case}: {error} at scale {scale}, far {far}");
    }
}

#[test]
fn the_convergent_form_is_stationary_and_moves_along() {
    let mut rng = Rng::stream(2, 0, "stationary");
    let given = [("tolerance", Value::Number(1e-9)), ("nu", Value::Number(1e-6))];
    for _ in 0..50 {
        let count = 5 + rng.below(8);
        let rows = cloud(&mut rng, count, 6);
        let found = widen(&aggregate(&mut build(MEDIAN, (count, 1), &given), &rows, 0).unwrap());
        // Unit vectors towards the rows add up to at most 1 (a row itself may be the median).
        let mut pull = [0.0; 6];
        for row in &rows {
            let row = widen(row);
            let distance = squared(&row, &found).sqrt().max(1e-6);
            pull.iter_mut().zip(&row).zip(&found).for_each(|((p, x), z)| *p += (x - z) / distance);
        }
        let pull = pull.iter().map(|p| p * p).sum::<f64>().sqrt();
        assert!(pull < 1e-4 || pull <= 1.0, "{pull}");
        let shifted: Vec<Vec<f32>> =
            rows.iter().map(|row| row.iter().map(|x| x + 64.0).collect()).collect();
        let again = aggregate(&mut build(MEDIAN, (count, 1), &given), &shifted, 0).unwrap();
        let back: Vec<f64> = again.iter().map(|x| f64::from(*x) - 64.0).collect();
        assert!(squared(&back, &found).sqrt() < 1e-4);
    }
}

#[test]
fn three_of_five_on_one_spot_win() {
    let spot = vec![1.0f32, -2.0, 3.0];
    let mut rows = vec![spot.clone(), spot.clone(), spot.clone()];
    rows.extend([vec![1e9f32, 0.0, 0.0], vec![0.0, 1e9, 5.0]]);
    let given = [("tolerance", Value::Number(1e-9)), ("nu", Value::Number(1e-9))];
    let found = aggregate(&mut build(MEDIAN, (5, 2), &given), &rows, 0).unwrap();
    assert!(squared(&widen(&found), &widen(&spot)).sqrt() < 1e-3, "{found:?}");
}
