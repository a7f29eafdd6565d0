//! The runs of a sweep beside each other: progress, failures, what is said at the end.
use std::any::Any;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use phalanx_report::Summary;

use crate::command::Verdict;
use crate::command::columns::counted;
use crate::command::sweep::plan::label;
use crate::command::{report, run};
use crate::experiment::Experiment;
use crate::printer::Printer;
use crate::problem::Problem;
use crate::run::clock::Stopwatch;
use crate::run::folder::is_locked;
use crate::run::{Conduct, End, Interrupt, Watch, execute};
use crate::sweep::pool::{Crew, Desk, Heard, Panic, spread};
use crate::sweep::{Costs, Plan, Planned, Shard, Standing};

/// What all runs of a sweep share.
pub struct Conditions<'a> {
    /// the command that starts a run again
    pub replay: &'a (dyn Fn(&Planned) -> String + Sync),
    pub data: &'a Path,
    pub is_forced: bool,
    pub checkpoint_every: Duration,
    pub interrupt: &'a Interrupt,
}

/// What went wrong while the others went on.
#[derive(Default)]
pub struct Toll {
    /// runs that could not be done: what, why, and how to try again
    failures: Vec<(String, Problem, String)>,
    /// a bug of ours in one of them
    panic: Option<Box<dyn Any + Send>>,
    /// whether a person stopped it
    is_interrupted: bool,
}

/// A run says how many rounds it has done this often at most.
const REFRESH: Duration = Duration::from_millis(100);

type Outcome = Option<Result<End, Problem>>;

/// Carries out every open run, those with a checkpoint first, then the longest, so that no long one is left over at the end.
///
/// # Errors
/// When the operating system gives no threads; what goes wrong in a run is in the toll.
pub fn carry_out(
    printer: &mut Printer,
    plan: &mut Plan,
    (costs, crew): (&Costs, Crew),
    conditions: &Conditions<'_>,
) -> Result<Toll, Problem> {
    let mut order: Vec<(f64, usize)> = plan
        .open()
        .into_iter()
        .map(|index| {
            let Planned { run, standing, .. } = &plan.runs[index];
            let cost = costs.of(run).map(|cost| cost.seconds(run, standing.rounds_done()));
            (cost.unwrap_or_else(|| f64::from(run.plan.rounds)), index)
        })
        .collect();
    // What was begun comes first, so that few are half done at any time.
    let is_begun = |index: usize| matches!(plan.runs[index].standing, Standing::Resumable { .. });
    order.sort_by(|a, b| {
        let begun = is_begun(b.1).cmp(&is_begun(a.1));
        begun.then(b.0.total_cmp(&a.0)).then(a.1.cmp(&b.1))
    });
    let weights: Vec<f64> = order.iter().map(|(weight, _)| *weight).collect();
    let runs: Vec<&Planned> = order.iter().map(|(_, index)| &plan.runs[*index]).collect();
    let mut floor = Floor {
        printer,
        conditions,
        weights: &weights,
        runs: &runs,
        jobs: crew.jobs,
        stopwatch: Stopwatch::start(),
        at_hand: BTreeMap::new(),
        done: vec![0.0; runs.len()],
        ended: 0,
        summaries: Vec::new(),
        toll: Toll::default(),
    };
    let work = |piece: usize, desk: &Desk<'_, u32, Outcome>| one(runs[piece], conditions, desk);
    spread(runs.len(), crew, work, |heard| floor.hear(heard))?;
    floor.printer.clear_progress();
    let (summaries, toll) = (floor.summaries, floor.toll);
    for (piece, summary) in summaries {
        plan.runs[order[piece].1].standing = Standing::Complete(Box::new(summary));
    }
    Ok(toll)
}

/// One run; none when a person stopped the sweep before it began.
fn one(planned: &Planned, conditions: &Conditions<'_>, desk: &Desk<'_, u32, Outcome>) -> Outcome {
    let Conditions { interrupt, .. } = conditions;
    if interrupt.is_asked() {
        return None;
    }
    let mut last: Option<Duration> = None;
    let mut watch = |watch: &Watch<'_>| {
        if last.is_none_or(|last| watch.elapsed.saturating_sub(last) >= REFRESH) {
            last = Some(watch.elapsed);
            desk.say(watch.rounds_done);
        }
        !interrupt.is_asked()
    };
    let mut conduct = Conduct {
        folder: planned.folder.clone(),
        is_forced: conditions.is_forced,
        data: conditions.data,
        checkpoint_every: conditions.checkpoint_every,
        command: (conditions.replay)(planned),
        watch: &mut watch,
    };
    Some(execute(&planned.run, &mut conduct))
}

/// What is known of the work while it goes on.
struct Floor<'a> {
    printer: &'a mut Printer,
    conditions: &'a Conditions<'a>,
    /// what each run costs beside the others
    weights: &'a [f64],
    runs: &'a [&'a Planned],
    jobs: usize,
    stopwatch: Stopwatch,
    /// begun and not ended: since when
    at_hand: BTreeMap<usize, Stopwatch>,
    /// share of each run that this sweep has done
    done: Vec<f64>,
    ended: usize,
    summaries: Vec<(usize, Summary)>,
    toll: Toll,
}

impl Floor<'_> {
    fn hear(&mut self, heard: Heard<u32, Outcome>) {
        match heard {
            Heard::Begun { index } => {
                self.at_hand.insert(index, Stopwatch::start());
            }
            Heard::News { index, news } => {
                let Planned { run, standing, .. } = self.runs[index];
                let before = standing.rounds_done();
                let all = run.plan.rounds.saturating_sub(before).max(1);
                self.done[index] = f64::from(news.saturating_sub(before)) / f64::from(all);
            }
            Heard::Ended { index, result } => {
                let since = self.at_hand.remove(&index);
                let took = since.map_or(Duration::ZERO, Stopwatch::elapsed);
                self.end(index, result, took);
            }
            Heard::Silence => {}
        }
        if self.printer.has_progress() {
            let line = self.progress_line();
            self.printer.progress(&line);
        }
    }

    fn end(&mut self, index: usize, result: Result<Outcome, Panic>, took: Duration) {
        let Planned { run, .. } = self.runs[index];
        let replay = (self.conditions.replay)(self.runs[index]);
        let name = label(run);
        self.done[index] = 1.0;
        let result = match result {
            Ok(Some(result)) => result,
            Ok(None) => {
                self.toll.is_interrupted = true;
                return;
            }
            Err(panic) => {
                let problem = Problem::new(format!("a bug of phalanx: {}", panic.message()));
                self.toll.panic.get_or_insert(panic.0);
                Err(problem)
            }
        };
        match result {
            Ok(End::Complete(summary)) => {
                self.ended += 1;
                let label = format!("[{}/{}] {name}", self.ended, self.runs.len());
                run::say_complete(self.printer, &label, &summary, (took, &replay));
                self.summaries.push((index, summary));
            }
            Ok(End::Interrupted(summary)) => {
                self.toll.is_interrupted = true;
                let (done, all) = (summary.rounds_done, summary.rounds);
                self.printer.note(format!("{name}: interrupted after {done} of {all} rounds"));
            }
            Err(problem) if is_locked(&problem) => {
                self.ended += 1;
                self.printer.note(format!("{name}: another process is at it, left to that one"));
            }
            Err(problem) => {
                self.ended += 1;
                self.printer.warning(format!("{name}: {problem}"));
                self.toll.failures.push((name, problem, replay));
            }
        }
    }

    fn progress_line(&self) -> String {
        let mut line = format!("{}/{}", self.ended, self.runs.len());
        if let Some(left) = self.seconds_left() {
            let left = left as u64;
            let (hours, minutes, seconds) = (left / 3600, left / 60 % 60, left % 60);
            line.push_str(&format!("  {hours}:{minutes:02}:{seconds:02} left"));
        }
        for index in self.at_hand.keys() {
            let Planned { run, standing, .. } = self.runs[*index];
            let (before, all) = (standing.rounds_done(), run.plan.rounds);
            let done = self.done[*index] * f64::from(all.saturating_sub(before));
            line.push_str(&format!("  {} {}/{all}", label(run), before + done.round() as u32));
        }
        line
    }

    /// What is left by the weights, at the pace so far; by the weights alone at first.
    fn seconds_left(&self) -> Option<f64> {
        let all: f64 = self.weights.iter().sum();
        let done: f64 =
            self.weights.iter().zip(&self.done).map(|(weight, done)| weight * done).sum();
        let left = all - done;
        match done / all {
            share if share.is_nan() => None,
            share if share < 0.02 => Some(left / self.jobs as f64),
            _ => Some(left * self.stopwatch.elapsed().as_secs_f64() / done),
        }
    }
}

/// What is left of a plan when the work is over.
pub enum Left {
    /// every run is complete
    Nothing,
    /// a person stopped it
    Interrupted,
    /// another process is at the rest
    Elsewhere,
}

/// Says what went wrong.
///
/// # Errors
/// When a run could not be done; a bug goes on as the panic that it was.
pub fn settle(printer: &mut Printer, plan: &mut Plan, toll: Toll) -> Result<Left, Problem> {
    // What others were at may be complete by now.
    plan.runs.iter_mut().filter(|planned| planned.is_open()).for_each(Planned::look_again);
    if toll.is_interrupted {
        let open = counted(plan.open().len(), "run");
        printer.note(format!("{open} not complete"));
        printer.hint("the same command goes on where this one stopped");
    }
    for (name, problem, replay) in &toll.failures {
        printer.note(format!("failed: {name}: {problem}\n  replay: {replay}"));
    }
    if let Some(panic) = toll.panic {
        std::panic::resume_unwind(panic);
    }
    if toll.is_interrupted {
        return Ok(Left::Interrupted);
    }
    let refused = plan.runs.iter().filter_map(|planned| match &planned.standing {
        Standing::Refused(problem) => Some(problem.clone()),
        _ => None,
    });
    let failures = toll.failures.into_iter().map(|(_, problem, _)| problem);
    let problems: Vec<Problem> = failures.chain(refused).collect();
    let count = problems.len();
    if let Some(problem) = problems.into_iter().next() {
        let message = format!("{} could not be done, the first: {problem}", counted(count, "run"));
        let hint = problem.hint.unwrap_or_else(|| "the others are complete".into());
        return Err(Problem::new(message).hint(hint));
    }
    match plan.open().len() {
        0 => Ok(Left::Nothing),
        elsewhere => {
            let runs = counted(elsewhere, "run");
            printer.note(format!("{runs} not complete yet, being done by another process"));
            printer.hint("the same command goes on once all runs are complete");
            Ok(Left::Elsewhere)
        }
    }
}

/// Table, page and expectations, or the table alone where the rest is done by others.
///
/// # Errors
/// As [`settle`], and when the page cannot be written.
pub fn conclude(
    printer: &mut Printer,
    (experiment, shard): (&Experiment, Option<Shard>),
    (root, mut plan): (&Path, Plan),
    toll: Toll,
) -> Result<Verdict, Problem> {
    match settle(printer, &mut plan, toll)? {
        Left::Nothing => {}
        Left::Interrupted => return Ok(Verdict::Interrupted),
        Left::Elsewhere => return Ok(Verdict::Yes),
    }
    let complete = plan.runs.into_iter().filter_map(|planned| match planned.standing {
        Standing::Complete(summary) => Some((planned.folder, *summary)),
        _ => None,
    });
    let summaries: Vec<(PathBuf, Summary)> = complete.collect();
    if let Some(shard) = shard {
        let folders: Vec<PathBuf> = summaries.into_iter().map(|(folder, _)| folder).collect();
        if !folders.is_empty() {
            report::show_table(printer, &folders)?;
        }
        printer.note(format!("shard {shard}: {} complete", counted(folders.len(), "run")));
        printer.hint(
            "the same command without `--shard` concludes when all shards are complete; \
             `phalanx sweep collect` merges those of several machines",
        );
        return Ok(Verdict::Yes);
    }
    run::conclude(printer, experiment, root, summaries)
}
