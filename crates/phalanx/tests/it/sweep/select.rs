//! Hyper-parameters are selected on held-out training samples, by the worst arm, and kept apart.
use std::fs;

use super::{results, succeeds};
use crate::program::Scratch;

/// Two rules under two attacks; a tiny step learns nothing, a huge one learns to guess.
const SELECT: &str = r#"population = { n = 7, f = 2 }
algorithm  = { name = "monna", momentum = 0.5 }
run        = { rounds = 12, seeds = [1], evaluate-every = 6 }

[task]
name          = "image-classification"
dataset       = "digits"
model         = "linear"
train-samples = 350
test-samples  = 60

[sweep]
"attack.name"    = ["sign-flipping", "a-little-is-enough"]
"algorithm.name" = ["monna", "mocwtm"]

[select]
over       = { "algorithm.learning-rate" = [1e-6, 0.3] }
for-each   = ["algorithm.name"]
seeds      = [101, 102]
validation = 0.3
"#;

fn choice(scratch: &Scratch, runs: &str) -> serde_json::Value {
    let text = fs::read(scratch.path().join(runs).join("a/selection.json")).unwrap();
    serde_json::from_slice(&text).unwrap()
}

#[test]
fn each_group_gets_the_combination_whose_worst_arm_is_best() {
    let scratch = Scratch::new();
    scratch.write("a.toml", SELECT);
    let said = succeeds(scratch.phalanx(&["sweep", "a.toml", "--plan"]));
    let plan = "a, selection: 2 combinations in 4 arms with 2 seeds: 16 trials\n";
    assert!(said.out.starts_with(plan), "{}", said.out);
    let said = succeeds(scratch.phalanx(&["sweep", "a.toml", "--select-only"]));
    assert!(said.err.contains("algorithm.name = mocwtm  learning-rate=0.3"), "{}", said.err);
    assert_eq!(results(&scratch.path().join("runs/a/selection")).len(), 3 * 16);
    assert_eq!(results(&scratch.path().join("runs/a")).len(), 0);
    let choice = choice(&scratch, "runs");
    let groups = choice["groups"].as_array().unwrap();
    assert_eq!(groups.len(), 2);
    for group in groups {
        assert_eq!(group["chosen"], "learning-rate=0.3");
        for scored in group["combinations"].as_array().unwrap() {
            let arms = scored["arms"].as_object().unwrap();
            assert_eq!(arms.len(), 2);
            let worst = arms.values().map(|score| score.as_f64().unwrap()).reduce(f64::min);
            assert_eq!(scored["worst"].as_f64(), worst);
        }
    }
    // The final runs: the choice, all training samples, the test set, other seeds.
    let said = succeeds(scratch.phalanx(&["sweep", "a.toml"]));
    assert!(said.err.contains("a: 4 arms, 4 runs\n"), "{}", said.err);
    let finals = results(&scratch.path().join("runs/a"));
    assert_eq!(finals.len(), 3 * 4);
    for (name, text) in finals.iter().filter(|(name, _)| name.ends_with(".toml")) {
        let text = String::from_utf8_lossy(text);
        assert!(text.contains("learning-rate = 0.3") && text.contains("seeds = [1]"), "{name}");
        assert!(!text.contains("validation"), "{text}");
    }
    assert!(said.out.contains("monna-sign-flipping") || said.out.contains("sign-flipping"));
    // A final run is repeated from its folder.
    let folder = finals.keys().next().unwrap().split_once('/').unwrap().0.to_owned();
    let file = format!("runs/a/{folder}/experiment.toml");
    succeeds(scratch.phalanx(&["run", &file, "--runs", "again"]));
    let again = results(&scratch.path().join("again/a"));
    assert!(again.iter().all(|(name, bytes)| finals[name] == *bytes));
}

#[test]
fn the_choice_depends_on_no_test_sample_nor_on_jobs() {
    let scratch = Scratch::new();
    scratch.write("a.toml", SELECT);
    let select = |runs: &str, more: &[&str]| {
        let args = ["sweep", "a.toml", "--select-only", "--runs", runs];
        succeeds(scratch.phalanx(&[&args[..], more].concat()));
        let runs = results(&scratch.path().join(runs).join("a/selection"));
        let records = runs.into_iter().filter(|(name, _)| name.ends_with("record.jsonl"));
        records.map(|(_, record)| record).collect::<std::collections::BTreeSet<_>>()
    };
    let first = select("one", &["--jobs", "1"]);
    assert_eq!(first.len(), 16);
    assert!(first == select("two", &["--jobs", "2"]));
    // Another test set: every line of every trial is the same.
    assert!(first == select("three", &["--set", "task.test-samples=7"]));
    assert_eq!(choice(&scratch, "one")["groups"], choice(&scratch, "three")["groups"]);
    // Other validation samples: it is not the same.
    let other = select("four", &["--set", "task.train-samples=349"]);
    assert!(first.is_disjoint(&other));
}

#[test]
fn a_choice_of_other_trials_is_not_taken_and_a_shard_needs_one() {
    let scratch = Scratch::new();
    scratch.write("a.toml", SELECT);
    let said = scratch.phalanx(&["sweep", "a.toml", "--shard", "1/2"]);
    assert_eq!(said.code, Some(2));
    assert!(said.err.contains("hyper-parameters are not selected yet"), "{}", said.err);
    succeeds(scratch.phalanx(&["sweep", "a.toml", "--select-only"]));
    let said = succeeds(scratch.phalanx(&["sweep", "a.toml", "--shard", "1/2"]));
    assert!(said.err.contains("shard 1/2: 2 runs complete"), "{}", said.err);
    // The choice travels with what it chose.
    let said = scratch.phalanx(&["sweep", "collect", "all/a", "runs", "--allow-missing"]);
    assert_eq!(said.code, Some(0), "{}", said.err);
    let place = scratch.path().join("all/a/selection.json");
    assert_eq!(
        fs::read(&place).unwrap(),
        fs::read(scratch.path().join("runs/a/selection.json")).unwrap()
    );
    fs::write(&place, "{}").unwrap();
    let said = scratch.phalanx(&["sweep", "collect", "all/a", "runs", "--allow-missing"]);
    assert_eq!(said.code, Some(2));
    assert!(said.err.contains("hyper-parameters were selected twice"), "{}", said.err);
    scratch.write("a.toml", &SELECT.replace("1e-6", "1e-5"));
    let said = scratch.phalanx(&["sweep", "a.toml", "--shard", "2/2"]);
    assert!(said.err.contains("hyper-parameters are not selected yet"), "{}", said.err);
    let said = scratch.phalanx(&["run", "a.toml"]);
    assert_eq!(said.code, Some(2));
    assert!(said.err.contains("this file selects hyper-parameters before it runs"), "{}", said.err);
    let said = succeeds(scratch.phalanx(&["check", "a.toml"]));
    let line = "selected before, for all arms: one of 2 combinations, by `accuracy` with 2 seeds\n";
    assert!(said.out.contains(line), "{}", said.out);
}

#[test]
fn what_is_wrong_with_select_is_said() {
    let scratch = Scratch::new();
    let cases = [
        ("seeds      = [101, 102]", "seeds = [1]", "seed `1` of `select` is a seed of the final"),
        ("seeds      = [101, 102]", "", "`select.seeds` is missing"),
        ("seeds      = [101, 102]", "seeds = []", "`select.seeds` is empty"),
        ("for-each   = [\"algorithm.name\"]", "", "`select.for-each` is missing"),
        ("[\"algorithm.name\"]", "[\"x.name\"]", "unknown key `x` in `select.for-each`"),
        ("validation = 0.3", "validation = 1.0", "`select.validation` is `1.0`, outside"),
        ("validation = 0.3", "at = \"first\"", "`select.at` is `first`, which is not one of"),
        ("validation = 0.3", "sede = 3", "unknown key `sede` in `select`"),
        ("[1e-6, 0.3]", "[\"x\"]", "parameter `learning-rate` of `monna` is `x`"),
        ("validation = 0.3", "score = \"acuracy\"", "does not measure `acuracy`: a.toml:20"),
    ];
    for (from, to, expected) in cases {
        assert!(SELECT.contains(from), "{from}");
        scratch.write("a.toml", &SELECT.replace(from, to).replace("rounds = 12", "rounds = 2"));
        let said = scratch.phalanx(&["sweep", "a.toml", "--select-only"]);
        assert_eq!(said.code, Some(2), "{to}: {}", said.err);
        assert!(said.err.contains(expected), "{to}: {}", said.err);
        assert!(!scratch.path().join("runs").exists(), "{to} was tried");
    }
    scratch.write("a.toml", SELECT);
    let said = scratch.phalanx(&["sweep", "a.toml", "--seed", "102"]);
    assert!(said.err.contains("seed `102` of `select` is a seed of the final"), "{}", said.err);
    scratch.write("a.toml", super::GRID);
    let said = scratch.phalanx(&["sweep", "a.toml", "--select-only"]);
    assert!(said.err.contains("this file selects nothing: a.toml"), "{}", said.err);
}

#[test]
fn what_tells_arms_apart_is_not_selected_over() {
    let scratch = Scratch::new();
    let over = "\"algorithm.learning-rate\" = [1e-6, 0.3]";
    for (other, reason) in [
        ("\"attack.name\" = [\"none\"]", "changes `attack.name`, in which arms `"),
        ("\"algorithm.name\" = [\"monna\"]", "changes `algorithm.name` of `select.for-each`"),
        ("\"task.validation\" = [0.1, 0.2]", "`select` sets `task.validation` itself"),
    ] {
        scratch.write("a.toml", &SELECT.replace(over, other));
        let said = scratch.phalanx(&["sweep", "a.toml", "--plan"]);
        assert_eq!(said.code, Some(2), "{other}: {}", said.out);
        assert!(said.err.contains(reason) && said.err.contains("hint"), "{}", said.err);
    }
}
