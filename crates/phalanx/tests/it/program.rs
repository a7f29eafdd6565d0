//! The built program, run in a folder of its own.
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::atomic::{AtomicUsize, Ordering};

/// What a run of the program said.
pub struct Said {
    pub code: Option<i32>,
    pub out: String,
    pub err: String,
}

/// A scratch folder, removed at the end.
pub struct Scratch(PathBuf);

impl Scratch {
    pub fn new() -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let count = COUNT.fetch_add(1, Ordering::SeqCst);
        let name = format!("phalanx-it-{}-{count}", std::process::id());
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    pub fn path(&self) -> &Path {
        &self.0
    }

    pub fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.0.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
        path
    }

    /// The program with its folder here and nothing else of the environment.
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_phalanx"));
        command.args(args).current_dir(&self.0);
        for name in ["PHALANX_RUNS", "PHALANX_DATA", "NO_COLOR"] {
            command.env_remove(name);
        }
        command
    }

    pub fn phalanx(&self, args: &[&str]) -> Said {
        said(self.command(args).output().unwrap())
    }

    /// The one run folder below `runs`.
    pub fn only_run(&self, runs: &str) -> PathBuf {
        let experiment = only_folder(&self.0.join(runs));
        only_folder(&experiment)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn only_folder(path: &Path) -> PathBuf {
    let entries = std::fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path());
    let mut folders: Vec<PathBuf> =
        entries.filter(|path| path.is_dir() && !path.ends_with("figures")).collect();
    assert_eq!(folders.len(), 1, "{folders:?}");
    folders.remove(0)
}

pub fn said(output: Output) -> Said {
    Said {
        code: output.status.code(),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    }
}

/// A run that takes a moment: `rounds` decide how long.
pub fn small(rounds: u32) -> String {
    format!(
        r#"population = {{ n = 7, f = 1 }}
task       = {{ name = "quadratic", dim = 30 }}
algorithm  = {{ name = "monna", learning-rate = 0.2, momentum = 0.5 }}
attack     = {{ name = "gaussian" }}
network    = {{ loss = 0.1 }}
run        = {{ rounds = {rounds}, seeds = [1], evaluate-every = 5 }}
"#
    )
}
