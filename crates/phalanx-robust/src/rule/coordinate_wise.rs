//! Rules that look at one coordinate at a time: an order statistic in, an aggregator out.
use crate::kernel::order::{Columns, Statistic};
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

impl Aggregator for CoordinateWise {
    fn aggregate(&mut self, vectors: Vectors<'_>, out: &mut [f32]) -> Result<(), AggregateError> {
        check_output(vectors, out)?;
        let n = vectors.count();
        Population::new(n, self.f)?.require(self.bound)?;
        let statistic = (self.statistic)(n, self.f);
        let tolerated = match statistic {
            Statistic::Median => (n - 1) / 2,
            _ => self.f,
        };
        let found = self.columns.compute(vectors.rows(), statistic, out);
        if found > tolerated {
            return Err(AggregateError::TooManyNotFinite { found, tolerated });
        }
        Ok(())
    }

    fn statistic(&self, count: usize) -> Option<Statistic> {
        let population = Population::new(count, self.f).ok()?;
        population.require(self.bound).is_ok().then(|| (self.statistic)(count, self.f))
    }
}
