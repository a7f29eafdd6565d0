//! House keeping in one place: `cargo xtask` checks, repairs and measures this repository.
#![expect(
    clippy::disallowed_methods,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a tool for people: it reads a clock to time gates, and its output is its product"
)]
use std::process::ExitCode;

mod bench;
mod ci;
mod reference;
mod repository;
mod source;
mod tidy;

use repository::Repository;

const USAGE: &str = "\
cargo xtask TASK

  tidy   check what no compiler checks; one line per finding, writes nothing
  ci     every gate, cheapest first: format, tidy, lints, tests, docs, replay, reference
  fix    format every source file, those of macro-declared modules included
  gen    write the reference pages from the program's own words
  bench  list the benches and run them; further words choose by crate or name
";

fn main() -> ExitCode {
    let mut words = std::env::args().skip(1);
    let task = words.next().unwrap_or_default();
    let rest: Vec<String> = words.collect();
    let outcome = Repository::find().and_then(|repository| match task.as_str() {
        "tidy" if rest.is_empty() => tidy::run(&repository),
        "ci" if rest.is_empty() => ci::run(&repository),
        "fix" if rest.is_empty() => tidy::format::fix(&repository),
        "gen" if rest.is_empty() => reference::write(&repository),
        "bench" => bench::run(&repository, &rest),
        _ => {
            eprint!("{USAGE}");
            Err(format!(
                "no such task: `{}`",
                std::iter::once(task).chain(rest).collect::<String>()
            ))
        }
    });
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(reason) => {
            eprintln!("error: {reason}");
            ExitCode::from(2)
        }
    }
}
