//! `collect` takes nothing on trust.
use std::fs;
use std::path::{Path, PathBuf};

use super::{GRID, RUNS, require_equal, succeeds};
use crate::program::{Said, Scratch};

/// Two shards in folders of their own.
fn two_shards() -> Scratch {
    let scratch = Scratch::new();
    scratch.write("a.toml", GRID);
    for (shard, runs) in [("1/2", "one"), ("2/2", "two")] {
        succeeds(scratch.phalanx(&["sweep", "a.toml", "--shard", shard, "--runs", runs]));
    }
    scratch
}

fn some_run(scratch: &Scratch, part: &str) -> PathBuf {
    let folders = fs::read_dir(scratch.path().join(part).join("a")).unwrap();
    let mut folders: Vec<PathBuf> = folders.map(|entry| entry.unwrap().path()).collect();
    folders.retain(|folder| folder.join("experiment.toml").is_file());
    folders.sort();
    folders.remove(0)
}

/// What somebody did to a file's text.
type Tampering<'a> = &'a dyn Fn(String) -> String;

fn change(path: &Path, change: impl Fn(String) -> String) {
    let text = fs::read_to_string(path).unwrap();
    let changed = change(text.clone());
    assert_ne!(text, changed);
    fs::write(path, changed).unwrap();
}

fn collected(scratch: &Scratch) -> Said {
    scratch.phalanx(&["sweep", "collect", "all/a", "one", "two/a"])
}

#[test]
fn what_is_collected_equals_a_sweep_on_one_machine_and_missing_runs_are_named() {
    let scratch = two_shards();
    succeeds(scratch.phalanx(&["sweep", "a.toml"]));
    let said = scratch.phalanx(&["sweep", "collect", "all/a", "one"]);
    assert_eq!((said.code, said.out.matches("missing: ").count()), (Some(1), 6), "{}", said.out);
    let args = ["sweep", "collect", "all/a", "one", "--allow-missing"];
    succeeds(scratch.phalanx(&args));
    let said = succeeds(collected(&scratch));
    assert!(
        said.err.contains("12 runs: 6 copied, 6 already there, 0 missing, 0 inc"),
        "{}",
        said.err
    );
    require_equal(&scratch, "runs/a", "all/a", RUNS);
    // Again: nothing is copied. The same run twice is no harm.
    let args = ["sweep", "collect", "all/a", "one", "two", "runs", "--json"];
    let said = succeeds(scratch.phalanx(&args));
    assert_eq!(said.out.matches("\"fate\":\"present\"").count(), RUNS);
}

#[test]
fn a_run_that_was_tampered_with_is_refused() {
    let a_score = |text: String| {
        let (head, tail) = text.rsplit_once("\"distance\": ").unwrap();
        format!("{head}\"distance\": 9.5{}", &tail[tail.find(',').unwrap()..])
    };
    let tamper: [(&str, &str, Tampering); 10] = [
        ("summary.json", "how the run ended", &|text| text.replacen("finished", "diverged", 1)),
        ("summary.json", "how the run ended", &|text| {
            text.replacen("\"rounds\": 20,\n  \"n\"", "\"rounds\": 30,\n  \"n\"", 1)
        }),
        ("summary.json", "the rounds that", &|text| text.replace("_done\": 20", "_done\": 30")),
        ("summary.json", "differ in", &a_score),
        ("summary.json", "differ in", &|text| text.replacen("\"mean\": 0.", "\"mean\": 1.", 1)),
        ("summary.json", "is of another run", &|text| text.replace("\"seed\": ", "\"seed\": 4")),
        ("record.jsonl", "is cut off", &|text| text[..text.len() - 30].into()),
        ("record.jsonl", "is cut off", &|text| text.trim_end().into()),
        ("record.jsonl", "differ in", &|text| text.replacen("\"from\":[0,", "\"from\":[6,", 1)),
        ("experiment.toml", "is not that of the manifest", &|text| text.replace("0.2", "0.3")),
    ];
    let scratch = two_shards();
    let run = some_run(&scratch, "one");
    for (file, reason, change_it) in tamper {
        let path = run.join(file);
        let good = fs::read(&path).unwrap();
        change(&path, change_it);
        let said = collected(&scratch);
        assert_eq!(said.code, Some(1), "{file} {reason}: {}", said.out);
        assert!(said.out.contains("inconsistent: ") && said.out.contains(reason), "{}", said.out);
        let name = run.file_name().unwrap();
        assert!(!scratch.path().join("all/a").join(name).exists());
        fs::write(&path, good).unwrap();
    }
    succeeds(collected(&scratch));
}

#[test]
fn a_manifest_of_another_hand_is_refused_and_places_nothing_outside() {
    let scratch = two_shards();
    let run = some_run(&scratch, "one");
    let name = run.file_name().unwrap().to_string_lossy().into_owned();
    // A run where the manifest would take it from.
    let beside = scratch.path().join("one/beside");
    fs::create_dir(&beside).unwrap();
    for file in fs::read_dir(&run).unwrap().map(|entry| entry.unwrap().path()) {
        if file.is_file() {
            fs::copy(&file, beside.join(file.file_name().unwrap())).unwrap();
        }
    }
    let manifest = scratch.path().join("one/a/manifest.json");
    let good = fs::read_to_string(&manifest).unwrap();
    let json: serde_json::Value = serde_json::from_str(&good).unwrap();
    let digest = json["digest"].as_str().unwrap();
    let emptied = {
        let mut json = json.clone();
        json["runs"] = serde_json::json!([]);
        json.to_string()
    };
    let doubled = {
        let mut json = json.clone();
        let first = json["runs"][0].clone();
        json["runs"].as_array_mut().unwrap().push(first);
        json.to_string()
    };
    let absolute = beside.display().to_string();
    for (text, flaw) in [
        (good.replacen(&name, "../beside", 1), "places a run at `../beside`"),
        (good.replacen(&name, &absolute, 1), "places a run at `"),
        (good.replacen(&name, "", 1), "places a run at ``"),
        (good.replacen(&name, "a/", 1), "places a run at `a/`"),
        (good.replacen(digest, "ab", 1), "does not match its digest"),
        (doubled, "twice"),
        (emptied, "has no runs"),
    ] {
        assert_ne!(text, good);
        fs::write(&manifest, text).unwrap();
        let said = collected(&scratch);
        assert_eq!(said.code, Some(2), "{flaw}: {}{}", said.out, said.err);
        assert!(said.err.contains(flaw) && said.err.contains("hint"), "{flaw}: {}", said.err);
        assert!(!scratch.path().join("all").exists(), "{flaw}");
    }
    fs::write(&manifest, good).unwrap();
    succeeds(collected(&scratch));
}

#[test]
fn duplicates_must_be_equal_and_nothing_is_overwritten() {
    let scratch = two_shards();
    succeeds(collected(&scratch));
    let run = some_run(&scratch, "one");
    // Consistent in itself, but of another time: a traffic count that no record holds.
    change(&run.join("summary.json"), |text| text.replacen("\"bytes\": ", "\"bytes\": 1", 1));
    let place = scratch.path().join("all/a").join(run.file_name().unwrap()).join("summary.json");
    let before = fs::read(&place).unwrap();
    let said = collected(&scratch);
    assert_eq!(said.code, Some(1), "{}", said.out);
    assert!(said.out.contains("different: traffic.bytes"), "{}", said.out);
    assert!(fs::read(&place).unwrap() == before);
}

#[test]
fn folders_of_different_campaigns_are_not_mixed() {
    let scratch = two_shards();
    let args = ["sweep", "a.toml", "--set", "run.rounds=3", "--runs", "three"];
    succeeds(scratch.phalanx(&args));
    let said = scratch.phalanx(&["sweep", "collect", "all/a", "one", "three"]);
    assert_eq!(said.code, Some(2));
    assert!(
        said.err.contains("this manifest is of another form of experiment `a`"),
        "{}",
        said.err
    );
    let said = scratch.phalanx(&["sweep", "collect", "none/a", "."]);
    assert_eq!(said.code, Some(2));
    assert!(said.err.contains("none of these folders has a `manifest.json`"), "{}", said.err);
    // A run of other settings beside those of the campaign is left where it is.
    let foreign = scratch.path().join("one/a/left-over-s1");
    fs::create_dir_all(&foreign).unwrap();
    fs::write(foreign.join("experiment.toml"), "name = 'x'").unwrap();
    let said = succeeds(collected(&scratch));
    assert!(said.err.contains("1 run folder not of this campaign left alone"), "{}", said.err);
}
