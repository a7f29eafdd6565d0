//! `phalanx export`: results in the formats of other tools.
mod table;
mod tensorboard;

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use phalanx_report::{Found, load_found};

use crate::command::Verdict;
use crate::command::report::{existing, say_left_out, unreadable};
use crate::environment;
use crate::printer::Printer;
use crate::problem::Problem;

const AFTER_HELP: &str = "\
Examples:
  phalanx export table runs/monna-mnist
  phalanx export table runs/monna-mnist --format latex > table.tex
  phalanx export tensorboard runs/quickstart -o events";

/// Export runs as tables, or for TensorBoard
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
#[command(arg_required_else_help = true, subcommand_required = true, help_expected = true)]
#[command(disable_help_subcommand = true)]
pub struct Export {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Write tidy tables of runs, or the table of defences by attacks for a paper
    Table(table::Table),
    /// Write event files that TensorBoard reads
    Tensorboard(tensorboard::Tensorboard),
}

impl Export {
    /// Carries out the subcommand.
    ///
    /// # Errors
    /// Those of the subcommand.
    pub fn carry_out(self, printer: &mut Printer) -> Result<Verdict, Problem> {
        match self.command {
            Command::Table(table) => table.carry_out(printer),
            Command::Tensorboard(tensorboard) => tensorboard.carry_out(printer),
        }
    }
}

/// The folders, and the runs in them; says what is left out.
fn found(
    printer: &mut Printer,
    folders: Vec<PathBuf>,
    runs: Option<PathBuf>,
) -> Result<(Vec<PathBuf>, Found), Problem> {
    let root = environment::runs(runs);
    let folders = folders.into_iter().map(|folder| existing(folder, Some(&root)));
    let folders = folders.collect::<Result<Vec<_>, _>>()?;
    let found = load_found(&folders).map_err(|error| unreadable(&error))?;
    say_left_out(printer, &found.broken);
    for folder in &found.unfinished {
        printer.warning(format!("left out, it has no summary: {}", folder.display()));
    }
    Ok((folders, found))
}

/// Says where files were written; as JSON, one object per file.
fn say_written(printer: &mut Printer, paths: &[PathBuf]) {
    for path in paths {
        let text = |path: &Path| path.display().to_string();
        if printer.is_json() {
            printer.json(&serde_json::json!({ "written": text(path) }));
        } else {
            printer.result(text(path));
        }
    }
}
