//! `phalanx attack`: what Byzantine nodes would say among the honest vectors of a file.
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use clap::Args;
use phalanx_attack::{ATTACKS, AttackRule, AttackSetup, Defence, Forgery, View};
use phalanx_protocol::Turn;
use phalanx_robust::rule::AggregateError;
use phalanx_robust::{Aggregator, Chain, Population, RULES, Rng, Rule, Vectors};
use serde_json::json;

use crate::command::Verdict;
use crate::command::aggregate::{note_conversion, population, to_stdout};
use crate::command::choice::{Chosen, Mixes, input};
use crate::command::columns::counted;
use crate::experiment::Kind;
use crate::matrix_file::{self, ROWS_MAX, Writer, is_stream};
use crate::printer::Printer;
use crate::problem::Problem;

const AFTER_HELP: &str = "\
Examples:
  phalanx attack --attack sign-flipping --byzantine 2 honest.npy -o forged.npy
  phalanx attack --attack gaussian --param sigma=5 --byzantine 3 honest.csv -o all.csv --append
  phalanx attack --attack mimic --byzantine 2 honest.safetensors -o -";

/// Forge the vectors that Byzantine nodes would send among those of a file
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
#[command(override_usage = "phalanx attack --attack NAME [--param KEY=VALUE]... --byzantine B \
    [-f F] [--rule NAME [--rule-param KEY=VALUE]... [--mix NAME [KEY=VALUE]...]...] IN -o OUT")]
pub struct Attack {
    /// Read the honest vectors from this file: .npy, .safetensors, .csv, or - for CSV on stdin
    #[arg(value_name = "IN")]
    input: Option<PathBuf>,
    /// Write the forged vectors here: .npy, .safetensors, .csv, or - for CSV on stdout
    #[arg(short, long, value_name = "OUT")]
    output: PathBuf,
    /// Choose the attack; `phalanx list attacks` shows them
    #[arg(long, value_name = "NAME")]
    attack: String,
    /// Set a parameter of the attack
    #[arg(long = "param", value_name = "KEY=VALUE")]
    params: Vec<String>,
    /// Forge the vectors of so many Byzantine nodes
    #[arg(long, value_name = "B")]
    byzantine: usize,
    /// Let the honest nodes tolerate so many Byzantine nodes [default: B]
    #[arg(short = 'f', value_name = "F")]
    f: Option<usize>,
    /// Let attacks that search do so against this rule
    #[arg(long, value_name = "NAME")]
    rule: Option<String>,
    /// Set a parameter of that rule
    #[arg(long = "rule-param", value_name = "KEY=VALUE", requires = "rule")]
    rule_params: Vec<String>,
    #[command(flatten)]
    mixes: Mixes,
    /// Seed the attack's random numbers
    #[arg(long, value_name = "SEED", default_value_t = 1)]
    seed: u64,
    /// Write what this honest row, counted from 0, is shown where others are shown something else
    #[arg(long, value_name = "INDEX")]
    receiver: Option<usize>,
    /// Take this matrix of a safetensors file
    #[arg(long, value_name = "NAME")]
    tensor: Option<String>,
    /// Write the honest vectors too, before the forged ones
    #[arg(long)]
    append: bool,
}

impl Attack {
    /// Reads, forges, writes.
    ///
    /// # Errors
    /// For files, names, parameters and populations that do not fit together.
    pub fn carry_out(mut self, printer: &mut Printer) -> Result<Verdict, Problem> {
        let input = input(self.input.take(), &mut self.mixes)?;
        let attack = Chosen::new(Kind::Attack, ATTACKS, &self.attack, &self.params)
            .map_err(|problem| problem.at("--attack"))?;
        let defence = match &self.rule {
            Some(name) => Some(
                Chosen::new(Kind::Rule, RULES, name, &self.rule_params)
                    .map_err(|problem| problem.at("--rule"))?,
            ),
            None => None,
        };
        let writer = Writer::new(&self.output, &input)?;
        if is_stream(&self.output) && printer.is_json() {
            let problem = Problem::new("`--json` and `-o -` both write to stdout");
            return Err(problem.hint("write the vectors to a file"));
        }
        let matrix = matrix_file::read(&input, self.tensor.as_deref())?;
        note_conversion(printer, &matrix);
        let rows: Vec<&[f32]> = matrix.rows().collect();
        let honest = Vectors::new(&rows).map_err(|error| Problem::new(error.to_string()))?;
        let forgery = self.forge(&attack, defence.as_ref(), honest)?;
        let forged = self.shown(&attack, &forgery, rows.len(), printer)?;
        let mut out = if self.append { rows.clone() } else { Vec::new() };
        out.extend(&forged);
        if is_stream(&self.output) {
            to_stdout(printer, &out)?;
        } else {
            writer.write(&out, "vectors", true)?;
        }
        if printer.is_json() {
            printer.json(&json!({
                "input": input, "output": self.output, "attack": attack.entry.name,
                "honest": rows.len(), "byzantine": forged.len(), "dim": honest.dim(),
                "rows": out.len(), "seed": self.seed, "rule": defence.map(|rule| rule.entry.name),
            }));
        }
        let place = if is_stream(&self.output) {
            "stdout".into()
        } else {
            self.output.display().to_string()
        };
        let count = counted(forged.len(), "vector");
        printer.note(format!("{count} of {}: {place}", attack.entry.name));
        Ok(Verdict::Yes)
    }

    fn forge(
        &self,
        attack: &Chosen<AttackRule>,
        rule: Option<&Chosen<Rule>>,
        honest: Vectors<'_>,
    ) -> Result<Forgery, Problem> {
        let name = attack.entry.name;
        let most = (ROWS_MAX as usize).saturating_sub(honest.count());
        if !(1..=most).contains(&self.byzantine) {
            let message = format!("`{}` Byzantine nodes, outside 1 to {most}", self.byzantine);
            return Err(Problem::new(message).at("--byzantine"));
        }
        let (n, f) = (honest.count() + self.byzantine, self.f.unwrap_or(self.byzantine));
        let is_queried = Arc::new(AtomicBool::new(false));
        let (declared, defence) = self.defence(rule, (n, f), &is_queried)?;
        let (byzantine, args) = (self.byzantine, &attack.args);
        let setup = AttackSetup { args, population: declared, byzantine, defence };
        let built = (attack.entry.build.build)(setup);
        let mut built = built.map_err(|error| {
            let problem = Problem::new(format!("attack `{name}` cannot be built: {error}"));
            problem.hint(format!("`phalanx explain attack/{name}` shows what it needs"))
        })?;
        let needs = built.needs();
        let missing = [
            (needs.flipped, "gradients on flipped labels"),
            (needs.models, "models before the local step"),
        ];
        if let Some((_, what)) = missing.iter().find(|(is_needed, _)| *is_needed) {
            let message = format!("attack `{name}` needs {what}, which no file of vectors holds");
            return Err(Problem::new(message).at("--attack").hint("`phalanx run` has them"));
        }
        let turn = Turn::new(0, 0);
        let view = View { turn, honest, step: None, flipped: None, models: None };
        let forgery = built.forge(&view, &mut Rng::stream(self.seed, u64::MAX, "adversary"));
        if is_queried.load(Ordering::Relaxed) {
            let message = format!("attack `{name}` searches against a rule, and none is named");
            return Err(Problem::new(message).at("--rule").hint("`--rule NAME` names it"));
        }
        forgery.map_err(|error| Problem::new(format!("attack `{name}`: {error}")))
    }

    /// The rule with its mixings for all `n` vectors, or one that only tells that it was asked.
    fn defence(
        &self,
        rule: Option<&Chosen<Rule>>,
        (n, f): (usize, usize),
        is_queried: &Arc<AtomicBool>,
    ) -> Result<(Population, Defence), Problem> {
        let (mixings, population) = (self.mixes.choose()?, population(n, f)?);
        let Some(rule) = rule else {
            if !mixings.is_empty() {
                let problem = Problem::new("mixings without a rule").at("--mix");
                return Err(problem.hint("`--rule NAME` names the rule that follows them"));
            }
            let rule: Box<dyn Aggregator> = Box::new(Unnamed(Arc::clone(is_queried)));
            return Ok((population, Defence { rule, is_self_centred: false }));
        };
        let is_self_centred = rule.entry.build.is_self_centred;
        let mut built = rule.build(population)?;
        if !mixings.is_empty() {
            let mixings = mixings.iter().map(|mixing| mixing.build(population));
            built = Box::new(Chain::new(mixings.collect::<Result<_, _>>()?, built));
        }
        Ok((population, Defence { rule: built, is_self_centred }))
    }

    /// The vectors that the receiver is shown; without one, those that everybody is shown.
    fn shown<'a>(
        &self,
        attack: &Chosen<AttackRule>,
        forgery: &'a Forgery,
        honest: usize,
        printer: &mut Printer,
    ) -> Result<Vec<&'a [f32]>, Problem> {
        let name = attack.entry.name;
        if let Some(receiver) = self.receiver.filter(|receiver| *receiver >= honest) {
            let message = format!("honest row `{receiver}` of `{honest}` does not exist");
            let place = format!("--receiver {receiver}");
            return Err(Problem::new(message).at(place).hint("rows count from 0"));
        }
        let mut all = forgery.shown.chunks_exact(honest);
        if self.receiver.is_none() && !all.all(|to| to.iter().all(|shown| *shown == to[0])) {
            let problem = Problem::new(format!("attack `{name}` shows each node something else"));
            let hint = format!("`--receiver INDEX` chooses one of `{honest}`, counted from 0");
            return Err(problem.at("--receiver").hint(hint));
        }
        let receiver = self.receiver.unwrap_or(0);
        let shown = forgery.shown.chunks_exact(honest).filter_map(|to| to[receiver]);
        let vectors: Vec<&[f32]> = shown.map(|at| &*forgery.vectors[usize::from(at)]).collect();
        if vectors.is_empty() {
            let problem = Problem::new(format!("attack `{name}` shows no vector"));
            return Err(problem.at("--attack").hint("there is nothing to write"));
        }
        let silent = self.byzantine - vectors.len();
        if silent > 0 {
            printer.warning(format!("{} silent", counted(silent, "Byzantine node")));
        }
        Ok(vectors)
    }
}

/// Stands for the rule that was not named, and remembers whether anybody asked.
struct Unnamed(Arc<AtomicBool>);

impl Aggregator for Unnamed {
    fn aggregate(&mut self, _: Vectors<'_>, _: &mut [f32]) -> Result<(), AggregateError> {
        self.0.store(true, Ordering::Relaxed);
        Err(AggregateError::NoOwn { rule: "none" })
    }
}
