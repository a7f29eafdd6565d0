//! Rules that search among subsets agree with enumeration, ties included.
use phalanx_robust::{AggregateError, Rng};

use super::{aggregate, build, cloud, mean, squared, subsets, widen};

const MVA: &str = "minimum-variance-averaging";
const SMEA: &str = "smallest-maximum-eigenvalue-averaging";
const MDA: &str = "minimum-diameter-averaging";

fn diameter(rows: &[Vec<f32>], subset: &[usize]) -> f64 {
    let pairs = subset.iter().flat_map(|&i| subset.iter().map(move |&j| (i, j)));
    pairs.map(|(i, j)| squared(&widen(&rows[i]), &widen(&rows[j]))).fold(0.0, f64::max)
}

/// Integer coordinates, so that distances are exact and ties frequent.
fn grid(rng: &mut Rng, count: usize, dim: usize, width: usize) -> Vec<Vec<f32>> {
    (0..count).map(|_| (0..dim).map(|_| rng.below(width) as f32).collect()).collect()
}

fn first_best(
    rows: &[Vec<f32>],
    keep: usize,
    score: impl Fn(&[Vec<f32>], &[usize]) -> f64,
) -> Vec<usize> {
    let mut best: Option<(f64, Vec<usize>)> = None;
    for subset in subsets(rows.len(), keep) {
        let value = score(rows, &subset);
        if best.as_ref().is_none_or(|(least, _)| value < *least) {
            best = Some((value, subset));
        }
    }
    best.unwrap().1
}

#[test]
fn least_diameter_equals_enumeration() {
    let mut rng = Rng::stream(1, 0, "mda");
    for case in 0..600 {
        let count = 1 + rng.below(12);
        let f = rng.below(count.div_ceil(2));
        let rows = match case % 3 {
            0 => grid(&mut rng, count, 2, 4),
            1 => grid(&mut rng, count, 3, 3),
            _ => cloud(&mut rng, count, 4),
        };
        let best = first_best(&rows, count - f, diameter);
        let expected = mean(best.iter().map(|i| &rows[*i]));
        let found = aggregate(&mut build(MDA, (count, f), &[]), &rows, 0).unwrap();
        let error = squared(&widen(&found), &expected).sqrt();
        assert!(error < 1e-6, "{case}: {rows:?} f = {f}: {found:?}, not {best:?} {expected:?}");
    }
}

fn sum_over_pairs(rows: &[Vec<f32>], subset: &[usize]) -> f64 {
    let pairs = subset.iter().flat_map(|&i| subset.iter().map(move |&j| (i, j)));
    pairs.map(|(i, j)| squared(&widen(&rows[i]), &widen(&rows[j]))).sum()
}

#[test]
fn least_variance_equals_enumeration() {
    let mut rng = Rng::stream(3, 0, "mva");
    for case in 0..600 {
        let count = 1 + rng.below(12);
        let f = rng.below(count.div_ceil(2));
        let rows = match case % 3 {
            0 => grid(&mut rng, count, 2, 4),
            1 => grid(&mut rng, count, 3, 3),
            _ => cloud(&mut rng, count, 4),
        };
        let best = first_best(&rows, count - f, sum_over_pairs);
        let expected = mean(best.iter().map(|i| &rows[*i]));
        let found = aggregate(&mut build(MVA, (count, f), &[]), &rows, 0).unwrap();
        let error = squared(&widen(&found), &expected).sqrt();
        assert!(error < 1e-6, "{case}: {rows:?} f = {f}: {found:?}, not {best:?} {expected:?}");
    }
}

/// The largest eigenvalue of the scatter, through the matrix of size d x d and by squaring it until
/// only the largest is left: nothing of the rule's own way.
fn largest_eigenvalue(rows: &[Vec<f32>], subset: &[usize]) -> f64 {
    let centre = mean(subset.iter().map(|i| &rows[*i]));
    let d = centre.len();
    let mut matrix = vec![0.0; d * d];
    for &i in subset {
        let row: Vec<f64> = widen(&rows[i]).iter().zip(&centre).map(|(x, m)| x - m).collect();
        for k in 0..d * d {
            matrix[k] += row[k / d] * row[k % d];
        }
    }
    // λ = lim trace(M^p)^(1/p) with p = 2^40, kept in range by dividing by the trace.
    let (mut logarithm, mut power) = (0.0, 1.0);
    for _ in 0..40 {
        let trace: f64 = (0..d).map(|k| matrix[k * d + k]).sum();
        if trace == 0.0 {
            return 0.0;
        }
        logarithm += trace.ln() / power;
        matrix.iter_mut().for_each(|entry| *entry /= trace);
        let entry = |k: usize| (0..d).map(|l| matrix[k / d * d + l] * matrix[l * d + k % d]).sum();
        matrix = (0..d * d).map(entry).collect();
        power *= 2.0;
    }
    logarithm.exp()
}

#[test]
fn least_largest_eigenvalue_equals_enumeration() {
    let mut rng = Rng::stream(4, 0, "smea");
    let mut is_not_least_variance = 0;
    for case in 0..300 {
        let count = 1 + rng.below(10);
        let f = rng.below(count.div_ceil(2));
        let rows = match case % 3 {
            0 => grid(&mut rng, count, 1, 5),
            1 => grid(&mut rng, count, 3, 3),
            _ => cloud(&mut rng, count, 4),
        };
        let mut best: Option<(f64, Vec<usize>)> = None;
        for subset in subsets(count, count - f) {
            let value = largest_eigenvalue(&rows, &subset);
            if best.as_ref().is_none_or(|(least, _)| value < *least * (1.0 - 1e-11)) {
                best = Some((value, subset));
            }
        }
        let best = best.unwrap().1;
        let of_variance = first_best(&rows, count - f, sum_over_pairs);
        is_not_least_variance += usize::from(best != of_variance);
        let expected = mean(best.iter().map(|i| &rows[*i]));
        let found = aggregate(&mut build(SMEA, (count, f), &[]), &rows, 0).unwrap();
        let error = squared(&widen(&found), &expected).sqrt();
        assert!(error < 1e-6, "{case}: {rows:?} f = {f}: {found:?}, not {best:?} {expected:?}");
    }
    assert!(is_not_least_variance > 20, "told from least variance {is_not_least_variance} times");
}

#[test]
fn clustered_rows_of_a_hundred_are_fast() {
    let mut rng = Rng::stream(2, 0, "clustered");
    let mut rows = cloud(&mut rng, 84, 10);
    let near: Vec<f32> = vec![0.9; 10];
    rows.extend(
        cloud(&mut rng, 16, 10)
            .iter()
            .map(|row| row.iter().zip(&near).map(|(x, near)| near + 0.3 * x).collect::<Vec<f32>>()),
    );
    let found = aggregate(&mut build(MDA, (100, 16), &[]), &rows, 0).unwrap();
    assert!(found.iter().all(|x| x.abs() < 0.5), "{found:?}");
    // Least variance is harder: the cluster is told from the cloud only by all pairs together.
    let refused = aggregate(&mut build(MVA, (100, 16), &[]), &rows, 0);
    assert_eq!(refused, Err(AggregateError::Limit { rule: MVA, limit: 5_000_000 }));
    // A cluster farther out is left out at once.
    rows[84..].iter_mut().flatten().for_each(|x| *x += 5.0);
    let found = aggregate(&mut build(MVA, (100, 16), &[]), &rows, 0).unwrap();
    let error = squared(&widen(&found), &mean(&rows[..84])).sqrt();
    assert!(error < 1e-6, "{error}");
    let found = aggregate(&mut build(SMEA, (100, 16), &[]), &rows, 0).unwrap();
    let error = squared(&widen(&found), &mean(&rows[..84])).sqrt();
    assert!(error < 1e-6, "{error}");
}

/// Nothing tells 60 rows of one cloud apart, and there are 10¹⁶ sets of 40: an error, no hang.
#[test]
fn a_search_for_the_least_eigenvalue_ends() {
    let rows = cloud(&mut Rng::stream(5, 0, "cloud"), 60, 40);
    let refused = aggregate(&mut build(SMEA, (60, 20), &[]), &rows, 0);
    assert_eq!(refused, Err(AggregateError::Limit { rule: SMEA, limit: 10_000_000 }));
}
