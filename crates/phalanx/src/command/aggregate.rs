//! `phalanx aggregate`: the vectors of a file, condensed to one by a rule.
use std::path::PathBuf;

use clap::Args;
use phalanx_robust::mixing::{MixingRule, Rows};
use phalanx_robust::{AggregateError, Population, RULES, Rule, Vectors};
use serde_json::json;

use crate::command::Verdict;
use crate::command::choice::{Chosen, Mixes, input};
use crate::command::explanation::{Explanation, MixingEffect, distances};
use crate::experiment::Kind;
use crate::matrix_file::{self, Matrix, Writer, is_stream};
use crate::printer::Printer;
use crate::problem::Problem;

const AFTER_HELP: &str = "\
Examples:
  phalanx aggregate --rule trimmed-mean -f 2 in.npy -o out.npy
  phalanx aggregate --rule krum -f 1 in.csv -o - --explain
  phalanx aggregate --rule geometric-median --mix static-clipping radius=2 -f 1 in.npy -o out.npy";

/// Condense the vectors of a file to one
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
#[command(override_usage = "phalanx aggregate --rule NAME [--param KEY=VALUE]... \
    [--mix NAME [KEY=VALUE]...]... -f F IN -o OUT")]
pub struct Aggregate {
    /// Read vectors from this file: .npy, .safetensors, .csv, or - for CSV on stdin
    #[arg(value_name = "IN")]
    input: Option<PathBuf>,
    /// Write the result here: .npy, .safetensors, .csv, or - for CSV on stdout
    #[arg(short, long, value_name = "OUT")]
    output: PathBuf,
    /// Choose the aggregation rule; `phalanx list rules` shows them
    #[arg(long, value_name = "NAME")]
    rule: String,
    /// Set a parameter of the rule
    #[arg(long = "param", value_name = "KEY=VALUE")]
    params: Vec<String>,
    #[command(flatten)]
    mixes: Mixes,
    /// Tolerate so many Byzantine vectors
    #[arg(short = 'f', value_name = "F")]
    f: usize,
    /// Mark this row, counted from 0, as the caller's own
    #[arg(long, value_name = "INDEX")]
    own: Option<usize>,
    /// Take this matrix of a safetensors file
    #[arg(long, value_name = "NAME")]
    tensor: Option<String>,
    /// Show what became of each vector and why
    #[arg(long)]
    explain: bool,
}

impl Aggregate {
    /// Reads, aggregates, writes.
    ///
    /// # Errors
    /// For files, names, parameters and populations that do not fit together.
    pub fn carry_out(mut self, printer: &mut Printer) -> Result<Verdict, Problem> {
        let input = input(self.input.take(), &mut self.mixes)?;
        let rule = Chosen::new(Kind::Rule, RULES, &self.rule, &self.params)
            .map_err(|problem| problem.at("--rule"))?;
        let mixings = self.mixes.choose()?;
        let writer = Writer::new(&self.output, &input)?;
        if is_stream(&self.output) && printer.is_json() {
            let problem = Problem::new("`--json` and `-o -` both write to stdout");
            return Err(problem.hint("write the vector to a file"));
        }
        if rule.entry.build.is_self_centred && self.own.is_none() {
            let message = format!("rule `{}` is centred at the own vector", rule.entry.name);
            let problem = Problem::new(message + ", and none is marked").at("--own");
            return Err(problem.hint("`--own INDEX` marks a row, counted from 0"));
        }
        let mut matrix = matrix_file::read(&input, self.tensor.as_deref())?;
        note_conversion(printer, &matrix);
        let (count, dim) = (matrix.count(), matrix.dim());
        let population = population(count, self.f)?;
        rule.build(population)?;
        check_own(self.own, count)?;
        let names = matrix.names.take();
        let (own, is_explained) = (self.own, self.explain);
        let work = Work { rule: &rule, mixings: &mixings, population, own, is_explained };
        let (out, explanation) = work.carry_out(matrix)?;
        let explanation = explanation.map(|explanation| explanation.with_names(names));
        self.write(&writer, &out, printer)?;
        if printer.is_json() {
            let mut value = json!({
                "input": input, "output": self.output, "count": count, "dim": dim, "f": self.f,
                "rule": rule.entry.name,
                "mixings": mixings.iter().map(|mixing| mixing.entry.name).collect::<Vec<_>>(),
            });
            if let Some(explanation) = &explanation {
                value["explanation"] = explanation.as_json();
            }
            printer.json(&value);
        } else if let Some(explanation) = explanation {
            explanation.show(printer, is_stream(&self.output));
        }
        printer.note(format!(
            "{} of {count} vectors of length {dim}, f = {}: {}",
            rule.entry.name,
            self.f,
            if is_stream(&self.output) {
                "stdout".into()
            } else {
                self.output.display().to_string()
            }
        ));
        Ok(Verdict::Yes)
    }

    fn write(&self, writer: &Writer, out: &[f32], printer: &mut Printer) -> Result<(), Problem> {
        if is_stream(&self.output) {
            return to_stdout(printer, &[out]);
        }
        writer.write(&[out], "aggregate", false)
    }
}

/// Says that numbers were rounded or became infinite.
pub(super) fn note_conversion(printer: &mut Printer, matrix: &Matrix) {
    if matrix.conversion.is_rounded {
        printer.note("the numbers are `f64` and were rounded to `f32`");
    }
    let overflowed = matrix.conversion.overflowed;
    if overflowed > 0 {
        printer.warning(format!(
            "`{overflowed}` finite numbers are beyond the range of `f32` and became infinite"
        ));
    }
}

/// Vectors as CSV to stdout.
pub(super) fn to_stdout(printer: &mut Printer, rows: &[&[f32]]) -> Result<(), Problem> {
    for row in rows {
        let mut line = Vec::new();
        let written = matrix_file::write(&mut line, matrix_file::Format::Csv, &[row], ("", false));
        written.map_err(|error| Problem::new(format!("no line of CSV: {error}")))?;
        printer.result(String::from_utf8_lossy(&line).trim_end());
    }
    Ok(())
}

/// So many vectors of which `f` may be Byzantine.
pub(super) fn population(count: usize, f: usize) -> Result<Population, Problem> {
    Population::new(count, f).map_err(|error| Problem::new(error.to_string()).at(format!("-f {f}")))
}

fn check_own(own: Option<usize>, count: usize) -> Result<(), Problem> {
    match own {
        Some(own) if own >= count => {
            let message = format!("row `{own}` of `{count}` does not exist");
            Err(Problem::new(message).at(format!("--own {own}")).hint("rows count from 0"))
        }
        _ => Ok(()),
    }
}

/// What an error of a rule or mixing means to who gave the vectors.
pub(super) fn refused(who: &str, error: &AggregateError) -> Problem {
    let problem = Problem::new(format!("{who}: {error}"));
    match error {
        AggregateError::TooManyNotFinite { found, .. } => {
            problem.hint(format!("nothing can be promised with fewer than `-f {found}`"))
        }
        AggregateError::NoOwn { .. } => {
            problem.hint("a mixing such as bucketing leaves no row that is the own one")
        }
        _ => problem,
    }
}

/// Vectors on their way through the mixings.
enum Family {
    File(Matrix),
    Mixed(Rows),
}

impl Family {
    fn rows(&self) -> Vec<&[f32]> {
        match self {
            Self::File(matrix) => matrix.rows().collect(),
            Self::Mixed(rows) => rows.rows().collect(),
        }
    }
}

struct Work<'a> {
    rule: &'a Chosen<Rule>,
    mixings: &'a [Chosen<MixingRule>],
    population: Population,
    own: Option<usize>,
    is_explained: bool,
}

impl Work<'_> {
    /// The result, and the explanation if it is wanted.
    ///
    /// Vectors that no later step needs are freed at once: without explanation at most two
    /// families are in memory, and one where nothing is mixed.
    fn carry_out(&self, matrix: Matrix) -> Result<(Vec<f32>, Option<Explanation>), Problem> {
        let mut own = self.own;
        let (mut family, mut given) = (Family::File(matrix), None);
        let mut effects = Vec::new();
        for mixing in self.mixings {
            let name = mixing.entry.name;
            let mut built = mixing.build(self.population)?;
            let mut mixed = Rows::default();
            let from = family.rows();
            let to_problem = |error| refused(&format!("mixing `{name}`"), &error);
            vectors(&from, own).and_then(|from| built.mix(from, &mut mixed)).map_err(to_problem)?;
            if self.is_explained {
                effects.push(MixingEffect::new(mixing, &from, &mixed.rows().collect::<Vec<_>>()));
            }
            drop(from);
            own = own.filter(|_| built.keeps_own());
            let before = std::mem::replace(&mut family, Family::Mixed(mixed));
            if self.is_explained && given.is_none() {
                given = Some(before);
            }
        }
        let rows = family.rows();
        let mut out = vec![0.0; rows[0].len()];
        let mut rule = self.rule.build(self.population)?;
        let to_problem = |error| refused(&format!("rule `{}`", self.rule.entry.name), &error);
        let seen = vectors(&rows, own).map_err(to_problem)?;
        rule.aggregate(seen, &mut out).map_err(to_problem)?;
        if !self.is_explained {
            return Ok((out, None));
        }
        let mut explanation = Explanation::new(self.rule, &*rule, seen, &out);
        explanation.mixings = effects;
        explanation.given = given.map(|given| distances(&given.rows(), &out));
        Ok((out, Some(explanation)))
    }
}

fn vectors<'a>(rows: &'a [&'a [f32]], own: Option<usize>) -> Result<Vectors<'a>, AggregateError> {
    let vectors = Vectors::new(rows)?;
    Ok(match own {
        Some(own) => vectors.with_own(own),
        None => vectors,
    })
}
