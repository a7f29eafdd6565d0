//! Outputs that the field's libraries document, and small ones worked out by hand.
use super::{Rule, aggregate, build, mix, whole, word};
use phalanx_robust::Value;

fn three() -> Vec<Vec<f32>> {
    vec![vec![1.0, 2.0, 3.0], vec![4.0, 5.0, 6.0], vec![7.0, 8.0, 9.0]]
}

fn assert_close(found: &[f32], expected: &[f64], what: &str) {
    for (found, expected) in found.iter().zip(expected) {
        let error = (f64::from(*found) - expected).abs();
        assert!(error <= 1e-6 * expected.abs().max(1.0), "{what}: {found} for {expected}");
    }
}

fn on_three(mut rule: Rule, own: usize, expected: &[f64; 3], what: &str) {
    assert_close(&aggregate(&mut rule, &three(), own).unwrap(), expected, what);
}

#[test]
fn documented_examples() {
    let middle = [4.0, 5.0, 6.0];
    let low = [2.5, 3.5, 4.5];
    let byzfl = [("variant", word("byzfl"))];
    on_three(build("average", (3, 0), &[]), 0, &middle, "average");
    on_three(build("centered-clipping", (3, 1), &[]), 0, &middle, "centered clipping");
    on_three(build("caf", (3, 1), &[]), 0, &middle, "caf");
    let median = [3.78788764, 4.78788764, 5.78788764];
    on_three(build("geometric-median", (3, 1), &[]), 0, &median, "geometric median");
    on_three(build("krum", (3, 1), &byzfl), 0, &[1.0, 2.0, 3.0], "krum: a tie, lowest index");
    on_three(build("multi-krum", (3, 1), &byzfl), 0, &low, "multi-krum");
    on_three(build("minimum-diameter-averaging", (3, 1), &[]), 0, &low, "mda");
    on_three(build("minimum-variance-averaging", (3, 1), &[]), 0, &low, "mva, derived");
    on_three(build("smallest-maximum-eigenvalue-averaging", (3, 1), &[]), 0, &low, "smea");
    on_three(build("nearest-neighbor-averaging", (3, 1), &[]), 1, &low, "nna at row 1");
}

/// Rows 0, 1, 2, 4, 100 with f = 1. The variance 1538.7 around 21.4 exceeds √20, so that row i
/// keeps 1 − ((x_i − 21.4)/78.6)² of its weight and 100 has none; of the others 1.77 is the mean
/// and 2.2 the variance. With σ = 0.1 a second round, the last, takes 4 as well.
#[test]
fn filtering_by_hand() {
    let rows: Vec<Vec<f32>> = [0.0, 1.0, 2.0, 4.0, 100.0].iter().map(|x| vec![*x]).collect();
    let filter = |sigma: f64| {
        let mut rule = build("filter-l2", (5, 1), &[("sigma", Value::Number(sigma))]);
        aggregate(&mut rule, &rows, 0).unwrap()[0]
    };
    assert_eq!(filter(1e4), 21.4);
    let mass = [0.0f64, 1.0, 2.0, 4.0].map(|x| (x, 1.0 - ((x - 21.4) / 78.6).powi(2)));
    let mean = |mass: &[(f64, f64)]| {
        let sum: f64 = mass.iter().map(|(_, weight)| weight).sum();
        mass.iter().map(|(x, weight)| x * weight).sum::<f64>() / sum
    };
    let first = mean(&mass);
    assert_close(&[filter(1.0)], &[first], "one round");
    let second =
        mass.map(|(x, weight)| (x, weight * (1.0 - ((x - first) / (4.0 - first)).powi(2))));
    assert_close(&[filter(0.1)], &[mean(&second)], "two rounds");
    assert_eq!(filter(0.0), filter(1e-5), "published: 0 means 1e-5");
}

/// Two rows at ±1 are equally far: the published loop divides by 0, here their mean stands.
#[test]
fn filtering_leaves_something() {
    for rows in
        [vec![vec![-1.0], vec![1.0], vec![f32::NAN]], vec![vec![-9.0], vec![0.0], vec![9.0]]]
    {
        let given = [("sigma", Value::Number(0.0))];
        assert_eq!(aggregate(&mut build("filter-l2", (3, 1), &given), &rows, 0).unwrap(), [0.0]);
    }
}

#[test]
fn nearest_neighbor_mixing_of_the_documented_rows() {
    let mixed = mix("nearest-neighbor-mixing", 1, &three());
    assert_eq!(mixed, [vec![2.5, 3.5, 4.5], vec![2.5, 3.5, 4.5], vec![5.5, 6.5, 7.5]]);
}

#[test]
fn the_krum_librarys_example() {
    let row = |x: f32| vec![x, x + 1.0, x + 2.0];
    let rows = [row(1.0), row(1.1), row(0.9), row(1.2), vec![100.0, 200.0, 300.0]];
    for variant in ["krum-library", "byzfl"] {
        let given = [("variant", word(variant)), ("m", whole(2))];
        let found = aggregate(&mut build("multi-krum", (5, 1), &given), &rows, 0).unwrap();
        assert_close(&found, &[1.05, 2.05, 3.05], variant);
    }
}

/// On the line 0, 1, 3, 3.5, 100 with f = 1 the two nearest others decide the original score, the
/// three nearest the others: original prefers 1 (1 + 4), its fellows as well by 1 + 4 + 6.25,
/// and plain distances prefer 3 (0.5 + 2 + 3 against 1 + 2 + 2.5: equal, lowest index 1).
#[test]
fn variants_of_krum_count_other_neighbours() {
    let rows: Vec<Vec<f32>> = [0.0, 1.0, 3.0, 3.5, 100.0].iter().map(|x| vec![*x]).collect();
    let krum = |variant: &str| {
        let given = [("variant", word(variant))];
        aggregate(&mut build("krum", (5, 1), &given), &rows, 0).unwrap()[0]
    };
    // original scores: 0: 1 + 9; 1: 1 + 4; 3: .25 + 4; 3.5: .25 + 6.25.
    assert_eq!(krum("original"), 3.0);
    // byzfl: 1: 1 + 4 + 6.25 = 11.25; 3: .25 + 4 + 9 = 13.25.
    assert_eq!(krum("byzfl"), 1.0);
    // krum-library: 1: 1 + 2 + 2.5 = 5.5; 3: .5 + 2 + 3 = 5.5; lowest index.
    assert_eq!(krum("krum-library"), 1.0);
}

#[test]
fn medoid_is_a_row_with_the_least_sum_of_distances() {
    let rows: Vec<Vec<f32>> = [7.0, 0.0, 1.0, 2.5, 100.0].iter().map(|x| vec![*x]).collect();
    assert_eq!(aggregate(&mut build("medoid", (5, 2), &[]), &rows, 0).unwrap(), [2.5]);
    let tie: Vec<Vec<f32>> = [0.0, 1.0, 2.0, 3.0].iter().map(|x| vec![*x]).collect();
    assert_eq!(aggregate(&mut build("medoid", (4, 1), &[]), &tie, 0).unwrap(), [1.0]);
}

#[test]
fn least_norms_are_averaged() {
    let rows = vec![vec![3.0, 4.0], vec![0.0, -1.0], vec![2.0, 0.0], vec![f32::NAN, 0.0]];
    let mut rule = build("comparative-gradient-elimination", (4, 1), &[]);
    assert_close(&aggregate(&mut rule, &rows, 0).unwrap(), &[5.0 / 3.0, 1.0], "with NaN");
    let mut rule = build("comparative-gradient-elimination", (3, 1), &[]);
    assert_eq!(aggregate(&mut rule, &rows[..3], 0).unwrap(), [1.0, -0.5]);
}

#[test]
fn parameters_that_do_not_fit_are_refused() {
    for (name, population, given) in [
        ("krum", (4, 1), vec![]),
        ("krum", (2, 1), vec![("variant", word("byzfl"))]),
        ("krum", (9, 1), vec![("variant", word("other"))]),
        ("multi-krum", (9, 2), vec![("m", whole(8))]),
        ("multi-krum", (9, 2), vec![("m", whole(0))]),
        ("geometric-median", (9, 2), vec![("nu", Value::Number(0.0))]),
        ("geometric-median", (9, 2), vec![("tolerance", Value::Number(f64::NAN))]),
        ("self-centered-clipping", (9, 2), vec![("tau", Value::Number(-1.0))]),
    ] {
        let built = super::try_build(name, population, &given);
        assert!(built.is_err(), "{name} {population:?} {given:?}");
    }
    assert!(super::try_build("multi-krum", (9, 2), &[("m", whole(7))]).is_ok());
}
