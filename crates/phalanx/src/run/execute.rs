//! One run from its folder's state to its end: train, record, checkpoint, summarise.
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use phalanx_report::{FORMAT, Status, Summary, Traffic};
use phalanx_sim::{Outcome, Progress};

use crate::experiment::Run;
use crate::problem::{Problem, reason};
use crate::run::assemble::{AssembleError, assemble};
use crate::run::checkpoint::Checkpoint;
use crate::run::clock::{Spent, Stopwatch};
use crate::run::folder::{CHECKPOINT, ENVIRONMENT, Folder, RECORD, SUMMARY, State};
use crate::run::laboratory::Laboratory;
use crate::run::recorder::Recorder;
use crate::run::tally::Tally;

/// What somebody who watches a run sees after every batch of its work.
#[derive(Debug)]
pub struct Watch<'a> {
    /// which run
    pub run: &'a Run,
    /// rounds that every honest node has done
    pub rounds_done: u32,
    /// rounds done when this process took over
    pub rounds_before: u32,
    /// wall-clock time since then
    pub elapsed: Duration,
    /// what the events add up to
    pub tally: &'a Tally,
}

/// How to carry out a run.
pub struct Conduct<'a> {
    /// the run's folder
    pub folder: PathBuf,
    /// whether what the folder holds is thrown away
    pub is_forced: bool,
    /// where the data sets are
    pub data: &'a Path,
    /// wall-clock time between two checkpoints
    pub checkpoint_every: Duration,
    /// how a person would start this run again
    pub command: String,
    /// sees every step and says whether to go on
    pub watch: &'a mut dyn FnMut(&Watch<'_>) -> bool,
}

/// How a run ended.
#[derive(Debug, Clone, PartialEq)]
pub enum End {
    /// it is complete, whatever became of it
    Complete(Summary),
    /// it was stopped; a checkpoint is in its folder
    Interrupted(Summary),
}

/// Carries out a run in its folder, from its checkpoint where there is one.
///
/// # Errors
/// When data are missing, an entry refuses its arguments, or a file cannot be written. What was
/// recorded until then remains valid.
pub fn execute(run: &Run, conduct: &mut Conduct<'_>) -> Result<End, Problem> {
    // First, so that a run without data leaves no folder behind.
    let mut simulation = assemble(run, conduct.data).map_err(|error| unassembled(&error))?;
    let (folder, state) = Folder::open(conduct.folder.clone(), run, conduct.is_forced)?;
    let start = match state {
        State::Done(summary) => return Ok(End::Complete(*summary)),
        State::Fresh => Start::of(run),
        State::Resumable(checkpoint) => Start::resumed(*checkpoint, &mut *simulation, &folder)?,
    };
    let rounds_before = start.tally.rounds_done();
    let recorder = Recorder::at(folder.record()?, start.offset, start.tally)
        .map_err(|error| unrecorded(&folder, &error))?;
    let mut execution = Execution {
        run,
        folder: &folder,
        simulation,
        recorder: RefCell::new(recorder),
        stopwatch: Stopwatch::start(),
        spent_before: start.spent,
        rounds_before,
    };
    let outcome = execution.train(conduct)?;
    let summary = execution.summary(outcome);
    execution.close(&summary, outcome, &conduct.command)?;
    Ok(match outcome {
        Outcome::Interrupted => End::Interrupted(summary),
        Outcome::Finished | Outcome::Stalled => End::Complete(summary),
    })
}

struct Start {
    offset: u64,
    spent: Spent,
    tally: Tally,
}

impl Start {
    fn of(run: &Run) -> Self {
        let senders = run.population.n() + usize::from(run.is_star);
        Self { offset: 0, spent: Spent::default(), tally: Tally::new(senders) }
    }

    fn resumed(
        checkpoint: Checkpoint,
        simulation: &mut dyn Laboratory,
        folder: &Folder,
    ) -> Result<Self, Problem> {
        let Checkpoint { offset, spent, tally, snapshot } = checkpoint;
        simulation.load(&snapshot).map_err(|error| {
            let problem = Problem::new(format!("this checkpoint does not fit: {error}"));
            problem.at(folder.path().join(CHECKPOINT).display()).hint("start again with `--force`")
        })?;
        Ok(Self { offset, spent, tally })
    }
}

struct Execution<'a> {
    run: &'a Run,
    folder: &'a Folder,
    simulation: Box<dyn Laboratory>,
    recorder: RefCell<Recorder>,
    stopwatch: Stopwatch,
    spent_before: Spent,
    rounds_before: u32,
}

impl Execution<'_> {
    /// Until the run is over or somebody stops it, with checkpoints in between.
    fn train(&mut self, conduct: &mut Conduct<'_>) -> Result<Outcome, Problem> {
        loop {
            let since = Stopwatch::start();
            let mut is_stopped = false;
            let recorder = &self.recorder;
            let mut keep_going = |progress: &Progress| {
                let watched = recorder.borrow();
                let watch = Watch {
                    run: self.run,
                    rounds_done: progress.rounds_done,
                    rounds_before: self.rounds_before,
                    elapsed: self.stopwatch.elapsed(),
                    tally: &watched.tally,
                };
                is_stopped |= !(conduct.watch)(&watch);
                !is_stopped && !watched.has_failed() && since.elapsed() < conduct.checkpoint_every
            };
            let outcome = self.simulation.run(&mut Shared(recorder), &mut keep_going);
            let flushed = recorder.borrow_mut().flush();
            flushed.map_err(|error| unrecorded(self.folder, &error))?;
            let outcome = outcome.map_err(|error| {
                Problem::new(format!("the attack cannot be carried out: {error}"))
            })?;
            if outcome != Outcome::Interrupted {
                return Ok(outcome);
            }
            self.checkpoint()?;
            if is_stopped {
                return Ok(outcome);
            }
        }
    }

    fn spent(&self) -> Spent {
        self.spent_before + self.stopwatch.spent()
    }

    fn checkpoint(&mut self) -> Result<(), Problem> {
        let snapshot = self.simulation.save();
        let mut recorder = self.recorder.borrow_mut();
        let offset = recorder.sync().map_err(|error| unrecorded(self.folder, &error))?;
        let (spent, tally) = (self.spent(), recorder.tally.clone());
        let checkpoint = Checkpoint { offset, spent, tally, snapshot };
        self.folder.write_atomically(CHECKPOINT, &checkpoint.to_bytes(self.run))
    }

    fn summary(&self, outcome: Outcome) -> Summary {
        let recorder = self.recorder.borrow();
        let tally = &recorder.tally;
        let failure = tally.failure();
        let (status, reason) = match (outcome, failure) {
            (Outcome::Interrupted, _) => {
                (Status::Interrupted, Some("it was interrupted and can be resumed".into()))
            }
            (_, Some(failure)) => (Status::Diverged, Some(failure)),
            (Outcome::Stalled, None) => {
                let waiting = tally.waiting();
                let text = format!("{waiting} honest nodes wait for vectors that never come");
                (Status::Stalled, Some(text))
            }
            (Outcome::Finished, None) => (Status::Finished, None),
        };
        let traffic = self.simulation.traffic();
        Summary {
            format: FORMAT,
            experiment: self.run.experiment.clone(),
            arm: self.run.arm.clone(),
            seed: self.run.seed,
            status,
            reason,
            rounds_done: tally.rounds_done(),
            rounds: self.run.plan.rounds,
            n: self.run.population.n(),
            f: self.run.population.f(),
            byzantine: self.run.byzantine,
            names: names(self.run),
            scores: tally.scores(),
            nodes: tally.summaries(),
            traffic: Traffic {
                messages: traffic.messages,
                bytes: traffic.bytes,
                lost: traffic.lost,
                byzantine_messages: traffic.byzantine_messages,
                rejected: traffic.rejected,
                discarded: traffic.discarded,
            },
            virtual_seconds: self.simulation.progress().now.0 as f64 / 1e9,
            node_memory_bytes: self.simulation.node_memory_bytes(),
        }
    }

    /// The checkpoint goes last: until then a crash costs nothing but time.
    fn close(&self, summary: &Summary, outcome: Outcome, command: &str) -> Result<(), Problem> {
        let synced = self.recorder.borrow_mut().sync();
        synced.map_err(|error| unrecorded(self.folder, &error))?;
        let environment = self.spent().environment(command);
        self.folder.write_json(ENVIRONMENT, &environment)?;
        self.folder.write_json(SUMMARY, summary)?;
        match outcome {
            Outcome::Interrupted => Ok(()),
            Outcome::Finished | Outcome::Stalled => self.folder.remove(CHECKPOINT),
        }
    }
}

/// The recorder as a sink, while the loop beside it looks at the same counters.
struct Shared<'a>(&'a RefCell<Recorder>);

impl phalanx_learn::Sink for Shared<'_> {
    fn record(
        &mut self,
        at: phalanx_protocol::Time,
        node: phalanx_protocol::NodeId,
        event: &phalanx_learn::Event,
    ) {
        self.0.borrow_mut().record(at, node, event);
    }
}

fn names(run: &Run) -> BTreeMap<String, String> {
    let mixing: Vec<&str> = run.mixing.iter().map(|choice| choice.name).collect();
    let mixing = if mixing.is_empty() { "none".into() } else { mixing.join(", ") };
    let attack = run.attack.as_ref().map_or("none", |choice| choice.name);
    let names = [
        ("task", run.task.name),
        ("algorithm", run.algorithm.name),
        ("rule", run.rule.name),
        ("mixing", &mixing),
        ("attack", attack),
        ("exchange", run.exchange.choice.name),
    ];
    names.into_iter().map(|(kind, name)| (kind.into(), name.into())).collect()
}

/// Why a run cannot be assembled, as a person is told.
pub fn unassembled(error: &AssembleError) -> Problem {
    let text = error.to_string();
    // A data set that is missing brings the hint that fits it.
    if let Some((message, hint)) = text.split_once("\nhint: ") {
        return Problem::new(message).hint(format!("{hint}; `phalanx data` lists what is here"));
    }
    let problem = Problem::new(text);
    match error {
        AssembleError::Task { .. } => {
            problem.hint("`phalanx data` shows what is there and how to get the rest")
        }
        _ => problem,
    }
}

fn unrecorded(folder: &Folder, error: &std::io::Error) -> Problem {
    let problem = Problem::new(format!("cannot record the run: {}", reason(error)));
    let problem = problem.at(folder.path().join(RECORD).display());
    problem.hint(match error.kind() {
        // Somebody cut the record after the checkpoint: no amount of room brings it back.
        std::io::ErrorKind::UnexpectedEof => "`--force` starts the run again",
        _ => "what was recorded is still valid; make room and run the same command again",
    })
}
