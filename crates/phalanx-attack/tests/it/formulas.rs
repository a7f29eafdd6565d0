//! Each attack against its formula, and the golden vectors of the documentation examples.
use phalanx_attack::{Defence, View, quantile};
use phalanx_protocol::Turn;
use phalanx_robust::{AggregateError, Aggregator, Rng, Value, Vectors};

use crate::setting::*;

const SMALL: Scenario = Scenario { n: 4, f: 1, byzantine: 1 };

fn golden(name: &str, given: &[(&str, Value)], expected: [f64; 3]) {
    let vector = forged(&mut *build(name, given, SMALL).unwrap(), &documented());
    assert_close(&vector, &expected, 1e-7);
}

#[test]
fn golden_vectors_of_the_documentation_examples() {
    golden("sign-flipping", &[], [-4.0, -5.0, -6.0]);
    golden("inner-product-manipulation", &[("tau", Value::Number(2.0))], [-8.0, -10.0, -12.0]);
    golden("a-little-is-enough", &[("tau", Value::Number(1.5))], [8.5, 9.5, 10.5]);
    golden("mimic", &[("index", Value::Integer(0))], [1.0, 2.0, 3.0]);
    golden("mimic", &[("index", Value::Integer(2))], [7.0, 8.0, 9.0]);
    golden("scaled-sign-flipping", &[], [-12.0, -15.0, -18.0]);
    golden("fall-of-empires", &[("shift", Value::Number(0.5))], [2.0, 2.5, 3.0]);
    golden("coordinate-shift", &[("shift", Value::Number(2.0))], [4.0, 5.0, 8.0]);
    let first = [("shift", Value::Number(2.0)), ("coordinate", Value::Integer(0))];
    golden("coordinate-shift", &first, [6.0, 5.0, 6.0]);
    let all = [("shift", Value::Number(2.0)), ("direction", Value::Text("all".into()))];
    golden("coordinate-shift", &all, [6.0, 7.0, 8.0]);
    let population = [("deviation", Value::Text("population".into()))];
    let s = 6.0_f64.sqrt() * 1.5;
    golden("a-little-is-enough", &population, [4.0 + s, 5.0 + s, 6.0 + s]);
    golden("a-little-is-enough", &[("negative", Value::Flag(true))], [-0.5, 0.5, 1.5]);
}

/// Nearest-neighbour mixing for f = 1, clipping to norm 2, trimmed mean for f = 1: the chain that
/// the golden vectors of the optimised attacks were taken with, written down naively.
struct Chain;

impl Aggregator for Chain {
    fn aggregate(&mut self, vectors: Vectors<'_>, out: &mut [f32]) -> Result<(), AggregateError> {
        let rows: Vec<Vec<f64>> =
            vectors.rows().iter().map(|r| r.iter().map(|v| f64::from(*v)).collect()).collect();
        let n = rows.len();
        let mixed: Vec<Vec<f64>> = rows.iter().map(|row| clipped(near_mean(row, &rows))).collect();
        for (k, out) in out.iter_mut().enumerate() {
            let mut column: Vec<f64> = mixed.iter().map(|row| row[k]).collect();
            column.sort_by(f64::total_cmp);
            *out = (column[1..n - 1].iter().sum::<f64>() / (n - 2) as f64) as f32;
        }
        Ok(())
    }
}

fn near_mean(row: &[f64], rows: &[Vec<f64>]) -> Vec<f64> {
    let distance = |x: &[f64]| x.iter().zip(row).map(|(a, b)| (a - b).powi(2)).sum::<f64>();
    let mut order: Vec<usize> = (0..rows.len()).collect();
    order.sort_by(|a, b| distance(&rows[*a]).total_cmp(&distance(&rows[*b])));
    let kept = rows.len() - 1;
    let sum = |k: usize| order[..kept].iter().map(|i| rows[*i][k]).sum::<f64>();
    (0..row.len()).map(|k| sum(k) / kept as f64).collect()
}

fn clipped(row: Vec<f64>) -> Vec<f64> {
    let norm = row.iter().map(|v| v * v).sum::<f64>().sqrt();
    row.into_iter().map(|v| v * (2.0 / norm).min(1.0)).collect()
}

#[test]
fn golden_vectors_of_the_optimised_attacks() {
    let search = [("factor", Value::Text("expansion-search".into()))];
    let against_chain = |name| {
        let defence = Defence { rule: Box::new(Chain), is_self_centred: false };
        forged(&mut *build_against(name, &search, SMALL, defence).unwrap(), &documented())
    };
    let expected = [-2.748_779_07, -3.435_973_84, -4.123_168_6];
    assert_close(&against_chain("inner-product-manipulation"), &expected, 1e-7);
    let expected = [12.919_851, 13.919_851, 14.919_851];
    assert_close(&against_chain("a-little-is-enough"), &expected, 1e-7);
}

#[test]
fn z_max_has_the_published_values() {
    let published =
        [(26, 5, 0.180), (16, 3, 0.0966), (20, 8, 0.674), (50, 24, 1.426), (25, 5, 0.253)];
    for (n, f, z) in published {
        let given = [("factor", Value::Text("z-max".into()))];
        let mut attack =
            build("a-little-is-enough", &given, Scenario { n, f, byzantine: f }).unwrap();
        // Mean 0, sample deviation 1.
        let a = (0.5_f64).sqrt() as f32;
        let vector = forged(&mut *attack, &[vec![a], vec![-a]]);
        assert!((f64::from(vector[0]) - z).abs() < 6e-4, "({n}, {f}): {} is not {z}", vector[0]);
    }
}

/// `Φ(z)` by Simpson's rule from 0, an independent way round.
fn distribution(z: f64) -> f64 {
    let steps = 20_000;
    let width = z / f64::from(steps);
    let density = |x: f64| (-x * x / 2.0).exp() / (2.0 * std::f64::consts::PI).sqrt();
    let sum: f64 = (0..=steps)
        .map(|k| {
            let weight = if k == 0 || k == steps { 1.0 } else { f64::from(2 + 2 * (k % 2)) };
            weight * density(f64::from(k) * width)
        })
        .sum();
    0.5 + sum * width / 3.0
}

#[test]
fn the_normal_quantile_is_accurate_and_odd() {
    for k in 1..1000 {
        let p = f64::from(k) / 1000.0;
        let z = quantile::standard_normal(p);
        let density = (-z * z / 2.0).exp() / (2.0 * std::f64::consts::PI).sqrt();
        assert!((distribution(z) - p).abs() / density < 1e-9, "p = {p}");
        assert!((z + quantile::standard_normal(1.0 - p)).abs() < 1e-12);
    }
    assert!((quantile::standard_normal(0.975) - 1.959_963_984_540_054).abs() < 1e-14);
    assert!((quantile::standard_normal(1e-10) + 6.361_340_902_404_056).abs() < 1e-12);
    assert!((quantile::standard_normal(1e-20) + 9.262_340_089_798_409).abs() < 1e-12);
    assert_eq!(quantile::standard_normal(0.0), f64::NEG_INFINITY);
    assert_eq!(quantile::standard_normal(1.0), f64::INFINITY);
    assert!(quantile::standard_normal(1.5).is_nan());
}

#[test]
fn a_little_is_enough_sends_the_mean_exactly_when_all_agree() {
    let row: Row = random_rows(1, 700, 3).remove(0);
    for factor in ["fixed", "line-search", "expansion-search"] {
        for count in [1, 3, 21] {
            let scenario = Scenario { n: count + 1, f: 0, byzantine: 1 };
            let given = [("factor", Value::Text(factor.into())), ("tau", Value::Number(1e6))];
            let mut attack = build("a-little-is-enough", &given, scenario).unwrap();
            assert_eq!(forged(&mut *attack, &vec![row.clone(); count]), row);
        }
    }
}

#[test]
fn sign_flipping_of_a_zero_mean_is_zero() {
    let rows = [vec![1.0, -2.0], vec![-1.0, 2.0]];
    assert_eq!(forged(&mut *build("sign-flipping", &[], SMALL).unwrap(), &rows), [0.0, 0.0]);
}

#[test]
fn label_flipping_steps_from_the_mean_or_sends_the_gradient() {
    let (honest, flipped) = (documented(), [[1.0, 0.0, 2.0], [3.0, 0.0, 2.0], [2.0, 3.0, 2.0]]);
    let honest = rows_of(&honest);
    let flipped: Vec<&[f32]> = flipped.iter().map(|row| &row[..]).collect();
    let honest = Vectors::new(&honest).unwrap();
    let flipped = Some(Vectors::new(&flipped).unwrap());
    let mut rng = Rng::stream(1, 0, "attack");
    let mut attack = build("label-flipping", &[], SMALL).unwrap();
    assert!(attack.needs().flipped);
    let gradients = View { flipped, ..view(honest, 0) };
    let forgery = attack.forge(&gradients, &mut rng).unwrap();
    assert_close(&forgery.vectors[0], &[2.0, 1.0, 2.0], 1e-7);
    let models = View { flipped, step: Some(0.5), ..view(honest, 1) };
    let forgery = attack.forge(&models, &mut rng).unwrap();
    assert_close(&forgery.vectors[0], &[3.0, 4.5, 5.0], 1e-7);
    // A second exchange of the same round has neither a step nor gradients of its own.
    let later = View { turn: Turn::new(1, 1), step: Some(0.0), ..view(honest, 1) };
    let forgery = attack.forge(&later, &mut rng).unwrap();
    assert_close(&forgery.vectors[0], &[3.0, 4.5, 5.0], 1e-7);
    let mut fresh = build("label-flipping", &[], SMALL).unwrap();
    let error = fresh.forge(&view(honest, 0), &mut rng).unwrap_err().to_string();
    assert!(error.contains("`label-flipping` needs gradients on flipped labels"), "{error}");
}

#[test]
fn gaussian_has_its_moments_and_draws_as_told() {
    let rows = [vec![0.0; 40_000], vec![0.0; 40_000]];
    let rows = rows_of(&rows);
    let honest = Vectors::new(&rows).unwrap();
    let scenario = Scenario { n: 5, f: 1, byzantine: 3 };
    for independent in [false, true] {
        let given = [
            ("mean", Value::Number(2.0)),
            ("sigma", Value::Number(3.0)),
            ("independent", Value::Flag(independent)),
        ];
        let mut attack = build("gaussian", &given, scenario).unwrap();
        let forgery = attack.forge(&view(honest, 0), &mut Rng::stream(5, 0, "a")).unwrap();
        assert_eq!(forgery.vectors.len(), if independent { 3 } else { 1 });
        let row = |sender| shown(&forgery, 2, sender, 1).unwrap();
        assert_eq!(row(0) != row(2), independent);
        let count = row(0).len() as f64;
        let mean = row(2).iter().map(|v| f64::from(*v)).sum::<f64>() / count;
        let square = |v: &f32| (f64::from(*v) - mean).powi(2);
        let deviation = (row(2).iter().map(square).sum::<f64>() / count).sqrt();
        assert!((mean - 2.0).abs() < 0.1 && (deviation - 3.0).abs() < 0.1, "{mean} {deviation}");
    }
}

#[test]
fn equivocation_apart_pushes_each_receiver_from_the_mean() {
    let rows = documented();
    let rows = rows_of(&rows);
    let scenario = Scenario { n: 5, f: 2, byzantine: 2 };
    let mut attack = build("equivocation", &[("push", Value::Number(0.5))], scenario).unwrap();
    let honest = Vectors::new(&rows).unwrap();
    let forgery = attack.forge(&view(honest, 0), &mut Rng::stream(1, 0, "a")).unwrap();
    for sender in 0..2 {
        assert_close(shown(&forgery, 3, sender, 0).unwrap(), &[-0.5, 0.5, 1.5], 1e-7);
        assert_close(shown(&forgery, 3, sender, 1).unwrap(), &[4.0, 5.0, 6.0], 1e-7);
        assert_close(shown(&forgery, 3, sender, 2).unwrap(), &[8.5, 9.5, 10.5], 1e-7);
    }
}

#[test]
fn equivocation_to_sides_shows_a_vector_or_its_mirror() {
    let rows = documented();
    let rows = rows_of(&rows);
    let scenario = Scenario { n: 5, f: 2, byzantine: 2 };
    let given = [("form", Value::Text("sides".into()))];
    let mut attack = build("equivocation", &given, scenario).unwrap();
    let honest = Vectors::new(&rows).unwrap();
    let forgery = attack.forge(&view(honest, 0), &mut Rng::stream(1, 0, "a")).unwrap();
    assert_eq!(forgery.vectors.len(), 2);
    for sender in 0..2 {
        assert_close(shown(&forgery, 3, sender, 0).unwrap(), &[-0.5, 0.5, 1.5], 1e-7);
        assert_close(shown(&forgery, 3, sender, 1).unwrap(), &[8.5, 9.5, 10.5], 1e-7);
        assert_close(shown(&forgery, 3, sender, 2).unwrap(), &[8.5, 9.5, 10.5], 1e-7);
    }
}

#[test]
fn equivocation_slows_agreement_down() {
    let rows = random_rows(9, 50, 2);
    let views = rows_of(&rows);
    let honest = Vectors::new(&views).unwrap();
    let spread = |attack: &str| {
        let scenario = Scenario { n: 11, f: 2, byzantine: 2 };
        let mut attack = build(
            attack,
            &[("push", Value::Number(0.5))][..usize::from(attack == "equivocation")],
            scenario,
        )
        .unwrap();
        let forgery = attack.forge(&view(honest, 0), &mut Rng::stream(1, 0, "a")).unwrap();
        let mut after = Vec::new();
        for receiver in 0..9 {
            let mut rows = views.clone();
            rows.extend((0..2).map(|sender| shown(&forgery, 9, sender, receiver).unwrap()));
            let mut out = vec![0.0; 50];
            let vectors = Vectors::new(&rows).unwrap().with_own(receiver);
            rule("nearest-neighbor-averaging", 11, 2).rule.aggregate(vectors, &mut out).unwrap();
            after.push(out);
        }
        let centre = mean(&after);
        let square = |row: &Row| {
            row.iter().zip(&centre).map(|(x, m)| (f64::from(*x) - m).powi(2)).sum::<f64>()
        };
        after.iter().map(square).sum::<f64>()
    };
    let (alike, apart) = (spread("sign-flipping"), spread("equivocation"));
    assert!(apart > 1.2 * alike, "{apart} is not clearly more than {alike}");
}

#[test]
fn small_perturbation_finds_the_edge_of_what_is_let_through() {
    // NNA with pivot 5 keeps its three nearest of 0, 1, 5 and the forged 2 + γ, which is nearer
    // than 0 as long as it is below 10; the other pivots let go earlier.
    let rows = [vec![0.0_f32, 0.0], vec![1.0, 0.0], vec![5.0, 0.0]];
    let scenario = Scenario { n: 4, f: 1, byzantine: 1 };
    let defence = rule("nearest-neighbor-averaging", 4, 1);
    let mut attack = build_against("small-perturbation", &[], scenario, defence).unwrap();
    let vector = forged(&mut *attack, &rows);
    assert!((f64::from(vector[0]) - 10.0).abs() < 2e-3, "{vector:?}");
    assert_eq!(vector[1], 0.0);
    let mut capped =
        build("small-perturbation", &[("shift-max", Value::Number(50.0))], scenario).unwrap();
    assert_close(&forged(&mut *capped, &rows), &[2.0 + 50.0, 0.0], 1e-3);
}

#[test]
fn anti_elimination_survives_and_opposes() {
    let rows = [vec![3.0_f32, 4.0], vec![0.0, 1.0], vec![2.0, 0.0], vec![30.0, 40.0]];
    let name = "anti-comparative-gradient-elimination";
    let scenario = Scenario { n: 6, f: 2, byzantine: 2 };
    let vector = forged(&mut *build(name, &[], scenario).unwrap(), &rows);
    // Kept: (0, 1) and (2, 0); next norm 5.
    let scale = -5.0 * (1.0 - 1e-6) / 5.0_f64.sqrt();
    assert_close(&vector, &[2.0 * scale, scale], 1e-6);
    assert!(phalanx_robust::kernel::dot(&vector, &vector).sqrt() < 5.0);
}
