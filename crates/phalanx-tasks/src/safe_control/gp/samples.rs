//! What a model learns from: rows of inputs and outputs, checked once.
use super::error::GpError;

/// Most inputs and most outputs.
pub const COLUMNS_MAX: usize = 256;

/// Rows of inputs and outputs, all of them finite.
#[derive(Debug, Clone, PartialEq)]
pub struct Samples {
    inputs: Table,
    outputs: Table,
}

#[derive(Debug, Clone, PartialEq)]
struct Table {
    columns: usize,
    entries: Vec<f64>,
}

impl Samples {
    /// Rows of `columns.0` inputs and of `columns.1` outputs, both row by row.
    ///
    /// # Errors
    /// [`GpError`] when there is nothing, when a row is not whole or when a number is not finite.
    pub fn new(
        columns: (usize, usize),
        inputs: Vec<f64>,
        outputs: Vec<f64>,
    ) -> Result<Self, GpError> {
        let inputs = Table::new(("inputs", "input"), columns.0, inputs)?;
        let outputs = Table::new(("outputs", "output"), columns.1, outputs)?;
        let (expected, found) = (inputs.rows(), outputs.rows());
        if expected != found {
            return Err(GpError::Shape { what: "rows of outputs", expected, found });
        }
        Ok(Self { inputs, outputs })
    }

    /// What one step of a plant teaches: inputs are (state, input), outputs the increment of the
    /// state. `sizes` is n and m; tables row by row.
    ///
    /// # Errors
    /// [`GpError`], as for [`Samples::new`].
    pub fn of_transitions(
        sizes: (usize, usize),
        [states, inputs, next]: [&[f64]; 3],
    ) -> Result<Self, GpError> {
        let (n, m) = sizes;
        let tables = [("states", n, states), ("inputs", m, inputs), ("next states", n, next)];
        for (what, columns, entries) in tables {
            let rows = states.len() / n.max(1);
            if entries.len() != rows * columns {
                let (expected, found) = (rows * columns, entries.len());
                return Err(GpError::Shape { what, expected, found });
            }
        }
        if n == 0 {
            return Err(GpError::Empty { what: "states" });
        }
        let mut joint = Vec::with_capacity(states.len() + inputs.len());
        for (row, state) in states.chunks_exact(n).enumerate() {
            joint.extend_from_slice(state);
            joint.extend_from_slice(&inputs[row * m..(row + 1) * m]);
        }
        let increments = next.iter().zip(states).map(|(next, state)| next - state).collect();
        Self::new((n + m, n), joint, increments)
    }

    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.inputs.rows()
    }

    /// Number of inputs.
    pub fn inputs(&self) -> usize {
        self.inputs.columns
    }

    /// Number of outputs.
    pub fn outputs(&self) -> usize {
        self.outputs.columns
    }

    /// The inputs of one row.
    pub fn input(&self, row: usize) -> &[f64] {
        self.inputs.row(row)
    }

    /// The outputs of one row.
    pub fn output(&self, row: usize) -> &[f64] {
        self.outputs.row(row)
    }

    /// Appends rows of the same columns.
    ///
    /// # Errors
    /// [`GpError::Shape`] when they have others.
    pub fn append(&mut self, more: &Self) -> Result<(), GpError> {
        let sizes =
            [("inputs", self.inputs(), more.inputs()), ("outputs", self.outputs(), more.outputs())];
        for (what, expected, found) in sizes {
            if expected != found {
                return Err(GpError::Shape { what, expected, found });
            }
        }
        self.inputs.entries.extend_from_slice(&more.inputs.entries);
        self.outputs.entries.extend_from_slice(&more.outputs.entries);
        Ok(())
    }
}

impl Table {
    fn new(
        (what, table): (&'static str, &'static str),
        columns: usize,
        entries: Vec<f64>,
    ) -> Result<Self, GpError> {
        if columns == 0 {
            return Err(GpError::Empty { what });
        }
        if entries.is_empty() {
            return Err(GpError::Empty { what: "rows" });
        }
        if columns > COLUMNS_MAX {
            let hint = "a Gaussian process of so many columns learns nothing: choose some";
            return Err(GpError::TooMany { what, found: columns, limit: COLUMNS_MAX, hint });
        }
        if !entries.len().is_multiple_of(columns) {
            let (expected, found) = (entries.len().div_ceil(columns) * columns, entries.len());
            return Err(GpError::Shape { what, expected, found });
        }
        if let Some(place) = entries.iter().position(|entry| !entry.is_finite()) {
            let (row, column) = (place / columns + 1, place % columns + 1);
            return Err(GpError::NotFinite { table, row, column, value: entries[place] });
        }
        Ok(Self { columns, entries })
    }

    fn rows(&self) -> usize {
        self.entries.len() / self.columns
    }

    fn row(&self, row: usize) -> &[f64] {
        &self.entries[row * self.columns..(row + 1) * self.columns]
    }
}
