//! What a run will cost, measured by the first rounds of each kind of run.
use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use phalanx_learn::{Event, Plan, Sink};
use phalanx_protocol::Round;
use phalanx_protocol::{NodeId, Time};
use phalanx_report::Line;
use phalanx_robust::{Rng, Value};
use phalanx_sim::Progress;
use serde::{Deserialize, Serialize};

use crate::experiment::{Choice, Run};
use crate::problem::Problem;
use crate::run::assemble::{assemble, build_tasks};
use crate::run::checkpoint::BUILD;
use crate::run::clock::Stopwatch;
use crate::run::execute::unassembled;
use crate::sweep::pool::{Crew, Desk, Heard, spread};

/// A probe looks at this many rounds at most.
const ROUNDS_MAX: u32 = 12;
/// A probe of quick rounds goes on for so long.
const ENOUGH: Duration = Duration::from_millis(150);
/// A probe of slow rounds ends after so long, at its first whole round.
const LONG: Duration = Duration::from_secs(1);
/// And after so long without any.
const TOO_LONG: Duration = Duration::from_secs(10);
/// No further kind is probed after so long; the others are then guessed from the probed ones.
const ALL: Duration = Duration::from_secs(60);

/// What the rounds of one kind of run cost on this machine, beside as many other runs as there
/// will be.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
struct Rounds {
    /// seconds until the first event: data are read, nodes are built
    start_seconds: f64,
    /// seconds of one round without evaluation
    round_seconds: f64,
    /// bytes that one round records
    round_bytes: f64,
    /// bytes of a checkpoint
    checkpoint_bytes: f64,
}

/// What it costs to evaluate one node of one task.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
struct Evaluation {
    seconds: f64,
    bytes: f64,
}

/// What one run costs.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Cost {
    rounds: Rounds,
    /// of all nodes that are evaluated
    evaluation: Evaluation,
}

impl Cost {
    /// Seconds that are left of a run after `rounds_done`.
    pub fn seconds(&self, run: &Run, rounds_done: u32) -> f64 {
        let rounds = run.plan.rounds.saturating_sub(rounds_done);
        let done = if rounds_done == 0 { 0 } else { evaluations(run.plan, rounds_done) };
        let left = evaluations(run.plan, run.plan.rounds).saturating_sub(done);
        self.rounds.start_seconds
            + f64::from(rounds) * self.rounds.round_seconds
            + f64::from(left) * self.evaluation.seconds
    }

    /// Bytes of the record of a whole run.
    pub fn bytes(&self, run: &Run) -> f64 {
        f64::from(run.plan.rounds) * self.rounds.round_bytes
            + f64::from(evaluations(run.plan, run.plan.rounds)) * self.evaluation.bytes
    }

    /// Bytes of a checkpoint.
    pub fn checkpoint_bytes(&self) -> f64 {
        self.rounds.checkpoint_bytes
    }
}

/// Evaluations until the end of a round: before the first, every so many, and after the last.
fn evaluations(plan: Plan, rounds_done: u32) -> u32 {
    let Some(regular) = rounds_done.checked_div(plan.evaluate_every) else { return 0 };
    let is_last = rounds_done == plan.rounds && !rounds_done.is_multiple_of(plan.evaluate_every);
    regular + 1 + u32::from(is_last)
}

/// Everything that decides how much is computed: not seed, rounds and real numbers (learning
/// rates, momenta, heterogeneity), which change what is computed.
fn words(what: &str, choice: &Choice) -> String {
    let values = choice.args.values().iter();
    let whole = values.filter(|(_, value)| !matches!(value, Value::Number(_)));
    let args = whole.map(|(name, value)| format!(" {name}={value}"));
    format!("{what}={}{}", choice.name, args.collect::<String>())
}

/// What decides how long an evaluation of one node takes.
fn task_of(run: &Run) -> String {
    words("task", &run.task)
}

/// Between the parts of a kind.
const BETWEEN: &str = "; ";

/// What decides how long a round takes.
pub fn kind_of(run: &Run) -> String {
    let population = run.population;
    let mut parts = vec![
        format!("n={}", population.n()),
        format!("f={}", population.f()),
        format!("attackers={}", run.byzantine),
        format!("collected={}", run.collected),
        task_of(run),
        words("algorithm", &run.algorithm),
        words("rule", &run.rule),
        words("exchange", &run.exchange.choice),
    ];
    parts.extend(run.mixing.iter().map(|choice| words("mixing", choice)));
    parts.extend(run.attack.iter().map(|choice| words("attack", choice)));
    parts.extend(run.misbehaviours.iter().map(|choice| words("misbehaviour", choice)));
    parts.join(BETWEEN)
}

/// What was measured.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Costs {
    /// with this program, and how many jobs and threads
    measured_as: String,
    threads: usize,
    /// by [`kind_of`]
    rounds: BTreeMap<String, Rounds>,
    /// by [`task_of`]
    evaluations: BTreeMap<String, Evaluation>,
    /// why a kind could not be measured
    #[serde(skip)]
    pub failures: BTreeMap<String, Problem>,
    /// kinds that were measured by this process, of how many
    #[serde(skip)]
    pub probed: (usize, usize),
    /// how long that took
    #[serde(skip)]
    pub took: Duration,
}

/// One thing to measure.
enum Piece<'a> {
    Task(String, &'a Run),
    Rounds(String, &'a Run),
}

enum Found {
    Task(Evaluation),
    Rounds(Rounds),
}

type Outcome = Option<Result<Found, Problem>>;

impl Costs {
    /// What an earlier sweep measured under the same conditions; nothing where there is none.
    pub fn remembered(path: &Path, crew: Crew) -> Self {
        let Crew { jobs, threads } = crew;
        let measured_as = format!("{BUILD}, {jobs} jobs, {threads} threads");
        // It only saves time: what cannot be read is measured again.
        let read = std::fs::read(path).ok().and_then(|text| serde_json::from_slice(&text).ok());
        let alike = read.filter(|costs: &Self| costs.measured_as == measured_as);
        alike.unwrap_or_else(|| Self { measured_as, threads, ..Self::default() })
    }

    /// Leaves what was measured for the next sweep.
    pub fn remember(&self, path: &Path) {
        let Ok(text) = serde_json::to_vec_pretty(self) else { return };
        let beside = path.with_extension(format!("{}.part", std::process::id()));
        // It only saves time: a folder that cannot be written is told of by the runs.
        if std::fs::write(&beside, text).and_then(|()| std::fs::rename(&beside, path)).is_err() {
            let _ = std::fs::remove_file(&beside);
        }
    }

    /// The cost of a run: measured, or else guessed from the kinds that have most in common with
    /// it; none where nothing was measured.
    pub fn of(&self, run: &Run) -> Option<Cost> {
        let kind = kind_of(run);
        let rounds = self.rounds.get(&kind).copied().or_else(|| self.nearest(&kind))?;
        let nodes = if run.is_star { 1 } else { run.population.n() - run.byzantine };
        let one = self.evaluations.get(&task_of(run)).copied();
        let one = one.unwrap_or(Evaluation { seconds: 0.0, bytes: 0.0 });
        let shifts = nodes.div_ceil(self.threads.max(1));
        let evaluation =
            Evaluation { seconds: one.seconds * shifts as f64, bytes: one.bytes * nodes as f64 };
        Some(Cost { rounds, evaluation })
    }

    fn nearest(&self, kind: &str) -> Option<Rounds> {
        let parts: Vec<&str> = kind.split(BETWEEN).collect();
        let common = |other: &str| other.split(BETWEEN).filter(|part| parts.contains(part)).count();
        let most = self.rounds.keys().map(|other| common(other)).max()?;
        let alike = self.rounds.iter().filter(|(other, _)| common(other) == most);
        let alike: Vec<&Rounds> = alike.map(|(_, rounds)| rounds).collect();
        let mean = |part: fn(&Rounds) -> f64| {
            alike.iter().map(|rounds| part(rounds)).sum::<f64>() / alike.len() as f64
        };
        Some(Rounds {
            start_seconds: mean(|rounds| rounds.start_seconds),
            round_seconds: mean(|rounds| rounds.round_seconds),
            round_bytes: mean(|rounds| rounds.round_bytes),
            checkpoint_bytes: mean(|rounds| rounds.checkpoint_bytes),
        })
    }

    fn pieces<'a>(&self, runs: impl Iterator<Item = &'a Run>) -> Vec<Piece<'a>> {
        let (mut tasks, mut rounds) = (BTreeMap::new(), BTreeMap::new());
        for run in runs {
            if run.plan.evaluate_every > 0 {
                tasks.entry(task_of(run)).or_insert(run);
            }
            rounds.entry(kind_of(run)).or_insert(run);
        }
        tasks.retain(|task, _| !self.evaluations.contains_key(task));
        rounds.retain(|kind, _| !self.rounds.contains_key(kind));
        let mut rounds: Vec<(String, &Run)> = rounds.into_iter().collect();
        // In an order of chance, so that whatever the time suffices for is a fair sample.
        rounds.sort_by_key(|(kind, _)| *blake3::hash(kind.as_bytes()).as_bytes());
        let tasks = tasks.into_iter().map(|(task, run)| Piece::Task(task, run));
        tasks.chain(rounds.into_iter().map(|(kind, run)| Piece::Rounds(kind, run))).collect()
    }

    /// Measures what is not known yet of `runs`, as many kinds at a time as there will be runs.
    /// `go_on` is asked before every kind.
    ///
    /// # Errors
    /// When the operating system gives no threads.
    pub fn probe<'a>(
        &mut self,
        runs: impl Iterator<Item = &'a Run>,
        (data, crew): (&Path, Crew),
        mut hear: impl FnMut(usize, usize),
        go_on: impl Fn() -> bool + Sync,
    ) -> Result<(), Problem> {
        let pieces = self.pieces(runs);
        let stopwatch = Stopwatch::start();
        let work = |index: usize, _: &Desk<'_, (), Outcome>| {
            let is_due = go_on() && stopwatch.elapsed() < ALL;
            is_due.then(|| match &pieces[index] {
                Piece::Task(_, run) => evaluate(run, data).map(Found::Task),
                Piece::Rounds(_, run) => measure(run, data).map(Found::Rounds),
            })
        };
        let mut found = Vec::new();
        spread(pieces.len(), crew, work, |heard: Heard<(), Outcome>| {
            if let Heard::Ended { index, result } = heard {
                found.push((index, result));
                hear(found.len(), pieces.len());
            }
        })?;
        let kinds = pieces.iter().filter(|piece| matches!(piece, Piece::Rounds(..))).count();
        self.probed = (0, kinds);
        for (index, result) in found {
            match result {
                Ok(Some(result)) => self.note(&pieces[index], result),
                Ok(None) => {}
                Err(panic) => std::panic::resume_unwind(panic.0),
            }
        }
        self.took = stopwatch.elapsed();
        Ok(())
    }

    fn note(&mut self, piece: &Piece<'_>, result: Result<Found, Problem>) {
        let (Piece::Task(kind, _) | Piece::Rounds(kind, _)) = piece;
        match result {
            Ok(Found::Task(evaluation)) => {
                self.evaluations.insert(kind.clone(), evaluation);
            }
            Ok(Found::Rounds(rounds)) => {
                self.probed.0 += 1;
                self.rounds.insert(kind.clone(), rounds);
            }
            Err(problem) => {
                self.failures.insert(kind.clone(), problem);
            }
        }
    }
}

/// Evaluates one node before it has learnt anything.
fn evaluate(run: &Run, data: &Path) -> Result<Evaluation, Problem> {
    let honest = run.population.n() - run.byzantine;
    let mut tasks = build_tasks(run, honest, data).map_err(|error| unassembled(&error))?;
    let task = tasks.first_mut().expect("there is at least one honest node");
    let mut params = vec![0.0; task.dim()];
    task.init(&mut Rng::stream(run.seed, u64::MAX, "initial parameters"), &mut params);
    let stopwatch = Stopwatch::start();
    let scores = task.evaluate(&params).map_err(|error| Problem::new(error.to_string()))?;
    let seconds = stopwatch.elapsed().as_secs_f64();
    let mut scales = Scales::default();
    let event = Event::Evaluated { round: Round(run.plan.rounds), scores };
    scales.record(Time(0), NodeId(0), &event);
    Ok(Evaluation { seconds, bytes: scales.0 as f64 })
}

/// Counts the bytes of what would be recorded.
#[derive(Default)]
struct Scales(usize);

impl Sink for Scales {
    fn record(&mut self, at: Time, node: NodeId, event: &Event) {
        let Some(line) = Line::of(at.0, node.0, event) else { return };
        self.0 += serde_json::to_vec(&line).map_or(0, |line| line.len() + 1);
    }
}

/// A few rounds of a run in memory.
fn measure(run: &Run, data: &Path) -> Result<Rounds, Problem> {
    let starting = Stopwatch::start();
    let run = Run { plan: Plan { rounds: ROUNDS_MAX, evaluate_every: 0 }, ..run.clone() };
    let mut simulation = assemble(&run, data).map_err(|error| unassembled(&error))?;
    let start_seconds = starting.elapsed().as_secs_f64();
    // Number and time of whole rounds as they come.
    let mut marks: Vec<(u32, f64)> = vec![];
    let stopwatch = Stopwatch::start();
    let mut keep_going = |progress: &Progress| {
        let elapsed = stopwatch.elapsed();
        if progress.rounds_done > marks.last().map_or(0, |mark| mark.0) {
            marks.push((progress.rounds_done, elapsed.as_secs_f64()));
        }
        match progress.rounds_done {
            0 => elapsed < TOO_LONG,
            1 => elapsed < LONG,
            _ => elapsed < ENOUGH,
        }
    };
    let mut scales = Scales::default();
    let outcome = simulation.run(&mut scales, &mut keep_going);
    outcome.map_err(|error| Problem::new(format!("the attack cannot be carried out: {error}")))?;
    let elapsed = stopwatch.elapsed().as_secs_f64();
    // The first round also fills workspaces, so it counts only where there is no other.
    let round_seconds = match marks.as_slice() {
        [(early, from), .., (late, to)] => (to - from) / f64::from(late - early),
        [(rounds, to)] => to / f64::from(*rounds),
        [] => elapsed,
    };
    let done = marks.last().map_or(1, |mark| mark.0);
    Ok(Rounds {
        start_seconds,
        round_seconds,
        round_bytes: scales.0 as f64 / f64::from(done),
        checkpoint_bytes: simulation.save().len() as f64,
    })
}
