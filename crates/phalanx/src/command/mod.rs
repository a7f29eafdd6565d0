//! The command line: its definition, and which command does what.
pub mod aggregate;
pub mod agree;
pub mod attack;
pub mod audit;
pub mod check;
pub mod choice;
pub mod columns;
pub mod compare;
pub mod completions;
pub mod control;
pub mod data;
pub mod explain;
pub mod explanation;
pub mod export;
pub mod list;
pub mod poison;
pub mod report;
pub mod run;
pub mod soak;
pub mod sweep;
pub mod verdict;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::{Args, CommandFactory as _, Parser, Subcommand};

use crate::environment;
use crate::printer::{ColorChoice, Grade, Printer, Wishes};
use crate::problem::Problem;
use crate::run::interrupt;

const AFTER_HELP: &str = "\
Exit codes:
  0    done
  1    the question was answered no: an expectation was missed, two runs differ
  2    it could not be asked: usage, experiment file, data, disk
  101  a bug of phalanx
  130  interrupted; the same command goes on where it stopped

Examples:
  phalanx run experiments/quickstart.toml
  phalanx explain nearest-neighbor-averaging
  phalanx report runs/quickstart";

/// Trains models across nodes of which some lie, and shows what became of it
#[derive(Debug, Parser)]
#[command(
    name = "phalanx",
    version = env!("PHALANX_VERSION"),
    max_term_width = 100,
    arg_required_else_help = true,
    subcommand_required = true,
    help_expected = true,
    disable_help_subcommand = true
)]
pub struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Global options")]
struct Global {
    /// Show results, warnings and errors only
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    quiet: bool,
    /// Show details
    #[arg(short, long, global = true)]
    verbose: bool,
    /// Write results as JSON Lines
    #[arg(long, global = true)]
    json: bool,
    /// Colour on terminals unless `NO_COLOR` is set (auto), always or never
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto")]
    #[arg(hide_possible_values = true)]
    color: ColorChoice,
    /// Show no progress line
    #[arg(long, global = true)]
    no_progress: bool,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run an experiment and summarise it
    Run(run::Run),
    /// Run a campaign: plan it, share it out, resume it, merge it
    Sweep(sweep::Sweep),
    /// Check an experiment file and show what it would run
    Check(check::Check),
    /// List what an experiment file can name
    List(list::List),
    /// Explain a rule, mixing, attack, algorithm or task
    Explain(explain::Explain),
    /// Write the report page of runs and summarise them
    Report(report::Report),
    /// Export runs as tables, or for TensorBoard
    Export(export::Export),
    /// Compare two runs bit by bit
    Compare(compare::Compare),
    /// Condense the vectors of a file to one
    Aggregate(aggregate::Aggregate),
    /// Let honest nodes agree on vectors near the mean of those of a file
    Agree(agree::Agree),
    /// Forge the vectors that Byzantine nodes would send among those of a file
    Attack(attack::Attack),
    /// Try to break the protocols, one small world per seed
    Soak(soak::Soak),
    /// Regulate unknown plants, and plan flights that stay clear of obstacles
    Control(control::Control),
    /// Make the data with which one user steers the global model of personalised learning
    Poison(poison::Poison),
    /// Measure how far one user can move the global model of personalised learning
    Audit(audit::Audit),
    /// Show which data sets are here and how to get the rest
    Data(data::Data),
    /// Write the completion script of a shell
    Completions(completions::Completions),
}

/// How a command ended when nothing went wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// done, or yes
    Yes,
    /// no
    No,
    /// stopped by a person
    Interrupted,
}

/// Everything after `main`.
pub fn main(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    let cli = match command().try_get_matches_from(args) {
        Ok(matches) => match <Cli as clap::FromArgMatches>::from_arg_matches(&matches) {
            Ok(cli) => cli,
            Err(error) => return usage(&error),
        },
        Err(error) => return usage(&error),
    };
    let mut printer = Printer::new(cli.global.wishes());
    let verdict = cli.command.carry_out(&mut printer);
    let verdict = printer.finish().and(verdict);
    match verdict {
        Ok(Verdict::Yes) => ExitCode::SUCCESS,
        Ok(Verdict::No) => ExitCode::from(1),
        Ok(Verdict::Interrupted) => ExitCode::from(interrupt::EXIT_CODE),
        Err(problem) => {
            printer.problem(&problem);
            ExitCode::from(2)
        }
    }
}

/// The definition that parser, help and completions share.
pub fn command() -> clap::Command {
    Cli::command().after_help(format!("{}\n\n{AFTER_HELP}", environment::HELP))
}

fn usage(error: &clap::Error) -> ExitCode {
    let mut printer = Printer::new(Wishes::default());
    let text = error.render();
    if error.use_stderr() {
        printer.raw_error(&text.to_string(), &text.ansi().to_string());
        return ExitCode::from(2);
    }
    printer.raw_result(&text.to_string(), &text.ansi().to_string());
    match printer.finish() {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            printer.problem(&problem);
            ExitCode::from(2)
        }
    }
}

impl Global {
    fn wishes(&self) -> Wishes {
        let grade = match (self.quiet, self.verbose) {
            (true, _) => Grade::Quiet,
            (false, false) => Grade::Default,
            (false, true) => Grade::Verbose,
        };
        let is_progress_wanted = !self.no_progress;
        Wishes { grade, is_json: self.json, color: self.color, is_progress_wanted }
    }
}

impl Command {
    fn carry_out(self, printer: &mut Printer) -> Result<Verdict, Problem> {
        match self {
            Self::Run(run) => run.carry_out(printer),
            Self::Sweep(sweep) => sweep.carry_out(printer),
            Self::Check(check) => check.carry_out(printer),
            Self::List(list) => list.carry_out(printer),
            Self::Explain(explain) => explain.carry_out(printer),
            Self::Report(report) => report.carry_out(printer),
            Self::Export(export) => export.carry_out(printer),
            Self::Compare(compare) => compare.carry_out(printer),
            Self::Aggregate(aggregate) => aggregate.carry_out(printer),
            Self::Agree(agree) => agree.carry_out(printer),
            Self::Attack(attack) => attack.carry_out(printer),
            Self::Soak(soak) => soak.carry_out(printer),
            Self::Control(control) => control.carry_out(printer),
            Self::Poison(poison) => poison.carry_out(printer),
            Self::Audit(audit) => audit.carry_out(printer),
            Self::Data(data) => data.carry_out(printer),
            Self::Completions(completions) => completions.carry_out(printer),
        }
    }
}
