//! `phalanx run`: every run of an experiment, one after another, each parallel inside.
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use phalanx_report::{Status, Summary, write_expectations};

use crate::command::check::{Choice, tell_skips};
use crate::command::columns::{columns, counted};
use crate::command::report::{show_table, unreadable, write_page};
use crate::command::verdict::{Judgement, judge};
use crate::command::{Verdict, data};
use crate::environment;
use crate::experiment::{self, Experiment, Registries};
use crate::printer::{Printer, Tone};
use crate::problem::Problem;
use crate::run::clock::Stopwatch;
use crate::run::folder::{State, experiment_path, path_of, state_of};
use crate::run::{Conduct, End, Interrupt, Watch, execute};

const AFTER_HELP: &str = "\
Runs that are complete are skipped, interrupted ones go on where they stopped. Ctrl-C finishes
the step at hand and writes a checkpoint; a second Ctrl-C ends at once.

Exit codes: 0 all expectations met; 1 one was missed; 2 it could not be run; 130 interrupted.

Examples:
  phalanx run experiments/quickstart.toml
  phalanx run experiments/quickstart.toml --arm monna --seed 7
  phalanx run experiments/quickstart.toml --set run.rounds=50 --set attack.name=sign-flipping";

/// Progress lines per second.
const REFRESH: Duration = Duration::from_millis(100);

/// Run an experiment and summarise it
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub struct Run {
    /// Experiment file
    #[arg(value_name = "FILE")]
    file: PathBuf,
    #[command(flatten)]
    choice: Choice,
    /// Use so many threads [default: one per core]; results do not depend on it
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    threads: Option<u16>,
    /// Write run folders below this folder [default: PHALANX_RUNS, else runs]
    #[arg(long, value_name = "DIR")]
    runs: Option<PathBuf>,
    /// Look for data sets in this folder [default: PHALANX_DATA, else data]
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Run again what is already complete
    #[arg(long)]
    force: bool,
    /// Write a checkpoint every so many seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 30)]
    checkpoint_every: u32,
}

impl Run {
    /// Runs, then prints table and expectations.
    ///
    /// # Errors
    /// When the file is wrong, data are missing or a folder cannot be written.
    pub fn carry_out(self, printer: &mut Printer) -> Result<Verdict, Problem> {
        let overrides = self.choice.overrides();
        let experiment = Experiment::load(&self.file, &overrides, &Registries::ALL)?;
        tell_skips(printer, &experiment);
        if experiment.selection.is_some() {
            let problem = Problem::new("this file selects hyper-parameters before it runs");
            return Err(problem.at(self.file.display()).hint("`phalanx sweep FILE` does both"));
        }
        let data = data::folder(self.data.clone())?;
        self.start_threads()?;
        let interrupt = Interrupt::install()?;
        let root = environment::runs(self.runs.clone());
        let total = experiment.runs().count();
        let (arms, runs) = (counted(experiment.arms.len(), "arm"), counted(total, "run"));
        printer.note(format!("{}: {arms}, {runs}", experiment.name));
        let mut campaign = Campaign {
            command: &self,
            printer,
            interrupt: &interrupt,
            data: &data,
            root: &root,
            total,
            skipped: 0,
        };
        let mut summaries = Vec::new();
        for (index, (_, run)) in experiment.runs().enumerate() {
            match campaign.carry_out(index + 1, &run)? {
                Some(summary) => summaries.push((path_of(&root, &run), summary)),
                None => return Ok(Verdict::Interrupted),
            }
        }
        campaign.say_skipped();
        conclude(printer, &experiment, &root, summaries)
    }

    fn start_threads(&self) -> Result<(), Problem> {
        let threads = usize::from(self.threads.unwrap_or(0));
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads);
        pool.build_global().map_err(|error| Problem::new(format!("cannot start threads: {error}")))
    }
}

/// The table, the page, the expectations.
///
/// # Errors
/// When a run cannot be read or the page cannot be written.
pub fn conclude(
    printer: &mut Printer,
    experiment: &Experiment,
    root: &Path,
    runs: Vec<(PathBuf, Summary)>,
) -> Result<Verdict, Problem> {
    let (folders, summaries): (Vec<PathBuf>, Vec<Summary>) = runs.into_iter().unzip();
    show_table(printer, &folders)?;
    let judgements = judge(experiment, &summaries);
    show_judgements(printer, &judgements);
    let folder = experiment_path(root, &experiment.name);
    write_expectations(&folder, &judgements).map_err(|error| unreadable(&error))?;
    write_page(printer, &folder)?;
    let is_met = judgements.iter().all(|judgement| judgement.is_met);
    Ok(if is_met { Verdict::Yes } else { Verdict::No })
}

fn show_judgements(printer: &mut Printer, judgements: &[Judgement]) {
    if printer.is_json() {
        judgements.iter().for_each(|judgement| printer.json(judgement));
        return;
    }
    if judgements.is_empty() {
        return;
    }
    let rows: Vec<Vec<String>> = judgements
        .iter()
        .map(|Judgement { arm, expected, found, is_met }| {
            let word = if *is_met { "met" } else { "missed" };
            vec![word.into(), arm.clone(), expected.clone(), found.clone()]
        })
        .collect();
    printer.result("");
    for (line, judgement) in columns(&rows).lines().zip(judgements) {
        let (word, tone) =
            if judgement.is_met { ("met", Tone::Good) } else { ("missed", Tone::Bad) };
        let rest = line.strip_prefix(word).unwrap_or_default();
        let word = printer.paint(tone, word);
        printer.result(format!("{word}{rest}"));
    }
}

/// What the runs of one command share.
struct Campaign<'a> {
    command: &'a Run,
    printer: &'a mut Printer,
    interrupt: &'a Interrupt,
    data: &'a Path,
    root: &'a Path,
    total: usize,
    skipped: usize,
}

impl Campaign<'_> {
    /// One run; `None` when a person stopped it.
    fn carry_out(
        &mut self,
        index: usize,
        run: &experiment::Run,
    ) -> Result<Option<Summary>, Problem> {
        let folder = path_of(self.root, run);
        let label = format!("[{index}/{}] {} seed {}", self.total, run.arm, run.seed);
        if !self.command.force {
            match state_of(&folder, run)? {
                State::Done(summary) => {
                    self.skipped += 1;
                    self.printer.detail(format!("{label}: already complete"));
                    return Ok(Some(*summary));
                }
                State::Resumable(_) => self.printer.note(format!("{label}: goes on")),
                State::Fresh => {}
            }
        }
        if self.interrupt.is_asked() {
            self.say_how_to_go_on();
            return Ok(None);
        }
        self.printer.detail(format!("{label}: {}", folder.display()));
        let stopwatch = Stopwatch::start();
        let replay = self.command.choice.replay(&self.command.file, run);
        let end = self.execute(run, folder, &label, &replay);
        self.printer.clear_progress();
        let end = end.inspect_err(|_| self.printer.note(format!("replay: {replay}")))?;
        match end {
            End::Complete(summary) => {
                say_complete(self.printer, &label, &summary, (stopwatch.elapsed(), &replay));
                Ok(Some(summary))
            }
            End::Interrupted(summary) => {
                let (done, all) = (summary.rounds_done, summary.rounds);
                self.printer.note(format!("{label}: interrupted after {done} of {all} rounds"));
                self.say_how_to_go_on();
                Ok(None)
            }
        }
    }

    fn execute(
        &mut self,
        run: &experiment::Run,
        folder: PathBuf,
        label: &str,
        replay: &str,
    ) -> Result<End, Problem> {
        let (printer, interrupt) = (&mut *self.printer, self.interrupt);
        let mut last: Option<Duration> = None;
        let mut watch = |watch: &Watch<'_>| {
            let is_due = last.is_none_or(|last| watch.elapsed.saturating_sub(last) >= REFRESH);
            if printer.has_progress() && is_due {
                last = Some(watch.elapsed);
                printer.progress(&progress_line(label, watch));
            }
            !interrupt.is_asked()
        };
        let mut conduct = Conduct {
            folder,
            is_forced: self.command.force,
            data: self.data,
            checkpoint_every: Duration::from_secs(u64::from(self.command.checkpoint_every)),
            command: replay.into(),
            watch: &mut watch,
        };
        execute(run, &mut conduct)
    }

    fn say_skipped(&mut self) {
        if self.skipped > 0 {
            let runs = counted(self.skipped, "run");
            self.printer.note(format!("{runs} already complete; `--force` runs them again"));
        }
    }

    fn say_how_to_go_on(&mut self) {
        self.printer.hint("the same command goes on where this one stopped");
    }
}

/// What became of a run, and how to repeat it where it did not finish.
pub fn say_complete(
    printer: &mut Printer,
    label: &str,
    summary: &Summary,
    (took, replay): (Duration, &str),
) {
    let seconds = took.as_secs_f64();
    let score = match lead_score(summary.scores.keys().map(String::as_str)) {
        Some(name) => {
            let score = &summary.scores[name];
            format!("{name} {:.4}, worst {:.4}, ", score.mean, score.worst)
        }
        None => String::new(),
    };
    let rounds = format!("{} of {} rounds", summary.rounds_done, summary.rounds);
    printer.note(format!("{label}: {score}{rounds} in {seconds:.1} s"));
    if summary.status != Status::Finished {
        let reason = summary.reason.as_deref().unwrap_or("it did not finish");
        printer.warning(format!("{} seed {}: {reason}", summary.arm, summary.seed));
        printer.note(format!("replay: {replay} --force"));
    }
}

/// Accuracy, or else the first score.
fn lead_score<'a>(mut names: impl Iterator<Item = &'a str> + Clone) -> Option<&'a str> {
    names.clone().find(|name| *name == "accuracy").or_else(|| names.next())
}

fn progress_line(label: &str, watch: &Watch<'_>) -> String {
    let rounds = watch.run.plan.rounds;
    let mut line = format!("{label}  round {}/{rounds}", watch.rounds_done);
    if let Some(loss) = watch.tally.loss() {
        line.push_str(&format!("  loss {loss:.3}"));
    }
    let scores = watch.tally.scores();
    if let Some(name) = lead_score(scores.keys().map(String::as_str)) {
        line.push_str(&format!("  worst {name} {:.3}", scores[name].worst));
    }
    line.push_str(&format!("  rejected {}", watch.tally.rejected()));
    let done = watch.rounds_done.saturating_sub(watch.rounds_before);
    if done > 0 {
        let left = f64::from(rounds.saturating_sub(watch.rounds_done)) / f64::from(done);
        let left = (watch.elapsed.as_secs_f64() * left) as u64;
        line.push_str(&format!("  {}:{:02} left", left / 60, left % 60));
    }
    line
}
