//! `phalanx report`: the page and the table of runs.
use std::path::{Path, PathBuf};

use clap::Args;
use phalanx_report::{FolderError, TableStyle, load_found, summary_table};

use crate::command::Verdict;
use crate::environment;
use crate::printer::Printer;
use crate::problem::{Problem, reason};
use crate::run::folder::experiment_path;

const AFTER_HELP: &str = "\
Examples:
  phalanx report runs/quickstart
  phalanx report quickstart
  phalanx report runs/quickstart --json";

/// Write the report page of runs and summarise them
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub struct Report {
    /// Run folders, folders of experiments, or names of experiments
    #[arg(value_name = "RUN", required = true)]
    folders: Vec<PathBuf>,
    /// Look for experiments by name in this folder [default: PHALANX_RUNS, else runs]
    #[arg(long, value_name = "DIR")]
    runs: Option<PathBuf>,
}

impl Report {
    /// Writes a page per folder and prints the table.
    ///
    /// # Errors
    /// When a folder holds no readable run, or a page cannot be written.
    pub fn carry_out(self, printer: &mut Printer) -> Result<Verdict, Problem> {
        let root = environment::runs(self.runs);
        let folders = self.folders.into_iter().map(|folder| existing(folder, Some(&root)));
        let folders = folders.collect::<Result<Vec<_>, _>>()?;
        show_table(printer, &folders)?;
        for folder in &folders {
            write_page(printer, folder)?;
        }
        Ok(Verdict::Yes)
    }
}

/// Prints the summary table of runs.
///
/// # Errors
/// When a folder holds no readable run.
pub fn show_table(printer: &mut Printer, folders: &[PathBuf]) -> Result<(), Problem> {
    let found = load_found(folders).map_err(|error| unreadable(&error))?;
    let style = if printer.is_json() { TableStyle::JsonLines } else { TableStyle::Plain };
    let table = summary_table(&found.runs, style);
    printer.raw_result(&table, &table);
    Ok(())
}

/// Writes the page of a folder and says where it is.
///
/// # Errors
/// When it cannot be written.
pub fn write_page(printer: &mut Printer, folder: &Path) -> Result<(), Problem> {
    let report = phalanx_report::write_report(folder).map_err(|error| unreadable(&error))?;
    say_left_out(printer, &report.broken);
    printer.note(format!("report: {}", report.page.display()));
    Ok(())
}

/// Warns of run folders that cannot be read.
pub fn say_left_out(printer: &mut Printer, broken: &[(PathBuf, FolderError)]) {
    for (_, error) in broken {
        printer.warning(format!("a run is left out: {error}"));
    }
}

/// The folder itself, or the one of that name among the runs.
///
/// # Errors
/// When there is neither.
pub fn existing(folder: PathBuf, root: Option<&Path>) -> Result<PathBuf, Problem> {
    if folder.is_dir() {
        return Ok(folder);
    }
    if let Some(root) = root {
        let of_name = folder.to_str().map(|name| experiment_path(root, name));
        let mut named = [Some(root.join(&folder)), of_name].into_iter().flatten();
        if let Some(named) = named.find(|named| named.is_dir()) {
            return Ok(named);
        }
    }
    let place = folder.display();
    let problem = Problem::new("no such folder").at(place);
    let parent = folder.parent().filter(|parent| !parent.as_os_str().is_empty());
    let siblings = root.or(parent).map(names_in).unwrap_or_default();
    let name = folder.file_name().map(|name| name.to_string_lossy().into_owned());
    match name.and_then(|name| {
        crate::suggest::closest(&name, siblings.iter().map(String::as_str)).map(str::to_owned)
    }) {
        Some(closest) => Err(problem.hint(format!("a similar name exists: `{closest}`"))),
        None => Err(problem.hint("`phalanx run` writes run folders below `runs`")),
    }
}

fn names_in(folder: &Path) -> Vec<String> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let names = entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned());
    let mut names: Vec<String> = names.collect();
    names.sort();
    names
}

/// A report's error as a problem, the hint according to its kind.
pub fn unreadable(error: &FolderError) -> Problem {
    match error {
        FolderError::Io { path, source } => Problem::new(reason(source)).at(path.display()),
        FolderError::Format { .. } => Problem::new(error.to_string())
            .hint("use the version of phalanx that wrote it, or run the experiment again"),
        FolderError::Empty { .. } => {
            Problem::new(error.to_string()).hint("`phalanx run FILE` makes runs")
        }
        _ => Problem::new(error.to_string()),
    }
}
