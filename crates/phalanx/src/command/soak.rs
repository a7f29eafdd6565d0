//! `phalanx soak`: many small worlds with adversaries, hardships and checkers, one per seed.
use std::time::Duration;

use clap::Args;
use clap::builder::PossibleValuesParser;
use rayon::prelude::*;
use serde_json::json;

use crate::command::Verdict;
use crate::command::columns::counted;
use crate::printer::{Printer, Tone};
use crate::problem::Problem;
use crate::run::Interrupt;
use crate::run::clock::Stopwatch;
use crate::soak::case::{EXCHANGES, FAULTS};
use crate::soak::{Case, Finding, Outcome, carry_out, shrink};

const AFTER_HELP: &str = "\
Each seed draws n, f, an exchange, an attack, misbehaviours, a schedule, partitions, crashes and
windows, runs the world in virtual time, heals it and demands progress. Checkers watch. A seed in
which one of them objects is made smaller, and the command that replays it is printed.

Exit codes: 0 nothing found; 1 something was; 2 usage; 130 interrupted.

Examples:
  phalanx soak --seeds 1000
  phalanx soak --minutes 60 --exchange signed-echo
  phalanx soak --seeds 500 --exchange rb-tm-agreement --fault witnesses-off";

/// Worlds that run side by side before anybody looks at the clock.
const BATCH: u64 = 32;

/// Findings that are made smaller; further ones are only counted.
const SHRUNK_MAX: usize = 3;

/// Seeds to run unless told otherwise.
const SEEDS: u64 = 200;

/// Try to break the protocols, one small world per seed
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub struct Soak {
    /// Run so many seeds [default: 200, or as many as fit into the minutes]
    #[arg(long, value_name = "N")]
    seeds: Option<u64>,
    /// Stop after so many minutes
    #[arg(long, value_name = "M")]
    minutes: Option<f64>,
    /// Begin at this seed
    #[arg(long, value_name = "SEED", default_value_t = 1)]
    from: u64,
    /// Only worlds with this exchange
    #[arg(long, value_name = "NAME", value_parser = PossibleValuesParser::new(EXCHANGES))]
    exchange: Option<String>,
    /// Break something on purpose, to see that a checker objects
    #[arg(long, value_name = "NAME", default_value = "none")]
    #[arg(value_parser = PossibleValuesParser::new(FAULTS))]
    fault: String,
    /// Run this one seed and show what happens
    #[arg(long, value_name = "SEED", conflicts_with_all = ["seeds", "minutes", "from"])]
    seed: Option<u64>,
    /// With `--seed`: the world in words, as a finding prints it
    #[arg(long, value_name = "WORDS", requires = "seed")]
    replay: Option<String>,
}

/// What many worlds add up to.
#[derive(Debug, Default)]
struct Sum {
    seeds: u64,
    messages: u64,
    virtual_nanoseconds: u128,
    findings: u64,
}

impl Sum {
    fn add(&mut self, outcome: &Outcome) {
        self.seeds += 1;
        self.messages += outcome.messages;
        self.virtual_nanoseconds += u128::from(outcome.virtual_time);
        self.findings += u64::from(outcome.finding.is_some());
    }

    fn text(&self, elapsed: Duration) -> String {
        format!(
            "{}, {:.1} schedules/s, {:.1} h of virtual time, {} messages, {}",
            counted(self.seeds as usize, "seed"),
            self.seeds as f64 / elapsed.as_secs_f64().max(1e-9),
            self.virtual_nanoseconds as f64 / 3.6e12,
            self.messages,
            counted(self.findings as usize, "finding"),
        )
    }
}

impl Soak {
    /// Runs the swarm, or replays one world.
    ///
    /// # Errors
    /// When a replay cannot be read.
    pub fn carry_out(self, printer: &mut Printer) -> Result<Verdict, Problem> {
        let known = |name: &str, list: &[&'static str]| list.iter().find(|k| **k == name).copied();
        let exchange = self.exchange.as_deref().and_then(|name| known(name, EXCHANGES));
        let fault = known(&self.fault, FAULTS).unwrap_or("none");
        let draw = |seed| Case::draw(seed, exchange, fault);
        if let Some(seed) = self.seed {
            let case = draw(seed).replay(self.replay.as_deref().unwrap_or_default())?;
            return Ok(show(printer, &case));
        }
        let interrupt = Interrupt::install()?;
        let stopwatch = Stopwatch::start();
        let limit = self.minutes.map(|minutes| Duration::from_secs_f64(minutes.max(0.0) * 60.0));
        let unlimited = if limit.is_some() { u64::MAX } else { SEEDS };
        let end = self.from.saturating_add(self.seeds.unwrap_or(unlimited));
        let (mut sum, mut next, mut shrunk) = (Sum::default(), self.from, 0);
        while next < end && !interrupt.is_asked() {
            if limit.is_some_and(|limit| stopwatch.elapsed() >= limit) {
                break;
            }
            let batch: Vec<u64> = (next..end.min(next.saturating_add(BATCH))).collect();
            let outcomes: Vec<(Case, Outcome)> = (batch.par_iter())
                .with_max_len(1)
                .map(|seed| (draw(*seed), carry_out(&draw(*seed))))
                .collect();
            next += batch.len() as u64;
            for (case, outcome) in outcomes {
                sum.add(&outcome);
                if let Some(finding) = outcome.finding {
                    shrunk += 1;
                    if shrunk <= SHRUNK_MAX {
                        report(printer, &case, finding);
                    }
                }
            }
            printer.progress(&sum.text(stopwatch.elapsed()));
        }
        printer.clear_progress();
        conclude(printer, &sum, stopwatch.elapsed());
        Ok(match (interrupt.is_asked(), sum.findings) {
            (true, 0) => Verdict::Interrupted,
            (false, 0) => Verdict::Yes,
            _ => Verdict::No,
        })
    }
}

fn conclude(printer: &mut Printer, sum: &Sum, elapsed: Duration) {
    if printer.is_json() {
        printer.json(&json!({
            "seeds": sum.seeds,
            "seconds": elapsed.as_secs_f64(),
            "virtual_seconds": sum.virtual_nanoseconds as f64 / 1e9,
            "messages": sum.messages,
            "findings": sum.findings,
        }));
    } else {
        printer.result(sum.text(elapsed));
    }
}

/// Makes a failing world smaller and prints what is left.
fn report(printer: &mut Printer, case: &Case, finding: Finding) {
    let (seed, first) = (case.seed, finding.checker);
    let (case, finding) = shrink(case.clone(), finding);
    let command = format!("phalanx soak --seed {seed} --replay \"{case}\"");
    if printer.is_json() {
        printer.json(&json!({
            "seed": seed,
            "checker": finding.checker,
            "what": finding.text,
            "trace": finding.trace,
            "command": command,
        }));
        return;
    }
    printer.clear_progress();
    let head = printer.paint(Tone::Bad, format!("seed {seed}: {first}"));
    printer.result(format!("{head}  {}", finding.text));
    finding.trace.iter().for_each(|line| printer.detail(line));
    printer.result(format!("replay: {command}"));
}

/// One world in full.
fn show(printer: &mut Printer, case: &Case) -> Verdict {
    let outcome = carry_out(case);
    let Some(finding) = outcome.finding else {
        let seconds = outcome.virtual_time as f64 / 1e9;
        if printer.is_json() {
            printer.json(&json!({ "seed": case.seed, "checker": null, "world": case.to_string() }));
        } else {
            printer.note(case);
            printer.result(format!("nothing found in {seconds:.3} s of virtual time"));
        }
        return Verdict::Yes;
    };
    if printer.is_json() {
        printer.json(&json!({
            "seed": case.seed,
            "checker": finding.checker,
            "what": finding.text,
            "trace": finding.trace,
            "world": case.to_string(),
        }));
    } else {
        printer.note(case);
        finding.trace.iter().for_each(|line| printer.result(line));
        let head = printer.paint(Tone::Bad, finding.checker);
        printer.result(format!("{head}  {}", finding.text));
    }
    Verdict::No
}
