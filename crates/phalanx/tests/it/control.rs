//! `phalanx control`: what it writes, that it goes on where it stopped, and what it refuses.
use std::path::{Path, PathBuf};

use phalanx::command::control::ControlExperiment;
use phalanx::command::list::gather;
use phalanx::experiment::{document, is_safe_control};

use super::program::{Said, Scratch};

const SMALL: &str = r#"# Shows: nothing but that everything is written.
plant         = { name = "x-29a" }
stabilisation = { seconds = 2 }
episodes      = { growth = 1.5, horizon = 6 }
run           = { replications = 3, seed = 5 }
trials        = { seconds = [1, 2], replications = 4 }

[[arm]]
name = "alone"

[[arm]]
name  = "fleet"
fleet = { members = 5, tolerated = 1, attack = "sign-flip", pooling = { name = "screen" } }

[[arm]]
name   = "reckless"
policy = { name = "randomised-estimate", scale = 0.1 }
"#;

fn files_below(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            let name = PathBuf::from(path.file_name().unwrap());
            let inner = files_below(&path).into_iter();
            found.extend(inner.map(|(path, bytes)| (name.join(path), bytes)));
        } else if !path.ends_with("environment.json") {
            let bytes = std::fs::read(&path).unwrap();
            found.push((path.strip_prefix(folder).unwrap().to_owned(), bytes));
        }
    }
    found.sort();
    found
}

fn regulate(scratch: &Scratch, more: &[&str]) -> Said {
    let said = scratch.phalanx(&[&["control", "regulate", "small.toml"], more].concat());
    assert_eq!(said.code, Some(0), "{}", said.err);
    said
}

#[test]
fn a_run_writes_everything_and_neither_threads_nor_interruptions_change_it() {
    let scratch = Scratch::new();
    scratch.write("small.toml", SMALL);
    let said = regulate(&scratch, &["--threads", "1", "--runs", "one"]);
    assert!(said.out.contains("alone") && said.out.contains("liars used"), "{}", said.out);
    let whole = scratch.only_run("one");
    let names: Vec<String> =
        files_below(&whole).iter().map(|(path, _)| path.display().to_string()).collect();
    for name in ["experiment.toml", "record.jsonl", "summary.json", "report.html"] {
        assert!(names.iter().any(|found| found == name), "{name}: {names:?}");
    }
    for name in ["regret-alone", "stationary-regret", "stabilisation", "error"] {
        assert!(names.contains(&format!("figures/{name}.svg")), "{name}: {names:?}");
        assert!(names.contains(&format!("figures/{name}.csv")), "{name}: {names:?}");
    }
    let record = std::fs::read_to_string(whole.join("record.jsonl")).unwrap();
    assert_eq!(record.lines().count(), 9 + 16);

    regulate(&scratch, &["--threads", "3", "--runs", "three"]);
    let other = scratch.only_run("three");
    for (ours, theirs) in files_below(&whole).iter().zip(&files_below(&other)) {
        assert_eq!(ours.0, theirs.0);
        assert!(ours.1 == theirs.1, "{} depends on the threads", ours.0.display());
    }

    // What a process leaves that was killed in the middle of a line.
    let cut = &record[..record.len() * 2 / 5];
    std::fs::write(other.join("record.jsonl"), cut).unwrap();
    std::fs::remove_file(other.join("summary.json")).unwrap();
    let said = regulate(&scratch, &["--threads", "2", "--runs", "three"]);
    assert!(said.err.contains("already recorded"), "{}", said.err);
    assert_eq!(files_below(&whole), files_below(&other));

    // A complete run is only shown again.
    let said = regulate(&scratch, &["--runs", "three", "--json"]);
    assert!(said.err.contains("25 replications already recorded, 0 to fly"), "{}", said.err);
    for line in said.out.lines() {
        let value: serde_json::Value = serde_json::from_str(line).unwrap();
        assert!(value["arm"].is_string());
    }
}

#[test]
fn a_record_of_something_else_is_not_continued() {
    let scratch = Scratch::new();
    scratch.write("small.toml", SMALL);
    regulate(&scratch, &[]);
    let run = scratch.only_run("runs");
    let record = run.join("record.jsonl");
    let text = std::fs::read_to_string(&record).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    std::fs::write(&record, format!("{}\n{}\n", lines[1], lines[0])).unwrap();
    let said = scratch.phalanx(&["control", "regulate", "small.toml"]);
    assert_eq!(said.code, Some(2));
    assert!(said.err.contains("record.jsonl:1") && said.err.contains("--force"), "{}", said.err);
    regulate(&scratch, &["--force"]);
    assert_eq!(std::fs::read_to_string(&record).unwrap(), text);
    std::fs::write(run.join("experiment.toml"), "other").unwrap();
    let said = scratch.phalanx(&["control", "regulate", "small.toml"]);
    assert!(said.err.contains("another experiment"), "{}", said.err);
}

#[test]
fn every_control_experiment_resolves_and_its_resolved_form_is_itself() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../experiments/control");
    let mut files = Vec::new();
    gather(&root, &mut files).unwrap();
    // Those of `phalanx control plan` are files of another kind, with tests of their own.
    files.retain(|file| {
        let text = std::fs::read_to_string(file).unwrap();
        !is_safe_control(&document::parse(&text, "file").unwrap())
    });
    assert!(files.len() >= 4, "{files:?}");
    let scratch = Scratch::new();
    for file in files {
        let load = |file: &Path, settings: &[String]| {
            ControlExperiment::load(file, settings)
                .unwrap_or_else(|problem| panic!("{problem}\n{:?}", problem.hint))
        };
        let experiment = load(&file, &[]);
        let copy = scratch.write("copy.toml", &experiment.to_toml());
        let again = load(&copy, &[]);
        assert_eq!(again.to_toml(), experiment.to_toml());
        assert_eq!(again.folder_name(), experiment.folder_name());
        let other = load(&file, &["episodes.growth=1.25".into()]);
        assert_ne!(other.folder_name(), experiment.folder_name());
    }
}

/// A plant that works, one line each, so that a test can spoil one.
const PLANT: [(&str, &str); 6] = [
    ("a", "[[0.1, 1.0], [0.0, -1.0]]"),
    ("b", "[[0.0], [1.0]]"),
    ("noise", "[[0.2, 0.0], [0.0, 0.2]]"),
    ("state-cost", "1.0"),
    ("input-cost", "0.1"),
    ("dither", "2.0"),
];

fn with(key: &str, value: &str) -> String {
    let line = |(name, text): (&str, &str)| {
        format!("{name} = {}\n", if name == key { value } else { text })
    };
    let plant: String = PLANT.into_iter().map(line).collect();
    format!("run = {{ replications = 1 }}\nepisodes = {{ horizon = 25 }}\n[plant]\n{plant}")
}

#[test]
fn what_cannot_be_flown_is_refused_with_value_place_and_hint() {
    let scratch = Scratch::new();
    let refuse = |text: &str, expected: &[&str]| {
        scratch.write("bad.toml", text);
        let said = scratch.phalanx(&["control", "regulate", "bad.toml"]);
        assert_eq!(said.code, Some(2), "{text}\n{}", said.out);
        for part in expected {
            assert!(said.err.contains(part), "{part} is not in: {}", said.err);
        }
        assert!(!scratch.path().join("runs").exists(), "nothing is written: {text}");
    };
    // Not stabilisable: the growing mode is not reached.
    refuse(
        &with("b", "[[1.0], [0.0]]").replace("[0.0, -1.0]", "[0.0, 0.5]"),
        &["no feedback stabilises it", "0.5", "bad.toml:", "hint: add an input"],
    );
    refuse(
        &with("state-cost", "[[1.0, 2.0], [2.0, 1.0]]"),
        &[
            "`state-cost` is not symmetric and positive definite",
            "value is `-",
            "bad.toml:7",
            "hint",
        ],
    );
    refuse(&with("input-cost", "0.0"), &["`input-cost`", "bad.toml:8"]);
    refuse(
        &with("noise", "[[0.2, 0.0], [0.0, 0.0]]"),
        &["`noise` is not", "bad.toml:6", "noise must reach every state"],
    );
    refuse(
        &with("a", "[[nan, 1.0], [0.0, -1.0]]"),
        &["entry (1, 1) of `plant.a` is `NaN`", "bad.toml:4", "finite"],
    );
    refuse(&with("a", "[[1.0, 2.0], [3.0]]"), &["row `2` has `1` entries", "bad.toml:4"]);
    refuse(&with("b", "[[0.0], [1.0], [1.0]]"), &["`b` is 3 × 1, but 2 × 1", "bad.toml:5"]);
    refuse(&with("dither", "0.0"), &["`plant.dither` is `0.0`", "cannot be told"]);
    refuse(&with("a", "\"x\""), &["`plant.a` is the text `x`", "a list"]);
    let good = with("", "");
    let horizon = |value: &str| good.replace("horizon = 25", &format!("horizon = {value}"));
    refuse(&horizon("0"), &["`episodes.horizon` is `0`", "bad.toml:2"]);
    refuse(&horizon("5"), &["`horizon` is `5` s", "phase takes `20` s", "hint"]);
    refuse(&horizon("nan"), &["`episodes.horizon` is `NaN`"]);
    refuse(&horizon("25, growth = 1"), &["`growth` is `1`"]);
    refuse(&horizon("25, growth = 1.0000001"), &["`growth`"]);
    refuse(&horizon("25, grow = 2"), &["unknown key `grow`", "`growth`"]);
    refuse("plant = { name = \"x-29\" }", &["unknown plant `x-29`", "`x-29a`"]);
    refuse("plant = { file = \"nowhere.toml\" }", &["cannot read the plant file", "relative"]);
    refuse("run = { replications = 1 }", &["`plant` is missing"]);
    let fleet = |fleet: &str| format!("{good}\n[[arm]]\nfleet = {{ {fleet} }}\n");
    refuse(
        &fleet("members = 4, tolerated = 2"),
        &["pooling `screen` cannot be used", "n ≥ 2f + 1"],
    );
    refuse(&fleet("members = 4, byzantine = 4, attack = \"replay\""), &["`fleet.byzantine`"]);
    refuse(&fleet("members = 4, byzantine = 1"), &["nobody attacks"]);
    refuse(&fleet("members = 4, attack = \"sign-flop\", tolerated = 1"), &["`sign-flip`"]);
    let arm = |policy: &str| format!("{good}\n[[arm]]\npolicy = {policy}\n");
    refuse(&arm("\"tompson-sampling\""), &["unknown policy", "`thompson-sampling`"]);
    refuse(&arm("{ name = \"randomised-estimate\", scale = -1 }"), &["`scale`", "outside"]);
    refuse(&arm("{ name = \"oracle\", scale = 1 }"), &["`scale`", "has no parameters"]);
}

#[test]
fn a_plant_of_ones_own_is_flown() {
    let scratch = Scratch::new();
    let text = with("", "");
    scratch.write("small.toml", &text);
    let said = regulate(&scratch, &["--json"]);
    let value: serde_json::Value = serde_json::from_str(said.out.lines().next().unwrap()).unwrap();
    assert_eq!(value["lost"], 0);
    let (head, plant) = text.split_once("[plant]\n").unwrap();
    scratch.write("plant.toml", plant);
    scratch.write("small.toml", &format!("{head}plant = {{ file = \"plant.toml\" }}\n"));
    let again = regulate(&scratch, &["--json", "--force"]);
    assert_eq!(again.out, said.out);
}

#[test]
fn care_prints_gain_poles_and_residual_or_says_what_is_missing() {
    let scratch = Scratch::new();
    let said = scratch.phalanx(&["control", "care", "--plant", "x-29a", "--json"]);
    let value: serde_json::Value = serde_json::from_str(&said.out).unwrap();
    let near = |value: &serde_json::Value, expected: f64| {
        assert!((value.as_f64().unwrap() - expected).abs() < 1e-7, "{value}");
    };
    near(&value["gain"][0][0], 3.79620475);
    near(&value["average-cost"], 5.876293421274037);
    assert!(value["residual"].as_f64().unwrap() < 1e-10);
    assert_eq!(value["closed-loop-poles"].as_array().unwrap().len(), 4);
    scratch
        .write("p.toml", "a = [[0, 1], [0, 0]]\nb = [[0], [1]]\nstate-cost = 1\ninput-cost = 1\n");
    let said = scratch.phalanx(&["control", "care", "p.toml"]);
    // Double integrator: K = −[1, √3].
    assert!(said.out.contains("-1.00000000") && said.out.contains("-1.73205081"), "{}", said.out);
    let refuse = |text: &str, expected: &[&str]| {
        scratch.write("p.toml", text);
        let said = scratch.phalanx(&["control", "care", "p.toml"]);
        assert_eq!(said.code, Some(2), "{}", said.out);
        expected.iter().for_each(|part| assert!(said.err.contains(part), "{part}: {}", said.err));
    };
    let head = "a = [[1, 0], [0, 2]]\nb = [[1], [0]]\n";
    refuse(
        &format!("{head}state-cost = 1\ninput-cost = 1\n"),
        &["p.toml:2", "mode at `2.0", "hint"],
    );
    refuse(&format!("{head}state-cost = 1\ninput-cost = -1\n"), &["p.toml:4", "-1e0", "hint"]);
    refuse(&format!("{head}state-cost = 1\n"), &["`input-cost` is missing"]);
    refuse(&format!("{head}state-cost = [[1]]\ninput-cost = 1\n"), &["1 × 1", "p.toml:3"]);
    refuse(&format!("{head}state-cost = inf\ninput-cost = 1\n"), &["`inf`", "p.toml:3"]);
    // A mode on the axis that costs nothing stays where it is.
    let idle = "a = [[0, 1], [-1, 0]]\nb = [[0], [1]]\nstate-cost = 0\ninput-cost = 1\n";
    refuse(idle, &["p.toml:3", "hint"]);
    let said = scratch.phalanx(&["control", "care", "--plant", "x29a"]);
    assert!(said.err.contains("`x-29a`"), "{}", said.err);
}
