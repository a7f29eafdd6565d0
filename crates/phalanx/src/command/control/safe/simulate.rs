//! `phalanx control simulate`: a plan flown many times with noise, and what became of it.
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use phalanx_report::control::safe as report;
use phalanx_report::control::safe::{
    MODEL as ON_MODEL, SafeRecord, SafeSummary, TrialsSummary, read_iterations, read_plan,
    write_safe_report, write_trials,
};
use phalanx_report::folder::EXPERIMENT;
use phalanx_tasks::safe_control::planner::{Feedback, Plan, Status};

use super::file::{ModelPlan, SafeExperiment};
use super::folder::{Folder, MODEL, PLAN, holds_plan, read_summary};
use super::make::Making;
use super::model::load;
use super::options::Options;
use super::plan::{show, store};
use super::work::Model;
use crate::command::Verdict;
use crate::command::report::unreadable;
use crate::printer::Printer;
use crate::problem::Problem;
use crate::run::Interrupt;
use crate::run::clock::Stopwatch;

const AFTER_HELP: &str = "\
Of a FILE whose plan is not there yet, the plan is made first. Trials are flown on the true plant,
with noise on the start and on every step; on the model where the file knows no plant.

Exit codes: 0 as safe and as successful as `expect` asks for; 1 not so; 2 it cannot be flown;
130 interrupted, and the folder is as before.

Examples:
  phalanx control simulate experiments/control/dubins.toml
  phalanx control simulate runs/dubins/safe-0123456789-s1
  phalanx control simulate experiments/control/dubins.toml --set trials.count=500";

/// Trials between two looks at the keyboard.
const BATCH: usize = 16;
/// Least time between two lines of progress.
const REFRESH: Duration = Duration::from_millis(100);

/// Fly a plan many times with noise, and count how often it stays safe
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub struct Simulate {
    /// Experiment file, or folder of a plan
    #[arg(value_name = "FILE|FOLDER")]
    file: PathBuf,
    #[command(flatten)]
    options: Options,
}

/// A plan that can be flown.
struct Ready {
    experiment: SafeExperiment,
    folder: Folder,
    summary: SafeSummary,
    record: report::Plan,
    model: Model,
}

impl Simulate {
    /// Plans where there is no plan yet, flies, stores and shows.
    ///
    /// # Errors
    /// When there is no plan, or what a folder holds cannot be read.
    pub fn carry_out(self, printer: &mut Printer) -> Result<Verdict, Problem> {
        self.options.start_threads()?;
        let interrupt = Interrupt::install()?;
        let Some(mut ready) = self.ready(printer, &interrupt)? else {
            printer.note("interrupted: nothing was written");
            return Ok(Verdict::Interrupted);
        };
        let plan = planned(&ready);
        let mut arms: Vec<(&str, Vec<report::Flight>)> = Vec::new();
        let ways = [("feedback", Feedback::Closed), ("open loop", Feedback::Open)];
        let count = if ready.experiment.trials.has_open_loop { 2 } else { 1 };
        for (arm, feedback) in ways.into_iter().take(count) {
            let Some(flights) = fly(&ready, &plan, (arm, feedback), (printer, &interrupt))? else {
                printer.note("interrupted: the folder is as before");
                return Ok(Verdict::Interrupted);
            };
            arms.push((arm, flights));
        }
        ready.summary.trials = arms
            .iter()
            .map(|(arm, flights)| TrialsSummary::of(arm, flights.iter().map(|one| &one.trial)))
            .collect();
        self.conclude(printer, &ready, arms)
    }

    /// Writes trials, summary and page; judges by what is expected.
    fn conclude(
        &self,
        printer: &mut Printer,
        ready: &Ready,
        arms: Vec<(&str, Vec<report::Flight>)>,
    ) -> Result<Verdict, Problem> {
        let Ready { experiment, folder, summary, record, .. } = ready;
        let told = |error| unreadable(&error);
        let named: Vec<(&str, &[report::Flight])> =
            arms.iter().map(|(arm, flights)| (*arm, flights.as_slice())).collect();
        write_trials(folder.path(), (&summary.names, record.dt), &named).map_err(told)?;
        folder.write(EXPERIMENT, &experiment.to_toml())?;
        folder.write_json(PLAN, summary)?;
        let iterations = read_iterations(folder.path()).map_err(told)?;
        let flights: Vec<Vec<report::Flight>> =
            arms.into_iter().map(|(_, flights)| flights).collect();
        let all = SafeRecord { summary, plan: record, iterations: &iterations, flights: &flights };
        let command = self.options.command("simulate", &self.file);
        let page = write_safe_report(folder.path(), &all, (&experiment.to_toml(), &command))
            .map_err(told)?;
        show(printer, summary);
        if summary.truth == ON_MODEL {
            printer.warning("nobody knows how this plant moves: flown on the model itself");
        }
        printer.note(format!("report: {}", page.display()));
        Ok(verdict(printer, experiment, summary))
    }

    /// The plan of the folder or of the file, made where it is missing.
    fn ready(
        &self,
        printer: &mut Printer,
        interrupt: &Interrupt,
    ) -> Result<Option<Ready>, Problem> {
        if self.file.is_dir() {
            return self.of_folder().map(Some);
        }
        let experiment = SafeExperiment::load(&self.file, &self.options.settings)?;
        let path = self.options.folder(&experiment, experiment.folder_name());
        if holds_plan(&path) {
            printer.note(format!("flying the plan of {}", path.display()));
            return read(experiment, path).map(Some);
        }
        let stopwatch = Stopwatch::start();
        let mut making = Making { experiment: &experiment, printer, interrupt };
        let Some(outcome) = making.make(None)? else { return Ok(None) };
        let command = self.options.command("plan", &self.file);
        let folder = store(path, &experiment, &outcome, (&command, stopwatch.spent()))?;
        let (summary, record, model) = (outcome.summary, outcome.record, outcome.model);
        Ok(Some(Ready { experiment, folder, summary, record, model }))
    }

    fn of_folder(&self) -> Result<Ready, Problem> {
        let file = self.file.join(EXPERIMENT);
        // Before anything else: a folder of another kind has other files.
        read_summary(&self.file)?;
        let planned = SafeExperiment::load(&file, &[])?;
        let experiment = SafeExperiment::load(&file, &self.options.settings)?;
        if experiment.folder_name() != planned.folder_name() {
            let problem = Problem::new("this setting makes another plan").at("--set");
            let hint = "of a folder only `trials` and `expect` can be set; plan with the file anew";
            return Err(problem.hint(hint));
        }
        read(experiment, self.file.clone())
    }
}

/// A plan from its folder.
fn read(experiment: SafeExperiment, path: PathBuf) -> Result<Ready, Problem> {
    let summary = read_summary(&path)?;
    let wrong = || {
        let problem = Problem::new("the plan is not one of this experiment").at(path.display());
        problem.hint("`phalanx control plan` makes it anew")
    };
    let Some(numbers) = &summary.plan else { return Err(wrong()) };
    let record =
        read_plan(&path, &summary.names, numbers.dt).map_err(|error| unreadable(&error))?;
    let (n, m) = (experiment.plant.n(), experiment.plant.m());
    if (summary.names.states.len(), summary.names.inputs.len()) != (n, m) {
        return Err(wrong());
    }
    let model = match experiment.model {
        ModelPlan::Plant => Model::Plant,
        _ => Model::Learnt(load(&path.join(MODEL))?),
    };
    let embedded = experiment.embedded(&model)?;
    if record.barriers[0].len() != embedded.barrier_states() {
        return Err(wrong());
    }
    let folder = Folder::create(path)?;
    Ok(Ready { experiment, folder, summary, record, model })
}

/// The plan as executors take it.
fn planned(ready: &Ready) -> Plan {
    let Ready { experiment, record, summary, .. } = ready;
    let states: Vec<f64> = record
        .states
        .iter()
        .zip(&record.barriers)
        .flat_map(|(state, barrier)| state.iter().chain(barrier).copied())
        .collect();
    let numbers = summary.plan.as_ref();
    Plan {
        width: record.states[0].len() + record.barriers[0].len(),
        states,
        inputs: record.inputs.concat(),
        gains: record.gains.concat(),
        margins: record.margins.concat(),
        lifts: record.lifts.concat(),
        limits: experiment.settings.limits.clone(),
        cost: numbers.map_or(f64::NAN, |plan| plan.cost),
        clearance: numbers.map_or(f64::NAN, |plan| plan.clearance),
        goal_distance: numbers.map_or(f64::NAN, |plan| plan.goal_error),
        status: Status::Converged,
        first_lambda: 0.0,
        attempts: Vec::new(),
        log: Vec::new(),
    }
}

/// Flies all trials of one way, some at once; `None` when somebody stopped it.
fn fly(
    ready: &Ready,
    plan: &Plan,
    (arm, feedback): (&str, Feedback),
    (printer, interrupt): (&mut Printer, &Interrupt),
) -> Result<Option<Vec<report::Flight>>, Problem> {
    let experiment = &ready.experiment;
    let (first, count) = (experiment.first_trial(), experiment.trials.count);
    // Without margins: what was flown costs what it did, however careful the plan was.
    let mut embedded = experiment.embedded(&ready.model)?;
    let keep_going = || !interrupt.is_asked();
    let stopwatch = Stopwatch::start();
    let mut last = Duration::ZERO;
    let mut flights = Vec::with_capacity(count);
    while flights.len() < count {
        let batch = BATCH.min(count - flights.len());
        let numbers = (first + flights.len() as u64, batch);
        let flown = experiment.flown((plan, &ready.model), numbers, feedback, &keep_going)?;
        let Some(flown) = flown else { return Ok(None) };
        for flight in &flown {
            flights.push(experiment.told_flight((flights.len(), flight), &mut embedded));
        }
        if stopwatch.elapsed().saturating_sub(last) >= REFRESH {
            last = stopwatch.elapsed();
            printer.progress(&format!("{arm}: {} of {count} trials flown", flights.len()));
        }
    }
    printer.clear_progress();
    Ok(Some(flights))
}

/// Whether feedback was as safe and as successful as the file expects.
fn verdict(printer: &mut Printer, experiment: &SafeExperiment, summary: &SafeSummary) -> Verdict {
    let Some(trials) = summary.trials.first() else { return Verdict::No };
    let mut is_met = true;
    for (what, rate, least) in [
        ("safe", trials.safe, experiment.expect.safe),
        ("at the goal", trials.success, experiment.expect.success),
    ] {
        if rate.share() < least {
            is_met = false;
            let (found, least) = (rate.share() * 100.0, least * 100.0);
            printer.warning(format!("{found:.1} % are {what}, and {least:.1} % are expected"));
        }
    }
    if is_met { Verdict::Yes } else { Verdict::No }
}
