//! The settings of a run as dotted keys, whatever tables its experiment is written in.
use std::collections::BTreeMap;

use crate::folder::{EXPERIMENT, FolderError};
use crate::read::LoadedRun;

/// One value of a setting.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Setting {
    Integer(i64),
    Number(f64),
    Flag(bool),
    Text(String),
}

impl Setting {
    /// As a person writes it, without quotes.
    pub(crate) fn words(&self) -> String {
        match self {
            Self::Integer(value) => value.to_string(),
            Self::Number(value) => value.to_string(),
            Self::Flag(value) => value.to_string(),
            Self::Text(text) => text.clone(),
        }
    }

    /// As a number, if it is one.
    pub(crate) fn number(&self) -> Option<f64> {
        match self {
            Self::Integer(value) => Some(*value as f64),
            Self::Number(value) => Some(*value),
            Self::Flag(_) | Self::Text(_) => None,
        }
    }
}

/// Dotted keys and their values.
pub(crate) type Settings = BTreeMap<String, Setting>;

/// Keys that say which run it is, not how it is run.
const IDENTITY: [&str; 5] = ["format", "name", "arm", "run.seeds", "run.seed"];

/// Dotted keys and values of a TOML text.
///
/// A list of choices, such as the mixings, is their names joined with ` + ` under its own key, and
/// the parameters of choice i under `key.i`.
///
/// # Errors
/// What is wrong with a text that is not TOML.
pub(crate) fn flat(text: &str) -> Result<Settings, toml::de::Error> {
    let table: toml::Table = text.parse()?;
    let mut flat = BTreeMap::new();
    for (key, value) in table {
        flatten(key, value, &mut flat);
    }
    Ok(flat)
}

/// What tells the run's setting from others: its experiment without name, arm and seeds.
///
/// Choices by name are short: `rule` rather than `rule.name`. What its summary says of a choice
/// that the experiment leaves open is taken from there, and so is everything where the folder
/// holds no experiment.
///
/// # Errors
/// An experiment that is not TOML, with the line where it breaks.
pub(crate) fn of_run(run: &LoadedRun) -> Result<Settings, FolderError> {
    let mut settings = match &run.experiment {
        Some(text) => flat(text).map_err(|reason| broken(run, text, &reason))?,
        None => Settings::new(),
    };
    settings.retain(|key, _| !IDENTITY.contains(&key.as_str()));
    let summary = &run.summary;
    for (kind, name) in &summary.names {
        settings.remove(&format!("{kind}.name"));
        settings.insert(kind.clone(), Setting::Text(name.clone()));
    }
    settings.remove("attack.count");
    let counts = [("population.n", summary.n), ("population.f", summary.f)];
    for (key, value) in counts.into_iter().chain([("byzantine", summary.byzantine)]) {
        settings.insert(key.into(), Setting::Integer(value as i64));
    }
    Ok(settings)
}

fn broken(run: &LoadedRun, text: &str, error: &toml::de::Error) -> FolderError {
    let start = error.span().map_or(0, |span| span.start);
    let above = text.get(..start).map_or(0, |above| above.matches('\n').count());
    let path = run.folder.join(EXPERIMENT);
    FolderError::Syntax { path, line: above + 1, reason: error.message().replace('\n', " ") }
}

fn flatten(path: String, value: toml::Value, flat: &mut Settings) {
    use toml::Value::{Array, Boolean, Float, Integer, String, Table};
    let setting = match value {
        Table(table) if !table.is_empty() => {
            for (key, value) in table {
                flatten(format!("{path}.{key}"), value, flat);
            }
            return;
        }
        Array(items) if is_choices(&items) => return flatten_choices(path, items, flat),
        String(text) => Setting::Text(text),
        Integer(value) => Setting::Integer(value),
        Float(value) => Setting::Number(value),
        Boolean(value) => Setting::Flag(value),
        value => Setting::Text(value.to_string()),
    };
    flat.insert(path, setting);
}

/// A list of tables that each have a name and are not arms; an empty list is one of mixings.
fn is_choices(items: &[toml::Value]) -> bool {
    let is_choice = |item: &toml::Value| item.get("name").is_some_and(toml::Value::is_str);
    items.iter().all(is_choice)
}

fn flatten_choices(path: String, items: Vec<toml::Value>, flat: &mut Settings) {
    let name =
        |item: &toml::Value| item.get("name").and_then(toml::Value::as_str).map(String::from);
    let names: Vec<String> = items.iter().filter_map(name).collect();
    let names = if names.is_empty() { "none".into() } else { names.join(" + ") };
    for (place, item) in items.into_iter().enumerate() {
        let toml::Value::Table(table) = item else { continue };
        for (key, value) in table.into_iter().filter(|(key, _)| key != "name") {
            flatten(format!("{path}.{}.{key}", place + 1), value, flat);
        }
    }
    flat.insert(path, Setting::Text(names));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_lists_and_choices_become_dotted_keys() {
        let text = "a = { b = 1, c = { d = 0.5 } }\nmixing = [{ name = \"x\", s = 2 }, { name = \
                    \"y\" }]\nnone = []\nlist = [1, 2]\n[[arm]]\nname = \"z\"";
        let flat = flat(text).unwrap();
        let words = |key: &str| flat[key].words();
        assert_eq!(flat["a.b"], Setting::Integer(1));
        assert_eq!(flat["a.c.d"], Setting::Number(0.5));
        assert_eq!((words("mixing"), words("mixing.1.s")), ("x + y".into(), "2".into()));
        assert_eq!((words("none"), words("list")), ("none".into(), "[1, 2]".into()));
        assert_eq!(flat.len(), 7);
        assert!(super::flat("a = ").is_err());
    }
}
