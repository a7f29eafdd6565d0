//! `phalanx sweep collect`: the folders of many machines become one.
use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use crate::command::Verdict;
use crate::command::columns::counted;
use crate::printer::{Printer, Tone};
use crate::problem::Problem;
use crate::sweep::collect::{Fate, collect};

const AFTER_HELP: &str = "\
Every run is checked against the manifest: its resolved text, a complete summary, a record that is
whole to its last line and adds up to the summary. Runs that several folders have must be equal.
Nothing is overwritten.

Exit codes: 0 the campaign is complete; 1 something is missing or inconsistent; 2 it could not be
collected.

Examples:
  phalanx sweep collect runs/campaign machine-a/runs machine-b/runs
  phalanx sweep collect runs/campaign part-1/campaign part-2/campaign
  phalanx sweep collect runs/campaign machine-a/runs --allow-missing";

/// Merge the run folders of many machines and check that nothing is missing or inconsistent
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub struct Collect {
    /// Folder of the experiment that the runs are copied to
    #[arg(value_name = "OUT")]
    out: PathBuf,
    /// Folders of the experiment, or of runs, on other machines
    #[arg(value_name = "IN", required = true)]
    folders: Vec<PathBuf>,
    /// Call it complete although runs are missing
    #[arg(long)]
    allow_missing: bool,
}

impl Collect {
    /// Copies what is not there, and says what is wrong.
    ///
    /// # Errors
    /// When folders have no manifest or different ones, or cannot be read or written.
    pub fn carry_out(self, printer: &mut Printer) -> Result<Verdict, Problem> {
        let collection = collect(&self.out, &self.folders)?;
        let (mut present, mut copied, mut missing, mut refused) = (0, 0, 0, 0);
        for (entry, fate) in collection.manifest.runs.iter().zip(&collection.fates) {
            let name = &entry.folder;
            let (word, text) = match fate {
                Fate::Present => {
                    present += 1;
                    ("present", String::new())
                }
                Fate::Copied(from) => {
                    copied += 1;
                    ("copied", from.display().to_string())
                }
                Fate::Missing(begun) => {
                    missing += 1;
                    let begun: Vec<_> =
                        begun.iter().map(|path| path.display().to_string()).collect();
                    let begun =
                        if begun.is_empty() { "not begun".into() } else { begun.join(", ") };
                    ("missing", begun)
                }
                Fate::Refused(folder, reason) => {
                    refused += 1;
                    ("inconsistent", format!("{}: {reason}", folder.display()))
                }
            };
            if printer.is_json() {
                printer.json(&json!({ "run": name, "fate": word, "about": text }));
            } else if matches!(fate, Fate::Missing(_) | Fate::Refused(..)) {
                let word = printer.paint(Tone::Bad, word);
                printer.result(format!("{word}: {name}: {text}"));
            } else {
                printer.detail(format!("{word}: {name}: {text}"));
            }
        }
        for folder in &collection.foreign {
            printer.detail(format!("not of this campaign, left alone: {}", folder.display()));
        }
        if !collection.foreign.is_empty() {
            let folders = counted(collection.foreign.len(), "run folder");
            printer.note(format!("{folders} not of this campaign left alone; `-v` lists them"));
        }
        let all = collection.fates.len();
        printer.note(format!(
            "{}: {all} runs: {copied} copied, {present} already there, {missing} missing, \
             {refused} inconsistent",
            collection.manifest.experiment
        ));
        let is_good = refused == 0 && (missing == 0 || self.allow_missing);
        if is_good && missing == 0 {
            printer.hint("`phalanx sweep FILE` shows table, page and expectations");
        } else if missing > 0 {
            printer.hint("`phalanx sweep FILE` does what is missing; collect again afterwards");
        }
        Ok(if is_good { Verdict::Yes } else { Verdict::No })
    }
}
