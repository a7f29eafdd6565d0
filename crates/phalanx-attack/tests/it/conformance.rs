//! What every attack of the list must satisfy, whoever adds one.
use phalanx_attack::{ATTACKS, Attack, Forgery, View};
use phalanx_protocol::Turn;
use phalanx_robust::{Rng, StateReader, StateWriter, Vectors};

use crate::guide::attacks;
use crate::setting::*;

const SCENARIO: Scenario = Scenario { n: 10, f: 2, byzantine: 3 };
const HONEST: usize = 7;
const DIM: usize = 5_000;

fn fresh(name: &str) -> Box<dyn Attack> {
    let defence = rule("nearest-neighbor-averaging", SCENARIO.n, SCENARIO.f);
    build_against(name, &[], SCENARIO, defence).unwrap()
}

/// One turn with everything that an attack may ask for.
fn turn(attack: &mut dyn Attack, round: u32, step: Option<f64>, rng: &mut Rng) -> Forgery {
    let honest = random_rows(HONEST, DIM, u64::from(round));
    let extra = random_rows(HONEST, DIM, 1_000 + u64::from(round));
    let (honest, extra) = (rows_of(&honest), rows_of(&extra));
    let extra = Vectors::new(&extra).unwrap();
    let needs = attack.needs();
    let view = View {
        turn: Turn::new(round, 0),
        honest: Vectors::new(&honest).unwrap(),
        step,
        flipped: needs.flipped.then_some(extra),
        models: needs.models.then_some(extra),
    };
    attack.forge(&view, rng).unwrap()
}

fn bits(forgery: &Forgery) -> (Vec<Vec<u32>>, Vec<Option<u16>>) {
    let bits = |vector: &phalanx_protocol::Vector| vector.iter().map(|v| v.to_bits()).collect();
    (forgery.vectors.iter().map(bits).collect(), forgery.shown.clone())
}

#[test]
fn every_forgery_has_the_promised_shape() {
    for entry in attacks() {
        for step in [None, Some(0.1)] {
            let forgery = turn(&mut *fresh(entry.name), 0, step, &mut Rng::stream(3, 0, "a"));
            assert_eq!(forgery.shown.len(), SCENARIO.byzantine * HONEST, "{}", entry.name);
            assert!(forgery.vectors.len() <= HONEST.max(SCENARIO.byzantine), "{}", entry.name);
            assert!(forgery.vectors.iter().all(|vector| vector.len() == DIM));
            let indices = forgery.shown.iter().flatten();
            indices.for_each(|index| assert!(usize::from(*index) < forgery.vectors.len()));
        }
    }
}

#[test]
fn a_resumed_attack_continues_bit_for_bit() {
    for entry in attacks() {
        for step in [None, Some(0.1)] {
            let mut attack = fresh(entry.name);
            let mut rng = Rng::stream(3, 0, "a");
            for round in 0..6 {
                let mut out = StateWriter::default();
                attack.save(&mut out);
                let bytes = out.finish();
                let mut resumed = fresh(entry.name);
                let mut input = StateReader::new(&bytes);
                resumed.load(&mut input).unwrap();
                assert!(input.is_at_end(), "{} does not read all it wrote", entry.name);
                let mut twin = rng.clone();
                let expected = bits(&turn(&mut *attack, round, step, &mut rng));
                let found = bits(&turn(&mut *resumed, round, step, &mut twin));
                assert!(found == expected, "{} differs in round {round}", entry.name);
            }
        }
    }
}

#[test]
fn the_number_of_threads_changes_no_bit() {
    let pool = |threads| rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
    let given = [("factor", phalanx_robust::Value::Text("line-search".into()))];
    for entry in attacks() {
        let is_searching = entry.params.iter().any(|param| param.name == "factor");
        let run = || {
            let given = if is_searching { &given[..] } else { &[] };
            let defence = rule("nearest-neighbor-averaging", SCENARIO.n, SCENARIO.f);
            let mut attack = build_against(entry.name, given, SCENARIO, defence).unwrap();
            bits(&turn(&mut *attack, 0, Some(0.1), &mut Rng::stream(3, 0, "a")))
        };
        assert!(pool(1).install(run) == pool(3).install(run), "{}", entry.name);
    }
}

#[test]
fn a_search_against_a_rule_with_memory_is_resumed_too() {
    let given = [("factor", phalanx_robust::Value::Text("line-search".into()))];
    let build = || {
        let rule = Box::new(Remembering::default());
        let defence = phalanx_attack::Defence { rule, is_self_centred: false };
        build_against("fall-of-empires", &given, SCENARIO, defence).unwrap()
    };
    let (mut attack, mut rng) = (build(), Rng::stream(1, 0, "a"));
    turn(&mut *attack, 0, None, &mut rng);
    let mut out = StateWriter::default();
    attack.save(&mut out);
    let bytes = out.finish();
    assert!(bytes.len() > 4 * DIM);
    let mut resumed = build();
    resumed.load(&mut StateReader::new(&bytes)).unwrap();
    let expected = bits(&turn(&mut *attack, 1, None, &mut rng));
    assert!(bits(&turn(&mut *resumed, 1, None, &mut rng)) == expected);
}

/// Where averaging ends, relative to x̄, in units of the honest spread.
fn displaced(name: &str, honest: &[Row]) -> Vec<f64> {
    let views = rows_of(honest);
    let mut attack = fresh(name);
    let view = View {
        flipped: Some(Vectors::new(&views).unwrap()),
        models: Some(Vectors::new(&views).unwrap()),
        step: Some(0.5),
        ..view(Vectors::new(&views).unwrap(), 0)
    };
    let forgery = attack.forge(&view, &mut Rng::stream(3, 0, "a")).unwrap();
    let mut rows = honest.to_vec();
    let received = (0..SCENARIO.byzantine).filter_map(|sender| shown(&forgery, HONEST, sender, 0));
    rows.extend(received.map(<[f32]>::to_vec));
    mean(&rows).iter().zip(mean(honest)).map(|(out, mean)| out - mean).collect()
}

/// `average − x̄ = b/n (a − x̄)`: the formula's `a − x̄`, given the honest mean and vectors.
fn formula(name: &str, honest: &[Row]) -> Option<Vec<f64>> {
    let centre = mean(honest);
    let first = || honest[0].iter().map(|v| f64::from(*v)).collect::<Vec<f64>>();
    let relative = |a: Vec<f64>| a.iter().zip(&centre).map(|(a, m)| a - m).collect();
    let scaled = |c: f64| centre.iter().map(|m| c * m).collect();
    Some(match name {
        "sign-flipping" => scaled(-2.0),
        "scaled-sign-flipping" => scaled(-1.0 - HONEST as f64 / SCENARIO.byzantine as f64),
        "fall-of-empires" => scaled(-1.1),
        "inner-product-manipulation" => scaled(-3.0),
        "label-flipping" => scaled(-0.5),
        "mimic" | "mimic-heuristic" => relative(first()),
        "equivocation" => relative(first()).iter().map(|e: &f64| 2.0 * e).collect(),
        "coordinate-shift" => (0..DIM).map(|k| if k == DIM - 1 { 1.0 } else { 0.0 }).collect(),
        "a-little-is-enough" => {
            let square = |k: usize| {
                let squares = honest.iter().map(|row| (f64::from(row[k]) - centre[k]).powi(2));
                1.5 * (squares.sum::<f64>() / (HONEST - 1) as f64).sqrt()
            };
            (0..DIM).map(square).collect()
        }
        _ => return None,
    })
}

#[test]
fn every_attack_moves_the_average_as_its_formula_says() {
    let honest = random_rows(HONEST, DIM, 8);
    let spread = {
        let centre = mean(&honest);
        let square = |(x, m): (&f32, &f64)| (f64::from(*x) - m).powi(2);
        let squares = honest.iter().map(|row| row.iter().zip(&centre).map(square).sum::<f64>());
        (squares.sum::<f64>() / HONEST as f64).sqrt()
    };
    for entry in attacks() {
        let found = displaced(entry.name, &honest);
        let norm = found.iter().map(|v| v * v).sum::<f64>().sqrt();
        match entry.name {
            "silence" => assert!(norm < 1e-4, "silence moves nothing"),
            "nan" => assert!(found.iter().all(|value| value.is_nan())),
            "infinity" => assert!(found.iter().all(|value| *value == f64::INFINITY)),
            name => {
                let Some(expected) = formula(name, &honest) else {
                    assert!(norm > 0.1 * spread, "{name} moves the average by {norm}");
                    continue;
                };
                let share = SCENARIO.byzantine as f64 / SCENARIO.n as f64;
                for (found, expected) in found.iter().zip(expected) {
                    assert!((found - share * expected).abs() < 1e-5, "{name}");
                }
            }
        }
    }
}

#[test]
fn metadata_is_complete_sorted_and_one_line() {
    let names: Vec<&str> = ATTACKS.iter().map(|entry| entry.name).collect();
    assert!(names.is_sorted_by(|a, b| a < b), "{names:?}");
    for entry in ATTACKS {
        let is_kebab = |c: char| c.is_ascii_lowercase() || c == '-';
        assert!(entry.name.chars().all(is_kebab), "{}", entry.name);
        for text in [entry.summary, entry.source, entry.build.formula] {
            assert!(!text.is_empty() && !text.contains('\n') && !text.ends_with('.'), "{text}");
            assert!(!text.contains("  "), "{text}");
        }
        for param in entry.params {
            assert!(!param.summary.is_empty(), "{} {}", entry.name, param.name);
            let is_kebab = |c: char| c.is_ascii_lowercase() || c == '-';
            assert!(param.name.chars().all(is_kebab), "{}", param.name);
        }
    }
}
