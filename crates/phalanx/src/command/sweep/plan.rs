//! What a sweep would run, where each run stands, and what is left to pay.
use phalanx_report::number;
use serde_json::json;

use crate::command::columns::{columns, counted};
use crate::command::sweep::Ground;
use crate::experiment::{Experiment, Run};
use crate::printer::Printer;
use crate::problem::Problem;
use crate::sweep::pool::Crew;
use crate::sweep::{Costs, Plan, Planned, Shard};

/// What was measured, beside the runs, so that a sweep that goes on need not measure again.
const PROBE: &str = "probe.json";

impl Ground<'_> {
    /// The cost of every kind of run that is still open, measured where it is not known.
    pub fn costs(&self, printer: &mut Printer, plan: &Plan, crew: Crew) -> Result<Costs, Problem> {
        let mut costs = Costs::remembered(&self.folder.join(PROBE), crew);
        let runs = plan.runs.iter().filter(|planned| planned.is_open());
        let runs = runs.map(|planned| &planned.run);
        let hear = |done: usize, all: usize| {
            printer.progress(&format!("measuring the cost of a round: {done}/{all} kinds of run"));
        };
        costs.probe(runs, (self.data, crew), hear, || !self.interrupt.is_asked())?;
        printer.clear_progress();
        if costs.probed.0 > 0 && self.folder.is_dir() {
            costs.remember(&self.folder.join(PROBE));
        }
        Ok(costs)
    }
}

/// The first line of a plan.
pub fn title(experiment: &Experiment, shard: Option<Shard>, plan: &Plan) -> String {
    let (arms, runs) =
        (counted(experiment.arms.len(), "arm"), counted(experiment.runs().count(), "run"));
    let title = format!("{}: {arms}, {runs}", experiment.name);
    match shard {
        Some(shard) => format!("{title}; shard {shard}: {}", counted(plan.runs.len(), "run")),
        None => title,
    }
}

/// Prints the plan: as a result where it was asked for, else as a note.
pub fn show(
    printer: &mut Printer,
    title: &str,
    plan: &Plan,
    (costs, crew): (&Costs, Crew),
    is_result: bool,
) {
    let lines = summary(title, plan, costs, crew);
    if !is_result {
        lines.iter().for_each(|line| printer.note(line));
    } else if printer.is_json() {
        for planned in &plan.runs {
            printer.json(&as_json(planned, costs));
        }
    } else {
        if printer.is_verbose() {
            printer.result(table(plan, costs));
            printer.result("");
        }
        lines.iter().for_each(|line| printer.result(line));
    }
    for problem in costs.failures.values().take(FAILURES_SHOWN) {
        printer.warning(format!("cannot be measured: {problem}"));
    }
    for planned in &plan.runs {
        if let crate::sweep::Standing::Refused(problem) = &planned.standing {
            printer.warning(format!("{}: {problem}", label(&planned.run)));
        }
    }
}

const FAILURES_SHOWN: usize = 3;

/// How a run is called in what is said of it.
pub fn label(run: &Run) -> String {
    format!("{} seed {}", run.arm, run.seed)
}

fn seconds(planned: &Planned, costs: &Costs) -> Option<f64> {
    if !planned.is_open() {
        return Some(0.0);
    }
    let cost = costs.of(&planned.run)?;
    Some(cost.seconds(&planned.run, planned.standing.rounds_done()))
}

fn summary(title: &str, plan: &Plan, costs: &Costs, crew: Crew) -> Vec<String> {
    let census = plan.census();
    let mut lines = vec![
        title.to_owned(),
        format!(
            "runs: {} complete, {} resumable, {} missing",
            census.complete, census.resumable, census.missing
        ),
    ];
    let open: Vec<&Planned> = plan.runs.iter().filter(|planned| planned.is_open()).collect();
    if open.is_empty() {
        return lines;
    }
    let time: Option<f64> = open.iter().map(|planned| seconds(planned, costs)).sum();
    let longest = open.iter().filter_map(|planned| seconds(planned, costs)).fold(0.0, f64::max);
    let jobs = format!("{} of {}", counted(crew.jobs, "job"), counted(crew.threads, "thread"));
    lines.push(match time {
        Some(time) => {
            let wall = (time / crew.jobs as f64).max(longest);
            format!("time: about {} with {jobs}", number::seconds(wall))
        }
        None => "time: not known, nothing could be measured".into(),
    });
    if let Some(disk) = disk(&open, costs, crew) {
        lines.push(disk);
    }
    let took = number::seconds(costs.took.as_secs_f64());
    lines.push(match costs.probed {
        (_, 0) => format!("measured: before, in an earlier sweep ({PROBE})"),
        (probed, all) if probed < all => {
            format!("measured: the first rounds of {probed} of {all} kinds of run, in {took}")
        }
        (probed, _) => {
            format!("measured: the first rounds of {} of run, in {took}", counted(probed, "kind"))
        }
    });
    lines
}

fn disk(open: &[&Planned], costs: &Costs, crew: Crew) -> Option<String> {
    let all: Option<Vec<_>> =
        open.iter().map(|planned| costs.of(&planned.run).map(|cost| (planned, cost))).collect();
    let all = all?;
    let records: f64 = all.iter().map(|(planned, cost)| cost.bytes(&planned.run)).sum();
    let checkpoint = all.iter().map(|(_, cost)| cost.checkpoint_bytes()).fold(0.0, f64::max);
    Some(format!(
        "disk: about {} of records, and up to {} of checkpoints meanwhile",
        number::bytes(records),
        number::bytes(checkpoint * crew.jobs as f64)
    ))
}

const HEAD: [&str; 6] = ["run", "seed", "state", "rounds", "of", "time left"];

fn table(plan: &Plan, costs: &Costs) -> String {
    let mut rows: Vec<Vec<String>> = vec![HEAD.map(Into::into).into()];
    for planned in &plan.runs {
        rows.push(vec![
            planned.run.arm.clone(),
            planned.run.seed.to_string(),
            planned.standing.word().into(),
            planned.standing.rounds_done().to_string(),
            planned.run.plan.rounds.to_string(),
            match seconds(planned, costs) {
                _ if !planned.is_open() => "-".into(),
                Some(seconds) => number::seconds(seconds),
                None => "?".into(),
            },
        ]);
    }
    columns(&rows)
}

fn as_json(planned: &Planned, costs: &Costs) -> serde_json::Value {
    json!({
        "arm": planned.run.arm,
        "seed": planned.run.seed,
        "id": planned.run.id(),
        "folder": planned.folder,
        "state": planned.standing.word(),
        "rounds_done": planned.standing.rounds_done(),
        "rounds": planned.run.plan.rounds,
        "seconds_left": seconds(planned, costs),
    })
}
