//! Nearest-neighbour averaging: exactness, validity, and the derived (α, λ) bounds.
use phalanx_robust::{AggregateError, Rng};

use super::{Rule, aggregate, build, cloud, mean, squared, variance, whole, widen};

const NNA: &str = "nearest-neighbor-averaging";

fn numbers(values: &[f32]) -> Vec<Vec<f32>> {
    values.iter().map(|x| vec![*x]).collect()
}

#[test]
fn the_worked_example_of_four_received_of_five() {
    let rows = numbers(&[0.0, 1.0, 2.0, 10.0]);
    assert_eq!(aggregate(&mut build(NNA, (4, 1), &[]), &rows, 0).unwrap(), [1.0]);
}

#[test]
fn equal_vectors_come_back_bit_for_bit() {
    let mut rng = Rng::stream(1, 0, "equal");
    for value in [0.1f32, 1e-40, 3.4e38, -7.25e-12] {
        let rows = vec![vec![value; 9]; 3 + rng.below(20)];
        let mut rule = build(NNA, (rows.len(), 1), &[]);
        assert_eq!(aggregate(&mut rule, &rows, 0).unwrap(), rows[0]);
    }
}

#[test]
fn a_row_that_is_not_finite_never_changes_a_result() {
    let mut rng = Rng::stream(2, 0, "not finite");
    for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        for own in 0..6 {
            let mut rows = cloud(&mut rng, 7, 33);
            rows[6] = vec![1e30; 33];
            let expected = aggregate(&mut build(NNA, (7, 1), &[]), &rows, own).unwrap();
            rows[6][rng.below(33)] = bad;
            assert_eq!(aggregate(&mut build(NNA, (7, 1), &[]), &rows, own).unwrap(), expected);
            rows[(own + 1) % 6][0] = bad;
            let refused = aggregate(&mut build(NNA, (7, 1), &[]), &rows, own).unwrap_err();
            assert_eq!(refused, AggregateError::TooManyNotFinite { found: 2, tolerated: 1 });
        }
    }
}

#[test]
fn an_own_row_that_is_not_finite_is_refused() {
    let rows = numbers(&[f32::NAN, 1.0, 2.0]);
    let refused = aggregate(&mut build(NNA, (3, 1), &[]), &rows, 0).unwrap_err();
    assert_eq!(refused, AggregateError::OwnNotFinite { rule: NNA });
}

#[test]
fn ties_go_to_the_own_row_and_then_to_the_lowest_index() {
    let rows = numbers(&[-1.0, 1.0, 0.0]);
    assert_eq!(aggregate(&mut build(NNA, (3, 1), &[]), &rows, 2).unwrap(), [-0.5]);
    let rows = [vec![2.0, 0.0], vec![2.0, 0.0], vec![2.0, 0.0], vec![3.0, 0.0]];
    // Duplicates of the own row are as near as itself; it is kept whichever its index.
    for own in 0..3 {
        let mut rule = build(NNA, (4, 1), &[]);
        assert_eq!(aggregate(&mut rule, &rows, own).unwrap(), [2.0, 0.0]);
    }
}

#[test]
fn order_shift_and_rotation_only_move_the_result_along() {
    let mut rng = Rng::stream(3, 0, "equivariance");
    for _ in 0..200 {
        let (count, dim) = (3 + rng.below(10), 2 + rng.below(12));
        let f = (count - 1) / 2;
        let rows = cloud(&mut rng, count, dim);
        let own = rng.below(count);
        let found = widen(&aggregate(&mut build(NNA, (count, f), &[]), &rows, own).unwrap());
        let close = |a: &[f64], b: &[f64]| squared(a, b).sqrt() <= 1e-6;

        let mut order: Vec<usize> = (0..count).collect();
        rng.shuffle(&mut order);
        let permuted: Vec<Vec<f32>> = order.iter().map(|i| rows[*i].clone()).collect();
        let own_now = order.iter().position(|i| *i == own).unwrap();
        let again = aggregate(&mut build(NNA, (count, f), &[]), &permuted, own_now).unwrap();
        assert!(close(&widen(&again), &found));

        let shifted: Vec<Vec<f32>> =
            rows.iter().map(|row| row.iter().map(|x| x + 8.0).collect()).collect();
        let again = aggregate(&mut build(NNA, (count, f), &[]), &shifted, own).unwrap();
        let back: Vec<f64> = again.iter().map(|x| f64::from(*x) - 8.0).collect();
        assert!(squared(&back, &found).sqrt() <= 1e-5);

        let angle = 6.0 * rng.unit();
        let turn =
            |x: f64, y: f64| (angle.cos() * x - angle.sin() * y, angle.sin() * x + angle.cos() * y);
        let rotated: Vec<Vec<f32>> = (rows.iter())
            .map(|row| {
                let (x, y) = turn(f64::from(row[0]), f64::from(row[1]));
                let head = [-2.0 * x as f32, -2.0 * y as f32];
                head.into_iter().chain(row[2..].iter().map(|x| -2.0 * x)).collect()
            })
            .collect();
        let again = widen(&aggregate(&mut build(NNA, (count, f), &[]), &rotated, own).unwrap());
        let (x, y) = turn(found[0], found[1]);
        let expected: Vec<f64> = [x, y].iter().chain(&found[2..]).map(|x| -2.0 * x).collect();
        assert!(close(&again, &expected), "{again:?} {expected:?}");
    }
}

/// `‖y_i − x_i‖ ≤ max_j ‖x_j − x_i‖` over the honest rows, whatever f rows hold.
#[test]
fn the_result_is_no_farther_than_the_farthest_honest_row() {
    let mut rng = Rng::stream(4, 0, "validity");
    for _ in 0..300 {
        let (h, f) = (3 + rng.below(9), 1 + rng.below(2));
        let mut rows = cloud(&mut rng, h, 5);
        let scale = 10f32.powi(rng.below(9) as i32 - 3);
        let byzantine = cloud(&mut rng, f, 5);
        rows.extend(byzantine.iter().map(|row| row.iter().map(|x| x * scale).collect()));
        for own in 0..h {
            let y = aggregate(&mut build(NNA, (h + f, f), &[]), &rows, own).unwrap();
            let x = widen(&rows[own]);
            let most = rows[..h].iter().map(|row| squared(&widen(row), &x)).fold(0.0, f64::max);
            assert!(squared(&widen(&y), &x) <= most * (1.0 + 1e-6));
        }
    }
}

#[test]
fn more_iterations_follow_the_mean_of_the_kept_rows() {
    let mut rng = Rng::stream(5, 0, "iterated");
    for _ in 0..200 {
        let (count, f, iterations) = (4 + rng.below(9), 1, 2 + rng.below(3));
        let rows = cloud(&mut rng, count, 7);
        let mut pivot = widen(&rows[0]);
        for _ in 0..iterations {
            let mut order: Vec<usize> = (0..count).collect();
            let distance = |i: usize| squared(&widen(&rows[i]), &pivot);
            order.sort_by(|&a, &b| distance(a).total_cmp(&distance(b)));
            pivot = mean(order[..count - f].iter().map(|i| &rows[*i]));
        }
        let given = [("iterations", whole(iterations as i64))];
        let found = aggregate(&mut build(NNA, (count, f), &given), &rows, 0).unwrap();
        assert!(squared(&widen(&found), &pivot).sqrt() < 1e-6);
    }
}

/// Everybody's result when receiver i is shown `shown[i]` besides what it hears of `honest`.
fn outputs(
    rule: &mut Rule,
    honest: &[Vec<f32>],
    heard: impl Fn(usize) -> Vec<usize>,
    shown: &[Vec<Vec<f32>>],
) -> Vec<Vec<f32>> {
    let one = |(i, shown): (usize, &Vec<Vec<f32>>)| {
        let mut rows = vec![honest[i].clone()];
        rows.extend(heard(i).iter().map(|j| honest[*j].clone()));
        rows.extend(shown.iter().cloned());
        aggregate(rule, &rows, 0).unwrap()
    };
    shown.iter().enumerate().map(one).collect()
}

/// `(α̂ + λ̂)`: variance of the outputs plus squared drift of their mean, in units of V.
fn reduction(honest: &[Vec<f32>], outputs: &[Vec<f32>]) -> f64 {
    let drift = squared(&mean(outputs), &mean(honest));
    (variance(outputs) + drift) / variance(honest)
}

/// A forgery that is just inside the kept set: as far as the receiver's `rank`-th neighbour.
fn just_inside(rng: &mut Rng, honest: &[Vec<f32>], i: usize, rank: usize) -> Vec<f32> {
    let own = widen(&honest[i]);
    let mut distances: Vec<f64> =
        honest.iter().map(|row| squared(&widen(row), &own).sqrt()).collect();
    distances.sort_by(f64::total_cmp);
    let radius = distances[rank.min(honest.len() - 1)] * (1.0 - 1e-6 * rng.unit());
    let direction: Vec<f64> = match rng.below(3) {
        0 => own.iter().zip(mean(honest)).map(|(own, mean)| own - mean).collect(),
        1 => own.iter().map(|_| rng.unit() - 0.5).collect(),
        _ => own.iter().map(|_| 1.0).collect(),
    };
    let norm = direction.iter().map(|x| x * x).sum::<f64>().sqrt().max(1e-12);
    own.iter().zip(&direction).map(|(own, x)| (own + x / norm * radius) as f32).collect()
}

/// Worst case that a search finds, as a share of the bound: random and heavy-tailed clouds,
/// forgeries at the edge of each receiver's kept set, then hill climbing on the honest rows.
fn worst_share(is_full: bool, (h, f): (usize, usize), trials: usize) -> f64 {
    let n = h + f;
    let received = if is_full { n } else { n - f };
    let mut rule = build(NNA, (received, f), &[]);
    let mut rng = Rng::stream(6, (h * 100 + f) as u64, "reduction");
    let (n_, f_) = (n as f64, f as f64);
    let bound = match is_full {
        true => 8.0 * f_ / (n_ - f_),
        false => (1.0 + 8f64.sqrt()).powi(2) * f_ * (n_ - f_) / (n_ - 2.0 * f_).powi(2),
    };
    let mut worst: f64 = 0.0;
    for _ in 0..trials {
        let dim = 1 + rng.below(3);
        let mut honest = cloud(&mut rng, h, dim);
        if rng.below(2) == 0 {
            let outliers = 1 + rng.below(f + 1);
            honest[..outliers].iter_mut().flatten().for_each(|x| *x *= 20.0);
        }
        let mut best: f64 = 0.0;
        for _ in 0..12 {
            let mut changed = honest.clone();
            let i = rng.below(h);
            changed[i].iter_mut().for_each(|x| *x += 0.5 * (rng.unit() as f32 - 0.5));
            let shown: Vec<Vec<Vec<f32>>> = (0..h)
                .map(|i| (0..f).map(|_| just_inside(&mut rng, &changed, i, received - f)).collect())
                .collect();
            // Whom a receiver hears is the scheduler's choice: here those after it, or at random.
            let start = rng.below(h);
            let heard = |i: usize| -> Vec<usize> {
                let others = (0..h).map(|k| (start + k) % h).filter(|j| *j != i);
                others.take(received - f - 1).collect()
            };
            let share = reduction(&changed, &outputs(&mut rule, &changed, heard, &shown)) / bound;
            if share > best {
                (best, honest) = (share, changed);
            }
        }
        worst = worst.max(best);
    }
    worst
}

#[test]
fn the_derived_bounds_hold_under_search() {
    for population in [(4, 1), (10, 1), (9, 2), (24, 2), (13, 3), (21, 5)] {
        for is_full in [true, false] {
            let worst = worst_share(is_full, population, 20);
            assert!(worst <= 1.0, "full {is_full}, (h, f) = {population:?}: {worst} of the bound");
            // The search must bite, or it would prove nothing.
            assert!(worst > 0.02, "full {is_full}, (h, f) = {population:?}: only {worst}");
        }
    }
}

/// n = 26, f = 2, everything received: the honest variance after K rounds is at most 0.667^K of
/// the start, also when each receiver is shown something else.
#[test]
fn rounds_contract_at_the_derived_rate() {
    let (h, f) = (24, 2);
    let mut rule = build(NNA, (h + f, f), &[]);
    let mut rng = Rng::stream(7, 0, "rounds");
    for equivocates in [true, false] {
        let mut honest = cloud(&mut rng, h, 6);
        let start = variance(&honest);
        for round in 1..=8 {
            let same: Vec<Vec<f32>> =
                (0..f).map(|_| just_inside(&mut rng, &honest, 0, h - 1)).collect();
            let shown: Vec<Vec<Vec<f32>>> = (0..h)
                .map(|i| match equivocates {
                    true => (0..f).map(|_| just_inside(&mut rng, &honest, i, h - 1)).collect(),
                    false => same.clone(),
                })
                .collect();
            let heard = |i: usize| (0..h).filter(|j| *j != i).collect();
            honest = outputs(&mut rule, &honest, heard, &shown);
            let left = variance(&honest) / start;
            // Below 1e-12 the rounding of f32 vectors is all that is left.
            assert!(left <= (2.0f64 / 3.0).powi(round) + 1e-12, "round {round}: {left}");
        }
    }
}
