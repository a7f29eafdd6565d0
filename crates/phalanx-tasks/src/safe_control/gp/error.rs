//! What can be wrong with data, parameters or a model file.

/// Why there is no model.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum GpError {
    /// There are no rows, no inputs or no outputs.
    #[error("the data have no {what}\nhint: a model needs rows, each with inputs and outputs")]
    Empty {
        /// rows, inputs, outputs
        what: &'static str,
    },
    /// Two things that belong together have different sizes.
    #[error("`{expected}` {what} were expected, but there are `{found}`")]
    Shape {
        /// numbers of inputs, parameters of an output
        what: &'static str,
        /// how many there should be
        expected: usize,
        /// how many there are
        found: usize,
    },
    /// More than this form of the model is made for.
    #[error("there are `{found}` {what}, more than `{limit}`\nhint: {hint}")]
    TooMany {
        /// rows, inputs, outputs
        what: &'static str,
        /// how many there are
        found: usize,
        /// how many there may be
        limit: usize,
        /// what to do
        hint: &'static str,
    },
    /// A number of the data is NaN or infinite.
    #[error(
        "row `{row}` of the data has `{value}` as {table} `{column}`\n\
         hint: rows count from 1; leave out rows that were not measured"
    )]
    NotFinite {
        /// input or output
        table: &'static str,
        /// which row, from 1
        row: usize,
        /// which column, from 1
        column: usize,
        /// what it is
        value: f64,
    },
    /// A column that never changes teaches nothing and cannot be scaled.
    #[error(
        "{table} `{column}` is `{value}` in every row\n\
         hint: columns count from 1; leave out what never changes, or vary it"
    )]
    Constant {
        /// input or output
        table: &'static str,
        /// which column, from 1
        column: usize,
        /// its value
        value: f64,
    },
    /// The covariance of the data is not positive definite, even with jitter.
    #[error(
        "the covariance of output `{output}` is not positive definite, even with `{jitter:e}` \
         added to its diagonal\n\
         hint: rows that repeat each other need more noise"
    )]
    NotDefinite {
        /// which output, from 1
        output: usize,
        /// the largest jitter that was tried, in units of the signal's variance
        jitter: f64,
    },
    /// A parameter is out of its range.
    #[error("{name} of output `{output}` is `{value}`, outside `{low}` to `{high}`")]
    Parameter {
        /// length scale, noise
        name: String,
        /// which output, from 1
        output: usize,
        /// what it is
        value: f64,
        /// least admissible value
        low: f64,
        /// greatest admissible value
        high: f64,
    },
    /// An option makes no sense.
    #[error("{name} is `{value}`, but {needed} is needed")]
    Option {
        /// which option
        name: &'static str,
        /// what it is
        value: f64,
        /// what would be admissible
        needed: &'static str,
    },
    /// The kernel has no closed form for that.
    #[error("the kernel `{kernel}` has no {what}")]
    Unsupported {
        /// which kernel
        kernel: &'static str,
        /// what was asked for
        what: &'static str,
    },
    /// A model file is not what it should be.
    #[error("line `{line}` of the model: {why}")]
    Text {
        /// which line, from 1
        line: usize,
        /// what is wrong
        why: String,
    },
}
