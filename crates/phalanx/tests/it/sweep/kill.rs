//! Killed at any moment, a sweep loses time and nothing else.
use std::process::Stdio;
use std::time::Duration;

use phalanx_robust::Rng;

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

/// Moments of kills, the same each time; what a process is at by then differs anyway.
struct Moments(Rng);

impl Moments {
    fn new(seed: u64) -> Self {
        Self(Rng::stream(seed, 0, "moments of kills"))
    }

    fn next(&mut self, least: u64, most: u64) -> Duration {
        Duration::from_millis(least + self.0.below((most - least) as usize) as u64)
    }
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

/// What a complete sweep says in the end, asked again.
fn final_table(scratch: &Scratch, args: &[&str]) -> String {
    let said = succeeds(scratch.phalanx(args));
    assert!(said.err.contains(" complete, 0 resumable, 0 missing"), "{}", said.err);
    said.out
}

/// How a sweep is killed.
struct Kills {
    /// so often, while it is at work
    wanted: u32,
    /// so often at least, should it be over before
    least: u32,
    /// after so many milliseconds at most
    most_ms: u64,
}

/// Kills a sweep at work again and again, lets it end, and requires all of it to be that of an
/// undisturbed one.
fn require_survival(text: &str, mut moments: Moments, kills: Kills) {
    let Kills { wanted, least, most_ms } = kills;
    let scratch = Scratch::new();
    scratch.write("a.toml", text);
    let whole = ["sweep", "a.toml", "--runs", "whole"];
    succeeds(scratch.phalanx(&whole));
    let torn = ["sweep", "a.toml", "--runs", "torn", "--checkpoint-every", "0"];
    let (mut done, mut tried) = (0, Vec::new());
    while done < wanted && tried.len() < 3 * wanted as usize {
        let after = moments.next(5, most_ms);
        tried.push(after);
        done += u32::from(killed(&scratch, &torn, after));
    }
    assert!(done >= least, "over before it was killed often enough: {done} of {tried:?}");
    succeeds(scratch.phalanx(&torn));
    require_equal(&scratch, "whole/a", "torn/a", RUNS);
    let said = succeeds(scratch.phalanx(&["compare", "whole/a", "torn/a"]));
    assert!(said.out.starts_with("equal: 6 runs"), "{}", said.out);
    let table = final_table(&scratch, &whole);
    assert!(table.lines().count() > 2, "{table}");
    assert_eq!(final_table(&scratch, &torn), table);
}

#[test]
fn killed_at_random_moments_a_sweep_ends_as_an_undisturbed_one() {
    require_survival(SLOW, Moments::new(1), Kills { wanted: 3, least: 1, most_ms: 250 });
}

#[cfg(feature = "nightly")]
mod nightly {
    use super::*;

    /// Long enough that the tenth kill, too, finds it at work.
    #[test]
    fn killed_ten_times_at_random_moments_a_sweep_ends_as_an_undisturbed_one() {
        let long = SLOW.replace("rounds = 60", "rounds = 6000");
        let kills = Kills { wanted: 10, least: 10, most_ms: 1500 };
        require_survival(&long, Moments::new(2), kills);
    }
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
    killed(&scratch, &args, Moments::new(3).next(20, 200));
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
