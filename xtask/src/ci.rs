//! Every gate that a change passes, cheapest first, each with its name and its time.
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use crate::reference;
use crate::repository::{Outcome, Repository};
use crate::tidy::{self, edges::LIGHT};

/// Tests that a gate has counted; a gate without tests counts as one.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Count {
    passed: usize,
    failed: usize,
}

type Gate = (&'static str, fn(&Repository) -> Outcome<Count>);

const GATES: [Gate; 8] = [
    ("format", format),
    ("tidy", |repository| tidy::run(repository).map(Count::of)),
    ("clippy", clippy),
    ("tests of the light crates", light_tests),
    ("tests of the rest", other_tests),
    ("docs", docs),
    ("replay", replay),
    ("reference", |repository| reference::check(repository).map(Count::of)),
];

impl Count {
    fn of(is_good: bool) -> Self {
        Self { passed: usize::from(is_good), failed: usize::from(!is_good) }
    }

    fn plus(self, other: Self) -> Self {
        Self { passed: self.passed + other.passed, failed: self.failed + other.failed }
    }
}

/// Runs gate after gate and stops behind the first that fails.
pub fn run(repository: &Repository) -> Outcome<bool> {
    let start = Instant::now();
    let mut count = Count::default();
    for (at, (name, gate)) in GATES.into_iter().enumerate() {
        println!("== {name}");
        let begun = Instant::now();
        let result = gate(repository).unwrap_or_else(|why| {
            println!("{why}");
            Count::of(false)
        });
        let word = if result.failed == 0 { "passed" } else { "FAILED" };
        println!("== {name}: {word} after {:.1} s", begun.elapsed().as_secs_f64());
        count = count.plus(result);
        if result.failed > 0 {
            let rest: Vec<&str> = GATES[at + 1..].iter().map(|(name, _)| *name).collect();
            println!(
                "not run: {}",
                if rest.is_empty() { "nothing".into() } else { rest.join(", ") }
            );
            break;
        }
    }
    println!("all gates: {:.1} s", start.elapsed().as_secs_f64());
    println!("{} passed, {} failed", count.passed, count.failed);
    Ok(count.failed == 0)
}

fn format(repository: &Repository) -> Outcome<Count> {
    let mut findings = Vec::new();
    tidy::format::check(repository, &repository.files()?, &mut findings)?;
    findings.iter().for_each(|finding| println!("{finding}"));
    Ok(Count::of(findings.is_empty()))
}

fn clippy(repository: &Repository) -> Outcome<Count> {
    let words = ["clippy", "--workspace", "--all-targets", "--locked", "--", "-D", "warnings"];
    succeeds(repository.command("cargo", &words)).map(Count::of)
}

fn light_tests(repository: &Repository) -> Outcome<Count> {
    tests(repository, &LIGHT.map(|name| ["-p", name]).concat())
}

fn other_tests(repository: &Repository) -> Outcome<Count> {
    let members = LIGHT.map(|name| ["--exclude", name]).concat();
    tests(repository, &[&["--workspace"], &members[..]].concat())
}

fn tests(repository: &Repository, members: &[&str]) -> Outcome<Count> {
    let words = [&["test", "--locked", "--no-fail-fast"], members].concat();
    let mut command = repository.command("cargo", &words);
    let mut child = command.stdout(Stdio::piped()).spawn().map_err(|why| why.to_string())?;
    let mut count = Count::default();
    for line in child.stdout.take().map(BufReader::new).into_iter().flat_map(BufRead::lines) {
        let line = line.map_err(|why| why.to_string())?;
        count = count.plus(tally(&line));
        // A reader that went away is no reason to stop testing.
        let _ = writeln!(std::io::stdout(), "{line}");
    }
    let is_good = child.wait().map_err(|why| why.to_string())?.success();
    // Tests that did not even compile report nothing; neither does a run without any test.
    let is_told = count.failed > 0 || (is_good && count.passed > 0);
    Ok(if is_told { count } else { count.plus(Count::of(false)) })
}

/// What `test result: ok. 3 passed; 0 failed; …` says.
fn tally(line: &str) -> Count {
    let number = |unit: &str| {
        let before = line.strip_prefix("test result: ")?.split(unit).next()?;
        before.rsplit([' ', ';']).find(|word| !word.is_empty())?.parse().ok()
    };
    let (passed, failed) = (number(" passed;"), number(" failed;"));
    Count { passed: passed.unwrap_or(0), failed: failed.unwrap_or(0) }
}

fn docs(repository: &Repository) -> Outcome<Count> {
    let words = ["doc", "--workspace", "--no-deps", "--locked"];
    let mut command = repository.command("cargo", &words);
    command.env("RUSTDOCFLAGS", "-D warnings");
    succeeds(command).map(Count::of)
}

/// A run is a function of file, seed and commit: not of the number of threads.
fn replay(repository: &Repository) -> Outcome<Count> {
    let phalanx = ["run", "--release", "--locked", "--quiet", "-p", "phalanx", "--"];
    let folders =
        ["1", "2"].map(|threads| (threads, repository.path("target").join("replay").join(threads)));
    for (threads, folder) in &folders {
        match std::fs::remove_dir_all(folder) {
            Err(why) if why.kind() != std::io::ErrorKind::NotFound => return Err(why.to_string()),
            _ => {}
        }
        for experiment in smoke_experiments(repository)? {
            println!("{experiment}, threads: {threads}");
            let words = [&phalanx[..], &["run", &experiment, "--quiet"]].concat();
            let mut command = repository.command("cargo", &words);
            command.env("RAYON_NUM_THREADS", threads).env("PHALANX_RUNS", folder);
            if !succeeds(command)? {
                return Ok(Count::of(false));
            }
        }
    }
    let [one, two] = folders.map(|(_, folder)| folder);
    let (runs, others) = (runs(&one, &one)?, runs(&two, &two)?);
    if runs.is_empty() || runs != others {
        return Err(format!("the runs are not the same ones: {runs:?} and {others:?}"));
    }
    for run in runs {
        let (a, b) = (one.join(&run), two.join(&run));
        let words = ["compare", &*a.to_string_lossy(), &*b.to_string_lossy()];
        if !succeeds(repository.command("cargo", &[&phalanx[..], &words].concat()))? {
            return Ok(Count::of(false));
        }
    }
    Ok(Count::of(true))
}

fn smoke_experiments(repository: &Repository) -> Outcome<Vec<String>> {
    let files = repository.files()?.into_iter().map(|file| file.path);
    let found: Vec<String> = files
        .filter(|path| path.starts_with("experiments/smoke/") && path.ends_with(".toml"))
        .collect();
    if found.is_empty() {
        return Err("there is no experiment in experiments/smoke to replay".into());
    }
    Ok(found)
}

/// Run folders below `folder`, relative to `root`, ascending.
fn runs(root: &Path, folder: &Path) -> Outcome<Vec<PathBuf>> {
    if folder.join("record.jsonl").is_file() {
        return Ok(folder.strip_prefix(root).map(Path::to_path_buf).into_iter().collect());
    }
    let entries = std::fs::read_dir(folder).map_err(|why| format!("{folder:?}: {why}"))?;
    let mut found = Vec::new();
    for path in entries.filter_map(Result::ok).map(|entry| entry.path()).filter(|p| p.is_dir()) {
        found.extend(runs(root, &path)?);
    }
    found.sort_unstable();
    Ok(found)
}

fn succeeds(mut command: Command) -> Outcome<bool> {
    let status = command.status();
    let said = || format!("`{}` did not start", command.get_program().to_string_lossy());
    status.map(|status| status.success()).map_err(|why| format!("{}: {why}", said()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn test_results_are_counted() {
        let line =
            "test result: FAILED. 12 passed; 3 failed; 0 ignored; 0 measured; 1 filtered out";
        assert_eq!(tally(line), Count { passed: 12, failed: 3 });
        assert_eq!(tally("test a ... ok"), Count::default());
        assert_eq!(tally("12 passed; 3 failed;"), Count::default());
    }

    #[test]
    fn run_folders_are_found_at_any_depth() {
        let root = std::env::temp_dir().join(format!("phalanx-xtask-{}", std::process::id()));
        for run in ["b/1", "a/2"] {
            std::fs::create_dir_all(root.join(run)).unwrap();
            std::fs::write(root.join(run).join("record.jsonl"), "").unwrap();
        }
        let found = runs(&root, &root);
        std::fs::remove_dir_all(&root).unwrap();
        assert_eq!(found.unwrap(), [PathBuf::from("a/2"), PathBuf::from("b/1")]);
    }

    #[test]
    fn gates_that_do_not_count_tests_count_once() {
        let sum = Count::of(true).plus(Count::of(false)).plus(Count::of(true));
        assert_eq!(sum, Count { passed: 2, failed: 1 });
    }
}
