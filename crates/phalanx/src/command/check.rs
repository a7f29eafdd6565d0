//! `phalanx check`: what a file would run, without running it.
use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use crate::command::Verdict;
use crate::command::columns::{columns, counted};
use crate::experiment::{Experiment, Overrides, Registries, Run, Skipped};
use crate::printer::Printer;
use crate::problem::Problem;

const AFTER_HELP: &str = "\
Examples:
  phalanx check experiments/quickstart.toml
  phalanx check experiments/quickstart.toml --set population.f=6
  phalanx check experiments/quickstart.toml --arm monna --resolved";

/// Check an experiment file and show what it would run
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub struct Check {
    /// Experiment file
    #[arg(value_name = "FILE")]
    file: PathBuf,
    #[command(flatten)]
    choice: Choice,
    /// Show the resolved form of every arm, defaults filled in, instead of the plan
    #[arg(long)]
    resolved: bool,
}

/// What the command line changes of a file; `run` and `check` share it.
#[derive(Debug, Clone, Args)]
pub struct Choice {
    /// Override a setting of every arm, as in `--set algorithm.learning-rate=0.1`
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// Run this arm only; may be given several times
    #[arg(long, value_name = "NAME")]
    arm: Vec<String>,
    /// Run this seed only
    #[arg(long, value_name = "N")]
    #[arg(value_parser = clap::value_parser!(u64).range(..=i64::MAX as u64))]
    seed: Option<u64>,
    /// Take the quick form that the file describes under `quick`
    #[arg(long)]
    quick: bool,
}

impl Choice {
    /// All arms and seeds, with these settings.
    pub fn of_whole(set: Vec<String>, quick: bool) -> Self {
        Self { set, quick, arm: Vec::new(), seed: None }
    }

    /// Whether it leaves out nothing.
    pub fn is_whole(&self) -> bool {
        self.arm.is_empty() && self.seed.is_none()
    }

    /// As the experiment takes it.
    pub fn overrides(&self) -> Overrides {
        let arms = self.arm.clone();
        Overrides { seed: self.seed, arms, ..self.whole() }
    }

    /// The same without any arm or seed left out.
    pub fn whole(&self) -> Overrides {
        let settings = self.set.clone();
        Overrides { settings, is_quick: self.quick, ..Overrides::default() }
    }

    /// Options that every command on the same experiment needs.
    pub fn options(&self) -> String {
        let mut options = String::new();
        if self.quick {
            options.push_str(" --quick");
        }
        for setting in &self.set {
            options.push_str(&format!(" --set {}", quoted(setting)));
        }
        options
    }

    /// The command that starts one run of a file again.
    pub fn replay(&self, file: &std::path::Path, run: &Run) -> String {
        let (file, options) = (quoted(&file.display().to_string()), self.options());
        format!("phalanx run {file}{options} --arm {} --seed {}", quoted(&run.arm), run.seed)
    }
}

/// Says what `skip` left out; an entry that leaves out nothing is most likely a mistake.
pub fn tell_skips(printer: &mut Printer, experiment: &Experiment) {
    for Skipped { origin, text, points, is_idle } in &experiment.skips {
        if *is_idle {
            printer.warning(format!("`skip` never matches: {text}: {origin}"));
        } else if *points > 0 {
            printer.note(format!("skipped: {}: {text}: {origin}", counted(*points, "point")));
        }
    }
}

/// A word as a shell takes it.
pub fn quoted(word: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./=:,+@%".contains(c);
    if !word.is_empty() && word.chars().all(is_plain) {
        return word.into();
    }
    format!("'{}'", word.replace('\'', "'\\''"))
}

impl Check {
    /// Prints arms, seeds and runs.
    ///
    /// # Errors
    /// The first thing that is wrong with the file.
    pub fn carry_out(self, printer: &mut Printer) -> Result<Verdict, Problem> {
        let overrides = self.choice.overrides();
        let experiment = Experiment::load(&self.file, &overrides, &Registries::ALL)?;
        tell_skips(printer, &experiment);
        if printer.is_json() {
            for (_, run) in experiment.runs() {
                printer.json(&as_json(&run));
            }
        } else if self.resolved {
            let forms = experiment.arms.iter().filter_map(|arm| {
                let seed = *arm.seeds.first()?;
                Some(Run { seed, ..arm.settings.clone() }.to_toml())
            });
            let text = forms.collect::<Vec<_>>().join("\n");
            printer.raw_result(&text, &text);
        } else {
            show(printer, &experiment);
        }
        Ok(Verdict::Yes)
    }
}

fn as_json(run: &Run) -> serde_json::Value {
    json!({
        "experiment": run.experiment,
        "arm": run.arm,
        "seed": run.seed,
        "folder": run.folder_name(),
        "resolved": run.to_toml(),
    })
}

const HEAD: [&str; 10] =
    ["arm", "n", "f", "attack", "count", "algorithm", "rule", "mixing", "rounds", "seeds"];

fn show(printer: &mut Printer, experiment: &Experiment) {
    let mut rows: Vec<Vec<String>> = vec![HEAD.map(Into::into).into()];
    for arm in &experiment.arms {
        let run = &arm.settings;
        let mixing: Vec<&str> = run.mixing.iter().map(|choice| choice.name).collect();
        let seeds: Vec<String> = arm.seeds.iter().map(u64::to_string).collect();
        rows.push(vec![
            arm.name.clone(),
            run.population.n().to_string(),
            run.population.f().to_string(),
            run.attack.as_ref().map_or("none", |choice| choice.name).into(),
            run.byzantine.to_string(),
            run.algorithm.name.into(),
            run.rule.name.into(),
            if mixing.is_empty() { "none".into() } else { mixing.join("+") },
            run.plan.rounds.to_string(),
            seeds.join(","),
        ]);
    }
    printer.result(columns(&rows));
    if let Some(selection) = &experiment.selection {
        let combinations = counted(selection.combinations.len(), "combination");
        let seeds = counted(selection.seeds.len(), "seed");
        printer.result(format!(
            "\nselected before, for all arms: one of {combinations}, by `{}` with {seeds}",
            selection.score
        ));
    }
    let expectations = experiment.arms.iter().map(|arm| arm.expectations.len()).sum();
    printer.result(format!(
        "\n{}: {}, {}, {}",
        experiment.name,
        counted(experiment.arms.len(), "arm"),
        counted(experiment.runs().count(), "run"),
        counted(expectations, "expectation")
    ));
}
