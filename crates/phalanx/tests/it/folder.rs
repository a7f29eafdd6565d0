//! The run folder: complete, interrupted, resumed, refused.
use std::cell::Cell;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use phalanx::experiment::{Experiment, Overrides, Registries, Run};
use phalanx::run::folder::{CHECKPOINT, EXPERIMENT, RECORD, SUMMARY};
use phalanx::run::{Conduct, End, Watch, execute};

use crate::program::{Scratch, said, small};

fn only_run(text: &str) -> Run {
    let file = Path::new("a.toml");
    let experiment =
        Experiment::parse(text, file, &Overrides::default(), &Registries::ALL).unwrap();
    let (_, run) = experiment.runs().next().unwrap();
    run
}

/// Runs until `steps` batches of work are done.
fn go(run: &Run, folder: &Path, steps: u64, checkpoint_every: Duration) -> End {
    let left = Cell::new(steps);
    let mut watch = |_: &Watch<'_>| {
        left.set(left.get().saturating_sub(1));
        left.get() > 0
    };
    let mut conduct = Conduct {
        folder: folder.into(),
        is_forced: false,
        data: Path::new("data"),
        checkpoint_every,
        command: "test".into(),
        watch: &mut watch,
    };
    execute(run, &mut conduct).unwrap()
}

fn bytes(folder: &Path) -> (Vec<u8>, Vec<u8>) {
    let read = |name: &str| std::fs::read(folder.join(name)).unwrap();
    (read(RECORD), read(SUMMARY))
}

const NEVER: Duration = Duration::from_secs(1_000_000);

#[test]
fn interrupted_and_resumed_equals_uninterrupted_wherever_it_is_interrupted() {
    let scratch = Scratch::new();
    let star =
        small(12).replace("\"monna\", learning-rate = 0.2, momentum = 0.5", "\"distributed-sgd\"");
    for (name, text) in [("peers", small(12)), ("star", star)] {
        let run = only_run(&text);
        let whole = scratch.path().join(format!("{name}-whole"));
        assert!(matches!(go(&run, &whole, u64::MAX, NEVER), End::Complete(_)));
        let expected = bytes(&whole);
        assert!(expected.0.len() > 1000);
        for steps in [1, 2, 3, 5, 8, 13] {
            let folder = scratch.path().join(format!("{name}-{steps}"));
            let mut pieces = 0;
            while let End::Interrupted(summary) = go(&run, &folder, steps, NEVER) {
                assert!(folder.join(CHECKPOINT).is_file());
                assert_eq!(summary.rounds, 12);
                pieces += 1;
                assert!(pieces < 1000, "no progress");
            }
            assert!(bytes(&folder) == expected, "{name}, every {steps} steps, {pieces} pieces");
            assert!(pieces > 0, "{name}, {steps}");
            assert!(!folder.join(CHECKPOINT).exists());
        }
        let folder = scratch.path().join(format!("{name}-checkpoints"));
        go(&run, &folder, u64::MAX, Duration::ZERO);
        assert!(bytes(&folder) == expected, "checkpoints change nothing");
    }
}

#[test]
fn what_was_recorded_after_the_checkpoint_is_recorded_again() {
    let scratch = Scratch::new();
    let run = only_run(&small(12));
    let whole = scratch.path().join("whole");
    go(&run, &whole, u64::MAX, NEVER);
    let folder = scratch.path().join("killed");
    go(&run, &folder, 20, NEVER);
    // As after a kill: the record is ahead of the checkpoint, here by more than the run will
    // write, and ends in half a line.
    let mut record = std::fs::read(folder.join(RECORD)).unwrap();
    record.extend_from_slice(&vec![b'\n'; 1 << 20]);
    record.extend_from_slice(b"{\"t\":123,\"node\":1,\"eve");
    std::fs::write(folder.join(RECORD), record).unwrap();
    std::fs::remove_file(folder.join(SUMMARY)).unwrap();
    go(&run, &folder, u64::MAX, NEVER);
    assert!(bytes(&folder) == bytes(&whole));
}

#[test]
fn a_damaged_or_foreign_checkpoint_is_refused() {
    let scratch = Scratch::new();
    scratch.write("a.toml", &small(12));
    let run = only_run(&small(12));
    let folder = scratch.path().join("runs/a").join(run.folder_name());
    go(&run, &folder, 10, NEVER);
    let good = std::fs::read(folder.join(CHECKPOINT)).unwrap();
    for damage in [0, 30, good.len() / 2, good.len() - 1] {
        let mut bad = good.clone();
        bad[damage] ^= 1;
        std::fs::write(folder.join(CHECKPOINT), &bad).unwrap();
        let said = scratch.phalanx(&["run", "a.toml"]);
        assert_eq!(said.code, Some(2));
        assert!(said.err.contains("error: this checkpoint is damaged: runs/a/"), "{}", said.err);
        assert!(said.err.contains("--force"), "{}", said.err);
    }
    std::fs::write(folder.join(CHECKPOINT), &good).unwrap();
    std::fs::write(folder.join(RECORD), "").unwrap();
    let said = scratch.phalanx(&["run", "a.toml"]);
    assert_eq!(said.code, Some(2));
    assert!(said.err.contains("it is shorter than the checkpoint says: runs/a/"), "{}", said.err);
    assert!(said.err.contains("hint: `--force` starts the run again"), "{}", said.err);
    std::fs::write(folder.join(CHECKPOINT), &good[..good.len() - 40]).unwrap();
    assert_eq!(scratch.phalanx(&["run", "a.toml"]).code, Some(2));
    let said = scratch.phalanx(&["run", "a.toml", "--force"]);
    assert_eq!(said.code, Some(0), "{}", said.err);
}

/// The only run of `a.toml`, done.
fn done(scratch: &Scratch) -> PathBuf {
    scratch.write("a.toml", &small(10));
    let said = scratch.phalanx(&["run", "a.toml"]);
    assert_eq!(said.code, Some(0), "{}", said.err);
    scratch.only_run("runs")
}

#[test]
fn a_complete_run_is_skipped_and_forced_runs_repeat_it() {
    let scratch = Scratch::new();
    let folder = done(&scratch);
    let before = bytes(&folder);
    let said = scratch.phalanx(&["run", "a.toml"]);
    assert_eq!(said.code, Some(0));
    assert!(said.err.contains("1 run already complete; `--force` runs them again"), "{}", said.err);
    let said = scratch.phalanx(&["run", "a.toml", "--force"]);
    assert_eq!(said.code, Some(0));
    assert!(!said.err.contains("already complete"));
    assert!(bytes(&folder) == before);
}

#[test]
fn the_resolved_form_in_the_folder_repeats_the_run() {
    let scratch = Scratch::new();
    let folder = done(&scratch);
    let file = folder.join(EXPERIMENT);
    let said = scratch.phalanx(&["run", file.to_str().unwrap(), "--runs", "again"]);
    assert_eq!(said.code, Some(0), "{}", said.err);
    let said = scratch.phalanx(&["compare", "runs/a", "again/a"]);
    assert_eq!((said.code, said.out.as_str()), (Some(0), said.out.as_str()));
    assert!(said.out.starts_with("equal: 1 run"), "{}", said.out);
}

#[test]
fn results_do_not_depend_on_the_number_of_threads_and_do_on_the_seed() {
    let scratch = Scratch::new();
    scratch.write("a.toml", &small(10));
    for (threads, runs) in [("1", "one"), ("3", "three")] {
        let said = scratch.phalanx(&["run", "a.toml", "--threads", threads, "--runs", runs]);
        assert_eq!(said.code, Some(0), "{}", said.err);
    }
    assert_eq!(scratch.phalanx(&["compare", "one/a", "three/a"]).code, Some(0));
    scratch.phalanx(&["run", "a.toml", "--seed", "2", "--runs", "other"]);
    let (one, other) = (scratch.only_run("one"), scratch.only_run("other"));
    let said = scratch.phalanx(&["compare", one.to_str().unwrap(), other.to_str().unwrap()]);
    assert_eq!(said.code, Some(1));
    assert!(said.out.starts_with("different:"), "{}", said.out);
}

#[test]
fn a_folder_of_another_format_or_experiment_is_never_overwritten() {
    let scratch = Scratch::new();
    let folder = done(&scratch);
    let file = folder.join(EXPERIMENT);
    let ours = std::fs::read_to_string(&file).unwrap();
    let cases = [
        (ours.replace("= 1\nname", "= 9\nname"), "format `9`, but this version reads `1`"),
        (ours.replace("dim = 30", "dim = 31"), "this run folder holds another experiment"),
    ];
    for (text, expected) in cases {
        assert_ne!(text, ours);
        std::fs::write(&file, &text).unwrap();
        let said = scratch.phalanx(&["run", "a.toml"]);
        assert_eq!(said.code, Some(2));
        assert!(said.err.contains(expected), "{}", said.err);
        assert!(said.err.contains("hint: choose another folder with `--runs`"), "{}", said.err);
        assert_eq!(std::fs::read_to_string(&file).unwrap(), text);
    }
    std::fs::write(&file, &ours).unwrap();
    let summary = folder.join(SUMMARY);
    let text = std::fs::read_to_string(&summary).unwrap();
    std::fs::write(&summary, text.replace("\"format\": 1", "\"format\": 7")).unwrap();
    let said = scratch.phalanx(&["run", "a.toml"]);
    assert_eq!(said.code, Some(2));
    assert!(said.err.contains("format `7`, but this version reads `1`"), "{}", said.err);
}

#[test]
fn a_folder_that_is_no_run_folder_is_never_touched() {
    let scratch = Scratch::new();
    let folder = done(&scratch);
    std::fs::remove_file(folder.join(EXPERIMENT)).unwrap();
    std::fs::write(folder.join("diary.txt"), "mine").unwrap();
    for args in [&["run", "a.toml"][..], &["run", "a.toml", "--force"]] {
        let said = scratch.phalanx(args);
        assert_eq!(said.code, Some(2));
        assert!(said.err.contains("not a run folder either"), "{}", said.err);
    }
    assert!(folder.join(SUMMARY).is_file() && folder.join("diary.txt").is_file());
}

#[cfg(unix)]
#[test]
fn a_disk_that_fills_up_stops_the_run_and_keeps_whole_lines() {
    let scratch = Scratch::new();
    scratch.write("a.toml", &small(400));
    // A limit on the size of files stands for a full disk: the write fails in the same place.
    let script = format!("trap '' XFSZ; ulimit -f 200; exec {} run a.toml", program());
    let mut shell = Command::new("sh");
    let shell = shell.args(["-c", &script]).current_dir(scratch.path());
    let said = said(shell.output().unwrap());
    assert_eq!(said.code, Some(2), "{}", said.err);
    assert!(said.err.contains("error: cannot record the run: file too large"), "{}", said.err);
    assert!(said.err.contains("hint: what was recorded is still valid"), "{}", said.err);
    assert!(said.err.contains("replay: phalanx run a.toml --arm monna --seed 1"), "{}", said.err);
    let folder = scratch.only_run("runs");
    let record = std::fs::read_to_string(folder.join(RECORD)).unwrap();
    assert!(record.len() > 50_000 && record.ends_with('\n'));
    for line in record.lines() {
        let _: serde_json::Value = serde_json::from_str(line).unwrap();
    }
    // With room again the same command completes the run.
    let said = scratch.phalanx(&["run", "a.toml"]);
    assert_eq!(said.code, Some(0), "{}", said.err);
}

fn program() -> &'static str {
    env!("CARGO_BIN_EXE_phalanx")
}

#[cfg(unix)]
#[test]
fn ctrl_c_leaves_a_valid_folder_and_the_same_command_goes_on() {
    let scratch = Scratch::new();
    scratch.write("a.toml", &small(3000));
    let mut child = scratch.command(&["run", "a.toml"]);
    let child = child.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let runs = scratch.path().join("runs/a");
    let has_begun = || {
        let mut folders = std::fs::read_dir(&runs).into_iter().flatten().flatten();
        folders.any(|folder| {
            folder.path().join(RECORD).metadata().is_ok_and(|record| record.len() > 0)
        })
    };
    for _ in 0..1000 {
        if has_begun() {
            break;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    let pid = child.id().to_string();
    assert!(Command::new("kill").args(["-INT", &pid]).status().unwrap().success());
    let interrupted = said(child.wait_with_output().unwrap());
    assert_eq!(interrupted.code, Some(130), "{}", interrupted.err);
    assert!(interrupted.err.contains("interrupted after"), "{}", interrupted.err);
    assert!(
        interrupted.err.ends_with("hint: the same command goes on where this one stopped\n"),
        "{}",
        interrupted.err
    );
    let said = scratch.phalanx(&["report", "a"]);
    assert_eq!(said.code, Some(0), "an interrupted run can be read: {}", said.err);
    let said = scratch.phalanx(&["run", "a.toml"]);
    assert_eq!(said.code, Some(0), "{}", said.err);
    assert!(said.err.contains("goes on"), "{}", said.err);
    scratch.phalanx(&["run", "a.toml", "--runs", "whole"]);
    let said = scratch.phalanx(&["compare", "runs/a", "whole/a"]);
    assert_eq!(said.code, Some(0), "{}", said.out);
}

#[test]
fn experiments_of_different_letters_have_different_folders() {
    let scratch = Scratch::new();
    let long = "n".repeat(110);
    let others = ["\u{df}", "\u{fc}", "a\u{df}", &long, &format!("{long}m")];
    for name in others.into_iter().chain(["a b", "a+b=1.5_c"]) {
        let file = format!("{name}.toml");
        scratch.write(&file, &small(5));
        let said = scratch.phalanx(&["run", &file, "--quiet"]);
        assert_eq!(said.code, Some(0), "{name}: {}", said.err);
        // The name of an experiment leads to its folder.
        let said = scratch.phalanx(&["report", name]);
        assert_eq!(said.code, Some(0), "{name}: {}", said.err);
    }
    let entries = std::fs::read_dir(scratch.path().join("runs")).unwrap();
    let name_of = |entry: std::io::Result<std::fs::DirEntry>| entry.unwrap().file_name();
    let folders: Vec<String> = entries.map(|entry| name_of(entry).into_string().unwrap()).collect();
    assert_eq!(folders.len(), 7, "{folders:?}");
    for name in ["a-b", "a+b=1.5_c"] {
        assert!(folders.iter().any(|folder| folder == name), "{folders:?}");
    }
    assert!(folders.iter().all(|folder| folder.is_ascii() && folder.len() < 128), "{folders:?}");
}
