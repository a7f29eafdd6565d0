//! Parameters: what is refused, and in which words.
use phalanx_robust::Value;

use crate::setting::*;

#[track_caller]
fn assert_refused(name: &str, given: &[(&str, Value)], scenario: Scenario, words: &[&str]) {
    let Err(error) = build(name, given, scenario) else {
        panic!("`{name}` was built");
    };
    let error = error.to_string();
    words.iter().for_each(|word| assert!(error.contains(word), "no `{word}` in: {error}"));
}

const SCENARIO: Scenario = Scenario { n: 10, f: 3, byzantine: 3 };

#[test]
fn numbers_out_of_range_are_refused() {
    let number = Value::Number;
    let cases = [
        ("a-little-is-enough", "tau", number(-1.0)),
        ("a-little-is-enough", "tau", number(f64::NAN)),
        ("fall-of-empires", "shift", number(-0.1)),
        ("inner-product-manipulation", "tau", number(-2.0)),
        ("inner-product-manipulation", "evaluations", Value::Integer(0)),
        ("coordinate-shift", "shift", number(-1.0)),
        ("coordinate-shift", "coordinate", Value::Integer(-1)),
        ("gaussian", "sigma", number(-1.0)),
        ("mimic", "index", Value::Integer(-1)),
        ("mimic-heuristic", "rounds", Value::Integer(-1)),
        ("small-perturbation", "tolerance", number(0.0)),
        ("equivocation", "push", number(-1.0)),
        ("equivocation", "attack", Value::Text("silence".into())),
        ("a-little-is-enough", "factor", Value::Text("zmax".into())),
    ];
    for (name, parameter, value) in cases {
        let words = [name, parameter, "outside"];
        assert_refused(name, &[(parameter, value)], SCENARIO, &words);
    }
}

#[test]
fn z_max_names_the_numbers_that_exclude_it() {
    let given = [("factor", Value::Text("z-max".into()))];
    let refused = |n, byzantine, words: &[&str]| {
        let scenario = Scenario { n, f: 1, byzantine };
        assert_refused("a-little-is-enough", &given, scenario, words);
    };
    refused(10, 6, &["`n = 10`", "`6` Byzantine", "h = 4", "= 0", "majority alone"]);
    refused(10, 1, &["`n = 10`", "h = 9", "= 5", "too few"]);
    refused(10, 10, &["h = 0", "no honest node"]);
}

#[test]
fn nodes_that_do_not_exist_are_refused() {
    let given = [("index", Value::Integer(7))];
    assert_refused("mimic", &given, SCENARIO, &["`index = 7`", "`7`"]);
    let name = "anti-comparative-gradient-elimination";
    let scenario = Scenario { n: 6, f: 3, byzantine: 3 };
    assert_refused(name, &[], scenario, &["`n = 6`", "`f = 3`", "`3` Byzantine"]);
    assert_refused(name, &[], Scenario { n: 6, f: 0, byzantine: 1 }, &["f ≥ 1"]);
}

#[test]
fn a_coordinate_beyond_the_vector_is_an_error_not_a_panic() {
    let given = [("coordinate", Value::Integer(3))];
    let mut attack = build("coordinate-shift", &given, SCENARIO).unwrap();
    let rows = documented();
    let rows = rows_of(&rows);
    let honest = phalanx_robust::Vectors::new(&rows).unwrap();
    let mut rng = phalanx_robust::Rng::stream(1, 0, "attack");
    let error = attack.forge(&view(honest, 0), &mut rng).unwrap_err().to_string();
    assert!(error.contains("`coordinate`"), "{error}");
}
