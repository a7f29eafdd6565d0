//! Every environment variable that `phalanx` reads, and nothing else reads any.
//!
//! | variable | meaning | option that overrides it |
//! | --- | --- | --- |
//! | `PHALANX_RUNS` | folder that run folders are written to, default `./runs` | `--runs` |
//! | `PHALANX_DATA` | folder with data sets, default `./data` | `--data` |
//! | `NO_COLOR` | any non-empty value: no colour | `--color` |
use std::path::PathBuf;

/// Text for the end of `phalanx --help`.
pub const HELP: &str = "\
Environment:
  PHALANX_RUNS  folder that run folders are written to [default: runs]
  PHALANX_DATA  folder with data sets [default: data]
  NO_COLOR      any non-empty value switches colour off";

/// Where run folders go: the option, else `PHALANX_RUNS`, else `runs`.
pub fn runs(option: Option<PathBuf>) -> PathBuf {
    option.unwrap_or_else(|| variable("PHALANX_RUNS").map_or_else(|| "runs".into(), PathBuf::from))
}

/// Where data sets are: the option, else `PHALANX_DATA`, else `data`.
pub fn data(option: Option<PathBuf>) -> PathBuf {
    option.unwrap_or_else(|| variable("PHALANX_DATA").map_or_else(|| "data".into(), PathBuf::from))
}

/// Whether `NO_COLOR` asks for plain text.
pub fn is_colour_refused() -> bool {
    variable("NO_COLOR").is_some()
}

/// An empty variable counts as absent.
#[expect(clippy::disallowed_methods, reason = "the one place that reads the environment")]
fn variable(name: &str) -> Option<std::ffi::OsString> {
    std::env::var_os(name).filter(|value| !value.is_empty())
}
