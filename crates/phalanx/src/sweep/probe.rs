//! What a run will cost, measured by the first rounds of each kind of run.
use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use phalanx_learn::{Event, Plan as Rounds, Sink};
use phalanx_protocol::{NodeId, Time};
use phalanx_report::Line;
use phalanx_robust::Value;
use phalanx_sim::Progress;
use serde::{Deserialize, Serialize};

use crate::experiment::{Choice, Run};
use crate::problem::Problem;
use crate::run::assemble::assemble;
use crate::run::clock::Stopwatch;
use crate::run::execute::unassembled;
use crate::sweep::pool::{Crew, Desk, Heard, spread};

/// A probe looks at this many rounds at most.
const ROUNDS_MAX: u32 = 12;
/// A probe of quick rounds goes on for so long.
const ENOUGH: Duration = Duration::from_millis(150);
/// A probe of slow rounds ends after so long, at its first whole round.
const LONG: Duration = Duration::from_secs(2);
/// And after so long without any.
const TOO_LONG: Duration = Duration::from_secs(20);
/// No further kind is probed after so long; the others are then guessed from the probed ones.
const ALL: Duration = Duration::from_secs(120);

/// What runs of one kind cost on this machine, beside as many others as there will be.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Cost {
    /// seconds until the first event: data are read, nodes are built
    pub start_seconds: f64,
    /// seconds of one evaluation of all nodes
    pub evaluation_seconds: f64,
    /// seconds of one round without evaluation
    pub round_seconds: f64,
    /// bytes that one evaluation records
    pub evaluation_bytes: f64,
    /// bytes that one round records
    pub round_bytes: f64,
    /// bytes of a checkpoint
    pub checkpoint_bytes: f64,
}

impl Cost {
    /// Seconds that are left of a run after `rounds_done`.
    pub fn seconds(&self, run: &Run, rounds_done: u32) -> f64 {
        let rounds = run.plan.rounds.saturating_sub(rounds_done);
        let done = if rounds_done == 0 { 0 } else { evaluations(run.plan, rounds_done) };
        let left = evaluations(run.plan, run.plan.rounds).saturating_sub(done);
        self.start_seconds
            + f64::from(rounds) * self.round_seconds
            + f64::from(left) * self.evaluation_seconds
    }

    /// Bytes of the record of a whole run.
    pub fn bytes(&self, run: &Run) -> f64 {
        f64::from(run.plan.rounds) * self.round_bytes
            + f64::from(evaluations(run.plan, run.plan.rounds)) * self.evaluation_bytes
    }
}

/// Evaluations until the end of a round: before the first, every so many, and after the last.
fn evaluations(plan: Rounds, rounds_done: u32) -> u32 {
    let Some(regular) = rounds_done.checked_div(plan.evaluate_every) else { return 0 };
    let is_last = rounds_done == plan.rounds && !rounds_done.is_multiple_of(plan.evaluate_every);
    regular + 1 + u32::from(is_last)
}

/// What decides how long a round takes: everything but seed, rounds and real numbers (learning
/// rates, momenta, heterogeneity), which change what is computed and not how much.
pub fn kind_of(run: &Run) -> String {
    let mut words =
        vec![format!("n={} f={} b={}", run.population.n(), run.population.f(), run.byzantine)];
    let mut say = |what: &str, choice: &Choice| {
        let whole = |(_, value): &(&&'static str, &Value)| !matches!(value, Value::Number(_));
        let args = choice
            .args
            .values()
            .iter()
            .filter(whole)
            .map(|(name, value)| format!(" {name}={value}"));
        words.push(format!("{what}={}{}", choice.name, args.collect::<String>()));
    };
    say("task", &run.task);
    say("algorithm", &run.algorithm);
    say("rule", &run.rule);
    run.mixing.iter().for_each(|choice| say("mixing", choice));
    run.attack.iter().for_each(|choice| say("attack", choice));
    run.misbehaviours.iter().for_each(|choice| say("misbehaviour", choice));
    say("exchange", &run.exchange.choice);
    words.push(format!("collected={}", run.collected));
    words.join("; ")
}

/// What was measured, by [`kind_of`].
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Costs {
    /// of this many jobs and threads, and this program
    pub measured_as: String,
    /// by kind
    pub kinds: BTreeMap<String, Cost>,
    /// why a kind could not be probed
    #[serde(skip)]
    pub failures: BTreeMap<String, Problem>,
    /// kinds that were probed by this process
    #[serde(skip)]
    pub probed: usize,
    /// how long that took
    #[serde(skip)]
    pub took: Duration,
}

impl Costs {
    /// What an earlier sweep measured under the same conditions; nothing where there is none.
    pub fn remembered(path: &Path, measured_as: &str) -> Self {
        // It only saves time: what cannot be read is measured again.
        let read = std::fs::read(path).ok().and_then(|text| serde_json::from_slice(&text).ok());
        let alike = read.filter(|costs: &Self| costs.measured_as == measured_as);
        alike.unwrap_or_else(|| Self { measured_as: measured_as.into(), ..Self::default() })
    }

    /// Leaves what was measured for the next sweep, if its folder exists.
    pub fn remember(&self, path: &Path) {
        if let Ok(text) = serde_json::to_vec_pretty(self) {
            let beside = path.with_extension(format!("{}.part", std::process::id()));
            // It only saves time: a folder that cannot be written is told of by the runs.
            if std::fs::write(&beside, text).and_then(|()| std::fs::rename(&beside, path)).is_err()
            {
                let _ = std::fs::remove_file(&beside);
            }
        }
    }

    /// The cost of a run: measured, or else the mean of what was measured with the same task, or
    /// of everything; none where nothing was.
    pub fn of(&self, run: &Run) -> Option<Cost> {
        let kind = kind_of(run);
        if let Some(cost) = self.kinds.get(&kind) {
            return Some(*cost);
        }
        let task = format!("; task={} ", run.task.name);
        let alike = self.kinds.iter().filter(|(kind, _)| kind.contains(&task));
        let alike: Vec<&Cost> = alike.map(|(_, cost)| cost).collect();
        mean(&alike).or_else(|| mean(&self.kinds.values().collect::<Vec<_>>()))
    }

    /// Measures the kinds among `runs` that are not known yet, as many at a time as there will be
    /// runs at a time. `go_on` is asked before every kind.
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
        let mut kinds: BTreeMap<String, &Run> = BTreeMap::new();
        for run in runs {
            kinds.entry(kind_of(run)).or_insert(run);
        }
        kinds.retain(|kind, _| !self.kinds.contains_key(kind));
        let kinds: Vec<(String, &Run)> = kinds.into_iter().collect();
        let stopwatch = Stopwatch::start();
        let work = |index: usize, _: &Desk<'_, (), Found>| {
            let is_due = go_on() && stopwatch.elapsed() < ALL;
            is_due.then(|| measure(kinds[index].1, data))
        };
        let mut found = Vec::new();
        spread(kinds.len(), crew, work, |heard: Heard<(), Found>| {
            if let Heard::Ended { index, result } = heard {
                found.push((index, result));
                hear(found.len(), kinds.len());
            }
        })?;
        for (index, result) in found {
            let kind = kinds[index].0.clone();
            match result {
                Ok(Some(Ok(cost))) => {
                    self.probed += 1;
                    self.kinds.insert(kind, cost);
                }
                Ok(Some(Err(problem))) => {
                    self.failures.insert(kind, problem);
                }
                Ok(None) => {}
                Err(panic) => std::panic::resume_unwind(panic.0),
            }
        }
        self.took += stopwatch.elapsed();
        Ok(())
    }
}

/// What came of one kind; none when it was too late to measure it.
type Found = Option<Result<Cost, Problem>>;

fn mean(costs: &[&Cost]) -> Option<Cost> {
    let over = |part: fn(&Cost) -> f64| {
        costs.iter().map(|cost| part(cost)).sum::<f64>() / costs.len() as f64
    };
    (!costs.is_empty()).then(|| Cost {
        start_seconds: over(|cost| cost.start_seconds),
        evaluation_seconds: over(|cost| cost.evaluation_seconds),
        round_seconds: over(|cost| cost.round_seconds),
        evaluation_bytes: over(|cost| cost.evaluation_bytes),
        round_bytes: over(|cost| cost.round_bytes),
        checkpoint_bytes: over(|cost| cost.checkpoint_bytes),
    })
}

/// Counts the bytes of what would be recorded.
#[derive(Default)]
struct Scales {
    evaluation: usize,
    other: usize,
}

impl Sink for Scales {
    fn record(&mut self, at: Time, node: NodeId, event: &Event) {
        let Some(line) = Line::of(at.0, node.0, event) else { return };
        let bytes = serde_json::to_vec(&line).map_or(0, |line| line.len() + 1);
        match event {
            Event::Evaluated { .. } => self.evaluation += bytes,
            _ => self.other += bytes,
        }
    }
}

/// A few rounds of a run in memory.
fn measure(run: &Run, data: &Path) -> Result<Cost, Problem> {
    let starting = Stopwatch::start();
    let rounds = ROUNDS_MAX;
    // Evaluated before the first round and not again until the end, which is not reached.
    let evaluate_every = if run.plan.evaluate_every == 0 { 0 } else { u32::MAX };
    let run = Run { plan: Rounds { rounds, evaluate_every }, ..run.clone() };
    let mut simulation = assemble(&run, data).map_err(|error| unassembled(&error))?;
    let start_seconds = starting.elapsed().as_secs_f64();
    let mut scales = Scales::default();
    // Time of the first batch, and time and number of whole rounds as they come.
    let (mut first, mut marks): (Option<f64>, Vec<(u32, f64)>) = (None, vec![]);
    let stopwatch = Stopwatch::start();
    let mut keep_going = |progress: &Progress| {
        let elapsed = stopwatch.elapsed();
        first.get_or_insert(elapsed.as_secs_f64());
        let last = marks.last().map_or(0, |mark| mark.0);
        if progress.rounds_done > last {
            marks.push((progress.rounds_done, elapsed.as_secs_f64()));
        }
        match progress.rounds_done {
            0 => elapsed < TOO_LONG,
            done if done + 1 >= rounds => false,
            1 => elapsed < LONG,
            _ => elapsed < ENOUGH,
        }
    };
    let outcome = simulation.run(&mut scales, &mut keep_going);
    outcome.map_err(|error| Problem::new(format!("the attack cannot be carried out: {error}")))?;
    let elapsed = stopwatch.elapsed().as_secs_f64();
    let is_evaluated = run.plan.evaluate_every > 0;
    let evaluation_seconds = first.filter(|_| is_evaluated).unwrap_or(0.0);
    // The first round also fills workspaces, so it counts only where there is no other.
    let round_seconds = match marks.as_slice() {
        [(early, from), .., (late, to)] => (to - from) / f64::from(late - early),
        [(rounds, to)] => (to - evaluation_seconds) / f64::from(*rounds),
        [] => (elapsed - evaluation_seconds) / f64::from(rounds.max(1)),
    };
    let done = marks.last().map_or(1, |mark| mark.0);
    Ok(Cost {
        start_seconds,
        evaluation_seconds,
        round_seconds: round_seconds.max(0.0),
        evaluation_bytes: scales.evaluation as f64,
        round_bytes: scales.other as f64 / f64::from(done),
        checkpoint_bytes: simulation.save().len() as f64,
    })
}
