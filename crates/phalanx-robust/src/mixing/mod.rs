//! Pre-aggregation: n vectors to n (or fewer) better behaved ones, one file each.
use crate::args::Args;
use crate::population::Population;
use crate::registry::Entry;
use crate::rule::{AggregateError, Aggregator, BuildError};
use crate::state::{StateError, StateReader, StateWriter};
use crate::vectors::Vectors;

mod arc;
mod bucketing;
mod nearest_neighbor_mixing;
mod static_clipping;

/// Every mixing that an experiment file can name.
pub const MIXINGS: &[Entry<MixingRule>] =
    &[arc::ENTRY, bucketing::ENTRY, nearest_neighbor_mixing::ENTRY, static_clipping::ENTRY];

/// Owned rows: the output of a mixing and its workspace.
///
/// # Shape
/// `count × dim`, row-major.
#[derive(Debug, Clone, Default)]
pub struct Rows {
    dim: usize,
    values: Vec<f32>,
}

impl Rows {
    /// Resizes, keeping the allocation; entries are unspecified.
    pub fn resize(&mut self, count: usize, dim: usize) {
        self.dim = dim;
        self.values.resize(count * dim, 0.0);
    }
    /// Row `i`.
    pub fn row_mut(&mut self, i: usize) -> &mut [f32] {
        &mut self.values[i * self.dim..][..self.dim]
    }
    /// All rows, writable.
    pub fn rows_mut(&mut self) -> impl Iterator<Item = &mut [f32]> {
        self.values.chunks_exact_mut(self.dim.max(1))
    }
    /// All rows.
    pub fn rows(&self) -> impl Iterator<Item = &[f32]> {
        self.values.chunks_exact(self.dim.max(1))
    }
}

/// Replaces vectors by mixtures of them, before a rule condenses those.
pub trait Mixing: Send {
    /// # Errors
    /// [`AggregateError`]; inputs are never modified. The own row, where marked, keeps its index.
    fn mix(&mut self, vectors: Vectors<'_>, out: &mut Rows) -> Result<(), AggregateError>;

    /// Whether the own row is still a row of the output; where it is not, a rule centred at the
    /// own vector cannot follow.
    fn keeps_own(&self) -> bool {
        true
    }

    /// Writes what the next call depends on.
    fn save(&self, _out: &mut StateWriter) {}

    /// # Errors
    /// When the snapshot does not fit.
    fn load(&mut self, _input: &mut StateReader<'_>) -> Result<(), StateError> {
        Ok(())
    }
}

/// Builds a mixing for `n` vectors of which `f` may be Byzantine.
pub type BuildMixing = fn(&Args, Population) -> Result<Box<dyn Mixing>, BuildError>;

/// What is known of a mixing besides name and parameters.
#[derive(Debug, Clone, Copy)]
pub struct MixingRule {
    /// the formula, in one or two lines of plain text
    pub formula: &'static str,
    /// cost in n, d, f
    pub cost: &'static str,
    /// builds it for `n` vectors of which `f` may be Byzantine
    pub build: BuildMixing,
}

/// Mixings in order, then a rule: itself an [`Aggregator`].
pub struct Chain {
    mixings: Vec<Box<dyn Mixing>>,
    rule: Box<dyn Aggregator>,
    rows: [Rows; 2],
}

impl Chain {
    /// `mixings` are applied first to last.
    pub fn new(mixings: Vec<Box<dyn Mixing>>, rule: Box<dyn Aggregator>) -> Self {
        Self { mixings, rule, rows: Default::default() }
    }
}

impl Aggregator for Chain {
    fn aggregate(&mut self, vectors: Vectors<'_>, out: &mut [f32]) -> Result<(), AggregateError> {
        let [mut from, mut to] = std::mem::take(&mut self.rows);
        let mut own = vectors.own_index();
        let mut is_first = true;
        for mixing in &mut self.mixings {
            if is_first {
                mixing.mix(vectors, &mut to)?;
            } else {
                with_own(&from, own, |vectors| mixing.mix(vectors, &mut to))?;
            }
            is_first = false;
            own = own.filter(|_| mixing.keeps_own());
            std::mem::swap(&mut from, &mut to);
        }
        let result = if is_first {
            self.rule.aggregate(vectors, out)
        } else {
            with_own(&from, own, |vectors| self.rule.aggregate(vectors, out))
        };
        self.rows = [from, to];
        result
    }

    fn save(&self, out: &mut StateWriter) {
        self.mixings.iter().for_each(|mixing| mixing.save(out));
        self.rule.save(out);
    }

    fn load(&mut self, input: &mut StateReader<'_>) -> Result<(), StateError> {
        self.mixings.iter_mut().try_for_each(|mixing| mixing.load(input))?;
        self.rule.load(input)
    }
}

fn with_own<T>(
    rows: &Rows,
    own: Option<usize>,
    act: impl FnOnce(Vectors<'_>) -> Result<T, AggregateError>,
) -> Result<T, AggregateError> {
    let rows: Vec<&[f32]> = rows.rows().collect();
    let vectors = Vectors::new(&rows)?;
    act(match own {
        Some(own) => vectors.with_own(own),
        None => vectors,
    })
}
