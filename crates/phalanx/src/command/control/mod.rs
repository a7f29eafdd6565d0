//! `phalanx control`: learning to regulate an unknown plant, the Riccati equation by itself, and
//! plans that stay clear of obstacles.
mod care;
mod file;
mod folder;
mod matrices;
mod regulate;
pub mod safe;
mod section;
mod work;
mod written;

use clap::{Args, Subcommand};

use crate::command::Verdict;
use crate::printer::Printer;
use crate::problem::Problem;

pub use file::ControlExperiment;
pub use safe::SafeExperiment;

const AFTER_HELP: &str = "\
Examples:
  phalanx control regulate experiments/control/x-29a.toml
  phalanx control simulate experiments/control/dubins-gp.toml
  phalanx control care --plant x-29a";

/// Regulate unknown plants, and plan flights that stay clear of obstacles
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
#[command(arg_required_else_help = true, subcommand_required = true, help_expected = true)]
#[command(disable_help_subcommand = true)]
pub struct Control {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Fly an unknown plant many times and show what learning it costs
    Regulate(regulate::Regulate),
    /// Solve the Riccati equation of a known plant: gain, closed-loop poles, residual
    Care(care::CareCommand),
    /// Plan a trajectory that stays clear of obstacles, with feedback about it
    Plan(safe::PlanCommand),
    /// Fly a plan many times with noise, and count how often it stays safe
    Simulate(safe::Simulate),
    /// Fit a model of a plant to data, and judge it by data that were held out
    Fit(safe::Fit),
}

impl Control {
    /// Carries out the subcommand.
    ///
    /// # Errors
    /// Those of the subcommand.
    pub fn carry_out(self, printer: &mut Printer) -> Result<Verdict, Problem> {
        match self.command {
            Command::Regulate(regulate) => regulate.carry_out(printer),
            Command::Care(care) => care.carry_out(printer),
            Command::Plan(plan) => plan.carry_out(printer),
            Command::Simulate(simulate) => simulate.carry_out(printer),
            Command::Fit(fit) => fit.carry_out(printer),
        }
    }
}
