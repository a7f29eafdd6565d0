//! `phalanx control plan`: a trajectory that stays clear, and feedback about it.
use std::path::{Path, PathBuf};

use clap::Args;
use phalanx_report::control::safe::{
    SafeRecord, SafeSummary, TRIALS, safe_tables, write_plan, write_safe_report,
};
use phalanx_report::folder::EXPERIMENT;

use super::file::SafeExperiment;
use super::fit::warn_of_coverage;
use super::folder::{Folder, MODEL, PLAN};
use super::make::{Making, Outcome, warm_inputs};
use super::options::Options;
use crate::command::Verdict;
use crate::command::report::unreadable;
use crate::printer::Printer;
use crate::problem::Problem;
use crate::run::Interrupt;
use crate::run::clock::{Spent, Stopwatch};

const AFTER_HELP: &str = "\
Every iterate that the planner accepts is clear of all obstacles, on the model it plans with. With
a learnt model that is an argument, not a certificate: `phalanx control simulate` flies the plan.
A plan that begins with an earlier one has a folder of its own, named by the inputs it begins with.
A file with `learning` fits, plans, flies and learns for some rounds first.

Exit codes: 0 a safe plan reaches the goal; 1 it misses the goal; 2 there is no plan; 130
interrupted, and nothing was written.

Examples:
  phalanx control plan experiments/control/dubins.toml
  phalanx control plan experiments/control/dubins-gp.toml --set model.rows=60
  phalanx control plan other.toml --warm runs/dubins/safe-0123456789-s1";

/// Plan a trajectory that stays clear of obstacles, with feedback about it
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub struct PlanCommand {
    /// Experiment file
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Begin with the inputs of an earlier plan
    #[arg(long, value_name = "FOLDER")]
    warm: Option<PathBuf>,
    #[command(flatten)]
    options: Options,
}

impl PlanCommand {
    /// Plans, stores and shows.
    ///
    /// # Errors
    /// When the file is wrong, data cannot be learnt from, or there is no plan.
    pub fn carry_out(self, printer: &mut Printer) -> Result<Verdict, Problem> {
        let experiment = SafeExperiment::load(&self.file, &self.options.settings)?;
        self.options.start_threads()?;
        let interrupt = Interrupt::install()?;
        let warm = self.warm.as_deref().map(|folder| warm_inputs(&experiment, folder));
        let warm = warm.transpose()?;
        let stopwatch = Stopwatch::start();
        let mut making = Making { experiment: &experiment, printer, interrupt: &interrupt };
        let Some(outcome) = making.make(warm.as_deref())? else {
            printer.note("interrupted: nothing was written");
            return Ok(Verdict::Interrupted);
        };
        let mut command = self.options.command("plan", &self.file);
        if let Some(folder) = &self.warm {
            command.push_str(&format!(" --warm {}", folder.display()));
        }
        let name = match &warm {
            Some(inputs) => experiment.warm_folder_name(inputs),
            None => experiment.folder_name(),
        };
        let path = self.options.folder(&experiment, name);
        let folder = store(path, &experiment, &outcome, (&command, stopwatch.spent()))?;
        show(printer, &outcome.summary);
        let page = write_page(folder.path(), &outcome, (&experiment.to_toml(), &command))?;
        printer.note(format!("plan: {}", folder.path().display()));
        printer.note(format!("report: {}", page.display()));
        printer.hint(format!("`phalanx control simulate {}` flies it", folder.path().display()));
        let is_reached = outcome.summary.plan.as_ref().is_some_and(|plan| plan.is_reached());
        Ok(if is_reached { Verdict::Yes } else { Verdict::No })
    }
}

/// Writes a plan into its folder in the place of an earlier one, whose trials are removed.
///
/// # Errors
/// When a file cannot be written.
pub(super) fn store(
    path: PathBuf,
    experiment: &SafeExperiment,
    outcome: &Outcome,
    (command, spent): (&str, Spent),
) -> Result<Folder, Problem> {
    let folder = Folder::create(path)?;
    folder.replace((PLAN, &[TRIALS]), |staged| {
        staged.write(EXPERIMENT, &experiment.to_toml())?;
        let names = &outcome.summary.names;
        write_plan(staged.path(), names, &outcome.record, &outcome.made.iterations)
            .map_err(|error| unreadable(&error))?;
        if let Some(learnt) = &outcome.learnt {
            staged.write(MODEL, &learnt.model.to_text())?;
        }
        staged.write_environment(&spent.environment(command))?;
        staged.write_json(PLAN, &outcome.summary)
    })?;
    Ok(folder)
}

/// The page of a plan that was not flown yet.
fn write_page(folder: &Path, outcome: &Outcome, said: (&str, &str)) -> Result<PathBuf, Problem> {
    let record = SafeRecord {
        summary: &outcome.summary,
        plan: &outcome.record,
        iterations: &outcome.made.iterations,
        flights: &[],
    };
    write_safe_report(folder, &record, said).map_err(|error| unreadable(&error))
}

/// Tables for a terminal, or the summary as JSON.
pub(super) fn show(printer: &mut Printer, summary: &SafeSummary) {
    if printer.is_json() {
        printer.json(summary);
        return;
    }
    for (place, table) in safe_tables(summary).iter().enumerate() {
        if place > 0 {
            printer.result("");
        }
        printer.raw_result(table, table);
    }
    if let Some(fit) = &summary.fit {
        warn_of_coverage(printer, fit);
    }
    if let Some(plan) = summary.plan.as_ref().filter(|plan| plan.clearance <= 0.0) {
        let clearance = plan.clearance;
        printer.warning(format!("the plan enters an obstacle: its clearance is {clearance:.4}"));
    }
    if let Some(plan) = summary.plan.as_ref().filter(|plan| plan.goal_error > plan.goal_tolerance) {
        printer.warning(format!(
            "the plan ends {:.4} away from the goal, and {} is allowed",
            plan.goal_error, plan.goal_tolerance
        ));
    }
}
