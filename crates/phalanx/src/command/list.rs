//! `phalanx list`: what an experiment file can name.
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};

use crate::command::Verdict;
use crate::command::columns::paragraph;
use crate::experiment::document;
use crate::experiment::{FileKind, Kind, Registries};
use crate::printer::{Printer, Tone};
use crate::problem::Problem;

const AFTER_HELP: &str = "\
Examples:
  phalanx list rules
  phalanx list attacks --json
  phalanx list experiments";

/// What can be listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum What {
    /// Aggregation rules
    #[value(alias = "rule")]
    Rules,
    /// Pre-aggregations
    #[value(alias = "mixing")]
    Mixings,
    /// Attacks
    #[value(alias = "attack")]
    Attacks,
    /// Learning algorithms
    #[value(alias = "algorithm")]
    Algorithms,
    /// Workloads
    #[value(alias = "task")]
    Tasks,
    /// How vectors travel: direct, broadcasts, agreement
    #[value(alias = "exchange")]
    Exchanges,
    /// What Byzantine nodes do to their own messages
    #[value(alias = "misbehaviour")]
    Misbehaviours,
    /// Experiment files below the folder `experiments`
    #[value(alias = "experiment")]
    Experiments,
}

/// List what an experiment file can name
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub struct List {
    /// What to list
    #[arg(value_name = "KIND")]
    kind: What,
}

impl List {
    /// Prints name and summary of each.
    ///
    /// # Errors
    /// When the folder of experiments cannot be read.
    pub fn carry_out(self, printer: &mut Printer) -> Result<Verdict, Problem> {
        let kind = match self.kind {
            What::Rules => Kind::Rule,
            What::Mixings => Kind::Mixing,
            What::Attacks => Kind::Attack,
            What::Algorithms => Kind::Algorithm,
            What::Tasks => Kind::Task,
            What::Exchanges => Kind::Exchange,
            What::Misbehaviours => Kind::Misbehaviour,
            What::Experiments => return list_experiments(printer),
        };
        let listed = Registries::ALL.list(kind);
        let rows = listed.iter().map(|listed| (listed.name.to_owned(), listed.summary.to_owned()));
        show(printer, kind.word(), rows.collect());
        if let Some(first) = listed.first() {
            printer.hint(format!("`phalanx explain {}` tells more", first.name));
        }
        Ok(Verdict::Yes)
    }
}

fn show(printer: &mut Printer, kind: &str, rows: Vec<(String, String)>) {
    if printer.is_json() {
        for (name, summary) in rows {
            printer.json(&serde_json::json!({ "kind": kind, "name": name, "summary": summary }));
        }
        return;
    }
    let width = rows.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0);
    for (name, summary) in &rows {
        show_row(printer, name, width, summary);
    }
}

fn list_experiments(printer: &mut Printer) -> Result<Verdict, Problem> {
    let root = Path::new("experiments");
    let mut files = Vec::new();
    gather(root, &mut files).map_err(|error| {
        let problem = Problem::io("cannot list experiments", root, &error);
        problem.hint("go to the folder that holds `experiments`, the root of the repository")
    })?;
    files.sort();
    let rows: Vec<Row> = files.iter().map(|file| row_of(file)).collect();
    show_experiments(printer, &rows);
    Ok(Verdict::Yes)
}

/// An experiment file in the list.
struct Row {
    name: String,
    /// none where the file is no document
    kind: Option<FileKind>,
    summary: String,
}

fn row_of(file: &Path) -> Row {
    let text = std::fs::read_to_string(file).unwrap_or_default();
    let comment = text.lines().next().and_then(|line| line.strip_prefix('#'));
    let name = file.display().to_string();
    let table = document::parse(&text, &name).ok();
    Row {
        name,
        kind: table.as_ref().map(FileKind::of),
        summary: comment.map(str::trim).unwrap_or_default().to_owned(),
    }
}

/// The files of each kind below the commands that read them.
fn show_experiments(printer: &mut Printer, rows: &[Row]) {
    let width = rows.iter().map(|row| row.name.chars().count()).max().unwrap_or(0);
    let mut is_first = true;
    for kind in FileKind::ALL.map(Some).into_iter().chain([None]) {
        let of_kind: Vec<&Row> = rows.iter().filter(|row| row.kind == kind).collect();
        if printer.is_json() {
            for Row { name, summary, .. } in of_kind {
                let commands = kind.map_or(&[][..], FileKind::commands);
                printer.json(&serde_json::json!({
                    "kind": "experiment", "name": name, "summary": summary, "commands": commands,
                }));
            }
            continue;
        }
        let Some(_) = of_kind.first() else { continue };
        if !is_first {
            printer.result("");
        }
        is_first = false;
        printer.result(match kind {
            Some(kind) => {
                let quoted = kind.commands().iter().map(|command| format!("`{command} FILE`"));
                format!("for {}:", quoted.collect::<Vec<_>>().join(" and "))
            }
            None => "not readable:".to_owned(),
        });
        for Row { name, summary, .. } in of_kind {
            show_row(printer, name, width, summary);
        }
    }
}

fn show_row(printer: &mut Printer, name: &str, width: usize, summary: &str) {
    let text = paragraph(name, width, summary);
    let rest = text.strip_prefix(name).unwrap_or_default();
    let name = printer.paint(Tone::Strong, name);
    printer.result(format!("{name}{rest}"));
}

/// Every experiment file below a folder.
///
/// # Errors
/// When a folder cannot be read.
pub fn gather(folder: &Path, files: &mut Vec<PathBuf>) -> std::io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            gather(&path, files)?;
        } else if path.extension().is_some_and(|extension| extension == "toml") {
            files.push(path);
        }
    }
    Ok(())
}
