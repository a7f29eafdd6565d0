//! The files for clusters do what they say.
use std::path::Path;
use std::process::Command;

use super::{GRID, RUNS, require_equal, succeeds};
use crate::program::{Said, Scratch, said};

fn written(kind: &str) -> Scratch {
    let scratch = Scratch::new();
    scratch.write("a grid.toml", GRID);
    let args = ["sweep", "cluster", "a grid.toml", "--kind", kind, "--shards", "3", "-o", "c"];
    succeeds(scratch.phalanx(&[&args[..], &["--set", "run.rounds=15"]].concat()));
    let args = ["sweep", "a grid.toml", "--set", "run.rounds=15", "--runs", "whole"];
    succeeds(scratch.phalanx(&args));
    scratch
}

/// A shell with the program on its path.
fn shell(scratch: &Scratch, script: &str, variables: &[(&str, &str)]) -> Said {
    let program = Path::new(env!("CARGO_BIN_EXE_phalanx")).parent().unwrap();
    let script = format!("PATH=\"{}:$PATH\"; {script}", program.display());
    let mut command = Command::new("bash");
    command.args(["-c", &script]).current_dir(scratch.path()).envs(variables.iter().copied());
    succeeds(said(command.output().unwrap()))
}

#[cfg(unix)]
#[test]
fn the_slurm_script_does_the_shard_of_its_task() {
    let scratch = written("slurm");
    for task in ["1", "2", "3"] {
        let variables = [("SLURM_ARRAY_TASK_ID", task), ("SLURM_CPUS_PER_TASK", "1")];
        shell(&scratch, "export PATH; bash 'c/a-grid.sbatch'", &variables);
    }
    require_equal(&scratch, "whole/a-grid", "runs/a-grid", RUNS);
    let text = std::fs::read_to_string(scratch.path().join("c/a-grid.sbatch")).unwrap();
    assert!(text.starts_with("#!/bin/bash\n") && text.contains("\n#SBATCH --array=1-3\n"));
}

#[cfg(unix)]
#[test]
fn the_list_for_parallel_does_every_shard() {
    let scratch = written("parallel");
    shell(&scratch, "while read -r job; do eval \"$job\" || exit; done < c/a-grid.jobs", &[]);
    require_equal(&scratch, "whole/a-grid", "runs/a-grid", RUNS);
    shell(&scratch, "sh -n c/a-grid.sh", &[]);
}

#[cfg(unix)]
#[test]
fn the_command_of_the_indexed_job_does_the_shard_of_its_index() {
    let scratch = written("kubernetes");
    let text = std::fs::read_to_string(scratch.path().join("c/a-grid.yaml")).unwrap();
    let line = text.lines().find_map(|line| line.trim().strip_prefix("command: ")).unwrap();
    let command: Vec<String> = serde_json::from_str(line).unwrap();
    assert_eq!(command[..2], ["/bin/sh", "-c"]);
    for index in ["0", "1", "2"] {
        shell(&scratch, &command[2], &[("JOB_COMPLETION_INDEX", index)]);
    }
    require_equal(&scratch, "whole/a-grid", "runs/a-grid", RUNS);
    assert!(text.contains("\n  completions: 3\n") && text.contains("\n  name: phalanx-a-grid\n"));
}
