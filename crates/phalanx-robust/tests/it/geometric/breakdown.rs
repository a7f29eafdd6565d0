//! Breakdown: with f vectors at 10^k · u robust rules stay where they were, the average does not.
use phalanx_robust::{Rng, Value};

use super::{aggregate, build, cloud, mean, squared, widen};

#[test]
fn far_vectors_do_not_carry_a_robust_rule_away() {
    let tolerance = vec![("tolerance", Value::Number(1e-6))];
    let small_radius = vec![("tau", Value::Number(1.0))];
    let rules: [(&str, Vec<(&str, Value)>); 9] = [
        ("caf", vec![]),
        ("comparative-gradient-elimination", vec![]),
        ("geometric-median", tolerance),
        ("krum", vec![]),
        ("medoid", vec![]),
        ("minimum-diameter-averaging", vec![]),
        ("multi-krum", vec![]),
        ("nearest-neighbor-averaging", vec![]),
        ("self-centered-clipping", small_radius),
    ];
    let (h, f, dim) = (9, 3, 20);
    let mut rng = Rng::stream(1, 0, "breakdown");
    for (name, given) in &rules {
        for k in (1..=12).chain([20, 30, 38]) {
            let mut rows = cloud(&mut rng, h, dim);
            let honest = rows.clone();
            let direction = cloud(&mut rng, f, dim);
            let scale = 10f32.powi(k);
            let is_one_direction = k % 2 == 0;
            rows.extend((0..f).map(|b| {
                let row = if is_one_direction { &direction[0] } else { &direction[b] };
                row.iter().map(|x| x * scale).collect::<Vec<f32>>()
            }));
            let found = aggregate(&mut build(name, (h + f, f), given), &rows, 0).unwrap();
            let centre = mean(&honest);
            let far = |a: &Vec<f32>| {
                honest.iter().map(|b| squared(&widen(a), &widen(b))).fold(0.0, f64::max)
            };
            let diameter = honest.iter().map(far).fold(0.0, f64::max).sqrt();
            let moved = squared(&widen(&found), &centre).sqrt();
            assert!(moved <= 10.0 * diameter, "{name}, 10^{k}: {moved} of {diameter}");
        }
    }
}

#[test]
fn the_average_moves_linearly_with_one_vector() {
    let mut rows = vec![vec![0.0f32; 3]; 10];
    for k in 1..=12 {
        rows[9] = vec![10f32.powi(k); 3];
        let found = aggregate(&mut build("average", (10, 1), &[]), &rows, 0).unwrap();
        assert!((found[0] / 10f32.powi(k - 1) - 1.0).abs() < 1e-6);
    }
}

/// The inequality `‖R(x) − x̄_S‖² ≤ κ · (1/|S|) Σ_S ‖x_i − x̄_S‖²` for every S of size n − f, with
/// the recalled coefficients; a violation would say that a formula is wrong.
#[test]
fn recalled_coefficients_are_not_exceeded() {
    let tolerance = vec![("tolerance", Value::Number(1e-8)), ("nu", Value::Number(1e-9))];
    let mut rng = Rng::stream(2, 0, "kappa");
    let mut worst = [0.0f64; 2];
    for case in 0..300 {
        let (n, f) = [(5, 1), (7, 2), (9, 3), (6, 1)][case % 4];
        let share = f as f64 / (n - 2 * f) as f64;
        let mut rows = cloud(&mut rng, n, 1 + case % 3);
        let scale = [0.3, 1.0, 3.0, 50.0][rng.below(4)];
        rows[n - f..].iter_mut().flatten().for_each(|x| *x = *x * scale + scale);
        let krum = aggregate(&mut build("krum", (n, f), &[]), &rows, 0).unwrap();
        let median = build("geometric-median", (n, f), &tolerance);
        let median = aggregate(&mut { median }, &rows, 0).unwrap();
        let claims = [(krum, 6.0 * (1.0 + share)), (median, 4.0 * (1.0 + share).powi(2))];
        for subset in super::subsets(n, n - f) {
            let honest: Vec<Vec<f32>> = subset.iter().map(|i| rows[*i].clone()).collect();
            let (centre, spread) = (mean(&honest), super::variance(&honest));
            for (slot, (found, kappa)) in claims.iter().enumerate() {
                let share = squared(&widen(found), &centre) / (kappa * spread);
                worst[slot] = worst[slot].max(share);
            }
        }
    }
    assert!(worst.iter().all(|share| (0.05..=1.0).contains(share)), "shares: {worst:?}");
}
