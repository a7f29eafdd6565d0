//! The displacement along a line: quadratic forms against running the rule.
use phalanx_attack::{Defence, Line, Search};
use phalanx_robust::{
    AggregateError, Aggregator, Geometric, GeometricRule, Geometry, Needs, Pairs, Value, Vectors,
};

use crate::setting::*;

fn line(dim: usize, base: &[f32], seed: u64) -> Line {
    Line { base: base.to_vec(), direction: random_rows(1, dim, seed).remove(0) }
}

/// Clips every row to a ball about the origin: weights that do not sum to 1, from norms.
struct Clipped;

impl GeometricRule for Clipped {
    fn needs(&self) -> Needs {
        Needs { pairs: Pairs::None, has_norms: true }
    }
    fn weights(
        &mut self,
        geometry: &Geometry,
        _own: Option<usize>,
        weights: &mut [f64],
    ) -> Result<(), AggregateError> {
        for (i, weight) in weights.iter_mut().enumerate() {
            let norm = geometry.squared_norm(i).sqrt();
            *weight = (6.0 / norm.max(1e-30)).min(1.0) / geometry.count() as f64;
        }
        Ok(())
    }
}

/// The single row of least sum of distances.
struct Medoid;

impl GeometricRule for Medoid {
    fn needs(&self) -> Needs {
        Needs { pairs: Pairs::All, has_norms: false }
    }
    fn weights(
        &mut self,
        geometry: &Geometry,
        _own: Option<usize>,
        weights: &mut [f64],
    ) -> Result<(), AggregateError> {
        let score = |i: usize| geometry.squared_distances_of(i).iter().map(|d| d.sqrt()).sum();
        let scores: Vec<f64> = (0..geometry.count()).map(score).collect();
        let best = (1..scores.len()).fold(0, |b, i| if scores[i] < scores[b] { i } else { b });
        weights.fill(0.0);
        weights[best] = 1.0;
        Ok(())
    }
}

fn defences(n: usize, f: usize) -> Vec<(&'static str, Defence, Defence)> {
    let opaque = |defence: Defence| Defence { rule: Box::new(Opaque(defence.rule)), ..defence };
    let named = |name| (name, rule(name, n, f), opaque(rule(name, n, f)));
    let clipped = || Defence { rule: Box::new(Geometric::new(Clipped)), is_self_centred: false };
    let medoid = || Defence { rule: Box::new(Geometric::new(Medoid)), is_self_centred: false };
    vec![
        named("average"),
        named("nearest-neighbor-averaging"),
        ("clipped", clipped(), opaque(clipped())),
        ("medoid", medoid(), opaque(medoid())),
    ]
}

#[test]
fn quadratic_forms_equal_running_the_rule() {
    for (seed, (h, byzantine, f)) in [(8, 3, 2), (5, 1, 1), (9, 2, 4), (3, 2, 2)].iter().enumerate()
    {
        // More than one block of columns, and a remainder.
        let rows = random_rows(*h, 4_999, seed as u64);
        let rows = rows_of(&rows);
        let honest = Vectors::new(&rows).unwrap();
        let owned: Vec<Row> = rows.iter().map(|row| row.to_vec()).collect();
        let centre: Row = mean(&owned).iter().map(|v| *v as f32).collect();
        for base in [centre.clone(), vec![0.0; centre.len()]] {
            let line = line(base.len(), &base, 77);
            for (name, mut quick, mut direct) in defences(h + byzantine, *f) {
                let mut quick = quick.along(honest, *byzantine, &line);
                let mut direct = direct.along(honest, *byzantine, &line);
                let curve = |displacement: &mut phalanx_attack::Displacement<'_>| -> Vec<f64> {
                    [0.0, 0.2, 0.24, 0.3, 1.0, 3.0, 100.0].map(|c| displacement.squared(c)).into()
                };
                let (quick, direct) = (curve(&mut quick), curve(&mut direct));
                let scale = direct.iter().copied().fold(1e-3, f64::min).max(1e-3);
                for (quick, direct) in quick.iter().zip(&direct) {
                    let error = (quick - direct).abs();
                    assert!(error <= 1e-6 * direct.max(scale), "{name}: {quick} {direct}");
                }
            }
        }
    }
}

#[test]
fn a_large_common_part_does_not_drown_the_quadratic_form() {
    let mut rows = random_rows(8, 3_000, 6);
    rows.iter_mut().flatten().for_each(|value| *value += 4_096.0);
    let centre = mean(&rows);
    let base: Row = centre.iter().map(|v| *v as f32).collect();
    let line = line(3_000, &base, 9);
    let views = rows_of(&rows);
    let mut defence = rule("average", 11, 3);
    let mut displacement = defence.along(Vectors::new(&views).unwrap(), 3, &line);
    for factor in [0.1, 1.0, 7.0] {
        let points = base.iter().zip(&line.direction).zip(&centre);
        let square = |((b, d), m): ((&f32, &f32), &f64)| {
            (f64::from(*b) + factor * f64::from(*d) - m).powi(2)
        };
        let expected = points.map(square).sum::<f64>() * (3.0_f64 / 11.0).powi(2);
        let found = displacement.squared(factor);
        assert!((found - expected).abs() < 1e-6 * expected, "{factor}: {found} {expected}");
    }
}

#[test]
fn both_searches_pick_the_same_factor_either_way() {
    let rows = random_rows(8, 1_000, 5);
    for attack in ["a-little-is-enough", "fall-of-empires", "inner-product-manipulation"] {
        for search in ["line-search", "expansion-search"] {
            for (name, quick, direct) in defences(11, 3) {
                // Clipping makes J constant far out: rounding alone decides there.
                if name == "clipped" {
                    continue;
                }
                let scenario = Scenario { n: 11, f: 3, byzantine: 3 };
                let given = [("factor", Value::Text(search.into()))];
                let build = |defence| build_against(attack, &given, scenario, defence).unwrap();
                let quick = forged(&mut *build(quick), &rows);
                let is_same = quick == forged(&mut *build(direct), &rows);
                assert!(is_same, "{attack} {search} {name}");
            }
        }
    }
}

#[test]
fn a_self_centred_rule_is_asked_at_every_honest_node() {
    // NNA, f = 1, pivots 0, 1, 4 and a = c: nodes keep their three nearest of four.
    let rows = [vec![0.0_f32], vec![1.0], vec![4.0]];
    let rows = rows_of(&rows);
    let line = Line { base: vec![0.0], direction: vec![1.0] };
    let mut defence = rule("nearest-neighbor-averaging", 4, 1);
    let mut displacement = defence.along(Vectors::new(&rows).unwrap(), 1, &line);
    // a = 3: node 0 keeps 0 1 3, node 1 keeps 1 0 3 (own, then the nearest), node 4 keeps 4 3 1.
    let expected = ((4.0 + 4.0 + 8.0) / 9.0 - 5.0 / 3.0_f64).powi(2);
    assert!((displacement.squared(3.0) - expected).abs() < 1e-12);
    // Far away: ignored by all.
    assert!(displacement.squared(1e6).abs() < 1e-9);
    assert!((displacement.norm(3.0) - expected.sqrt()).abs() < 1e-12);
}

#[test]
fn a_point_that_overflows_is_put_to_the_rule_itself() {
    let rows = [vec![0.0_f32], vec![1.0], vec![4.0]];
    let rows = rows_of(&rows);
    let line = Line { base: vec![0.0], direction: vec![1e38] };
    let rule_with_memory = Box::new(Remembering::default());
    let mut mean = Defence { rule: rule_with_memory, is_self_centred: false };
    let mut displacement = mean.along(Vectors::new(&rows).unwrap(), 1, &line);
    assert!(displacement.squared(1.0).is_finite());
    assert_eq!(displacement.squared(10.0), f64::NEG_INFINITY);
    for (name, mut quick, mut direct) in defences(4, 1) {
        let mut quick = quick.along(Vectors::new(&rows).unwrap(), 1, &line);
        let mut direct = direct.along(Vectors::new(&rows).unwrap(), 1, &line);
        assert_eq!(quick.squared(10.0), direct.squared(10.0), "{name}");
    }
}

#[test]
fn a_rule_that_refuses_has_no_displacement() {
    struct Refusing;
    impl Aggregator for Refusing {
        fn aggregate(
            &mut self,
            vectors: Vectors<'_>,
            out: &mut [f32],
        ) -> Result<(), AggregateError> {
            if vectors.row(3)[0] > 2.0 {
                return Err(AggregateError::Limit { rule: "refusing", limit: 1 });
            }
            out.copy_from_slice(vectors.row(3));
            Ok(())
        }
    }
    let rows = [vec![0.0_f32], vec![0.0], vec![0.0]];
    let rows = rows_of(&rows);
    let line = Line { base: vec![0.0], direction: vec![1.0] };
    let mut defence = Defence { rule: Box::new(Refusing), is_self_centred: false };
    let mut displacement = defence.along(Vectors::new(&rows).unwrap(), 1, &line);
    assert_eq!(displacement.squared(2.5), f64::NEG_INFINITY);
    assert_eq!(displacement.norm(2.5), f64::NEG_INFINITY);
    assert!((Search::LINE.maximize(|c| displacement.squared(c)) - 2.0).abs() < 0.4);
}

#[test]
fn a_rule_with_memory_is_asked_without_disturbing_it() {
    let rows = documented();
    let rows = rows_of(&rows);
    let honest = Vectors::new(&rows).unwrap();
    let line = Line { base: vec![0.0; 3], direction: vec![1.0; 3] };
    let rule = Box::new(Remembering(vec![1.0, 2.0, 3.0]));
    let mut defence = Defence { rule, is_self_centred: false };
    let mut displacement = defence.along(honest, 1, &line);
    let first = displacement.squared(2.0);
    displacement.squared(9.0);
    assert_eq!(displacement.squared(2.0), first);
    let drift = |defence: &mut Defence| {
        let mut displacement = defence.along(honest, 1, &line);
        displacement.squared(2.0)
    };
    let before = drift(&mut defence);
    assert_eq!(before, drift(&mut defence));
    defence.advance(honest, 1, &[2.0; 3]).unwrap();
    assert_ne!(before, drift(&mut defence));
}

#[test]
fn responses_are_as_far_apart_either_way() {
    let rows = random_rows(8, 700, 4);
    let rows = rows_of(&rows);
    let honest = Vectors::new(&rows).unwrap();
    let line = line(700, &vec![0.5; 700], 3);
    for (name, mut quick, mut direct) in defences(11, 3) {
        let gap = |defence: &mut Defence, (a, b)| {
            let mut displacement = defence.along(honest, 3, &line);
            let (a, b) = (displacement.respond(a).unwrap(), displacement.respond(b).unwrap());
            displacement.distance(&a, &b)
        };
        for factors in [(0.0, 0.3), (0.1, 50.0), (1.0, 1.0), (700.0, 900.0)] {
            let (quick, direct) = (gap(&mut quick, factors), gap(&mut direct, factors));
            assert!((quick - direct).abs() <= 1e-5 * direct.max(0.1), "{name} {quick} {direct}");
        }
    }
}
