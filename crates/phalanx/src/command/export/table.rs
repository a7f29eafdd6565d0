//! `phalanx export table`: tidy tables, and tables for papers.
use std::path::PathBuf;

use clap::{Args, ValueEnum};
use phalanx_report::tidy::{Format, write_tables};
use phalanx_report::{PaperStyle, paper_tables};

use super::{found, say_written};
use crate::command::Verdict;
use crate::command::report::unreadable;
use crate::printer::Printer;
use crate::problem::Problem;

const AFTER_HELP: &str = "\
Tables, joined by the column `run`:
  results  one row per run: settings that differ, final scores, traffic
  curves   one row per run, score and evaluation
  costs    one row per run: wall-clock and processor seconds, machine
Equal runs give equal files, `costs` apart. Latex and markdown are defences by attacks, one table
per setting, mean ± deviation over seeds, the best of a column in bold; without `-o` they are
printed.

Examples:
  phalanx export table runs/monna-mnist
  phalanx export table runs/monna-mnist runs/monna-fashion -o tables --format parquet
  phalanx export table runs/monna-mnist --format latex > table.tex";

/// Write tidy tables of runs, or the table of defences by attacks for a paper
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub struct Table {
    /// Folders of experiments, run folders, or names of experiments
    #[arg(value_name = "FOLDER", required = true)]
    folders: Vec<PathBuf>,
    /// Write into this folder [default: the experiment's, if it is one]
    #[arg(short, long, value_name = "DIR")]
    output: Option<PathBuf>,
    /// Format: csv, parquet, latex or markdown [default: csv and parquet]
    #[arg(long, value_name = "FORMAT", hide_possible_values = true)]
    format: Option<TableFormat>,
    /// Look for experiments by name in this folder [default: PHALANX_RUNS, else runs]
    #[arg(long, value_name = "DIR")]
    runs: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum TableFormat {
    Csv,
    Parquet,
    Latex,
    Markdown,
}

impl Table {
    /// Writes or prints the tables.
    ///
    /// # Errors
    /// When no run can be read, or a file cannot be written.
    pub fn carry_out(self, printer: &mut Printer) -> Result<Verdict, Problem> {
        let (folders, found) = found(printer, self.folders, self.runs)?;
        let formats: &[Format] = match self.format {
            None => &[Format::Csv, Format::Parquet],
            Some(TableFormat::Csv) => &[Format::Csv],
            Some(TableFormat::Parquet) => &[Format::Parquet],
            Some(TableFormat::Latex) => {
                return paper(printer, (&found.runs, PaperStyle::Latex), self.output);
            }
            Some(TableFormat::Markdown) => {
                return paper(printer, (&found.runs, PaperStyle::Markdown), self.output);
            }
        };
        let into = match (self.output, folders.as_slice()) {
            (Some(folder), _) => folder,
            (None, [folder]) => folder.clone(),
            (None, _) => {
                return Err(Problem::new("several folders need one for their tables")
                    .hint("say where they go with `-o DIR`"));
            }
        };
        let paths =
            write_tables(&into, &found.runs, formats).map_err(|error| unreadable(&error))?;
        say_written(printer, &paths);
        Ok(Verdict::Yes)
    }
}

/// Prints the table, or writes it into a folder.
fn paper(
    printer: &mut Printer,
    (runs, style): (&[phalanx_report::LoadedRun], PaperStyle),
    output: Option<PathBuf>,
) -> Result<Verdict, Problem> {
    let text = paper_tables(runs, style).map_err(|error| unreadable(&error))?;
    let Some(folder) = output else {
        printer.raw_result(&text, &text);
        return Ok(Verdict::Yes);
    };
    let name = match style {
        PaperStyle::Latex => "table.tex",
        PaperStyle::Markdown => "table.md",
    };
    let path = folder.join(name);
    let written = std::fs::create_dir_all(&folder).and_then(|()| std::fs::write(&path, text));
    written.map_err(|error| Problem::io("cannot write", &path, &error))?;
    say_written(printer, &[path]);
    Ok(Verdict::Yes)
}
