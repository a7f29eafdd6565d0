//! Chains that end in a coordinate-wise rule: weights of all mixtures first, then one pass over
//! blocks of columns in which the mixtures exist within a cache only.
use crate::geometry::{Geometry, Needs, Pairs};
use crate::kernel;
use crate::kernel::order::{Columns, Family, MixtureTerms, Statistic};
use crate::mixing::{Chain, Mixing, Mixtures};
use crate::rule::{AggregateError, Aggregator, check_output};
use crate::vectors::Vectors;

/// A rule whose output is a statistic of each coordinate of mixtures `Σ W_aj x_j`, with weights
/// that depend on the geometry alone.
pub trait ColumnRule: Send {
    /// What must be computed before [`ColumnRule::mixtures`].
    fn needs(&self) -> Needs;

    /// Writes the terms of all mixtures. `None`, and nothing has changed, where distances in f64
    /// do not tell enough, so that the vectors themselves must be mixed.
    ///
    /// # Errors
    /// When the number of rows is not admissible, or too many are not finite.
    fn mixtures(
        &mut self,
        geometry: &Geometry,
        own: Option<usize>,
        out: &mut Vec<MixtureTerms>,
    ) -> Result<Option<Statistic>, AggregateError>;
}

/// A mixing that makes a multiple of each vector, by factors that depend on norms alone.
pub trait Scaling: Send {
    /// Writes the factors; 0 for a row that is not finite.
    ///
    /// # Errors
    /// When the number of rows is not admissible, or too many are not finite.
    fn factors(&mut self, geometry: &Geometry, out: &mut Vec<f64>) -> Result<(), AggregateError>;
}

/// Room for a chain that is a [`ColumnRule`].
#[derive(Debug, Default)]
pub(super) struct Fused {
    /// what is asked for; nothing where the chain is of another kind
    needs: Option<Needs>,
    columns: Columns,
    terms: Vec<MixtureTerms>,
    factors: Vec<f64>,
    scaled: Geometry,
}

impl Fused {
    /// Multiples of the vectors may come first, then weights from distances, then the rule.
    pub(super) fn new(mixings: &mut [Box<dyn Mixing>], rule: &dyn Aggregator) -> Self {
        let mut needs = None;
        let has_norms = mixings.first_mut().is_some_and(|first| first.scaling().is_some());
        let rest = &mut mixings[usize::from(has_norms)..];
        let is_geometric = rest.iter_mut().all(|mixing| mixing.geometric().is_some());
        if is_geometric && rule.coordinate_wise(1).is_some() {
            let asks = |mixing: &mut Box<dyn Mixing>| {
                mixing.geometric().is_some_and(|mixing| mixing.pairs() != Pairs::None)
            };
            let pairs = match rest.iter_mut().rposition(asks) {
                None => Pairs::None,
                Some(0) => Pairs::All,
                // Distances that are subtracted to have those of mixtures.
                Some(_) => Pairs::Exact,
            };
            needs = Some(Needs { pairs, has_norms });
        }
        Self { needs, ..Self::default() }
    }

    /// Whether the chain is of this kind.
    pub(super) fn is_possible(&self) -> bool {
        self.needs.is_some()
    }
}

/// Most by which the parts of a squared distance may exceed the squares of both lengths: their
/// rounding, 1e-16 of them, is then far below that of coordinates in f32.
const PARTS_MAX: f64 = 1e6;

/// The geometry of `s_i x_i`; whether it can be told from that of `x_i`.
///
/// `‖s_i x_i − s_j x_j‖² = s_i s_j ‖x_i − x_j‖² + (s_i − s_j)(s_i ‖x_i‖² − s_j ‖x_j‖²)`: equal
/// factors leave nothing to be subtracted. A vector that is very long before it is clipped, beside
/// short ones, leaves a small difference of large numbers.
fn scale(geometry: &Geometry, factors: &[f64], out: &mut Geometry) -> bool {
    let count = geometry.count();
    out.reset(count);
    let length = |i: usize| match factors[i] {
        0.0 => 0.0,
        factor => factor * geometry.squared_norm(i),
    };
    for (i, a) in factors.iter().enumerate() {
        out.mark_finite(i);
        for (j, b) in factors[..i].iter().enumerate() {
            let (first, second) = (length(i), length(j));
            let product = a * b;
            let apart =
                if product == 0.0 { 0.0 } else { product * geometry.squared_distance(i, j) };
            let rest = (a - b) * (first - second);
            if apart + rest.abs() > PARTS_MAX * (a * first).max(b * second) {
                return false;
            }
            out.set_squared_distance((i, j), (apart + rest).max(0.0));
        }
    }
    true
}

impl ColumnRule for Chain {
    fn needs(&self) -> Needs {
        self.fused.needs.expect("asked when the chain was made")
    }

    fn mixtures(
        &mut self,
        geometry: &Geometry,
        mut own: Option<usize>,
        out: &mut Vec<MixtureTerms>,
    ) -> Result<Option<Statistic>, AggregateError> {
        let needs = ColumnRule::needs(self);
        let Fused { factors, scaled, .. } = &mut self.fused;
        let mut mixings = &mut self.mixings[..];
        let mut geometry = geometry;
        factors.clear();
        if needs.has_norms {
            let [first, rest @ ..] = mixings else { unreachable!("there is one that scales") };
            first.scaling().expect("asked when the chain was made").factors(geometry, factors)?;
            mixings = rest;
            if needs.pairs == Pairs::None {
                // No distance is looked at.
                scaled.reset(geometry.count());
            } else if !scale(geometry, factors, scaled) {
                return Ok(None);
            }
            geometry = scaled;
        }
        self.composition.start(geometry.count(), false);
        let last = mixings.len().saturating_sub(1);
        for (at, mixing) in mixings.iter_mut().enumerate() {
            let keeps_own = mixing.keeps_own();
            let mixing = mixing.geometric().expect("asked when the chain was made");
            self.composition.mix_only(mixing, geometry, own)?;
            if at < last {
                self.composition.measure(geometry);
            }
            own = own.filter(|_| keeps_own);
        }
        write_terms(self.composition.total(), factors, out);
        match self.rule.coordinate_wise(out.len()) {
            Some(statistic) => statistic.map(Some),
            None => unreachable!("asked when the chain was made"),
        }
    }
}

/// The terms of mixtures of `s_j x_j`; without factors, of `x_j`.
fn write_terms(mixtures: &Mixtures, factors: &[f64], out: &mut Vec<MixtureTerms>) {
    out.resize_with(mixtures.count(), Vec::new);
    for (a, out) in out.iter_mut().enumerate() {
        let factor = |j: usize| factors.get(j).copied().unwrap_or(1.0);
        let terms = mixtures.row(a).iter().enumerate().map(|(j, weight)| (j, weight * factor(j)));
        out.clear();
        out.extend(terms.filter(|(_, weight)| *weight != 0.0));
    }
}

impl Chain {
    /// Condenses block by block, where the geometry allows; false, and nothing has happened,
    /// where it does not.
    pub(super) fn aggregate_columns(
        &mut self,
        vectors: Vectors<'_>,
        out: &mut [f32],
    ) -> Result<bool, AggregateError> {
        check_output(vectors, out)?;
        let mut geometry = std::mem::take(&mut self.geometry);
        let mut terms = std::mem::take(&mut self.fused.terms);
        let needs = ColumnRule::needs(self);
        geometry.compute(vectors, needs);
        // A row alone is compared with nothing.
        let is_alone = vectors.count() == 1 && needs.pairs != Pairs::None;
        if is_alone && !kernel::is_finite(vectors.row(0)) {
            geometry.mark_not_finite(0);
        }
        let statistic = self.mixtures(&geometry, vectors.own_index(), &mut terms);
        let result = statistic.and_then(|statistic| {
            let Some(statistic) = statistic else { return Ok(false) };
            let family = Family { rows: vectors.rows(), made: None };
            let found = self.fused.columns.compute_mixed(family, &terms, statistic, out);
            let tolerated = statistic.tolerated(terms.len());
            match found > tolerated {
                true => Err(AggregateError::TooManyNotFinite { found, tolerated }),
                false => Ok(true),
            }
        });
        (self.geometry, self.fused.terms) = (geometry, terms);
        result
    }
}
