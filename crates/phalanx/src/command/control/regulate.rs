//! `phalanx control regulate`: many replications in parallel, recorded, resumed, summarised.
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use phalanx_report::control::{ControlLine, ControlSummary, control_tables, write_control_report};
use phalanx_report::folder::{ENVIRONMENT, SUMMARY};
use rayon::prelude::*;

use super::file::ControlExperiment;
use super::folder::Folder;
use super::work::{Job, jobs};
use crate::command::Verdict;
use crate::command::columns::counted;
use crate::command::report::unreadable;
use crate::environment;
use crate::experiment::written::experiment_folder;
use crate::printer::Printer;
use crate::problem::Problem;
use crate::run::Interrupt;
use crate::run::clock::{Spent, Stopwatch};

const AFTER_HELP: &str = "\
Replications that are recorded are not flown again: an interrupted command goes on where it
stopped. Ctrl-C waits for the episodes at hand; a second Ctrl-C ends at once.

Examples:
  phalanx control regulate experiments/control/x-29a.toml
  phalanx control regulate experiments/control/x-29a.toml --set run.replications=20
  phalanx control regulate experiments/control/x-29a.toml --set episodes.horizon=20000";

/// Progress lines per second.
const REFRESH: Duration = Duration::from_millis(100);

/// Fly an unknown plant many times and show what learning it costs
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(super) struct Regulate {
    /// Experiment file
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Change a setting of the file
    #[arg(long = "set", value_name = "KEY=VALUE")]
    settings: Vec<String>,
    /// Use so many threads [default: one per core]; results do not depend on it
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    threads: Option<u16>,
    /// Write the run folder below this folder [default: PHALANX_RUNS, else runs]
    #[arg(long, value_name = "DIR")]
    runs: Option<PathBuf>,
    /// Fly again what is already recorded
    #[arg(long)]
    force: bool,
}

impl Regulate {
    /// Flies what is missing, then prints tables and writes the page.
    ///
    /// # Errors
    /// When the file is wrong or a folder cannot be written.
    pub(super) fn carry_out(self, printer: &mut Printer) -> Result<Verdict, Problem> {
        let experiment = ControlExperiment::load(&self.file, &self.settings)?;
        let threads = usize::from(self.threads.unwrap_or(0));
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads);
        let problem = |error| Problem::new(format!("cannot start threads: {error}"));
        pool.build_global().map_err(problem)?;
        let interrupt = Interrupt::install()?;
        let all = jobs(&experiment);
        let path = environment::runs(self.runs.clone())
            .join(experiment_folder(&experiment.name))
            .join(experiment.folder_name());
        let (folder, lines) = Folder::open(path, &experiment, (&all, self.force))?;
        let arms = counted(experiment.arms.len(), "arm");
        printer.note(format!("{}: {arms}, {}", experiment.name, counted(all.len(), "replication")));
        if !lines.is_empty() {
            let (done, left) = (counted(lines.len(), "replication"), all.len() - lines.len());
            printer.note(format!("{done} already recorded, {left} to fly"));
        }
        let mut campaign = Campaign { experiment: &experiment, printer, folder, lines };
        let stopwatch = Stopwatch::start();
        if !campaign.fly(&all, &interrupt)? {
            let (done, total) = (campaign.lines.len(), all.len());
            campaign.printer.note(format!("interrupted after {done} of {total} replications"));
            campaign.printer.hint("the same command goes on where this one stopped");
            return Ok(Verdict::Interrupted);
        }
        campaign.conclude(&self.command(), stopwatch.spent())?;
        Ok(Verdict::Yes)
    }

    /// How a person would start this again.
    fn command(&self) -> String {
        let mut command = format!("phalanx control regulate {}", self.file.display());
        for setting in &self.settings {
            command.push_str(&format!(" --set {setting}"));
        }
        command
    }
}

struct Campaign<'a> {
    experiment: &'a ControlExperiment,
    printer: &'a mut Printer,
    folder: Folder,
    lines: Vec<ControlLine>,
}

impl Campaign<'_> {
    /// Does the jobs that are not recorded, a few at once; says whether all are done.
    fn fly(&mut self, all: &[Job<'_>], interrupt: &Interrupt) -> Result<bool, Problem> {
        let stopwatch = Stopwatch::start();
        let before = self.lines.len();
        let mut last: Option<Duration> = None;
        let experiment = self.experiment;
        let keep_going = || !interrupt.is_asked();
        while self.lines.len() < all.len() {
            let batch = 4 * rayon::current_num_threads();
            let waiting = &all[self.lines.len()..];
            let waiting = &waiting[..waiting.len().min(batch)];
            let done: Vec<_> =
                waiting.par_iter().map(|job| job.carry_out(experiment, &keep_going)).collect();
            // In the order of the jobs, up to the first that was stopped.
            let mut lines = Vec::with_capacity(done.len());
            let mut is_stopped = false;
            for line in done {
                match line {
                    Ok(Some(line)) => lines.push(line),
                    Ok(None) => {
                        is_stopped = true;
                        break;
                    }
                    Err(problem) => {
                        self.folder.append(&lines)?;
                        return Err(problem);
                    }
                }
            }
            self.folder.append(&lines)?;
            self.lines.append(&mut lines);
            if is_stopped {
                return Ok(false);
            }
            let elapsed = stopwatch.elapsed();
            if last.is_none_or(|last| elapsed.saturating_sub(last) >= REFRESH) {
                last = Some(elapsed);
                self.show_progress(all, before, elapsed);
            }
        }
        self.printer.clear_progress();
        Ok(true)
    }

    fn show_progress(&mut self, all: &[Job<'_>], before: usize, elapsed: Duration) {
        if !self.printer.has_progress() {
            return;
        }
        let (done, total) = (self.lines.len(), all.len());
        let arm = all.get(done).map_or("", |job| job.arm.name.as_str());
        let share = (total - done) as f64 / (done - before).max(1) as f64;
        let left = (elapsed.as_secs_f64() * share) as u64;
        let (minutes, seconds) = (left / 60, left % 60);
        self.printer.progress(&format!("[{done}/{total}] {arm}  {minutes}:{seconds:02} left"));
    }

    /// Summary, environment, page and tables.
    fn conclude(&mut self, command: &str, spent: Spent) -> Result<(), Problem> {
        let experiment = self.experiment;
        let names = (experiment.name.as_str(), experiment.plant_name.as_str());
        let cost = experiment.optimum.average_cost;
        let summary = ControlSummary::of(names, experiment.seed, cost, &self.lines);
        let was_complete = self.folder.is_complete();
        self.folder.write_json(SUMMARY, &summary)?;
        if !was_complete {
            self.folder.write_json(ENVIRONMENT, &spent.environment(command))?;
        }
        let settings = experiment.to_toml();
        let page =
            write_control_report(self.folder.path(), &summary, &self.lines, (&settings, command))
                .map_err(|error| unreadable(&error))?;
        self.show(&summary);
        self.printer.note(format!("report: {}", page.display()));
        Ok(())
    }

    fn show(&mut self, summary: &ControlSummary) {
        if self.printer.is_json() {
            summary.arms.iter().for_each(|arm| self.printer.json(arm));
            summary.trials.iter().for_each(|trial| self.printer.json(trial));
            return;
        }
        for (place, table) in control_tables(summary).iter().enumerate() {
            if place > 0 {
                self.printer.result("");
            }
            self.printer.raw_result(table, table);
        }
        for arm in summary.arms.iter().filter(|arm| arm.lost > 0) {
            let (name, lost, all) = (&arm.arm, arm.lost, arm.replications);
            self.printer.warning(format!("{name}: {lost} of {all} replications ran away"));
        }
    }
}
