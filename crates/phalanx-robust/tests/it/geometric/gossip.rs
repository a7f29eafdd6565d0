//! Rules for weighted graphs, by hand and against plain formulas.
use phalanx_robust::mixing::MIXINGS;
use phalanx_robust::registry::find;
use phalanx_robust::{AggregateError, Aggregator as _, Chain, Population, RULES, Rng, Vectors};

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

/// Own 0, weights 1, 2, 3, 2 of 8: the second-largest distance is 2, at which 5 is clipped.
#[test]
fn self_centered_clipping_takes_weights_in_its_original_form() {
    let original = [("form", super::word("original"))];
    let mut rule = build("self-centered-clipping", (4, 1), &original);
    let found = on(&mut rule, &[0.0, -1.0, 2.0, 5.0], &[1.0, 2.0, 3.0, 2.0]);
    assert!((found - (-2.0 + 6.0 + 4.0) / 8.0).abs() < 1e-6, "{found}");
}

/// Edge weights count, or are refused; and `phalanx explain` shows which, in the formula.
#[test]
fn no_rule_ignores_edge_weights() {
    let rows = cloud(&mut Rng::stream(2, 0, "weights"), 9, 5);
    let views: Vec<&[f32]> = rows.iter().map(Vec::as_slice).collect();
    let plain = Vectors::new(&views).unwrap().with_own(0);
    let weights = [3.0, 1.0, 2.0, 0.5, 1.0, 4.0, 1.0, 2.0, 1.0];
    let weighted = plain.with_weights(&weights).unwrap();
    for entry in RULES {
        let aggregate = |vectors| {
            let mut out = vec![f32::NAN; 5];
            let mut rule = build(entry.name, (9, 1), &[]);
            (rule.uses_edge_weights(), rule.aggregate(vectors, &mut out).map(|()| out))
        };
        let (uses, found) = aggregate(weighted);
        assert_eq!(entry.build.formula.contains("edge weights"), uses, "`{}`", entry.name);
        match uses {
            true => assert_ne!(found, aggregate(plain).1, "`{}` ignores them", entry.name),
            false => assert_eq!(found, Err(AggregateError::EdgeWeights), "`{}`", entry.name),
        }
    }
    // Behind a mixing there are no edges any more.
    let mixings = || {
        let entry = find(MIXINGS, "nearest-neighbor-mixing").unwrap();
        let args = phalanx_robust::Args::check(entry.name, entry.params, &Default::default());
        vec![(entry.build.build)(&args.unwrap(), Population::new(9, 1).unwrap()).unwrap()]
    };
    let mut chain = Chain::new(mixings(), build("trimmed-sum", (9, 1), &[]));
    assert!(!chain.uses_edge_weights());
    assert_eq!(chain.aggregate(weighted, &mut [0.0; 5]), Err(AggregateError::EdgeWeights));
    let mut chain = Chain::new(Vec::new(), build("trimmed-sum", (9, 1), &[]));
    assert!(chain.uses_edge_weights());
    assert_eq!(chain.aggregate(weighted, &mut [0.0; 5]), Ok(()));
}
