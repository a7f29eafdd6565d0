//! Named scalar parameters, checked against an entry's declaration before anything is built.
use std::collections::BTreeMap;

/// A scalar that a person wrote.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// a whole number
    Integer(i64),
    /// any other number
    Number(f64),
    /// true or false
    Flag(bool),
    /// a word
    Text(String),
}

impl std::fmt::Display for Value {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Integer(value) => write!(out, "{value}"),
            Self::Number(value) => write!(out, "{value}"),
            Self::Flag(value) => write!(out, "{value}"),
            Self::Text(value) => write!(out, "{value}"),
        }
    }
}

/// Type, range and default of a parameter. A default of `None` means: must be given,
/// unless `optional` says that its absence has a meaning of its own.
#[derive(Debug, Clone, Copy, PartialEq)]
#[expect(missing_docs, reason = "min, max and default say it")]
pub enum ParamKind {
    /// whole number within `min..=max`
    Integer { min: i64, max: i64, default: Option<i64> },
    /// finite number within `min..=max`
    Number { min: f64, max: f64, default: Option<f64> },
    /// true or false
    Flag { default: bool },
    /// one of the choices
    Choice { choices: &'static [&'static str], default: &'static str },
    /// any text (a path, say)
    Text { default: Option<&'static str> },
}

/// One declared parameter.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Param {
    /// kebab case, units and bounds last
    pub name: &'static str,
    /// type, range, default
    pub kind: ParamKind,
    /// absence is allowed although there is no default
    pub is_optional: bool,
    /// one line: meaning, unit
    pub summary: &'static str,
}

impl Param {
    /// A finite number with a default.
    pub const fn number(name: &'static str, range: (f64, f64), default: f64) -> Self {
        let kind = ParamKind::Number { min: range.0, max: range.1, default: Some(default) };
        Self { name, kind, is_optional: false, summary: "" }
    }

    /// A whole number with a default.
    pub const fn integer(name: &'static str, range: (i64, i64), default: i64) -> Self {
        let kind = ParamKind::Integer { min: range.0, max: range.1, default: Some(default) };
        Self { name, kind, is_optional: false, summary: "" }
    }

    /// True or false with a default.
    pub const fn flag(name: &'static str, default: bool) -> Self {
        Self { name, kind: ParamKind::Flag { default }, is_optional: false, summary: "" }
    }

    /// One of a few words with a default.
    pub const fn choice(
        name: &'static str,
        choices: &'static [&'static str],
        default: &'static str,
    ) -> Self {
        Self { name, kind: ParamKind::Choice { choices, default }, is_optional: false, summary: "" }
    }

    /// Free text (a path, say) that may be absent.
    pub const fn text(name: &'static str) -> Self {
        Self { name, kind: ParamKind::Text { default: None }, is_optional: true, summary: "" }
    }

    /// The same without a default: absence has a meaning of its own.
    pub const fn optional(self) -> Self {
        let kind = match self.kind {
            ParamKind::Integer { min, max, .. } => ParamKind::Integer { min, max, default: None },
            ParamKind::Number { min, max, .. } => ParamKind::Number { min, max, default: None },
            other => other,
        };
        Self { kind, is_optional: true, ..self }
    }

    /// Adds the one-line summary.
    pub const fn about(self, summary: &'static str) -> Self {
        Self { summary, ..self }
    }
}

/// Why parameters were refused.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[expect(missing_docs, reason = "the messages say it")]
pub enum ArgError {
    /// no such parameter
    #[error("unknown parameter `{name}` of `{entry}`")]
    Unknown { entry: String, name: String, known: Vec<&'static str> },
    /// must be given
    #[error("parameter `{name}` of `{entry}` is missing")]
    Missing { entry: String, name: &'static str },
    /// wrong type
    #[error("parameter `{name}` of `{entry}` is `{found}`, but {expected} is needed")]
    Type { entry: String, name: &'static str, found: Value, expected: &'static str },
    /// outside its range, NaN or infinite
    #[error("parameter `{name}` of `{entry}` is `{found}`, outside {expected}")]
    Range { entry: String, name: &'static str, found: Value, expected: String },
}

/// Checked parameters of one entry, every default filled in.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Args {
    values: BTreeMap<&'static str, Value>,
}

impl Args {
    /// Checks what a person gave against what `entry` declares.
    ///
    /// # Errors
    /// [`ArgError`] names entry, parameter, value and what would be admissible.
    pub fn check(
        entry: &str,
        params: &'static [Param],
        given: &BTreeMap<String, Value>,
    ) -> Result<Self, ArgError> {
        if let Some(name) = given.keys().find(|name| params.iter().all(|p| p.name != **name)) {
            let known = params.iter().map(|param| param.name).collect();
            return Err(ArgError::Unknown { entry: entry.into(), name: name.clone(), known });
        }
        let mut values = BTreeMap::new();
        for param in params {
            let value = match given.get(param.name) {
                Some(value) => Some(Self::checked(entry, param, value)?),
                None => Self::default_of(param),
            };
            match value {
                Some(value) => drop(values.insert(param.name, value)),
                None if param.is_optional => {}
                None => {
                    return Err(ArgError::Missing { entry: entry.into(), name: param.name });
                }
            }
        }
        Ok(Self { values })
    }

    fn default_of(param: &Param) -> Option<Value> {
        match param.kind {
            ParamKind::Integer { default, .. } => default.map(Value::Integer),
            ParamKind::Number { default, .. } => default.map(Value::Number),
            ParamKind::Flag { default } => Some(Value::Flag(default)),
            ParamKind::Choice { default, .. } => Some(Value::Text(default.into())),
            ParamKind::Text { default } => default.map(|text| Value::Text(text.into())),
        }
    }

    fn checked(entry: &str, param: &Param, value: &Value) -> Result<Value, ArgError> {
        let wrong_type = |expected| ArgError::Type {
            entry: entry.into(),
            name: param.name,
            found: value.clone(),
            expected,
        };
        let out_of_range = |expected| ArgError::Range {
            entry: entry.into(),
            name: param.name,
            found: value.clone(),
            expected,
        };
        match (param.kind, value) {
            (ParamKind::Integer { min, max, .. }, Value::Integer(number)) => {
                let ok = (min..=max).contains(number);
                ok.then(|| value.clone()).ok_or_else(|| out_of_range(format!("{min} to {max}")))
            }
            (ParamKind::Integer { .. }, _) => Err(wrong_type("a whole number")),
            (ParamKind::Number { min, max, .. }, Value::Integer(_) | Value::Number(_)) => {
                let number = match value {
                    Value::Integer(number) => *number as f64,
                    Value::Number(number) => *number,
                    _ => f64::NAN,
                };
                let ok = number.is_finite() && (min..=max).contains(&number);
                ok.then_some(Value::Number(number))
                    .ok_or_else(|| out_of_range(format!("{min} to {max}")))
            }
            (ParamKind::Number { .. }, _) => Err(wrong_type("a number")),
            (ParamKind::Flag { .. }, Value::Flag(_)) => Ok(value.clone()),
            (ParamKind::Flag { .. }, _) => Err(wrong_type("true or false")),
            (ParamKind::Choice { choices, .. }, Value::Text(text)) => {
                let ok = choices.contains(&text.as_str());
                ok.then(|| value.clone()).ok_or_else(|| out_of_range(choices.join(", ")))
            }
            (ParamKind::Choice { .. }, _) => Err(wrong_type("one of its words")),
            (ParamKind::Text { .. }, Value::Text(_)) => Ok(value.clone()),
            (ParamKind::Text { .. }, _) => Err(wrong_type("text")),
        }
    }

    /// All values by name, defaults included: what is written back into a run folder.
    pub fn values(&self) -> &BTreeMap<&'static str, Value> {
        &self.values
    }

    /// Whether an optional parameter was given.
    pub fn has(&self, name: &str) -> bool {
        self.values.contains_key(name)
    }

    /// A number; panics when the entry does not declare it, which is a bug of the entry.
    pub fn number(&self, name: &str) -> f64 {
        self.number_if(name).unwrap_or_else(|| panic!("`{name}` is not a declared number"))
    }

    /// An optional number.
    pub fn number_if(&self, name: &str) -> Option<f64> {
        match self.values.get(name) {
            Some(Value::Number(value)) => Some(*value),
            _ => None,
        }
    }

    /// A whole number that the declaration bounds below by 0.
    pub fn integer(&self, name: &str) -> usize {
        self.integer_if(name).unwrap_or_else(|| panic!("`{name}` is not a declared integer"))
    }

    /// An optional whole number.
    pub fn integer_if(&self, name: &str) -> Option<usize> {
        match self.values.get(name) {
            Some(Value::Integer(value)) => usize::try_from(*value).ok(),
            _ => None,
        }
    }

    /// A flag.
    pub fn flag(&self, name: &str) -> bool {
        matches!(self.values.get(name), Some(Value::Flag(true)))
    }

    /// A choice or text.
    pub fn text(&self, name: &str) -> &str {
        self.text_if(name).unwrap_or_else(|| panic!("`{name}` is not a declared text"))
    }

    /// Optional text.
    pub fn text_if(&self, name: &str) -> Option<&str> {
        match self.values.get(name) {
            Some(Value::Text(value)) => Some(value),
            _ => None,
        }
    }
}
