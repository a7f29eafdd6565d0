//! The one place that writes to stdout and stderr: results there, talk here.
use std::fmt::Display;
use std::io::{IsTerminal as _, Write as _};

use serde::Serialize;

use crate::environment;
use crate::problem::Problem;

/// How much talk a person wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Grade {
    /// results, warnings and errors
    Quiet,
    /// also what happens
    Default,
    /// also details; no progress line, so that nothing interleaves
    Verbose,
}

/// When to colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum ColorChoice {
    /// when it is a terminal and `NO_COLOR` is unset
    Auto,
    /// also into files
    Always,
    /// plain text
    Never,
}

/// What a person wants to see, from the global options.
#[derive(Debug, Clone, Copy)]
pub struct Wishes {
    /// how much talk
    pub grade: Grade,
    /// results as JSON
    pub is_json: bool,
    /// colour
    pub color: ColorChoice,
    /// a progress line, where stderr is a terminal
    pub is_progress_wanted: bool,
}

impl Default for Wishes {
    fn default() -> Self {
        let (grade, color) = (Grade::Default, ColorChoice::Auto);
        Self { grade, is_json: false, color, is_progress_wanted: true }
    }
}

/// A meaning that colour underlines; the words say it without.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tone {
    /// headings, names
    Strong,
    /// met, finished
    Good,
    /// a warning
    Doubtful,
    /// missed, failed
    Bad,
    /// less important
    Faint,
}

impl Tone {
    fn code(self) -> &'static str {
        match self {
            Self::Strong => "1",
            Self::Good => "32",
            Self::Doubtful => "33",
            Self::Bad => "1;31",
            Self::Faint => "2",
        }
    }
}

/// Columns that a progress line may take.
const PROGRESS_COLUMNS: usize = 79;

/// Owns stdout and stderr.
#[derive(Debug)]
pub struct Printer {
    wishes: Wishes,
    is_out_coloured: bool,
    is_err_coloured: bool,
    has_progress: bool,
    is_line_open: bool,
    is_out_closed: bool,
    failure: Option<Problem>,
}

impl Printer {
    /// A printer for this process's streams.
    pub fn new(wishes: Wishes) -> Self {
        let (out, err) = (std::io::stdout().is_terminal(), std::io::stderr().is_terminal());
        let coloured = |is_terminal: bool| match wishes.color {
            ColorChoice::Always => true,
            ColorChoice::Never => false,
            ColorChoice::Auto => is_terminal && !environment::is_colour_refused(),
        };
        Self {
            wishes,
            is_out_coloured: coloured(out) && !wishes.is_json,
            is_err_coloured: coloured(err),
            has_progress: wishes.is_progress_wanted && err && wishes.grade == Grade::Default,
            is_line_open: false,
            is_out_closed: false,
            failure: None,
        }
    }

    /// Whether results are wanted as JSON.
    pub fn is_json(&self) -> bool {
        self.wishes.is_json
    }

    /// Whether a progress line would be seen.
    pub fn has_progress(&self) -> bool {
        self.has_progress
    }

    /// Whether details are wanted.
    pub fn is_verbose(&self) -> bool {
        self.wishes.grade == Grade::Verbose
    }

    /// Text in a tone, for a result line.
    pub fn paint(&self, tone: Tone, text: impl Display) -> String {
        painted(self.is_out_coloured, tone, text)
    }

    /// Results, to stdout, with a line end.
    pub fn result(&mut self, text: impl Display) {
        self.clear_progress();
        self.write_out(&format!("{text}\n"));
    }

    /// A result that ends in a line feed of its own, plain and coloured.
    pub fn raw_result(&mut self, plain: &str, coloured: &str) {
        let text = if self.is_out_coloured { coloured } else { plain };
        self.write_out(text);
    }

    /// The same for stderr.
    pub fn raw_error(&mut self, plain: &str, coloured: &str) {
        let text = if self.is_err_coloured { coloured } else { plain };
        self.talk(text.trim_end());
    }

    /// A result as one line of JSON, to stdout.
    pub fn json(&mut self, value: &impl Serialize) {
        match serde_json::to_string(value) {
            Ok(line) => self.result(line),
            Err(error) => self.fail(Problem::new(format!("a result is not JSON: {error}"))),
        }
    }

    /// What happens, to stderr; hidden by `-q`.
    pub fn note(&mut self, text: impl Display) {
        if self.wishes.grade >= Grade::Default {
            self.talk(&text.to_string());
        }
    }

    /// A detail, to stderr; shown by `-v`.
    pub fn detail(&mut self, text: impl Display) {
        if self.wishes.grade >= Grade::Verbose {
            self.talk(&painted(self.is_err_coloured, Tone::Faint, text));
        }
    }

    /// Something that a person should know although the work goes on, to stderr.
    pub fn warning(&mut self, text: impl Display) {
        let label = painted(self.is_err_coloured, Tone::Doubtful, "warning");
        self.talk(&format!("{label}: {text}"));
    }

    /// Why the work cannot go on, to stderr, and what would help.
    pub fn problem(&mut self, problem: &Problem) {
        let label = painted(self.is_err_coloured, Tone::Bad, "error");
        self.talk(&format!("{label}: {problem}"));
        if let Some(hint) = &problem.hint {
            self.talk_hint(hint);
        }
    }

    /// What a person could do, to stderr, after an empty line; hidden by `-q`.
    pub fn hint(&mut self, text: impl Display) {
        if self.wishes.grade >= Grade::Default {
            self.talk_hint(text);
        }
    }

    fn talk_hint(&mut self, text: impl Display) {
        let label = painted(self.is_err_coloured, Tone::Strong, "hint");
        self.talk(&format!("\n{label}: {text}"));
    }

    /// Replaces the progress line.
    pub fn progress(&mut self, line: &str) {
        if self.has_progress {
            let line: String = line.chars().take(PROGRESS_COLUMNS).collect();
            let _ = write!(std::io::stderr(), "\r\x1b[2K{line}");
            self.is_line_open = true;
        }
    }

    /// Removes the progress line.
    pub fn clear_progress(&mut self) {
        if std::mem::take(&mut self.is_line_open) {
            let _ = write!(std::io::stderr(), "\r\x1b[2K");
        }
    }

    /// The first failure to write a result; a closed pipe is none.
    pub fn finish(&mut self) -> Result<(), Problem> {
        self.clear_progress();
        self.failure.take().map_or(Ok(()), Err)
    }

    // Nobody can be told that talk cannot be written.
    fn talk(&mut self, text: &str) {
        self.clear_progress();
        let _ = writeln!(std::io::stderr(), "{text}");
    }

    fn write_out(&mut self, text: &str) {
        if self.is_out_closed {
            return;
        }
        let mut out = std::io::stdout().lock();
        if let Err(error) = out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
            self.is_out_closed = true;
            if error.kind() != std::io::ErrorKind::BrokenPipe {
                let reason = crate::problem::reason(&error);
                self.fail(Problem::new(format!("cannot write results: {reason}")).at("stdout"));
            }
        }
    }

    fn fail(&mut self, problem: Problem) {
        self.failure.get_or_insert(problem);
    }
}

fn painted(is_coloured: bool, tone: Tone, text: impl Display) -> String {
    if is_coloured { format!("\x1b[{}m{text}\x1b[0m", tone.code()) } else { text.to_string() }
}
