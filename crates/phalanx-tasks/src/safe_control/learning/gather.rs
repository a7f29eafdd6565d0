//! Data of a plant, the same for the same seed in any language.
use crate::safe_control::dynamics::DynamicsError;
use crate::safe_control::gp::{GpError, Samples};
use crate::safe_control::stream::Stream;

/// Where data are observed, and how exactly.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Observed<'a> {
    /// least state and input, n + m numbers
    pub low: &'a [f64],
    /// greatest state and input, n + m numbers
    pub high: &'a [f64],
    /// standard deviation of the noise of each output
    pub noise: f64,
    /// how many rows
    pub rows: usize,
}

/// What writes the outputs of a state and an input.
pub type Answer<'a> = dyn FnMut(&[f64], &[f64], &mut [f64]) -> Result<(), DynamicsError> + 'a;

/// Why no data could be gathered.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum GatherError {
    /// The plant left the numbers.
    #[error("row `{row}` of the data: {error}")]
    Plant {
        /// which row, from 1
        row: usize,
        /// how
        error: DynamicsError,
    },
    /// The rows are no data.
    #[error(transparent)]
    Data(#[from] GpError),
}

/// Rows that are uniform in a box, answered by `answer`, which writes the n outputs of (state,
/// input), plus noise.
///
/// One stream draws all rows first, row by row, and then the noise of all rows, row by row.
///
/// # Errors
/// When the plant's answer is not finite, or there are no rows.
pub fn gather(
    (n, m): (usize, usize),
    observed: Observed<'_>,
    seed: u64,
    answer: &mut Answer<'_>,
) -> Result<Samples, GatherError> {
    let Observed { low, high, noise, rows } = observed;
    for (what, found) in [("least entries of a row", low.len()), ("greatest ones", high.len())] {
        if found != n + m {
            return Err(GpError::Shape { what, expected: n + m, found }.into());
        }
    }
    let mut stream = Stream::new(seed);
    let inputs = stream.rows(rows, low, high);
    let mut outputs = vec![0.0; rows * n];
    for (row, (at, out)) in inputs.chunks(n + m).zip(outputs.chunks_mut(n)).enumerate() {
        let (state, input) = at.split_at(n);
        let answered = answer(state, input, out);
        answered.map_err(|error| GatherError::Plant { row: row + 1, error })?;
    }
    let mut noises = vec![0.0; rows * n];
    stream.normals(&mut noises);
    outputs.iter_mut().zip(&noises).for_each(|(output, one)| *output += noise * one);
    Ok(Samples::new((n + m, n), inputs, outputs)?)
}

/// Rows to learn from and rows to judge by: of every hundred rows, in an order that a seed
/// decides, `held_out` are kept back.
///
/// # Errors
/// When nothing is left to learn from.
pub fn split(
    samples: &Samples,
    held_out: usize,
    seed: u64,
) -> Result<(Samples, Option<Samples>), GpError> {
    let rows = samples.rows();
    let mut order: Vec<usize> = (0..rows).collect();
    let mut stream = Stream::new(seed);
    for place in (1..rows).rev() {
        let other = (stream.uniform() * (place + 1) as f64) as usize;
        order.swap(place, other.min(place));
    }
    let kept_back = rows * held_out.min(100) / 100;
    let take = |rows: &[usize]| {
        // In the order of the data, so that the same rows are the same data.
        let mut rows = rows.to_vec();
        rows.sort_unstable();
        let inputs = rows.iter().flat_map(|row| samples.input(*row).to_vec()).collect();
        let outputs = rows.iter().flat_map(|row| samples.output(*row).to_vec()).collect();
        Samples::new((samples.inputs(), samples.outputs()), inputs, outputs)
    };
    let (back, left) = order.split_at(kept_back);
    let back = if back.is_empty() { None } else { Some(take(back)?) };
    Ok((take(left)?, back))
}
