//! Campaigns: what is planned is run, whoever is killed, and nothing is lost or counted twice.
mod cluster;
mod collect;
mod grid;
mod kill;
mod plan;
mod select;

use std::collections::BTreeMap;
use std::path::Path;

use crate::program::{Said, Scratch};

/// Twelve runs of a moment each.
const GRID: &str = r#"population = { n = 7, f = 1 }
task       = { name = "quadratic", dim = 30 }
algorithm  = { name = "monna", learning-rate = 0.2, momentum = 0.5 }
run        = { rounds = 20, seeds = [1, 2], evaluate-every = 5 }
sweep."attack.name"        = ["none", "gaussian", "sign-flipping"]
sweep."algorithm.momentum" = [0.5, 0.9]
"#;

const RUNS: usize = 12;

/// Results of an experiment folder: everything that must be the same wherever it ran.
fn results(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut files = BTreeMap::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let run = entry.unwrap().path();
        if !run.join("experiment.toml").is_file() {
            continue;
        }
        for name in ["experiment.toml", "record.jsonl", "summary.json"] {
            let key = format!("{}/{name}", run.file_name().unwrap().to_string_lossy());
            files.insert(key, std::fs::read(run.join(name)).unwrap());
        }
        assert!(!run.join("checkpoint.bin").exists(), "{}", run.display());
    }
    files
}

fn require_equal(scratch: &Scratch, one: &str, other: &str, runs: usize) {
    let (one, other) = (results(&scratch.path().join(one)), results(&scratch.path().join(other)));
    assert_eq!(one.len(), 3 * runs);
    assert!(one.keys().eq(other.keys()), "{:?}\n{:?}", one.keys(), other.keys());
    for (name, bytes) in &one {
        assert!(*bytes == other[name], "{name} differs");
    }
}

fn succeeds(said: Said) -> Said {
    assert_eq!(said.code, Some(0), "{}\n{}", said.out, said.err);
    said
}
