//! Rules for weighted graphs, by hand and against plain formulas.
use phalanx_robust::{Rng, Vectors};

use super::{Rule, aggregate, build, cloud, squared, widen};

fn on(rule: &mut Rule, numbers: &[f32], weights: &[f64]) -> f32 {
    let rows: Vec<&[f32]> = numbers.iter().map(std::slice::from_ref).collect();
    let vectors = Vectors::new(&rows).unwrap().with_own(0);
    let mut out = [f32::NAN];
    rule.aggregate(vectors.with_weights(weights).unwrap(), &mut out).unwrap();
    out[0]
}

/// Own 0, neighbours 1, 2, −4, 100 with equal weights 1/5, f = 1, so b = 1/5.
#[test]
fn equal_weights_by_hand() {
    let numbers = [0.0f32, 1.0, 2.0, -4.0, 100.0];
    let rows: Vec<Vec<f32>> = numbers.iter().map(|x| vec![*x]).collect();
    let run =
        |name: &str| f64::from(aggregate(&mut build(name, (5, 1), &[]), &rows, 0).unwrap()[0]);
    let close = |a: f64, b: f64| assert!((a - b).abs() < 1e-6, "{a} {b}");
    // The farthest, 100, is left out: (1 + 2 − 4)/5.
    close(run("trimmed-sum"), -0.2);
    // Two are clipped, at 4: (1 + 2 − 4 + 4)/5.
    close(run("clipped-sum"), 0.6);
    // τ² = 1 + 4 + 16: (1 + 2 − 4 + √21)/5.
    close(run("clipped-gossip"), (-1.0 + 21f64.sqrt()) / 5.0);
    // 100 goes; the mean of 0, 1, 2, −4.
    close(run("iterative-outlier-scissor"), -0.25);
}

/// Weights 4, 1, 1, 2, 2 of 10: b = 0.2, and of the two heavy neighbours the farther may go.
#[test]
fn given_weights_by_hand() {
    let (numbers, weights) = ([0.0f32, 1.0, 50.0, 3.0, 4.0], [4.0, 1.0, 1.0, 2.0, 2.0]);
    let run = |name: &str| f64::from(on(&mut build(name, (5, 1), &[]), &numbers, &weights));
    let close = |a: f64, b: f64| assert!((a - b).abs() < 1e-6, "{a} {b}");
    // 50 counts 0 and 4 half: 0.1 · 1 + 0.2 · 3 + 0.1 · 4.
    close(run("trimmed-sum"), 1.1);
    // 50 and 4 weigh 0.3 < 2b; with 3 they weigh 0.5: τ = 3.
    close(run("clipped-sum"), 0.1 + 0.3 + 0.6 + 0.6);
    // Kept: 1, 3 (weight 0.3); with 4 it would be 0.5 > 0.6 − 0.2.
    let tau = ((0.1 + 0.2 * 9.0) / 0.2f64).sqrt();
    close(run("clipped-gossip"), 0.1 + 0.1 * tau + 0.2 * 3.0 + 0.2 * tau);
    close(run("iterative-outlier-scissor"), (1.0 + 6.0 + 8.0) / 9.0);
}

#[test]
fn a_multiple_of_the_weights_changes_nothing_and_an_edge_of_weight_0_is_none() {
    let numbers = [0.0f32, 1.0, 2.0, -4.0, 100.0];
    for name in ["trimmed-sum", "clipped-sum", "clipped-gossip", "iterative-outlier-scissor"] {
        let run = |weights: &[f64]| on(&mut build(name, (5, 1), &[]), &numbers, weights);
        assert_eq!(run(&[1.0; 5]), run(&[8.0; 5]), "{name}");
        let without = run(&[1.0, 1.0, 1.0, 1.0, 0.0]);
        assert!(without.abs() <= 4.0, "{name}: {without}");
    }
}

/// Without Byzantine neighbours all of them are the weighted mean.
#[test]
fn without_faults_they_are_the_weighted_mean() {
    let mut rng = Rng::stream(1, 0, "gossip");
    for _ in 0..50 {
        let rows = cloud(&mut rng, 7, 5);
        let expected = super::mean(&rows);
        for name in ["trimmed-sum", "clipped-sum", "clipped-gossip", "iterative-outlier-scissor"] {
            let found = aggregate(&mut build(name, (7, 0), &[]), &rows, 3).unwrap();
            assert!(squared(&widen(&found), &expected).sqrt() < 1e-6, "{name}");
        }
    }
}
