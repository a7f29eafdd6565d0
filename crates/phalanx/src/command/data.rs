//! `phalanx data`: which data sets are here, where, and how to get the rest.
use std::path::PathBuf;

use clap::Args;
use phalanx_tasks::dataset::{Finding, survey};
use serde_json::json;

use crate::command::Verdict;
use crate::command::columns::paragraph;
use crate::environment;
use crate::printer::{Printer, Tone};
use crate::problem::Problem;

const AFTER_HELP: &str = "\
Examples:
  phalanx data
  phalanx data --data /srv/datasets
  phalanx data --json";

/// Show which data sets are here and how to get the rest
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub struct Data {
    /// Look for data sets in this folder [default: PHALANX_DATA, else data]
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
}

impl Data {
    /// Prints the catalogue.
    ///
    /// # Errors
    /// When the folder was named and is absent.
    pub fn carry_out(self, printer: &mut Printer) -> Result<Verdict, Problem> {
        let folder = folder(self.data)?;
        for finding in survey(&folder) {
            if printer.is_json() {
                printer.json(&as_json(&finding));
            } else {
                show(printer, &finding);
            }
        }
        Ok(Verdict::Yes)
    }
}

/// The folder of data sets; one that a person named has to exist.
///
/// # Errors
/// When it was named by `--data` and does not exist.
pub fn folder(option: Option<PathBuf>) -> Result<PathBuf, Problem> {
    let is_named = option.is_some();
    let folder = environment::data(option);
    if is_named && !folder.is_dir() {
        let problem = Problem::new("the data folder does not exist").at(folder.display());
        return Err(problem.hint("`phalanx data` shows where data sets are looked for"));
    }
    Ok(folder)
}

fn state(finding: &Finding) -> (&'static str, Tone) {
    match (&finding.folder, finding.is_complete()) {
        (None, true) => ("ready", Tone::Good),
        (Some(_), true) => ("found", Tone::Good),
        (Some(_), false) => ("incomplete", Tone::Doubtful),
        (None, false) => ("absent", Tone::Doubtful),
    }
}

fn missing(finding: &Finding) -> Vec<&'static str> {
    let pairs = finding.known.files.iter().zip(&finding.files);
    pairs.filter(|(_, found)| found.is_none()).map(|(file, _)| *file).collect()
}

fn show(printer: &mut Printer, finding: &Finding) {
    const WIDTH: usize = 10;
    let known = finding.known;
    let (word, tone) = state(finding);
    let (name, word) = (printer.paint(Tone::Strong, known.name), printer.paint(tone, word));
    let shape = known.shape;
    printer.result(format!("{name}: {word}"));
    let size = format!(
        "{}; {} training and {} test samples of {} x {} x {}",
        known.summary, known.samples.0, known.samples.1, shape.channels, shape.height, shape.width
    );
    printer.result(paragraph("  what", WIDTH, &size));
    if let Some(folder) = &finding.folder {
        printer.result(paragraph("  where", WIDTH, &folder.display().to_string()));
    }
    if finding.is_complete() && finding.folder.is_none() {
        printer.result(paragraph("  where", WIDTH, known.hint));
    }
    if !finding.is_complete() {
        let searched: Vec<String> =
            finding.searched.iter().map(|folder| folder.display().to_string()).collect();
        printer.result(paragraph("  missing", WIDTH, &missing(finding).join(", ")));
        printer.result(paragraph("  searched", WIDTH, &searched.join(", ")));
        printer.result(paragraph("  get it", WIDTH, known.hint));
    }
}

fn as_json(finding: &Finding) -> serde_json::Value {
    let known = finding.known;
    json!({
        "name": known.name,
        "state": state(finding).0,
        "summary": known.summary,
        "train": known.samples.0,
        "test": known.samples.1,
        "folder": finding.folder,
        "searched": finding.searched,
        "missing": missing(finding),
        "hint": known.hint,
    })
}
