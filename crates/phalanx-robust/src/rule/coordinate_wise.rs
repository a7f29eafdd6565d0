//! Rules that look at one coordinate at a time: an order statistic in, an aggregator out.
use crate::geometry::{Geometry, Needs, Pairs};
use crate::kernel::order::{Columns, MixtureTerms, Statistic};
use crate::mixing::ColumnRule;
use crate::population::{Bound, Population};
use crate::rule::{AggregateError, Aggregator, BuildError, check_output};
use crate::vectors::Vectors;

/// Makes an [`Aggregator`] of a [`Statistic`] that depends on the number of vectors and f.
///
/// # Guarantee
/// With at most f rows of any bit pattern every coordinate of the result is finite. More entries
/// that are not finite than f in one coordinate (for the median: than a minority) are an error.
pub(super) struct CoordinateWise {
    f: usize,
    bound: Bound,
    statistic: fn(usize, usize) -> Statistic,
    columns: Columns,
}

impl CoordinateWise {
    /// `statistic` maps the number of vectors and f, which satisfy `bound`, to what is computed.
    pub(super) fn build(
        population: Population,
        bound: Bound,
        statistic: fn(usize, usize) -> Statistic,
    ) -> Result<Box<dyn Aggregator>, BuildError> {
        population.require(bound)?;
        let f = population.f();
        Ok(Box::new(Self { f, bound, statistic, columns: Columns::default() }))
    }
}

impl CoordinateWise {
    /// What is made of each coordinate of `count` vectors.
    fn fit(&self, count: usize) -> Result<Statistic, AggregateError> {
        Population::new(count, self.f)?.require(self.bound)?;
        Ok((self.statistic)(count, self.f))
    }
}

impl Aggregator for CoordinateWise {
    fn aggregate(&mut self, vectors: Vectors<'_>, out: &mut [f32]) -> Result<(), AggregateError> {
        check_output(vectors, out)?;
        let n = vectors.count();
        let statistic = self.fit(n)?;
        let tolerated = statistic.tolerated(n);
        let found = self.columns.compute(vectors.rows(), statistic, out);
        if found > tolerated {
            return Err(AggregateError::TooManyNotFinite { found, tolerated });
        }
        Ok(())
    }

    fn coordinate_wise(&self, count: usize) -> Option<Result<Statistic, AggregateError>> {
        Some(self.fit(count))
    }

    fn column_rule(&mut self) -> Option<&mut dyn ColumnRule> {
        Some(self)
    }
}

impl ColumnRule for CoordinateWise {
    fn needs(&self) -> Needs {
        Needs { pairs: Pairs::None, has_norms: false }
    }

    fn mixtures(
        &mut self,
        geometry: &Geometry,
        _own: Option<usize>,
        out: &mut Vec<MixtureTerms>,
    ) -> Result<Option<Statistic>, AggregateError> {
        out.clear();
        out.extend((0..geometry.count()).map(|i| vec![(i, 1.0)]));
        self.fit(out.len()).map(Some)
    }
}
