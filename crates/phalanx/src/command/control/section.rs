//! A table of a file of its own, there or not, with defaults for what it does not say.
use crate::experiment::document::{self, Item, Table};
use crate::problem::Problem;

/// A table of the file, there or not.
pub(super) struct Section<'a> {
    key: String,
    table: Option<&'a Table>,
}

impl<'a> Section<'a> {
    /// A table by its name.
    pub(super) fn new(key: &str, table: Option<&'a Table>) -> Self {
        Self { key: key.into(), table }
    }

    /// The table of a key, which has no other keys than those known.
    ///
    /// # Errors
    /// When it is no table, or has another key.
    pub(super) fn of(document: &'a Table, key: &str, known: &[&str]) -> Result<Self, Problem> {
        let table = match document.get(key) {
            Some(item) => {
                let table = item.table(key)?;
                document::only(table, known, &format!("in `{key}`"))?;
                Some(table)
            }
            None => None,
        };
        Ok(Self::new(key, table))
    }

    pub(super) fn get(&self, key: &str) -> Option<&'a Item> {
        self.table.and_then(|table| table.get(key))
    }

    pub(super) fn number(
        &self,
        key: &str,
        range: (f64, f64),
        default: f64,
    ) -> Result<f64, Problem> {
        match self.get(key) {
            Some(item) => item.number(&format!("{}.{key}", self.key), range.0, range.1),
            None => Ok(default),
        }
    }

    pub(super) fn integer(
        &self,
        key: &str,
        range: (u64, u64),
        default: u64,
    ) -> Result<u64, Problem> {
        match self.get(key) {
            Some(item) => item.integer(&format!("{}.{key}", self.key), range.0, range.1),
            None => Ok(default),
        }
    }
}
