//! Parameters: types, ranges, defaults, and what a person sees when one is wrong.
use std::collections::BTreeMap;

use phalanx_robust::{ArgError, Args, Param, Value};

const PARAMS: &[Param] = &[
    Param::number("radius", (0.5, 8.0), 2.0),
    Param::integer("rounds", (1, 10), 3),
    Param::flag("is-strict", false),
    Param::choice("mode", &["first", "second"], "second"),
    Param::text("file"),
    Param::number("limit", (0.0, 1.0), 0.0).optional(),
    Param::integer("count", (0, 5), 0).optional(),
];

const REQUIRED: &[Param] = &[Param { is_optional: false, ..PARAMS[5] }];

fn check(given: &[(&str, Value)]) -> Result<Args, ArgError> {
    let given: BTreeMap<String, Value> =
        given.iter().map(|(name, value)| (name.to_string(), value.clone())).collect();
    Args::check("thing", PARAMS, &given)
}

#[test]
fn defaults_are_filled_in_and_optional_ones_stay_absent() {
    let args = check(&[]).unwrap();
    assert_eq!(args.number("radius"), 2.0);
    assert_eq!(args.integer("rounds"), 3);
    assert!(!args.flag("is-strict"));
    assert_eq!(args.text("mode"), "second");
    assert!(!args.has("file") && !args.has("limit") && !args.has("count"));
    assert_eq!((args.number_if("limit"), args.integer_if("count")), (None, None));
    assert_eq!(args.text_if("file"), None);
    assert_eq!(args.values().len(), 4);
}

#[test]
fn given_values_replace_defaults() {
    let args = check(&[
        ("radius", Value::Integer(4)),
        ("rounds", Value::Integer(10)),
        ("is-strict", Value::Flag(true)),
        ("mode", Value::Text("first".into())),
        ("file", Value::Text("a b".into())),
        ("limit", Value::Number(1.0)),
        ("count", Value::Integer(0)),
    ])
    .unwrap();
    assert_eq!(args.number("radius"), 4.0);
    assert_eq!(args.values()["radius"], Value::Number(4.0), "a whole number where any will do");
    assert_eq!(args.integer("rounds"), 10);
    assert!(args.flag("is-strict") && args.has("count"));
    assert_eq!((args.text("mode"), args.text("file")), ("first", "a b"));
    assert_eq!((args.number_if("limit"), args.integer_if("count")), (Some(1.0), Some(0)));
}

#[test]
fn ranges_are_closed_and_not_finite_is_outside() {
    for inside in [0.5, 8.0] {
        assert!(check(&[("radius", Value::Number(inside))]).is_ok());
    }
    for outside in [0.49, 8.01, -1.0, f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        let error = check(&[("radius", Value::Number(outside))]).unwrap_err();
        assert!(matches!(error, ArgError::Range { name: "radius", .. }), "{error}");
    }
    for outside in [0, 11, -1, i64::MIN, i64::MAX] {
        let error = check(&[("rounds", Value::Integer(outside))]).unwrap_err();
        assert!(matches!(error, ArgError::Range { name: "rounds", .. }), "{error}");
    }
    let error = check(&[("mode", Value::Text("third".into()))]).unwrap_err();
    assert_eq!(error.to_string(), "parameter `mode` of `thing` is `third`, outside first, second");
}

#[test]
fn another_type_is_refused() {
    let values =
        [Value::Integer(1), Value::Number(1.5), Value::Flag(true), Value::Text("first".into())];
    let accepted = [
        ("radius", [true, true, false, false]),
        ("rounds", [true, false, false, false]),
        ("is-strict", [false, false, true, false]),
        ("mode", [false, false, false, true]),
        ("file", [false, false, false, true]),
    ];
    for (name, accepted) in accepted {
        for (value, is_accepted) in values.iter().zip(accepted) {
            match check(&[(name, value.clone())]) {
                Ok(_) => assert!(is_accepted, "{name} = {value}"),
                Err(ArgError::Type { .. }) => assert!(!is_accepted, "{name} = {value}"),
                Err(other) => panic!("{other}"),
            }
        }
    }
}

#[test]
fn an_unknown_name_is_refused_with_the_known_ones() {
    let error = check(&[("raduis", Value::Number(1.0))]).unwrap_err();
    assert_eq!(error.to_string(), "unknown parameter `raduis` of `thing`");
    let ArgError::Unknown { known, .. } = error else { panic!("another error") };
    assert!(known.contains(&"radius") && known.len() == PARAMS.len());
}

#[test]
fn what_must_be_given_is_missed() {
    let error = Args::check("thing", REQUIRED, &BTreeMap::new()).unwrap_err();
    assert_eq!(error.to_string(), "parameter `limit` of `thing` is missing");
}

#[test]
#[should_panic(expected = "`nothing` is not a declared number")]
fn an_undeclared_name_is_a_bug() {
    check(&[]).unwrap().number("nothing");
}
