//! `phalanx explain`: the registry's entry on one name.
use clap::Args;
use phalanx_robust::{Param, ParamKind};
use serde_json::json;

use crate::command::Verdict;
use crate::command::columns::paragraph;
use crate::experiment::{Kind, Listed, Registries};
use crate::printer::{Printer, Tone};
use crate::problem::Problem;

const AFTER_HELP: &str = "\
Examples:
  phalanx explain nearest-neighbor-averaging
  phalanx explain algorithm/monna
  phalanx explain sign-flipping --json";

/// Explain a rule, mixing, attack, algorithm, task, exchange or misbehaviour
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub struct Explain {
    /// The name, or KIND/NAME where several kinds have it
    #[arg(value_name = "NAME")]
    name: String,
}

impl Explain {
    /// Prints every entry of that name.
    ///
    /// # Errors
    /// When nothing is called so.
    pub fn carry_out(self, printer: &mut Printer) -> Result<Verdict, Problem> {
        let (kinds, name) = self.kinds_and_name()?;
        let find = |kind: &Kind| Registries::ALL.find(*kind, name);
        let found: Vec<Listed> = kinds.iter().filter_map(find).collect();
        if found.is_empty() {
            let all: Vec<Listed> =
                kinds.iter().flat_map(|kind| Registries::ALL.list(*kind)).collect();
            let problem = Problem::new(format!("nothing is called `{name}`"));
            let known = all.iter().map(|listed| listed.name);
            return Err(match crate::suggest::closest(name, known) {
                Some(closest) => problem.hint(format!("a similar name exists: `{closest}`")),
                None => problem.hint("`phalanx list rules` and its like show what there is"),
            });
        }
        for (index, listed) in found.iter().enumerate() {
            if printer.is_json() {
                printer.json(&as_json(listed));
            } else {
                if index > 0 {
                    printer.result("");
                }
                show(printer, listed);
            }
        }
        Ok(Verdict::Yes)
    }

    fn kinds_and_name(&self) -> Result<(Vec<Kind>, &str), Problem> {
        let Some((kind, name)) = self.name.split_once('/') else {
            return Ok((Kind::ALL.to_vec(), &self.name));
        };
        match Kind::ALL.into_iter().find(|known| known.word() == kind) {
            Some(kind) => Ok((vec![kind], name)),
            None => {
                let problem = Problem::new(format!("`{kind}` is not a kind of thing"));
                Err(problem.among("kind", kind, Kind::ALL.map(Kind::word)))
            }
        }
    }
}

fn show(printer: &mut Printer, listed: &Listed) {
    let title = printer.paint(Tone::Strong, listed.name);
    let summary = paragraph("", 0, listed.summary);
    printer.result(format!("{title} ({})\n{}\n", listed.kind.word(), summary.trim_start()));
    let width = listed.facts.iter().map(|(heading, _)| heading.len()).max().unwrap_or(0);
    let width = width.max("source".len());
    for (heading, text) in &listed.facts {
        printer.result(paragraph(heading, width, text));
    }
    printer.result(paragraph("source", width, listed.source));
    if listed.params.is_empty() {
        return printer.result("\nparameters: none");
    }
    printer.result("\nparameters");
    let width = 2 + listed.params.iter().map(|param| param.name.len()).max().unwrap_or(0);
    for param in listed.params {
        let text = format!("{}, {}\n{}", kind(param), default(param), param.summary);
        printer.result(paragraph(&format!("  {}", param.name), width, &text));
    }
}

/// Type and range in words.
fn kind(param: &Param) -> String {
    match param.kind {
        ParamKind::Integer { min, max, .. } => format!("whole number, {min} to {max}"),
        ParamKind::Number { min, max, .. } => format!("number, {} to {}", short(min), short(max)),
        ParamKind::Flag { .. } => "true or false".into(),
        ParamKind::Choice { choices, .. } => format!("one of {}", choices.join(", ")),
        ParamKind::Text { .. } => "text".into(),
    }
}

/// Without the row of digits that bounds such as 1e300 have.
fn short(value: f64) -> String {
    let size = value.abs();
    let is_plain = size == 0.0 || (1e-4..1e7).contains(&size);
    if is_plain { format!("{value}") } else { format!("{value:e}") }
}

fn default(param: &Param) -> String {
    let value = match param.kind {
        ParamKind::Integer { default, .. } => default.map(|value| value.to_string()),
        ParamKind::Number { default, .. } => default.map(short),
        ParamKind::Flag { default } => Some(default.to_string()),
        ParamKind::Choice { default, .. } => Some(default.into()),
        ParamKind::Text { default } => default.map(Into::into),
    };
    match value {
        Some(value) => format!("default {value}"),
        None if param.is_optional => "optional".into(),
        None => "required".into(),
    }
}

fn as_json(listed: &Listed) -> serde_json::Value {
    let params = listed.params.iter().map(|param| {
        json!({
            "name": param.name,
            "kind": kind(param),
            "default": default(param),
            "summary": param.summary,
        })
    });
    let mut value = json!({
        "kind": listed.kind.word(),
        "name": listed.name,
        "summary": listed.summary,
        "source": listed.source,
        "parameters": params.collect::<Vec<_>>(),
    });
    for (heading, text) in &listed.facts {
        value[*heading] = json!(text);
    }
    value
}
