//! Ctrl-C: the first asks for an orderly stop, the second ends the process.
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::problem::Problem;

/// Exit code of an interrupted run.
pub const EXIT_CODE: u8 = 130;

/// Whether somebody asked to stop.
#[derive(Debug, Clone, Default)]
pub struct Interrupt(Arc<AtomicBool>);

impl Interrupt {
    /// Installs the handler of this process.
    ///
    /// # Errors
    /// When the operating system refuses a signal handler.
    pub fn install() -> Result<Self, Problem> {
        let interrupt = Self::default();
        let flag = interrupt.0.clone();
        let handler = move || {
            if flag.swap(true, Ordering::SeqCst) {
                std::process::exit(i32::from(EXIT_CODE));
            }
        };
        ctrlc::set_handler(handler)
            .map_err(|error| Problem::new(format!("cannot listen for Ctrl-C: {error}")))?;
        Ok(interrupt)
    }

    /// Asks for an orderly stop, as a first Ctrl-C does.
    pub fn ask(&self) {
        self.0.store(true, Ordering::SeqCst);
    }

    /// Whether somebody asked.
    pub fn is_asked(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }
}
