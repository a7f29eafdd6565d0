//! Killed at any moment, a sweep loses time and nothing else.
use std::process::Stdio;
use std::time::Duration;

use super::{require_equal, succeeds};
use crate::program::Scratch;

/// Six runs that write a checkpoint after every step.
const SLOW: &str = r#"population = { n = 5, f = 1 }
task       = { name = "quadratic", dim = 200 }
algorithm  = { name = "monna", learning-rate = 0.2, momentum = 0.5 }
run        = { rounds = 60, seeds = [1, 2, 3], evaluate-every = 5 }
sweep      = { "attack.name" = ["none", "gaussian"] }
"#;

const RUNS: usize = 6;

/// Kills in the quick form, and in the nightly one.
const KILLS: u32 = if cfg!(feature = "nightly") { 10 } else { 3 };

/// A number of milliseconds that differs from time to time.
fn moment(least: u64, most: u64) -> Duration {
    use std::hash::{BuildHasher as _, RandomState};
    let chance = RandomState::new().hash_one(0);
    Duration::from_millis(least + chance % (most - least))
}

/// Starts a sweep and kills it; whether it was still at work.
fn killed(scratch: &Scratch, args: &[&str], after: Duration) -> bool {
    let mut command = scratch.command(args);
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    std::thread::sleep(after);
    let was_at_work = child.try_wait().unwrap().is_none();
    child.kill().unwrap();
    child.wait().unwrap();
    was_at_work
}

fn undisturbed(scratch: &Scratch) {
    scratch.write("a.toml", SLOW);
    succeeds(scratch.phalanx(&["sweep", "a.toml", "--runs", "whole"]));
}

#[test]
fn killed_at_random_moments_a_sweep_ends_as_an_undisturbed_one() {
    let scratch = Scratch::new();
    undisturbed(&scratch);
    let args = ["sweep", "a.toml", "--runs", "torn", "--checkpoint-every", "0"];
    let mut kills = 0;
    let mut moments = Vec::new();
    for _ in 0..3 * KILLS {
        let after = moment(5, 250);
        moments.push(after);
        if killed(&scratch, &args, after) {
            kills += 1;
        }
        if kills == KILLS {
            break;
        }
    }
    assert!(kills > 0, "never at work when killed: {moments:?}");
    succeeds(scratch.phalanx(&args));
    require_equal(&scratch, "whole/a", "torn/a", RUNS);
}

#[test]
fn three_shards_one_of_them_killed_are_collected_to_the_undisturbed_sweep() {
    let scratch = Scratch::new();
    undisturbed(&scratch);
    let shard = |index: usize| {
        let (part, runs) = (format!("{index}/3"), format!("part{index}"));
        ["sweep", "a.toml", "--checkpoint-every", "0", "--shard", &part, "--runs", &runs]
            .map(String::from)
    };
    let spawn = |index: usize| {
        let args = shard(index);
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        let mut command = scratch.command(&args);
        command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
    };
    let mut others = [spawn(1), spawn(3)];
    let args = shard(2);
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    killed(&scratch, &args, moment(20, 200));
    let collect = ["sweep", "collect", "all/a", "part1", "part2", "part3"];
    for other in &mut others {
        assert!(other.wait().unwrap().success());
    }
    // Whatever the killed one has left is missing, not taken for a run.
    let early = scratch.phalanx(&collect);
    let is_done = !early.out.contains("missing: ");
    assert_eq!(early.code, Some(i32::from(!is_done)), "{}\n{}", early.out, early.err);
    succeeds(scratch.phalanx(&args));
    succeeds(scratch.phalanx(&collect));
    require_equal(&scratch, "whole/a", "all/a", RUNS);
    // And the page, table and expectations come from the whole.
    let said = succeeds(scratch.phalanx(&["sweep", "a.toml", "--runs", "all"]));
    assert!(said.err.contains("runs: 6 complete, 0 resumable, 0 missing"), "{}", said.err);
}

#[cfg(unix)]
#[test]
fn ctrl_c_leaves_checkpoints_of_all_runs_at_hand() {
    let scratch = Scratch::new();
    undisturbed(&scratch);
    let args = ["sweep", "a.toml", "--runs", "torn", "--set", "run.rounds=100000", "--jobs", "3"];
    let mut command = scratch.command(&args);
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    std::thread::sleep(Duration::from_millis(700));
    let pid = child.id().to_string();
    assert!(std::process::Command::new("kill").args(["-INT", &pid]).status().unwrap().success());
    let said = crate::program::said(child.wait_with_output().unwrap());
    assert_eq!(said.code, Some(130), "{}", said.err);
    assert_eq!(said.err.matches(": interrupted after ").count(), 3, "{}", said.err);
    assert!(said.err.contains("6 runs not complete"), "{}", said.err);
    let said = succeeds(scratch.phalanx(&[&args[..], &["--plan"]].concat()));
    assert!(said.out.contains("runs: 0 complete, 3 resumable, 3 missing"), "{}", said.out);
}
