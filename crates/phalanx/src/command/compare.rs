//! `phalanx compare`: whether two runs are the same to the last bit.
use std::path::PathBuf;

use clap::Args;
use phalanx_report::{Comparison, compare};
use serde_json::json;

use crate::command::Verdict;
use crate::command::report::{existing, unreadable};
use crate::printer::{Printer, Tone};
use crate::problem::Problem;

const AFTER_HELP: &str = "\
Exit code 0: equal; 1: different. Environments may differ, results may not.

Examples:
  phalanx compare runs/quickstart elsewhere/quickstart
  phalanx compare runs/quickstart/monna-0a1b2c3d4e-s1 elsewhere/quickstart/monna-0a1b2c3d4e-s1
  phalanx -q compare a b && echo the same";

/// Compare two runs bit by bit
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub struct Compare {
    /// A run folder, or the folder of an experiment
    #[arg(value_name = "A")]
    left: PathBuf,
    /// Another one
    #[arg(value_name = "B")]
    right: PathBuf,
}

impl Compare {
    /// Prints the first difference, if there is one.
    ///
    /// # Errors
    /// When a folder cannot be read, or only one of them is a run folder.
    pub fn carry_out(self, printer: &mut Printer) -> Result<Verdict, Problem> {
        let (left, right) = (existing(self.left, None)?, existing(self.right, None)?);
        let comparison = compare(&left, &right).map_err(|error| unreadable(&error))?;
        if printer.is_json() {
            printer.json(&as_json(&comparison));
        } else {
            let tone = if comparison.is_equal() { Tone::Good } else { Tone::Bad };
            let text = comparison.to_string();
            let (word, rest) = text.split_once(':').unwrap_or((&text, ""));
            let word = printer.paint(tone, word);
            printer.result(format!("{word}:{rest}"));
        }
        Ok(if comparison.is_equal() { Verdict::Yes } else { Verdict::No })
    }
}

fn as_json(comparison: &Comparison) -> serde_json::Value {
    match comparison {
        Comparison::Equal { runs, lines } => json!({ "equal": true, "runs": runs, "lines": lines }),
        Comparison::Different { file, line, what, left, right } => json!({
            "equal": false, "file": file, "line": line, "what": what, "left": left, "right": right,
        }),
    }
}
