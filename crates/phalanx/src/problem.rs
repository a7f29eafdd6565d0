//! What a person is told when something cannot be done: what, where, and what to do about it.
use std::fmt;

use crate::suggest;

/// An error of the world (a file, a flag, data), ready to be shown. Exit code 2.
///
/// Text: lower case, no full stop, values in backticks; the place comes last, then the hint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// what is wrong
    pub message: String,
    /// file, line or option
    pub place: Option<String>,
    /// what would help
    pub hint: Option<String>,
}

impl Problem {
    /// A problem without place or hint.
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), place: None, hint: None }
    }

    /// Says where; an inner place is kept.
    #[must_use]
    pub fn at(mut self, place: impl fmt::Display) -> Self {
        self.place.get_or_insert_with(|| place.to_string());
        self
    }

    /// Says what would help; an inner hint is kept.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint.get_or_insert_with(|| hint.into());
        self
    }

    /// Hints at the most similar of the known names, or lists them all.
    #[must_use]
    pub fn among<'a>(
        self,
        kind: &str,
        name: &str,
        known: impl IntoIterator<Item = &'a str>,
    ) -> Self {
        let known: Vec<&str> = known.into_iter().collect();
        if let Some(closest) = suggest::closest(name, known.iter().copied()) {
            let article = if kind.starts_with(['a', 'e', 'i', 'o', 'u']) { "an" } else { "a" };
            return self.hint(format!("{article} {kind} with a similar name exists: `{closest}`"));
        }
        if known.is_empty() {
            return self.hint(format!("there is no {kind} to choose from"));
        }
        let list: Vec<String> = known.iter().map(|name| format!("`{name}`")).collect();
        self.hint(format!("known: {}", list.join(", ")))
    }

    /// The problem that an operation on a file met.
    pub fn io(what: &str, path: &std::path::Path, error: &std::io::Error) -> Self {
        Self::new(format!("{what}: {}", reason(error))).at(path.display())
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.message)?;
        self.place.as_ref().map_or(Ok(()), |place| write!(out, ": {place}"))
    }
}

impl std::error::Error for Problem {}

/// The operating system's words in our style: lower case, without number.
pub fn reason(error: &std::io::Error) -> String {
    let text = error.to_string();
    let text = text.split(" (os error").next().unwrap_or_default();
    let mut letters = text.chars();
    match letters.next() {
        Some(first) => first.to_lowercase().chain(letters).collect(),
        None => "unknown error".into(),
    }
}
