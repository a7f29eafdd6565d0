//! Points of several keys, points that are left out, and the quick form.
use std::path::Path;

use phalanx::experiment::{Experiment, Overrides, Registries};
use phalanx::problem::Problem;

use super::GRID;
use crate::program::Scratch;

fn load(text: &str, overrides: &Overrides) -> Result<Experiment, Problem> {
    Experiment::parse(text, Path::new("a.toml"), overrides, &Registries::ALL)
}

fn names(text: &str) -> Vec<String> {
    let experiment = load(text, &Overrides::default()).unwrap();
    experiment.arms.into_iter().map(|arm| arm.name).collect()
}

fn complaint(text: &str) -> String {
    load(text, &Overrides::default()).unwrap_err().to_string()
}

/// The names that are left of six, by a `skip`.
fn left(skip: &str) -> Vec<String> {
    names(&format!("{GRID}skip = [{skip}]\n"))
}

#[test]
fn a_point_that_meets_all_conditions_of_an_entry_is_left_out() {
    let all = names(GRID);
    assert_eq!(all.len(), 6);
    let without = |word: &str| -> Vec<String> {
        all.iter().filter(|name| !name.contains(word)).cloned().collect()
    };
    let one = r#"{ "attack.name" = "gaussian", "algorithm.momentum" = 0.9 }"#;
    assert_eq!(left(one), without("momentum=0.9-gaussian"));
    let sign: Vec<String> =
        all.iter().filter(|name| name.contains("sign-flipping")).cloned().collect();
    assert_eq!(left(r#"{ "attack.name" = ["none", "gaussian"] }"#), sign);
    assert_eq!(left(r#"{ "algorithm.momentum" = { min = 0.6 } }"#), without("momentum=0.9"));
    assert_eq!(left(r#"{ "algorithm.momentum" = { max = 0.5 } }"#), without("momentum=0.5"));
    assert_eq!(left(r#"{ "attack.name" = { not = ["none", "gaussian"] } }"#), without("sign"));
    // Two entries: either is enough.
    let two = r#"{ "attack.name" = "none" }, { "attack.name" = "gaussian" }"#;
    assert_eq!(left(two).len(), 2);
    // Nothing: an integer and a number are compared as numbers.
    assert_eq!(left(r#"{ "population.f" = 1.0, "attack.name" = "none" }"#).len(), 4);
}

#[test]
fn conditions_see_what_is_in_effect_although_nobody_wrote_it() {
    // attack.count is f where somebody attacks, else 0; the rule is the algorithm's own.
    assert_eq!(left(r#"{ "attack.count" = 0 }"#).len(), 4);
    assert_eq!(left(r#"{ "attack.count" = { equals = "population.f" } }"#).len(), 2);
    assert_eq!(left(r#"{ "attack.count" = { below = "population.f" } }"#).len(), 4);
    assert_eq!(left(r#"{ "rule.name" = "average" }"#).len(), 6);
    let monna = r#"{ "rule.name" = "nearest-neighbor-averaging", "attack.name" = "none" }"#;
    assert_eq!(left(monna).len(), 4);
    assert_eq!(left(r#"{ "exchange.name" = "direct", "attack.name" = "none" }"#).len(), 4);
    assert_eq!(left(r#"{ "task.dim" = 30, "mixing" = "none", "attack.name" = "none" }"#).len(), 4);
}

#[test]
fn a_point_that_could_not_even_be_resolved_is_left_out_first() {
    let text = GRID.replace("\"none\", ", "")
        + "[[arm]]\nname = \"a\"\n\
        sweep = { \"population.f\" = [1, 5] }\n";
    assert!(complaint(&text).contains("cannot tolerate"), "{}", complaint(&text));
    let text = format!("skip = [{{ \"population.f\" = {{ min = 4 }} }}]\n{text}");
    assert_eq!(names(&text).len(), 4);
}

#[test]
fn what_is_wrong_with_skip_points_and_quick_is_said() {
    let cases = [
        ("skip = [{}]", "an entry of `skip` has no condition: a.toml:7"),
        ("skip = [{ \"atack.name\" = \"none\" }]", "unknown key `atack` in `skip`: a.toml:7"),
        ("skip = [{ \"task.dim\" = { mni = 1 } }]", "unknown key `mni` in the condition on `task"),
        ("skip = [{ \"task.dim\" = { above = 5 } }]", "`skip.\"task.dim\".above` is `5`, but a te"),
        ("skip = [{ \"task.dim\" = { above = \"x.y\" } }]", "unknown key `x` in `skip`: a.toml:7"),
        ("skip = [{ \"task.dim\" = [] }]", "`skip` compares `task.dim` with nothing: a.toml:7"),
        ("skip = [{ \"task.dim\" = {} }]", "the condition on `task.dim` is empty: a.toml:7"),
        ("skip = [{ \"task.dim\" = 30 }]", "`skip` leaves nothing to run: a.toml:7"),
        ("skip = 5", "`skip` is `5`, but a list `[ .. ]` is needed: a.toml:7"),
        ("quick = { \"rum.rounds\" = 5 }", "unknown key `rum` in `quick`: a.toml:7"),
        ("quick = 5", "`quick` is `5`, but a table `{ .. }` is needed: a.toml:7"),
    ];
    for (line, expected) in cases {
        let found = complaint(&format!("{GRID}{line}\n"));
        assert!(found.starts_with(expected), "{line}: {found}");
    }
    let points = |points: &str| complaint(&format!("{GRID}sweep.points = {points}\n"));
    assert_eq!(points("[]"), "`sweep.points` is empty: a.toml:7");
    assert_eq!(
        points("[{ \"algorithm.momentum\" = 0.1 }]"),
        "`algorithm.momentum` is swept beside `points`, too: a.toml:7"
    );
    assert!(points("[{ \"x.y\" = 0.1 }]").starts_with("unknown key `x` in `sweep.points`"));
    let quick = Overrides { is_quick: true, ..Overrides::default() };
    let problem = load(GRID, &quick).unwrap_err();
    assert_eq!(problem.to_string(), "this file has no `quick` form: --quick");
    let text = format!("quick = {{ arms = [\"b\"] }}\n{GRID}[[arm]]\nname = \"a\"\n");
    assert_eq!(load(&text, &quick).unwrap_err().to_string(), "unknown arm `b`: a.toml:1");
}

#[test]
fn points_set_several_keys_together_and_are_crossed_with_the_rest() {
    let points = "[{ \"population.f\" = 2, \"attack.count\" = 1 }, \
                  { name = \"mild\", \"population.f\" = 1, \"attack.count\" = 1 }]";
    let text = GRID.replace("\"none\", ", "") + &format!("sweep.points = {points}\n");
    let experiment = load(&text, &Overrides::default()).unwrap();
    let names: Vec<&str> = experiment.arms.iter().map(|arm| arm.name.as_str()).collect();
    assert_eq!(names.len(), 8);
    assert_eq!(names[0], "count=1-f=2-momentum=0.5-gaussian");
    assert!(names.contains(&"mild-momentum=0.9-sign-flipping"), "{names:?}");
    let settings = &experiment.arms[0].settings;
    assert_eq!((settings.population.f(), settings.byzantine), (2, 1));
    // What the command line fixes is not swept, nor told apart.
    let set = |setting: &str| {
        let overrides = Overrides { settings: vec![setting.into()], ..Overrides::default() };
        load(&text.replace("name = \"mild\", ", ""), &overrides).unwrap().arms.len()
    };
    assert_eq!((set("attack.count=1"), set("population.f=2"), set("run.rounds=3")), (8, 4, 8));
}

#[test]
fn the_quick_form_is_another_experiment_with_expectations_of_its_own() {
    let text = format!(
        "expect = {{ \"loss.mean\" = {{ max = 1 }} }}\n{GRID}\
         [quick]\n\"run.rounds\" = 3\n\"run.seeds\" = [7]\narms = [\"b\", \"c\"]\n\
         sweep = {{ \"attack.name\" = [\"gaussian\"] }}\n\
         expect = {{ \"loss.mean\" = {{ max = 2 }} }}\n\
         [[arm]]\nname = \"a\"\n\
         [[arm]]\nname = \"b\"\nexpect = {{ \"loss.worst\" = {{ max = 3 }} }}\n\
         [[arm]]\nname = \"c\"\n\
         quick = {{ \"run.rounds\" = 4, expect = {{ \"loss.mean\" = {{ max = 5 }} }} }}\n"
    );
    let whole = load(&text, &Overrides::default()).unwrap();
    assert_eq!((whole.name.as_str(), whole.arms.len(), whole.runs().count()), ("a", 18, 36));
    assert_eq!(whole.arms[6].expectations.len(), 2);
    let quick = Overrides { is_quick: true, ..Overrides::default() };
    let small = load(&text, &quick).unwrap();
    assert_eq!((small.name.as_str(), small.arms.len(), small.runs().count()), ("a-quick", 4, 4));
    let [b, .., c] = small.arms.as_slice() else { panic!() };
    assert_eq!((b.settings.plan.rounds, c.settings.plan.rounds), (3, 4));
    assert_eq!((b.name.as_str(), b.seeds.as_slice()), ("b-momentum=0.5-gaussian", &[7][..]));
    let bounds = |arm: &phalanx::experiment::Arm| -> Vec<String> {
        arm.expectations.iter().map(|e| format!("{} {:?}", e.key(), e.bound)).collect()
    };
    assert_eq!(bounds(b), ["loss.mean Greatest(2.0)"]);
    assert_eq!(bounds(c), ["loss.mean Greatest(5.0)"]);
    // The command line is heard last.
    let typed = Overrides { settings: vec!["run.rounds=9".into()], ..quick };
    let typed = load(&text, &typed).unwrap();
    assert!(typed.arms.iter().all(|arm| arm.settings.plan.rounds == 9));
}

#[test]
fn neither_skip_nor_quick_changes_the_id_of_a_run() {
    let folders = |text: &str| -> Vec<String> {
        let experiment = load(text, &Overrides::default()).unwrap();
        experiment.runs().map(|(_, run)| run.folder_name()).collect()
    };
    let before = folders(GRID);
    // As the version before campaigns wrote it.
    assert_eq!(before[0], GOLDEN);
    let text = format!(
        "{GRID}skip = [{{ \"attack.name\" = \"none\" }}]\nquick = {{ \"run.rounds\" = 2 }}\n"
    );
    let after = folders(&text);
    assert_eq!(after.len(), 8);
    assert!(after.iter().all(|folder| before.contains(folder)));
}

const GOLDEN: &str = "momentum=0.5-none-7e01c7c000-s1";

#[test]
fn an_entry_that_never_matches_is_a_warning_and_the_others_are_counted() {
    let scratch = Scratch::new();
    let skip = "skip = [{ \"attack.name\" = \"none\" }, { \"task.dim\" = 31 }]\n";
    scratch.write("a.toml", &format!("{GRID}{skip}"));
    for command in ["check", "run", "sweep"] {
        let said = scratch
            .phalanx(&[command, "a.toml", "--runs", "r"][..if command == "check" { 2 } else { 4 }]);
        assert_eq!(said.code, Some(0), "{}", said.err);
        assert!(
            said.err.contains("skipped: 2 points: attack.name = none: a.toml:7"),
            "{}",
            said.err
        );
        assert!(said.err.contains("warning: `skip` never matches: task.dim = 31: a.toml:7"));
    }
    let said = scratch.phalanx(&["check", "a.toml", "--set", "task.dim=7"]);
    assert!(!said.err.contains("never"), "{}", said.err);
}
