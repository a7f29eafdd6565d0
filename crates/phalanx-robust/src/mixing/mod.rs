//! Pre-aggregation: n vectors to n (or fewer) better behaved ones, one file each.
use crate::args::Args;
use crate::geometry::{GeometricRule, Geometry, Needs, Pairs};
use crate::kernel;
use crate::population::Population;
use crate::registry::Entry;
use crate::rule::{AggregateError, Aggregator, BuildError, Effects, check_output};
use crate::state::{StateError, StateReader, StateWriter};
use crate::vectors::Vectors;

mod arc;
pub(crate) mod bucketing;
mod columns;
mod composition;
mod nearest_neighbor_mixing;
mod static_clipping;

pub use columns::{ColumnRule, Scaling};
pub use composition::{GeometricMixing, Mixtures};

use columns::Fused;
use composition::Composition;

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
    /// All rows, one after the other, writable.
    pub(crate) fn values_mut(&mut self) -> &mut [f32] {
        &mut self.values
    }
    /// Copies rows here, keeping the allocation.
    pub fn copy_from(&mut self, vectors: Vectors<'_>) {
        self.resize(vectors.count(), vectors.dim());
        self.values.chunks_exact_mut(self.dim).zip(vectors.rows()).for_each(|(to, from)| {
            to.copy_from_slice(from);
        });
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

    /// Mixes rows that the caller has no further use for where they lie, if the mixing is of that
    /// kind: false, and nothing has happened, if it is not.
    ///
    /// # Errors
    /// As [`Mixing::mix`]; what the rows then hold is unspecified.
    fn mix_in_place(&mut self, _rows: &mut Rows) -> Result<bool, AggregateError> {
        Ok(false)
    }

    /// Whether the own row is still a row of the output; where it is not, a rule centred at the
    /// own vector cannot follow.
    fn keeps_own(&self) -> bool {
        true
    }

    /// The mixing as distances in, weights out, when it is of that kind.
    fn geometric(&mut self) -> Option<&mut dyn GeometricMixing> {
        None
    }

    /// The mixing as norms in, one factor for each vector out, when it is of that kind.
    fn scaling(&mut self) -> Option<&mut dyn Scaling> {
        None
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

/// Mixings in order, then a rule: itself an [`Aggregator`], and a [`GeometricRule`] where all of
/// them are distances in, weights out.
pub struct Chain {
    mixings: Vec<Box<dyn Mixing>>,
    rule: Box<dyn Aggregator>,
    rows: [Rows; 2],
    is_geometric: bool,
    rule_needs: Needs,
    composition: Composition,
    geometry: Geometry,
    weights: Vec<f64>,
    fused: Fused,
}

impl Chain {
    /// `mixings` are applied first to last.
    pub fn new(mut mixings: Vec<Box<dyn Mixing>>, mut rule: Box<dyn Aggregator>) -> Self {
        let rule_needs = rule.geometric().map(|rule| rule.needs());
        let is_geometric = !mixings.is_empty()
            && mixings.iter_mut().all(|mixing| mixing.geometric().is_some())
            && rule_needs.is_some();
        let fused = match mixings.is_empty() {
            true => Fused::default(),
            false => Fused::new(&mut mixings, &*rule),
        };
        let nothing = Needs { pairs: Pairs::None, has_norms: false };
        Self {
            mixings,
            rule,
            rows: Default::default(),
            is_geometric,
            rule_needs: rule_needs.unwrap_or(nothing),
            composition: Composition::default(),
            geometry: Geometry::default(),
            weights: Vec::new(),
            fused,
        }
    }

    /// Mixes and condenses row by row, also where the geometry would do.
    ///
    /// # Errors
    /// As [`Aggregator::aggregate`].
    pub fn aggregate_rows(
        &mut self,
        vectors: Vectors<'_>,
        out: &mut [f32],
    ) -> Result<(), AggregateError> {
        let [mut from, mut to] = std::mem::take(&mut self.rows);
        let mut own = vectors.own_index();
        let mut is_first = true;
        for mixing in &mut self.mixings {
            if is_first {
                mixing.mix(vectors, &mut to)?;
            } else if mixing.mix_in_place(&mut from)? {
                own = own.filter(|_| mixing.keeps_own());
                continue;
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

    /// Condenses without a mixture ever being written down.
    fn aggregate_weights(
        &mut self,
        vectors: Vectors<'_>,
        out: &mut [f32],
    ) -> Result<(), AggregateError> {
        check_output(vectors, out)?;
        let mut geometry = std::mem::take(&mut self.geometry);
        let mut weights = std::mem::take(&mut self.weights);
        geometry.compute(vectors, GeometricRule::needs(self));
        // A row alone is compared with nothing.
        if vectors.count() == 1 && !kernel::is_finite(vectors.row(0)) {
            geometry.mark_not_finite(0);
        }
        weights.clear();
        weights.resize(vectors.count(), 0.0);
        let result = self.weights(&geometry, vectors.own_index(), &mut weights);
        if result.is_ok() {
            kernel::combine(vectors.rows(), &weights, out);
        }
        (self.geometry, self.weights) = (geometry, weights);
        result
    }
}

impl GeometricRule for Chain {
    fn needs(&self) -> Needs {
        composition::needs(self.rule_needs)
    }

    fn weights(
        &mut self,
        geometry: &Geometry,
        mut own: Option<usize>,
        weights: &mut [f64],
    ) -> Result<(), AggregateError> {
        self.composition.start(geometry.count(), self.rule_needs.has_norms);
        for mixing in &mut self.mixings {
            let keeps_own = mixing.keeps_own();
            let mixing = mixing.geometric().expect("asked when the chain was made");
            self.composition.mix(mixing, geometry, own)?;
            own = own.filter(|_| keeps_own);
        }
        let rule = self.rule.geometric().expect("asked when the chain was made");
        self.composition.finish(rule, own, weights)
    }
}

impl Aggregator for Chain {
    fn aggregate(&mut self, vectors: Vectors<'_>, out: &mut [f32]) -> Result<(), AggregateError> {
        // No edge leads to a mixture.
        if vectors.weights().is_some() && !self.mixings.is_empty() {
            return Err(AggregateError::EdgeWeights);
        }
        if self.is_geometric {
            return self.aggregate_weights(vectors, out);
        }
        if self.fused.is_possible() && self.aggregate_columns(vectors, out)? {
            return Ok(());
        }
        self.aggregate_rows(vectors, out)
    }

    fn column_rule(&mut self) -> Option<&mut dyn ColumnRule> {
        if self.mixings.is_empty() {
            return self.rule.column_rule();
        }
        if self.fused.is_possible() { Some(self) } else { None }
    }

    fn geometric(&mut self) -> Option<&mut dyn GeometricRule> {
        if self.mixings.is_empty() {
            return self.rule.geometric();
        }
        if self.is_geometric { Some(self) } else { None }
    }

    fn effects(&self) -> Option<Effects<'_>> {
        self.rule.effects().filter(|_| self.mixings.is_empty())
    }

    fn uses_edge_weights(&self) -> bool {
        self.mixings.is_empty() && self.rule.uses_edge_weights()
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
