//! Experiment files of any text: a resolved experiment or a problem.
#![no_main]
use std::path::Path;

use libfuzzer_sys::fuzz_target;
use phalanx::experiment::{Experiment, Overrides, Registries};

fuzz_target!(|text: &str| {
    let file = Path::new("a.toml");
    let _ = Experiment::parse(text, file, &Overrides::default(), &Registries::ALL);
});
