//! Order statistics of mixtures that are never written down: block by block, within a cache.
use rayon::prelude::*;

use super::{BLOCK, Block, Columns, Job, Line, Pair, Path, Statistic};
use crate::kernel::combine::{Borrowed, Combination, Part, Plan};
use crate::kernel::lanes;

/// Columns of the mixtures that exist at one time: 100 of them are 200 KiB.
const WIDTH: usize = 512;

/// From one mixture to the next: one cache line more, so that a column's values do not compete
/// for the same places of a cache.
const STRIDE: usize = WIDTH + 16;

/// Index and weight of the vectors of one mixture, ascending by index, weights not 0.
pub type MixtureTerms = Vec<(usize, f64)>;

/// Writes the columns of a vector from the given one on.
pub type Make<'a> = dyn Fn(usize, &mut [f32]) + Sync + 'a;

/// Vectors of which some columns are asked for at a time.
#[derive(Clone, Copy)]
pub struct Family<'a> {
    /// those that lie in memory, at least one
    pub rows: &'a [&'a [f32]],
    /// makes one more vector, whose index follows theirs
    pub made: Option<&'a Make<'a>>,
}

/// Where one value of a column comes from.
#[derive(Debug, Clone, Copy)]
enum Source {
    /// the zeros of a vector that was clipped to nothing
    Nothing,
    /// a vector of the family, where it lies
    Vector(usize),
    /// one of the distinct mixtures
    Mixture(usize),
}

/// What is done in every block.
struct Recipe<'a> {
    family: Family<'a>,
    sources: Vec<Source>,
    distinct: Vec<&'a [(usize, f64)]>,
    plan: Plan<'static>,
    statistic: Statistic,
    pairs: &'a [Pair],
    paths: (Path, lanes::Path),
}

impl Columns {
    /// As [`Columns::compute`] of mixtures of a family, each rounded to `f32` as if it had been
    /// written down; equal mixtures share a sum, and a mixture that is a vector is read where it
    /// lies.
    ///
    /// # Cost
    /// Memory: 512 columns of each mixture for each thread.
    ///
    /// # Panics
    /// When the statistic does not exist for so many mixtures, or lengths differ.
    pub fn compute_mixed(
        &mut self,
        family: Family<'_>,
        mixtures: &[MixtureTerms],
        statistic: Statistic,
        out: &mut [f32],
    ) -> usize {
        let recipe = self.recipe(family, mixtures, statistic);
        assert_eq!(family.rows[0].len(), out.len(), "an output is as long as a row");
        let blocks = out.par_chunks_mut(BLOCK).enumerate();
        let worst = blocks.map_init(
            || Work::new(&recipe),
            |work, (block, out)| {
                let parts = out.chunks_mut(WIDTH).enumerate();
                let of = |(at, out): (usize, &mut [f32])| {
                    recipe.run(work, block * BLOCK + at * WIDTH, out)
                };
                parts.map(of).max().unwrap_or(0)
            },
        );
        worst.max().unwrap_or(0)
    }

    /// As [`Columns::compute_mixed`], but the result is shown to `act`, 512 columns at a time from
    /// the given one on, and forgotten. Returns also the sum of what `act` gives, in an order that
    /// depends on the number of columns alone.
    ///
    /// # Panics
    /// As [`Columns::compute_mixed`].
    pub fn sum_over_mixed(
        &mut self,
        family: Family<'_>,
        mixtures: &[MixtureTerms],
        statistic: Statistic,
        act: &(dyn Fn(usize, &[f32]) -> f64 + Sync),
    ) -> (usize, f64) {
        let recipe = self.recipe(family, mixtures, statistic);
        let dim = family.rows[0].len();
        let block = |(work, out): &mut (Work, Vec<f32>), block: usize| {
            let (mut worst, mut sum) = (0, 0.0);
            for start in (block * BLOCK..((block + 1) * BLOCK).min(dim)).step_by(WIDTH) {
                let out = &mut out[..WIDTH.min(dim - start)];
                worst = worst.max(recipe.run(work, start, out));
                sum += act(start, out);
            }
            (worst, sum)
        };
        let blocks = (0..dim.div_ceil(BLOCK)).into_par_iter();
        let parts: Vec<(usize, f64)> =
            blocks.map_init(|| (Work::new(&recipe), vec![0.0; WIDTH]), block).collect();
        parts.iter().fold((0, 0.0), |(worst, sum), part| (worst.max(part.0), sum + part.1))
    }

    fn recipe<'a>(
        &'a mut self,
        family: Family<'a>,
        mixtures: &'a [MixtureTerms],
        statistic: Statistic,
    ) -> Recipe<'a> {
        statistic.assert_fits(mixtures.len());
        let dim = family.rows[0].len();
        assert!(family.rows.iter().all(|row| row.len() == dim), "rows of one length");
        self.prepare(mixtures.len(), statistic, 0);
        let mut distinct: Vec<&[(usize, f64)]> = Vec::with_capacity(mixtures.len());
        let mut source = |terms: &'a MixtureTerms| match terms[..] {
            [] => Source::Nothing,
            [(vector, 1.0)] => Source::Vector(vector),
            _ => {
                let known = distinct.iter().position(|known| known == terms);
                Source::Mixture(known.unwrap_or_else(|| {
                    distinct.push(terms);
                    distinct.len() - 1
                }))
            }
        };
        let sources = mixtures.iter().map(&mut source).collect();
        let vectors = family.rows.len() + usize::from(family.made.is_some());
        let plan = Plan::new(vectors, distinct.iter().map(|terms| terms.len()).sum(), &[]);
        let path = Path::available().next().unwrap_or(Path::Portable);
        let paths = (path, lanes::Path::best());
        Recipe { family, sources, distinct, plan, statistic, pairs: &self.pairs, paths }
    }
}

/// Room for one block.
struct Work {
    mixed: Vec<f32>,
    made: Vec<f32>,
    zeros: Vec<f32>,
    lines: Vec<Line>,
    column: Vec<f32>,
}

impl Work {
    fn new(recipe: &Recipe<'_>) -> Self {
        let count = recipe.sources.len();
        Self {
            mixed: vec![0.0; recipe.distinct.len() * STRIDE],
            made: vec![0.0; WIDTH],
            zeros: vec![0.0; WIDTH],
            lines: vec![Line::ZERO; count],
            column: vec![0.0; count],
        }
    }
}

impl Recipe<'_> {
    /// The statistic of at most [`WIDTH`] columns.
    fn run(&self, work: &mut Work, start: usize, out: &mut [f32]) -> usize {
        let Work { mixed, made, zeros, lines, column } = work;
        let width = out.len();
        // To their ends, so that what comes next can be asked for early.
        let mut vectors: Vec<&[f32]> = Vec::with_capacity(self.family.rows.len() + 1);
        vectors.extend(self.family.rows.iter().map(|row| &row[start..]));
        if let Some(make) = self.family.made {
            make(start, &mut made[..width]);
            vectors.push(&made[..width]);
        }
        let places = mixed.chunks_mut(STRIDE).map(|place| &mut place[..width]);
        let mut outputs: Vec<Borrowed<'_>> = self
            .distinct
            .iter()
            .copied()
            .zip(places)
            .map(|(terms, out)| Combination { terms, out })
            .collect();
        let part = Part { rows: &vectors, columns: 0..width, outputs: &mut outputs, offset: 0 };
        self.plan.run(self.paths.1, part);
        let value = |source: &Source| match *source {
            Source::Nothing => &zeros[..width],
            Source::Vector(vector) => &vectors[vector][..width],
            Source::Mixture(mixture) => &mixed[mixture * STRIDE..][..width],
        };
        let rows: Vec<&[f32]> = self.sources.iter().map(value).collect();
        let job = Job { rows: &rows, statistic: self.statistic, pairs: self.pairs };
        job.run(self.paths.0, Block { start: 0, lines, column, out })
    }
}
