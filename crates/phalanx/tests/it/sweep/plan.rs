//! The plan, the runs beside each other, and what is said of those that fail.
use std::collections::BTreeSet;

use phalanx::experiment::{Experiment, Overrides, Registries};
use phalanx::sweep::{Manifest, Shard};

use super::{GRID, RUNS, require_equal, succeeds};
use crate::program::{Said, Scratch};

fn manifest(text: &str) -> Manifest {
    let file = std::path::Path::new("a.toml");
    Manifest::of(&Experiment::parse(text, file, &Overrides::default(), &Registries::ALL).unwrap())
}

#[test]
fn shards_cover_every_run_exactly_once_and_share_each_kind_fairly() {
    let manifest = manifest(&GRID.replace("[1, 2]", "[1, 2, 3, 4, 5]"));
    let all: BTreeSet<&str> = manifest.runs.iter().map(|entry| entry.folder.as_str()).collect();
    assert_eq!(all.len(), 30);
    for of in 1..=7 {
        let parts: Vec<BTreeSet<&str>> =
            (1..=of).map(|index| Shard::new(index, of).unwrap().part(&manifest)).collect();
        assert_eq!(parts.iter().map(BTreeSet::len).sum::<usize>(), all.len(), "{of}");
        assert_eq!(parts.iter().flatten().copied().collect::<BTreeSet<_>>(), all, "{of}");
        let kinds: BTreeSet<&str> = manifest.runs.iter().map(|run| run.kind.as_str()).collect();
        assert_eq!(kinds.len(), 3);
        for kind in kinds {
            let is_of = |run: &&phalanx::sweep::manifest::Entry| run.kind == kind;
            let counts = parts.iter().map(|part| {
                let runs = manifest.runs.iter().filter(is_of);
                runs.filter(|run| part.contains(run.folder.as_str())).count()
            });
            let counts: Vec<usize> = counts.collect();
            let (least, most) = (counts.iter().min().unwrap(), counts.iter().max().unwrap());
            assert!(most - least <= 1, "{of}: {counts:?}");
        }
    }
    for wrong in ["0/3", "4/3", "1/0", "1", "a/b", "1/2/3", "-1/2", "1/100001"] {
        assert!(wrong.parse::<Shard>().is_err(), "{wrong}");
    }
}

fn planned(scratch: &Scratch, options: &[&str]) -> Vec<serde_json::Value> {
    let args = [&["sweep", "a.toml", "--plan", "--json"], options].concat();
    let said = succeeds(scratch.phalanx(&args));
    said.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn what_is_planned_is_what_is_run() {
    let scratch = Scratch::new();
    scratch.write("a.toml", GRID);
    let plan = planned(&scratch, &[]);
    assert_eq!(plan.len(), RUNS);
    assert!(!scratch.path().join("runs").exists(), "a plan writes nothing");
    assert!(plan.iter().all(|run| run["state"] == "missing"));
    assert!(plan.iter().all(|run| run["seconds_left"].as_f64().unwrap() > 0.0));
    let part = succeeds(scratch.phalanx(&["sweep", "a.toml", "--arm", "momentum=0.5-none"]));
    assert!(part.err.contains("runs: 0 complete, 0 resumable, 2 missing"), "{}", part.err);
    let states = |plan: &[serde_json::Value], state: &str| {
        plan.iter().filter(|run| run["state"] == state).count()
    };
    assert_eq!(states(&planned(&scratch, &[]), "complete"), 2);
    let said = succeeds(scratch.phalanx(&["sweep", "a.toml"]));
    assert!(said.err.contains("runs: 2 complete, 0 resumable, 10 missing"), "{}", said.err);
    for run in &plan {
        let folder = scratch.path().join(run["folder"].as_str().unwrap());
        assert!(folder.join("summary.json").is_file(), "{}", folder.display());
    }
    assert_eq!(super::results(&scratch.path().join("runs/a")).len(), 3 * RUNS);
    assert_eq!(states(&planned(&scratch, &[]), "complete"), RUNS);
    let verbose = succeeds(scratch.phalanx(&["sweep", "a.toml", "--plan", "-v"]));
    assert_eq!(verbose.out.matches(" complete  20 ").count(), RUNS, "{}", verbose.out);
}

#[test]
fn jobs_do_not_change_results_nor_does_running_one_after_another() {
    let scratch = Scratch::new();
    scratch.write("a.toml", GRID);
    succeeds(scratch.phalanx(&["run", "a.toml", "--runs", "run"]));
    succeeds(scratch.phalanx(&["sweep", "a.toml", "--runs", "one", "--jobs", "1"]));
    succeeds(scratch.phalanx(&["sweep", "a.toml", "--runs", "two", "--jobs", "2"]));
    succeeds(scratch.phalanx(&["sweep", "a.toml", "--runs", "many", "--jobs", "50"]));
    for other in ["one/a", "two/a", "many/a"] {
        require_equal(&scratch, "run/a", other, RUNS);
    }
}

fn fails(said: Said, code: i32) -> Said {
    assert_eq!(said.code, Some(code), "{}\n{}", said.out, said.err);
    said
}

#[test]
fn a_run_that_fails_stops_no_other_and_is_listed_with_its_replay() {
    let scratch = Scratch::new();
    let arms = "[[arm]]\nname = \"good\"\n[[arm]]\nname = \"dataless\"\n\
                set = { task = { name = \"image-classification\", dataset = \"mnist\" } }\n";
    scratch.write("a.toml", &format!("{GRID}{arms}"));
    let said = fails(scratch.phalanx(&["sweep", "a.toml"]), 2);
    assert_eq!(said.err.matches("\nfailed: ").count(), 12, "{}", said.err);
    let replay = "\n  replay: phalanx run a.toml --arm dataless-momentum=0.9-gaussian --seed 2\n";
    assert!(said.err.contains(replay), "{}", said.err);
    assert!(said.err.contains("error: 12 runs could not be done, the first: "), "{}", said.err);
    assert_eq!(super::results(&scratch.path().join("runs/a")).len(), 3 * RUNS);
    // One that diverges is complete: it is judged, as `phalanx run` judges it.
    let text = GRID.replace("\"monna\", learning-rate = 0.2", "\"d-sgd\", learning-rate = 1e9");
    scratch.write("b.toml", &text.replace("rounds = 20", "rounds = 400"));
    let said = fails(scratch.phalanx(&["sweep", "b.toml"]), 1);
    assert!(said.err.contains("replay: phalanx run b.toml --arm"), "{}", said.err);
    assert_eq!(super::results(&scratch.path().join("runs/b")).len(), 3 * RUNS);
}

#[test]
fn a_run_that_another_process_records_is_left_to_it() {
    let scratch = Scratch::new();
    scratch.write("a.toml", GRID);
    let folder = planned(&scratch, &[])[3]["folder"].as_str().unwrap().to_owned();
    let record = scratch.write(&format!("{folder}/record.jsonl"), "");
    let held = std::fs::File::options().write(true).open(record).unwrap();
    held.lock().unwrap();
    let said = succeeds(scratch.phalanx(&["sweep", "a.toml"]));
    assert!(said.err.contains(": another process is at it, left to that one"), "{}", said.err);
    assert!(said.err.contains("1 run not complete yet"), "{}", said.err);
    drop(held);
    let said = succeeds(scratch.phalanx(&["sweep", "a.toml"]));
    assert!(said.err.contains("runs: 11 complete, 0 resumable, 1 missing"), "{}", said.err);
}

#[test]
fn a_shard_refuses_the_manifest_of_another_form_of_the_file() {
    let scratch = Scratch::new();
    scratch.write("a.toml", GRID);
    succeeds(scratch.phalanx(&["sweep", "a.toml", "--shard", "1/2"]));
    let args = ["sweep", "a.toml", "--shard", "2/2", "--set", "run.rounds=21"];
    let said = fails(scratch.phalanx(&args), 2);
    assert!(
        said.err.contains("this manifest is of another form of experiment `a`"),
        "{}",
        said.err
    );
    let said = succeeds(scratch.phalanx(&["sweep", "a.toml", "--shard", "2/2"]));
    assert!(said.err.contains("a: 6 arms, 12 runs; shard 2/2: 6 runs"), "{}", said.err);
    // Without a shard the sweep has the folder to itself, and the manifest follows the file.
    succeeds(scratch.phalanx(&["sweep", "a.toml", "--set", "run.rounds=21", "-q"]));
    let text = std::fs::read_to_string(scratch.path().join("runs/a/manifest.json")).unwrap();
    assert!(text.contains("\"weight\": 147"), "{text}");
}

#[test]
fn a_file_in_the_place_of_the_run_folders_is_not_to_be_removed() {
    let scratch = Scratch::new();
    scratch.write("a.toml", GRID);
    let said = scratch.phalanx(&["sweep", "a.toml", "--runs", "a.toml"]);
    assert_eq!(said.code, Some(2));
    assert!(said.err.contains("cannot read the manifest"), "{}", said.err);
    assert!(!said.err.contains("remove"), "{}", said.err);
}

#[test]
fn runs_of_an_earlier_form_in_the_same_folder_are_told_of() {
    let scratch = Scratch::new();
    scratch.write("a.toml", GRID);
    let is_told = |said: Said| said.err.contains("not of this form of the campaign");
    assert!(!is_told(succeeds(scratch.phalanx(&["sweep", "a.toml"]))));
    let part = ["sweep", "a.toml", "--seed", "1"];
    assert!(!is_told(succeeds(scratch.phalanx(&part))), "the other seed is of the campaign");
    let said = succeeds(scratch.phalanx(&["sweep", "a.toml", "--set", "run.rounds=3"]));
    assert!(said.err.contains("warning: 12 runs in runs/a "), "{}", said.err);
    assert!(is_told(said));
}
