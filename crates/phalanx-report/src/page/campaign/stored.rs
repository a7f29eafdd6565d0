//! What other commands left beside the runs: expectations as judged, settings as selected.
use std::path::Path;

use maud::{Markup, html};
use serde_json::Value;

use crate::expectation::{EXPECTATIONS, Judgement};
use crate::folder::{FolderError, read_text, syntax};
use crate::page::table;
use crate::table::Grid;

/// File of the selection of hyper-parameters, inside an experiment folder.
const SELECTION: &str = "selection.json";

/// Files that may be absent, but not broken.
#[derive(Debug, Default)]
pub(crate) struct Stored {
    expectations: Option<Vec<Judgement>>,
    selection: Option<Value>,
}

impl Stored {
    /// Reads what there is.
    ///
    /// # Errors
    /// A file is there but cannot be read.
    pub(crate) fn read(folder: &Path) -> Result<Self, FolderError> {
        Ok(Self {
            expectations: json(&folder.join(EXPECTATIONS))?,
            selection: json(&folder.join(SELECTION))?,
        })
    }
}

fn json<T: serde::de::DeserializeOwned>(path: &Path) -> Result<Option<T>, FolderError> {
    if !path.is_file() {
        return Ok(None);
    }
    let text = read_text(path)?;
    serde_json::from_str(&text).map(Some).map_err(|error| syntax(path, 0, &error))
}

pub(crate) fn sections(stored: &Stored) -> Markup {
    html! {
        @if let Some(judged) = stored.expectations.as_ref().filter(|all| !all.is_empty()) {
            (expectations(judged))
        }
        @if let Some(selection) = &stored.selection { (selected(selection)) }
    }
}

fn expectations(judged: &[Judgement]) -> Markup {
    let missed = judged.iter().filter(|one| !one.is_met).count();
    let mut sorted: Vec<&Judgement> = judged.iter().collect();
    sorted.sort_by_key(|one| one.is_met);
    let row = |one: &&Judgement| {
        let word = if one.is_met { "met" } else { "missed" };
        [word, &one.arm, &one.expected, &one.found].map(String::from).into()
    };
    let head = ["", "arm", "expected", "found"].map(String::from).into();
    html! {
        section id="expectations" {
            h2 { "Expectations" }
            p.lead { (judged.len() - missed) " of " (judged.len()) " met, as judged when the \
                campaign was last run." }
            (table(&Grid { head, rows: sorted.iter().map(row).collect(), words: 4 }))
        }
    }
}

/// The file as a table where it is a list of objects, else as it is.
fn selected(selection: &Value) -> Markup {
    let text = serde_json::to_string_pretty(selection).unwrap_or_default();
    html! {
        section id="selection" {
            h2 { "Selection of hyper-parameters" }
            @for (name, value) in selection.as_object().into_iter().flatten() {
                @if let Some(grid) = grid(value) { h3 { (name) } (table(&grid)) }
            }
            details { summary { code { (SELECTION) } } pre { (text) } }
        }
    }
}

fn grid(value: &Value) -> Option<Grid> {
    let rows = value.as_array().filter(|rows| !rows.is_empty())?;
    let objects: Vec<_> = rows.iter().map(Value::as_object).collect::<Option<_>>()?;
    let mut head: Vec<String> = Vec::new();
    for key in objects.iter().flat_map(|object| object.keys()) {
        if !head.contains(key) {
            head.push(key.clone());
        }
    }
    let text = |value: Option<&Value>| match value {
        None | Some(Value::Null) => "–".into(),
        Some(Value::String(text)) => text.clone(),
        Some(value) => value.to_string(),
    };
    let row = |object: &&serde_json::Map<String, Value>| {
        head.iter().map(|key| text(object.get(key))).collect()
    };
    let rows = objects.iter().map(row).collect();
    Some(Grid { words: head.len(), rows, head })
}
