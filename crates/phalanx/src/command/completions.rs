//! `phalanx completions`: from the same definition as parser and help.
use clap::Args;
use clap_complete::Shell;

use crate::command::Verdict;
use crate::printer::Printer;
use crate::problem::Problem;

const AFTER_HELP: &str = "\
Examples:
  phalanx completions bash > ~/.local/share/bash-completion/completions/phalanx
  phalanx completions zsh > ~/.zfunc/_phalanx
  phalanx completions fish > ~/.config/fish/completions/phalanx.fish";

/// Write the completion script of a shell
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub struct Completions {
    /// The shell
    #[arg(value_name = "SHELL")]
    shell: Shell,
}

impl Completions {
    /// Prints the script.
    ///
    /// # Errors
    /// Never.
    pub fn carry_out(self, printer: &mut Printer) -> Result<Verdict, Problem> {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut super::command(), "phalanx", &mut script);
        let script = String::from_utf8_lossy(&script);
        printer.raw_result(&script, &script);
        Ok(Verdict::Yes)
    }
}
