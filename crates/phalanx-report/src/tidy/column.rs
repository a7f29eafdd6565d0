//! Columns of one type, where any value may be absent.
use crate::csv::Csv;
use crate::parquet;
use crate::settings::Setting;

/// The values of a column.
#[derive(Debug, Clone, PartialEq)]
pub enum Values {
    /// names and reasons
    Text(Vec<Option<String>>),
    /// seeds, rounds, messages
    Count(Vec<Option<u64>>),
    /// settings that are whole numbers
    Integer(Vec<Option<i64>>),
    /// scores; NaN and infinities are values, not absent
    Number(Vec<Option<f64>>),
    /// settings that are true or false
    Flag(Vec<Option<bool>>),
}

impl Values {
    /// How many.
    pub fn len(&self) -> usize {
        match self {
            Self::Text(values) => values.len(),
            Self::Count(values) => values.len(),
            Self::Integer(values) => values.len(),
            Self::Number(values) => values.len(),
            Self::Flag(values) => values.len(),
        }
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// One value as text that reads back as the same value; empty where it is absent.
    fn text(&self, row: usize) -> String {
        fn words<T: ToString>(value: &Option<T>) -> String {
            value.as_ref().map_or(String::new(), T::to_string)
        }
        match self {
            Self::Text(values) => words(&values[row]),
            Self::Count(values) => words(&values[row]),
            Self::Integer(values) => words(&values[row]),
            Self::Number(values) => words(&values[row]),
            Self::Flag(values) => words(&values[row]),
        }
    }

    /// Settings in the narrowest type that holds all of them.
    pub(super) fn of_settings(settings: &[Option<&Setting>]) -> Self {
        let all = |is: fn(&Setting) -> bool| settings.iter().flatten().all(|value| is(value));
        if all(|value| matches!(value, Setting::Integer(_))) {
            let integer = |value: &Option<&Setting>| match value {
                Some(Setting::Integer(value)) => Some(*value),
                _ => None,
            };
            return Self::Integer(settings.iter().map(integer).collect());
        }
        if all(|value| value.number().is_some()) {
            return Self::Number(settings.iter().map(|value| (*value)?.number()).collect());
        }
        if all(|value| matches!(value, Setting::Flag(_))) {
            let flag = |value: &Option<&Setting>| match value {
                Some(Setting::Flag(value)) => Some(*value),
                _ => None,
            };
            return Self::Flag(settings.iter().map(flag).collect());
        }
        Self::Text(settings.iter().map(|value| value.map(Setting::words)).collect())
    }
}

/// A named column.
#[derive(Debug, Clone, PartialEq)]
pub struct Column {
    /// its name, in the head of the CSV and in the schema
    pub name: String,
    /// one per row
    pub values: Values,
}

/// Columns of equal length.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Table {
    columns: Vec<Column>,
}

impl Table {
    /// Adds a column at the right; one whose name is taken gets a number after it.
    ///
    /// # Panics
    /// If it is not as long as the others.
    pub fn push(&mut self, name: impl Into<String>, values: Values) {
        let is_alike = self.columns.iter().all(|other| other.values.len() == values.len());
        assert!(is_alike, "columns of a table are equally long");
        let is_taken = |name: &str| self.columns.iter().any(|other| other.name == name);
        self.columns.push(Column { name: apart(name.into(), is_taken), values });
    }

    /// From left to right.
    pub fn columns(&self) -> &[Column] {
        &self.columns
    }

    /// How many rows.
    pub fn rows(&self) -> usize {
        self.columns.first().map_or(0, |column| column.values.len())
    }

    /// As comma-separated values, the head first.
    pub fn csv(&self) -> String {
        let head: Vec<&str> = self.columns.iter().map(|column| column.name.as_str()).collect();
        let mut csv = Csv::new(&head);
        for row in 0..self.rows() {
            let cells = self.columns.iter().map(|column| column.values.text(row));
            csv.row(&cells.collect::<Vec<_>>());
        }
        csv.finish()
    }

    /// As the bytes of a Parquet file.
    pub fn parquet(&self) -> Vec<u8> {
        parquet::file(self)
    }
}

/// A name, or where it is taken the first free one with a number after it.
pub(crate) fn apart(stem: String, is_taken: impl Fn(&str) -> bool) -> String {
    let mut name = stem.clone();
    let mut place = 1;
    while is_taken(&name) {
        place += 1;
        name = format!("{stem}-{place}");
    }
    name
}
