//! (f, κ)-robustness: `‖R(x) − mean_S‖² ≤ κ/|S| · Σ_S ‖x_i − mean_S‖²` for every S of n − f rows.
use phalanx_robust::{RULES, Rng};

use crate::inputs::{Subject, family, gaussian, mixing};

#[test]
fn prose_and_data_agree_on_coefficients() {
    for rule in RULES {
        let is_stated = rule.build.guarantee.contains("κ =");
        assert_eq!(is_stated, rule.build.certificate.kappa.is_some(), "`{}`", rule.name);
    }
}

/// Every rule with a coefficient, alone and behind nearest-neighbour mixing.
fn subjects() -> Vec<Subject> {
    let rules = RULES.iter().filter(|rule| rule.build.certificate.kappa.is_some());
    let mixing = mixing("nearest-neighbor-mixing");
    rules.flat_map(|rule| [None, Some(mixing)].map(|mixing| Subject { mixing, rule })).collect()
}

/// The coefficient of a rule, or that of the same reference for nearest-neighbour mixing before
/// it: `(8f/(n − f)) (1 + κ)`.
fn kappa(subject: Subject, n: f64, f: f64) -> f64 {
    let kappa = subject.rule.build.certificate.kappa.unwrap()(n, f);
    if subject.mixing.is_some() { 8.0 * f / (n - f) * (1.0 + kappa) } else { kappa }
}

fn assert_inequality(subject: Subject, rows: &[&[f32]], f: usize) {
    let n = rows.len();
    let out = family(rows).aggregate(&mut *subject.build(n, f)).unwrap();
    let kappa = kappa(subject, n as f64, f as f64);
    for subset in (0u32..1 << n).filter(|subset| subset.count_ones() as usize == n - f) {
        let honest: Vec<&[f32]> =
            (0..n).filter(|i| subset >> i & 1 == 1).map(|i| rows[i]).collect();
        let (mut error, mut variance) = (0.0, 0.0);
        for k in 0..out.len() {
            let values = || honest.iter().map(|row| f64::from(row[k]));
            let mean = values().sum::<f64>() / honest.len() as f64;
            error += (f64::from(out[k]) - mean).powi(2);
            variance += values().map(|value| (value - mean).powi(2)).sum::<f64>();
        }
        let bound = kappa * variance / honest.len() as f64;
        let largest = rows
            .iter()
            .flat_map(|row| row.iter())
            .fold(0.0f64, |largest, value| largest.max(f64::from(value.abs())));
        let rounding = 1e-9 * bound + (1e-6 * largest).powi(2);
        assert!(
            error <= bound + rounding,
            "{subject}: n {n}, f {f}, honest {subset:b} of {rows:?}: {error} > {bound}"
        );
    }
}

/// All families of numbers from a short list: each n up to 7, as many values as stay quick.
#[test]
fn exhaustive_families_of_numbers() {
    for subject in subjects() {
        for (n, values) in [
            (1, &[0.0, 1.0, -3.0, 1e3][..]),
            (2, &[0.0, 1.0, -3.0, 1e3]),
            (3, &[0.0, 1.0, -3.0, 1e3]),
            (4, &[0.0, 1.0, -3.0, 1e3]),
            (5, &[0.0, 1.0, -3.0, 1e3]),
            (6, &[0.0, 1.0, -3.0]),
            (7, &[0.0, 1.0]),
        ] {
            let Some(f_max) = subject.f_max(n) else { continue };
            for mut code in 0..values.len().pow(n as u32) {
                let mut numbers = [0f32; 7];
                for number in &mut numbers[..n] {
                    *number = values[code % values.len()];
                    code /= values.len();
                }
                let rows: Vec<&[f32]> = numbers[..n].iter().map(std::slice::from_ref).collect();
                for f in 0..=f_max {
                    assert_inequality(subject, &rows, f);
                }
            }
        }
    }
}

#[test]
fn random_families_in_the_plane() {
    for subject in subjects() {
        let mut rng = Rng::stream(1, 0, "kappa");
        for _ in 0..300 {
            let n = 3 + rng.below(5);
            let Some(f_max) = subject.f_max(n) else { continue };
            let f = rng.below(f_max + 1);
            let push = 10f32.powi(rng.below(4) as i32);
            let mut number = |i: usize| gaussian(&mut rng) * if i < f { push } else { 1.0 };
            let points: Vec<[f32; 2]> = (0..n).map(|i| [number(i), number(i)]).collect();
            let rows: Vec<&[f32]> = points.iter().map(|point| point.as_slice()).collect();
            assert_inequality(subject, &rows, f);
        }
    }
}
