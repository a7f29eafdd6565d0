//! Every path gives the bits of the portable one, and those agree with plain f64 loops.
use crate::Rng;
use crate::geometry::{Geometry, Needs, Pairs};
use crate::kernel::combine::{Weights, combine_many_on, combine_on};
use crate::kernel::distances::geometry_on;
use crate::kernel::lanes::Path;
use crate::kernel::moments::moments_on;
use crate::kernel::scale::scale_on;
use crate::kernel::{
    Combination, Divisor, Precision, Workspace, combine, combine_many, dot, is_finite, scale,
    scale_in_place, squared_distance, squared_distances_in,
};
use crate::vectors::Vectors;

const KINDS: usize = 7;

/// Families of rows that break careless arithmetic.
fn family(kind: usize, count: usize, dim: usize) -> Vec<Vec<f32>> {
    let mut rng = Rng::stream(kind as u64, (count * 1000 + dim) as u64, "kernel tests");
    let mut row = |i: usize| -> Vec<f32> {
        let entry = |k: usize| {
            let noise = (rng.unit() * 2.0 - 1.0) as f32;
            match kind {
                0 => noise,
                1 => 3.0e4 + noise * 1e-2,
                2 => noise * 3e38,
                3 => noise * 1e-40,
                4 => [1e30, -1e30][(k + i) % 2] * (1.0 + noise * 1e-3),
                5 if i == 1 && k == dim / 2 => f32::NAN,
                5 if i == 2 && k + 1 == dim => f32::NEG_INFINITY,
                6 => 0.1 * i as f32,
                _ => noise * 10f32.powi((k % 60) as i32 - 30),
            }
        };
        (0..dim).map(entry).collect()
    };
    (0..count).map(&mut row).collect()
}

fn views(rows: &[Vec<f32>]) -> Vec<&[f32]> {
    rows.iter().map(|row| &row[..]).collect()
}

fn shapes() -> impl Iterator<Item = (usize, usize, usize)> {
    let short = (1..=200).map(|dim| (1 + dim % 11, dim));
    let long = [(5, 4095), (9, 4097), (3, 16384), (6, 33333), (2, 200_001)];
    short.chain(long).flat_map(|(count, dim)| (0..KINDS).map(move |kind| (kind, count, dim)))
}

fn reference(a: &[f32], b: &[f32]) -> f64 {
    // Kahan's sum, so that the reference is better than what it judges.
    let (mut sum, mut carry) = (0.0f64, 0.0f64);
    for (a, b) in a.iter().zip(b) {
        let term = (f64::from(*a) - f64::from(*b)).powi(2) - carry;
        let next = sum + term;
        carry = (next - sum) - term;
        sum = next;
    }
    if sum.is_nan() { f64::INFINITY } else { sum }
}

/// Pairs to be computed, and the relative error that is promised.
const ERRORS: [(Pairs, f64); 2] = [(Pairs::All, 1e-6), (Pairs::Exact, 1e-12)];

#[test]
fn every_path_gives_the_same_geometry_and_it_is_accurate() {
    for (kind, count, dim) in shapes() {
        let rows = family(kind, count, dim);
        for (pairs, error) in ERRORS {
            assert_same_and_accurate(&views(&rows), pairs, error, &format!("{kind} {count}x{dim}"));
        }
    }
}

fn assert_same_and_accurate(rows: &[&[f32]], pairs: Pairs, error: f64, what: &str) {
    let count = rows.len();
    let vectors = Vectors::new(rows).unwrap().with_own(count / 2);
    let run = |path| {
        let mut geometry = Geometry::unknown(count);
        let (needs, mut work) = (Needs { pairs, has_norms: false }, Workspace::default());
        geometry_on(path, vectors, needs, &mut work, &mut geometry);
        geometry
    };
    let expected = run(Path::Portable);
    for path in Path::all() {
        let found = run(path);
        for i in 0..count {
            let is_known = count > 1;
            assert!(!is_known || found.is_finite(i) == is_finite(rows[i]), "{path:?} {what}");
            for j in 0..count {
                let (a, b) = (found.squared_distance(i, j), expected.squared_distance(i, j));
                assert_eq!(a.to_bits(), b.to_bits(), "{path:?} {what} {i},{j}");
                assert_eq!(a.to_bits(), found.squared_distance(j, i).to_bits());
                let exact = reference(rows[i], rows[j]);
                let is_close = a == exact || (a - exact).abs() <= error * exact;
                assert!(is_close, "{path:?} {what} {i},{j}: {a:e} {exact:e}");
            }
        }
    }
}

#[test]
fn every_path_gives_the_same_norms() {
    for (kind, count, dim) in shapes() {
        let rows = family(kind, count, dim);
        let rows = views(&rows);
        let vectors = Vectors::new(&rows).unwrap();
        let needs = Needs { pairs: Pairs::All, has_norms: true };
        let run = |path| {
            let mut geometry = Geometry::unknown(count);
            geometry_on(path, vectors, needs, &mut Workspace::default(), &mut geometry);
            geometry
        };
        let expected = run(Path::Portable);
        for found in Path::all().map(run) {
            for i in 0..count {
                assert_eq!(found.squared_norm(i).to_bits(), expected.squared_norm(i).to_bits());
                assert_eq!(found.is_finite(i), is_finite(rows[i]));
            }
        }
    }
}

/// What makes roundings pile up on one side, or squares vanish, in single precision: rows whose
/// differences are all equal, models that agree to a part in a thousand, blocks at the edge of
/// what is trusted, and one large entry beside many tiny ones.
#[test]
fn single_precision_keeps_its_bound_on_structured_data() {
    let mut rng = Rng::stream(3, 0, "structure");
    let mut noise = move || (rng.unit() * 2.0 - 1.0) as f32;
    let dim = 5000;
    for step in [0.1f32, 1.0 / 3.0, 1.000_000_1, 7e-17, 3.3e-16, 1e-18, 1e-22, 1e18, 3e18, 1e19] {
        let constant = |i: usize| vec![step * i as f32; dim];
        let mixed = |i: usize| {
            let entry = |k: usize| if k == 17 { i as f32 } else { step * (i * k % 7) as f32 };
            (0..dim).map(entry).collect()
        };
        let rows: Vec<Vec<f32>> = (0..4).map(constant).chain((0..4).map(mixed)).collect();
        assert_same_and_accurate(&views(&rows), Pairs::All, 1e-6, &format!("step {step:e}"));
    }
    let mut common: Vec<f32> = (0..dim).map(|_| noise()).collect();
    for ratio in [10.0, 1000.0] {
        common.iter_mut().for_each(|x| *x *= ratio);
        let rows: Vec<Vec<f32>> =
            (0..9).map(|_| common.iter().map(|x| x + noise()).collect()).collect();
        assert_same_and_accurate(&views(&rows), Pairs::All, 1e-6, &format!("ratio {ratio}"));
    }
}

/// Equal rows are at distance 0, rows that differ in one tiny entry are not.
#[test]
fn equal_rows_and_only_they_are_at_distance_0() {
    let mut rng = Rng::stream(4, 0, "equal");
    let row: Vec<f32> = (0..3000).map(|_| (rng.unit() as f32) * 1e30).collect();
    let mut other = row.clone();
    other[2000] = 0.0;
    let mut tiny = other.clone();
    tiny[2000] = 1e-45;
    let rows = [row.clone(), other, row, tiny];
    let views = views(&rows);
    let mut geometry = Geometry::default();
    geometry.compute(Vectors::new(&views).unwrap(), Needs { pairs: Pairs::All, has_norms: false });
    assert_eq!(geometry.squared_distance(0, 2), 0.0);
    assert!(geometry.squared_distance(0, 1) > 0.0);
    let least = f64::from(1e-45f32).powi(2);
    assert_eq!(geometry.squared_distance(1, 3), least);
}

#[test]
fn a_pair_does_not_depend_on_the_other_pairs() {
    for (kind, count, dim) in shapes() {
        let rows = family(kind, count, dim);
        let rows = views(&rows);
        let mut rng = Rng::stream(1, dim as u64, "pairs");
        let mut pairs: Vec<(usize, usize)> =
            (0..rng.below(3 * count)).map(|_| (rng.below(count), rng.below(count))).collect();
        pairs.extend((0..count).map(|j| (j, count / 2)));
        for precision in [Precision::Single, Precision::Double] {
            let mut out = vec![0.0; pairs.len()];
            squared_distances_in(precision, &rows, &pairs, &mut out);
            let vectors = Vectors::new(&rows).unwrap().with_own(count / 2);
            let (mut own, mut all) = (Geometry::default(), Geometry::default());
            let has_norms = precision == Precision::Double;
            own.compute(vectors, Needs { pairs: Pairs::Own, has_norms });
            all.compute(vectors, Needs { pairs: Pairs::All, has_norms });
            for (&(i, j), &found) in pairs.iter().zip(&out) {
                let mut alone = [0.0];
                squared_distances_in(precision, &[rows[i], rows[j]], &[(0, 1)], &mut alone);
                let what = format!("{precision:?} {kind} {count}x{dim} {i},{j}");
                assert_eq!(found.to_bits(), alone[0].to_bits(), "{what}");
                if precision == Precision::Double {
                    let one = squared_distance(rows[i], rows[j]);
                    assert_eq!(found.to_bits(), one.to_bits(), "{what}");
                }
                if count > 1 {
                    assert_eq!(found.to_bits(), all.squared_distance(i, j).to_bits(), "{what}");
                }
                if j == count / 2 && count > 1 {
                    assert_eq!(found.to_bits(), own.squared_distance(i, j).to_bits(), "{what}");
                }
            }
        }
    }
}

#[test]
fn every_path_gives_the_same_combinations() {
    // More rows than are read at once, with and without a rest.
    let many = [(40, 1100), (33, 3001), (71, 2048), (35, 30_000)];
    let many = many.into_iter().flat_map(|(count, dim)| [0, 2, 5].map(|kind| (kind, count, dim)));
    for (kind, count, dim) in shapes().chain(many) {
        let rows = family(kind, count, dim);
        let rows = views(&rows);
        let mut rng = Rng::stream(2, dim as u64, "weights");
        let mut weights: Vec<f64> =
            (0..count).map(|_| if rng.below(3) == 0 { 0.0 } else { rng.unit() - 0.3 }).collect();
        for i in (0..count).filter(|&i| !is_finite(rows[i])) {
            weights[i] = 0.0;
        }
        let plain: Vec<f32> = (0..dim)
            .map(|k| {
                let used = (0..count).filter(|&i| weights[i] != 0.0);
                used.fold(-0.0, |sum, i| weights[i].mul_add(f64::from(rows[i][k]), sum)) as f32
            })
            .collect();
        let terms: Vec<(usize, f64)> =
            weights.iter().copied().enumerate().filter(|(_, weight)| *weight != 0.0).collect();
        for path in Path::all() {
            let mut one = vec![f32::NAN; dim];
            combine_on(path, &rows, Weights::Dense(&weights), &mut one);
            let (mut first, mut second) = (vec![f32::NAN; dim], vec![f32::NAN; dim]);
            let (mut third, equal) = (vec![f32::NAN; dim], terms.clone());
            let mut many = [
                Combination { terms: &terms[..], out: &mut first },
                Combination { terms: &terms[..terms.len() / 2], out: &mut second },
                Combination { terms: &equal[..], out: &mut third },
            ];
            combine_many_on(path, &rows, &mut many);
            for k in 0..dim {
                let expected = plain[k].to_bits();
                assert_eq!(one[k].to_bits(), expected, "{path:?} {kind} {count}x{dim} at {k}");
                assert_eq!(first[k].to_bits(), expected, "{path:?} {kind} {count}x{dim} at {k}");
                assert_eq!(third[k].to_bits(), expected, "an equal one, shared");
                assert!(!second[k].is_nan());
            }
        }
    }
}

/// Enough outputs for a panel, some of them equal; rows that nobody names hold NaN.
#[test]
fn many_combinations_have_the_bits_of_one() {
    for (count, dim) in [(5, 63), (9, 64), (12, 2111), (26, 130), (33, 4200), (128, 200), (129, 70)]
    {
        let mut rows = family(2, count, dim);
        rows[1].fill(f32::NAN);
        let rows = views(&rows);
        let mut rng = Rng::stream(5, count as u64, "many");
        let mut weight = |i: usize| match (i, rng.below(3)) {
            (1, _) | (_, 0) => 0.0,
            _ => rng.unit() - 0.3,
        };
        let mut dense: Vec<Vec<f64>> =
            (0..9).map(|_| (0..count).map(&mut weight).collect()).collect();
        dense[4] = dense[2].clone();
        let terms: Vec<Vec<(usize, f64)>> = (dense.iter().enumerate())
            // A weight of 0 that is listed is left out as well.
            .map(|(at, all)| all.iter().copied().enumerate().skip(at / 8).collect())
            .collect();
        for path in Path::all() {
            let mut found = vec![vec![f32::NAN; dim]; terms.len()];
            let both = terms.iter().map(Vec::as_slice).zip(&mut found);
            let mut many: Vec<_> = both.map(|(terms, out)| Combination { terms, out }).collect();
            combine_many_on(path, &rows, &mut many);
            for (at, (weights, found)) in dense.iter().zip(&found).enumerate() {
                let mut weights = weights.clone();
                weights[..at / 8].fill(0.0);
                let mut one = vec![f32::NAN; dim];
                combine_on(Path::Portable, &rows, Weights::Dense(&weights), &mut one);
                let same = one.iter().zip(found).all(|(a, b)| a.to_bits() == b.to_bits());
                assert!(same, "{path:?} {count}x{dim}, output {at}");
            }
        }
    }
}

#[test]
fn every_path_gives_the_same_moments() {
    for (kind, count, dim) in shapes().filter(|(kind, ..)| *kind != 5) {
        let rows = family(kind, count, dim);
        let rows = views(&rows);
        for divisor in [Divisor::Count, Divisor::CountLessOne] {
            let squares = if divisor == Divisor::Count { count } else { (count - 1).max(1) };
            let mut all = Vec::new();
            for path in Path::all() {
                let (mut mean, mut deviation) = (vec![0.0; dim], vec![0.0; dim]);
                moments_on(path, &rows, divisor, (&mut mean, &mut deviation));
                all.push((mean, deviation));
            }
            let bits = |values: &[f32]| values.iter().map(|x| x.to_bits()).collect::<Vec<_>>();
            for (mean, deviation) in &all {
                assert_eq!(bits(mean), bits(&all[0].0));
                assert_eq!(bits(deviation), bits(&all[0].1));
            }
            for k in 0..dim {
                let exact = rows.iter().map(|row| f64::from(row[k])).sum::<f64>() / count as f64;
                let sum: f64 = rows.iter().map(|row| (f64::from(row[k]) - exact).powi(2)).sum();
                let exact_deviation = (sum / squares as f64).sqrt();
                let is_close = |a: f32, b: f64, scale: f64| {
                    // A deviation of numbers near the largest f32 may itself be beyond it.
                    a == b as f32 || (f64::from(a) - b).abs() <= 1e-7 * scale + 1.5e-45
                };
                let scale = rows.iter().map(|row| f64::from(row[k].abs())).fold(0.0, f64::max);
                assert!(is_close(all[0].0[k], exact, scale), "{kind} {count}x{dim} at {k}");
                let found = all[0].1[k];
                let is_fine = is_close(found, exact_deviation, exact_deviation);
                assert!(is_fine, "{kind} {count}x{dim} {k}: {found:e} {exact_deviation:e}");
            }
        }
    }
}

#[test]
fn every_path_scales_alike_and_in_place_too() {
    for (kind, count, dim) in shapes() {
        let rows = family(kind, count, dim);
        let rows = views(&rows);
        let factors: Vec<f64> = (0..count).map(|i| [1.0, 0.3, 0.0, 1e-12][i % 4]).collect();
        let plain = |i: usize, x: f32| match factors[i] {
            0.0 => 0.0,
            1.0 => x,
            factor => (f64::from(x) * factor) as f32,
        };
        let rows_of_bits = rows.iter().enumerate();
        let expected: Vec<u32> = rows_of_bits
            .flat_map(|(i, row)| row.iter().map(move |x| (i, *x)))
            .map(|(i, x)| plain(i, x).to_bits())
            .collect();
        let bits = |values: &[f32]| values.iter().map(|x| x.to_bits()).collect::<Vec<_>>();
        for path in Path::all() {
            let mut out = vec![5.0; count * dim];
            scale_on(path, &rows, &factors, &mut out);
            assert!(bits(&out) == expected, "{path:?} {kind} {count}x{dim}");
        }
        let mut values = rows.concat();
        scale_in_place(&mut values, &factors);
        assert!(bits(&values) == expected, "in place {kind} {count}x{dim}");
    }
}

#[test]
fn the_number_of_threads_changes_no_bit() {
    let rows = family(0, 7, 300_000);
    let rows = views(&rows);
    let vectors = Vectors::new(&rows).unwrap();
    let run = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| {
            let mut geometry = Geometry::default();
            geometry.compute(vectors, Needs { pairs: Pairs::All, has_norms: true });
            let mut out = vec![0.0; 300_000];
            combine(&rows, &[0.3, 0.1, 0.0, -0.2, 0.4, 0.3, 0.1], &mut out);
            let distances: Vec<u64> =
                (0..49).map(|k| geometry.squared_distance(k / 7, k % 7).to_bits()).collect();
            let mut scaled = vec![0.0; 7 * 300_000];
            scale(&rows, &[1.0, 0.5, 0.0, 0.3, 1.0, 1.0, 0.7], &mut scaled);
            let bits = |values: &[f32]| values.iter().map(|x| x.to_bits()).collect::<Vec<_>>();
            (distances, bits(&out), bits(&scaled))
        })
    };
    let alone = run(1);
    assert_eq!(alone, run(2));
    assert_eq!(alone, run(5));
}

#[test]
fn rows_of_weight_zero_are_never_touched() {
    let rows = [vec![1.0f32; 100], vec![f32::NAN; 100], vec![3.0; 100]];
    let rows = views(&rows);
    let mut out = vec![0.0; 100];
    combine(&rows, &[0.5, 0.0, 0.5], &mut out);
    assert_eq!(out, vec![2.0; 100]);
    let mut other = vec![0.0; 100];
    let terms = vec![(0, 0.5), (2, 0.5)];
    combine_many(&rows, &mut [Combination { terms, out: &mut other }]);
    assert_eq!(out, other);
}

#[test]
fn a_dot_product_is_accurate_and_a_norm_is_its_square_with_itself() {
    for (kind, count, dim) in shapes().filter(|(kind, ..)| *kind != 5) {
        let rows = family(kind, count, dim);
        let rows = views(&rows);
        let (a, b) = (rows[0], rows[count - 1]);
        let exact: f64 = a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum();
        let scale = (dot(a, a) * dot(b, b)).sqrt();
        assert!((dot(a, b) - exact).abs() <= 1e-12 * scale);
        let mut geometry = Geometry::default();
        let needs = Needs { pairs: Pairs::None, has_norms: true };
        geometry.compute(Vectors::new(&rows).unwrap(), needs);
        for (i, row) in rows.iter().enumerate() {
            assert_eq!(geometry.squared_norm(i).to_bits(), dot(row, row).to_bits());
        }
    }
}
