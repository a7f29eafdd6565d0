//! `phalanx control fit`: a model of a plant from data, judged by what was held out.
use std::path::PathBuf;

use clap::Args;
use phalanx_report::control::safe::{FitSummary, fit_table, write_fit_report};
use phalanx_report::folder::EXPERIMENT;

use super::file::{ModelPlan, SafeExperiment};
use super::folder::{FIT, Folder, MODEL};
use super::model::Learnt;
use super::options::Options;
use crate::command::Verdict;
use crate::command::report::unreadable;
use crate::printer::Printer;
use crate::problem::Problem;
use crate::run::Interrupt;
use crate::run::clock::Stopwatch;

const AFTER_HELP: &str = "\
The data are those of `model.data`, a CSV or Parquet file (by its ending) with one row per step and
columns named like the plant's states and inputs (`flight` says where one flight ends and the next
begins); or they are gathered from the plant. Of logged rows `model.held-out` percent are kept back
to judge by.
The model is written as `model.txt`, which `model = { file = \"..\" }` reads.
Coverage is reported, never a certificate.

Exit codes: 0 a model was fitted; 2 the data cannot be learnt from; 130 interrupted, and nothing was
written.

Examples:
  phalanx control fit experiments/control/dubins-gp.toml
  phalanx control fit experiments/control/dubins-gp.toml --set model.rows=400
  phalanx control fit flights.toml --json";

/// Fit a model of a plant to data, and judge it by data that were held out
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub struct Fit {
    /// Experiment file
    #[arg(value_name = "FILE")]
    file: PathBuf,
    #[command(flatten)]
    options: Options,
}

impl Fit {
    /// Fits, judges, stores and shows.
    ///
    /// # Errors
    /// When the file is wrong, or the data cannot be learnt from.
    pub fn carry_out(self, printer: &mut Printer) -> Result<Verdict, Problem> {
        let experiment = SafeExperiment::load(&self.file, &self.options.settings)?;
        self.options.start_threads()?;
        let ModelPlan::Learnt(learnt) = &experiment.model else {
            let problem = Problem::new("there is nothing to fit: the model is given");
            let hint = "set `model = { name = \"gaussian-process\" }`, or give `model.data`";
            return Err(problem.at(self.file.display()).hint(hint));
        };
        let interrupt = Interrupt::install()?;
        let stopwatch = Stopwatch::start();
        let data = experiment.data(learnt)?;
        let rows = data.samples.rows();
        printer.note(format!(
            "{}: fitting {} outputs to {rows} rows",
            experiment.name,
            experiment.plant.n()
        ));
        let Some(Learnt { model, fit }) = experiment.fitted(learnt, &data, &interrupt)? else {
            printer.note("interrupted: nothing was written");
            return Ok(Verdict::Interrupted);
        };
        let fit = fit.expect("a model that was just fitted was also judged");
        let settings = experiment.to_toml();
        let command = self.options.command("fit", &self.file);
        let path = self.options.folder(&experiment, experiment.fit_folder_name());
        let folder = Folder::create(path)?;
        folder.replace((FIT, &[]), |staged| {
            staged.write(EXPERIMENT, &settings)?;
            staged.write(MODEL, &model.to_text())?;
            staged.write_json(FIT, &fit)?;
            staged.write_environment(&stopwatch.spent().environment(&command))
        })?;
        let title = format!("{}: model of {}", experiment.name, experiment.plant.name);
        let page = write_fit_report(folder.path(), &fit, (&title, &settings, &command))
            .map_err(|error| unreadable(&error))?;
        show(printer, &fit);
        printer.note(format!("model: {}", folder.path().join(MODEL).display()));
        printer.note(format!("report: {}", page.display()));
        Ok(Verdict::Yes)
    }
}

fn show(printer: &mut Printer, fit: &FitSummary) {
    if printer.is_json() {
        printer.json(fit);
        return;
    }
    let table = fit_table(fit);
    printer.raw_result(&table, &table);
    warn_of_coverage(printer, fit);
}

/// Says which outputs the model is over-confident about.
pub(super) fn warn_of_coverage(printer: &mut Printer, fit: &FitSummary) {
    for output in fit.outputs.iter().filter(|output| output.coverage < 0.85) {
        let percent = output.coverage * 100.0;
        printer.warning(format!(
            "the model is over-confident about the {}: {percent:.1} % of held-out rows within two \
             standard deviations",
            output.name
        ));
    }
}
