//! A TOML document as a tree whose every value knows where it was written.
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use phalanx_robust::Value;
use toml::de::{DeTable, DeValue};

use crate::problem::Problem;

/// Where a value was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// a line of a file
    Line {
        /// the file, as the person named it
        file: Arc<str>,
        /// from 1
        line: usize,
    },
    /// an option of the command line, as typed
    Option(Arc<str>),
}

impl fmt::Display for Origin {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Line { file, line } => write!(out, "{file}:{line}"),
            Self::Option(option) => write!(out, "{option}"),
        }
    }
}

/// A value and where it was written.
#[derive(Debug, Clone)]
pub struct Item {
    /// the value
    pub kind: Kind,
    /// where it was written
    pub origin: Origin,
}

/// What a value can be.
#[derive(Debug, Clone)]
pub enum Kind {
    /// a number, a flag or a text
    Scalar(Value),
    /// `[ .. ]`
    List(Vec<Item>),
    /// `{ .. }`
    Table(Table),
}

/// Values by key.
pub type Table = BTreeMap<String, Item>;

impl Item {
    /// The type in words, as in `a table`.
    pub fn type_name(&self) -> &'static str {
        match &self.kind {
            Kind::Scalar(Value::Integer(_)) => "a whole number",
            Kind::Scalar(Value::Number(_)) => "a number",
            Kind::Scalar(Value::Flag(_)) => "a flag",
            Kind::Scalar(Value::Text(_)) => "a text",
            Kind::List(_) => "a list",
            Kind::Table(_) => "a table",
        }
    }

    /// The value as it would be written in a sentence or an arm's name.
    pub fn brief(&self) -> String {
        match &self.kind {
            Kind::Scalar(value) => value.to_string(),
            Kind::List(items) => {
                let items: Vec<String> = items.iter().map(Self::brief).collect();
                items.join("+")
            }
            Kind::Table(table) => match table.get("name") {
                Some(name) => name.brief(),
                None => {
                    let pairs = table.iter().map(|(key, item)| format!("{key}={}", item.brief()));
                    pairs.collect::<Vec<String>>().join("+")
                }
            },
        }
    }

    /// As a table.
    ///
    /// # Errors
    /// Says what `key` is instead.
    pub fn table(&self, key: &str) -> Result<&Table, Problem> {
        match &self.kind {
            Kind::Table(table) => Ok(table),
            _ => Err(self.mismatch(key, "a table `{ .. }`")),
        }
    }

    /// As a list.
    ///
    /// # Errors
    /// Says what `key` is instead.
    pub fn list(&self, key: &str) -> Result<&[Item], Problem> {
        match &self.kind {
            Kind::List(items) => Ok(items),
            _ => Err(self.mismatch(key, "a list `[ .. ]`")),
        }
    }

    /// As a text.
    ///
    /// # Errors
    /// Says what `key` is instead.
    pub fn text(&self, key: &str) -> Result<&str, Problem> {
        match &self.kind {
            Kind::Scalar(Value::Text(text)) => Ok(text),
            _ => Err(self.mismatch(key, "a text")),
        }
    }

    /// As a whole number within a range.
    ///
    /// # Errors
    /// Names `key`, value and range.
    pub fn integer(&self, key: &str, min: u64, max: u64) -> Result<u64, Problem> {
        let Kind::Scalar(Value::Integer(value)) = &self.kind else {
            return Err(self.mismatch(key, "a whole number"));
        };
        match u64::try_from(*value) {
            Ok(value) if (min..=max).contains(&value) => Ok(value),
            _ => Err(self.outside(key, &format!("{min} to {max}"))),
        }
    }

    /// As a finite number within a range.
    ///
    /// # Errors
    /// Names `key`, value and range.
    pub fn number(&self, key: &str, min: f64, max: f64) -> Result<f64, Problem> {
        let value = match &self.kind {
            Kind::Scalar(Value::Integer(value)) => *value as f64,
            Kind::Scalar(Value::Number(value)) => *value,
            _ => return Err(self.mismatch(key, "a number")),
        };
        if value.is_finite() && (min..=max).contains(&value) {
            return Ok(value);
        }
        if (min, max) == (f64::MIN, f64::MAX) {
            return Err(self.mismatch(key, "a finite number"));
        }
        Err(self.outside(key, &format!("{min} to {max}")))
    }

    /// As true or false.
    ///
    /// # Errors
    /// Says what `key` is instead.
    pub fn flag(&self, key: &str) -> Result<bool, Problem> {
        match &self.kind {
            Kind::Scalar(Value::Flag(value)) => Ok(*value),
            _ => Err(self.mismatch(key, "`true` or `false`")),
        }
    }

    /// One of a few words.
    ///
    /// # Errors
    /// Names `key`, value and the words.
    pub fn word<'a>(&self, key: &str, words: &[&'a str]) -> Result<&'a str, Problem> {
        let text = self.text(key)?;
        words.iter().copied().find(|word| *word == text).ok_or_else(|| {
            let problem =
                Problem::new(format!("`{key}` is `{text}`, which is not one of its words"));
            problem.at(&self.origin).among("word", text, words.iter().copied())
        })
    }

    fn mismatch(&self, key: &str, expected: &str) -> Problem {
        let found = match &self.kind {
            // Else `n = "7"` would be said to be no whole number for being `7`.
            Kind::Scalar(Value::Text(text)) => format!("the text `{text}`"),
            Kind::Scalar(_) => format!("`{}`", self.exact()),
            _ => self.type_name().into(),
        };
        Problem::new(format!("`{key}` is {found}, but {expected} is needed")).at(&self.origin)
    }

    fn outside(&self, key: &str, range: &str) -> Problem {
        let problem = Problem::new(format!("`{key}` is `{}`, outside {range}", self.exact()));
        problem.at(&self.origin)
    }

    /// As [`Item::brief`], but a number shows that it is one, and a huge one no row of zeros.
    fn exact(&self) -> String {
        match &self.kind {
            Kind::Scalar(Value::Number(value)) => format!("{value:?}"),
            _ => self.brief(),
        }
    }
}

/// Parses a file's text.
///
/// # Errors
/// Where the syntax breaks, with the line.
pub fn parse(text: &str, file: &str) -> Result<Table, Problem> {
    let place = Place { text, file: file.into() };
    let table = DeTable::parse(text).map_err(|error| place.syntax(&error))?;
    place.table(table.get_ref())
}

/// Parses the value of `--set KEY=VALUE`: TOML, or a bare word for a text.
///
/// # Errors
/// When there is no `=`, or the value is neither.
pub fn parse_setting(setting: &str) -> Result<(String, Item), Problem> {
    let option: Arc<str> = format!("--set {setting}").into();
    let Some((key, text)) = setting.split_once('=') else {
        let problem = Problem::new(format!("`{setting}` sets nothing: `KEY=VALUE` is needed"));
        return Err(problem.at("--set").hint("for example `--set algorithm.learning-rate=0.1`"));
    };
    let (key, text) = (key.trim(), text.trim());
    let origin = Origin::Option(option.clone());
    let place = Place { text, file: option };
    let kind = match DeValue::parse(text) {
        Ok(value) => place.kind(value.get_ref(), 0)?,
        Err(_) if is_bare_word(text) => Kind::Scalar(Value::Text(text.into())),
        Err(error) => {
            let message = error.message();
            let problem = Problem::new(format!("`{text}` is not a TOML value: {message}"));
            return Err(problem.at(origin).hint("quote texts: `--set 'key=\"some text\"'`"));
        }
    };
    let mut item = Item { kind, origin: origin.clone() };
    relocate(&mut item, &origin);
    Ok((key.into(), item))
}

// Texts need no quotes on a command line as long as they cannot be mistaken for TOML.
fn is_bare_word(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_alphanumeric() || "-_./~:+@ ".contains(c))
}

fn relocate(item: &mut Item, origin: &Origin) {
    item.origin = origin.clone();
    match &mut item.kind {
        Kind::Scalar(_) => {}
        Kind::List(items) => items.iter_mut().for_each(|item| relocate(item, origin)),
        Kind::Table(table) => table.values_mut().for_each(|item| relocate(item, origin)),
    }
}

/// Overrides one dotted key.
///
/// # Errors
/// When the key is malformed or passes through a value that is no table.
pub fn set(table: &mut Table, key: &str, item: Item) -> Result<(), Problem> {
    let parts: Vec<&str> = key.split('.').collect();
    if parts.iter().any(|part| part.is_empty()) {
        return Err(Problem::new(format!("`{key}` is not a key")).at(&item.origin));
    }
    let (last, path) = parts.split_last().expect("a split yields at least one part");
    let mut at = table;
    for part in path {
        let origin = item.origin.clone();
        let next = at.entry((*part).into());
        let next = next.or_insert_with(|| Item { kind: Kind::Table(Table::new()), origin });
        let Kind::Table(inner) = &mut next.kind else {
            let problem = Problem::new(format!("`{part}` of `{key}` is no table"));
            return Err(problem.at(&item.origin).hint(format!("set `{part}` as a whole")));
        };
        at = inner;
    }
    at.insert((*last).into(), item);
    Ok(())
}

/// The value of a dotted key.
pub fn get<'a>(table: &'a Table, key: &str) -> Option<&'a Item> {
    match key.split_once('.') {
        None => table.get(key),
        Some((first, rest)) => match &table.get(first)?.kind {
            Kind::Table(inner) => get(inner, rest),
            _ => None,
        },
    }
}

/// Refuses keys that are not among the known ones.
///
/// # Errors
/// Names the key, what it was looked for in, and a similar key.
pub fn only(table: &Table, known: &[&str], what: &str) -> Result<(), Problem> {
    match table.iter().find(|(key, _)| !known.contains(&key.as_str())) {
        None => Ok(()),
        Some((key, item)) => {
            let problem = Problem::new(format!("unknown key `{key}` {what}")).at(&item.origin);
            Err(problem.among("key", key, known.iter().copied()))
        }
    }
}

struct Place<'a> {
    text: &'a str,
    file: Arc<str>,
}

impl Place<'_> {
    fn origin(&self, at: usize) -> Origin {
        let before = self.text.as_bytes().iter().take(at);
        let line = 1 + before.filter(|byte| **byte == b'\n').count();
        Origin::Line { file: self.file.clone(), line }
    }

    fn syntax(&self, error: &toml::de::Error) -> Problem {
        let message = error.message().trim().replace('\n', ", ");
        let at = error.span().map_or(0, |span| span.start);
        Problem::new(format!("this is not TOML: {message}")).at(self.origin(at))
    }

    fn table(&self, table: &DeTable<'_>) -> Result<Table, Problem> {
        let entries = table.iter().map(|(key, value)| {
            // A key's own line, not its value's: that is what a person looks for.
            let origin = self.origin(key.span().start);
            let kind = self.kind(value.get_ref(), value.span().start)?;
            Ok((key.get_ref().to_string(), Item { kind, origin }))
        });
        entries.collect()
    }

    fn kind(&self, value: &DeValue<'_>, at: usize) -> Result<Kind, Problem> {
        let refuse = |what: &str| Err(Problem::new(what).at(self.origin(at)));
        Ok(Kind::Scalar(match value {
            DeValue::String(text) => Value::Text(text.to_string()),
            DeValue::Boolean(flag) => Value::Flag(*flag),
            DeValue::Integer(number) => {
                match i64::from_str_radix(number.as_str(), number.radix()) {
                    Ok(number) => Value::Integer(number),
                    Err(_) => return refuse("this whole number needs more than 64 bits"),
                }
            }
            DeValue::Float(number) => match number.as_str().parse() {
                Ok(number) => Value::Number(number),
                Err(_) => return refuse("this is not a number"),
            },
            DeValue::Datetime(_) => return refuse("a date has no meaning here"),
            DeValue::Array(items) => {
                let items = items.iter().map(|item| {
                    let at = item.span().start;
                    Ok(Item { kind: self.kind(item.get_ref(), at)?, origin: self.origin(at) })
                });
                return Ok(Kind::List(items.collect::<Result<_, Problem>>()?));
            }
            DeValue::Table(table) => return Ok(Kind::Table(self.table(table)?)),
        }))
    }
}
