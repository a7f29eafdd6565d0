//! Linear combinations of rows: f64 sums in row order, one pass over memory for all outputs.
use std::ops::Range;

use rayon::prelude::*;

use crate::kernel::lanes::{Kernel, LANES, Machine, Path};

/// Columns of one block: 25 rows of it are 200 KiB, within a second-level cache, so that many
/// outputs read each row from memory once.
const BLOCK: usize = 2048;
/// Groups of lanes whose sums stay in registers.
const GROUPS: usize = 8;
/// More rows than these are more streams than a processor's prefetching follows.
const STREAMS: usize = 8;
/// Groups of lanes whose sums, 16 KiB, stay in a first-level cache where there are more.
const GROUPS_OF_MANY: usize = 256;
/// Rows that are added to those in one go.
const AT_ONCE: usize = 8;
/// Columns of a panel, whose sums stay in registers.
const PANEL_COLUMNS: usize = GROUPS * LANES;
/// Columns ahead of a panel that are asked for early.
const PANEL_AHEAD: usize = 2 * PANEL_COLUMNS;
/// Most rows of a panel: 64 KiB.
const PANEL_ROWS_MAX: usize = 128;
/// A row must be used so many times, on average, for a panel to pay.
const PANEL_USES_MIN: usize = 2;
/// Products below which threads cost more than they save.
const LEAST_PARALLEL: usize = 1 << 19;

/// One combination among many: `out = Σ w_i x_i` over the listed rows.
#[derive(Debug)]
pub struct Combination<'a, T = Vec<(usize, f64)>> {
    /// row index and weight, ascending by row, weights not 0; owned or borrowed
    pub terms: T,
    /// where it goes; length d
    pub out: &'a mut [f32],
}

/// A combination whose terms somebody else owns.
pub type Borrowed<'a> = Combination<'a, &'a [(usize, f64)]>;

/// Terms of a combination, owned or borrowed.
pub trait Terms: AsRef<[(usize, f64)]> + Sync {}

impl<T: AsRef<[(usize, f64)]> + Sync> Terms for T {}

/// `out = Σ w_i x_i` in f64, rows of weight 0 left out (they may hold NaN), in row order.
///
/// # Panics
/// When lengths differ.
pub fn combine(rows: &[&[f32]], weights: &[f64], out: &mut [f32]) {
    assert_eq!(rows.len(), weights.len(), "one weight per row");
    combine_on(Path::best(), rows, Weights::Dense(weights), out);
}

/// Many combinations of one family of rows at once, column block by column block, so that each
/// row is read from memory once for all of them. Same bits as [`combine`].
///
/// # Panics
/// When a term names no row, or lengths differ.
pub fn combine_many<T: Terms>(rows: &[&[f32]], combinations: &mut [Combination<'_, T>]) {
    combine_many_on(Path::best(), rows, combinations);
}

pub(super) fn combine_many_on<T: Terms>(
    path: Path,
    rows: &[&[f32]],
    combinations: &mut [Combination<'_, T>],
) {
    let dim = rows.first().map_or(0, |row| row.len());
    let mut products = 0;
    for combination in combinations.iter() {
        assert_eq!(combination.out.len(), dim, "an output is as long as a row");
        products += combination.terms.as_ref().len() * dim;
    }
    let mut first = [0; FIRST_MAX];
    let first = find_equals(combinations, &mut first);
    let own = (0..combinations.len()).filter(|&at| first.get(at).is_none_or(|first| *first == at));
    let terms = own.map(|index| combinations[index].terms.as_ref().len()).sum();
    let plan = Plan::new(rows.len(), terms, first);
    if products < LEAST_PARALLEL {
        for start in (0..dim).step_by(BLOCK) {
            let columns = start..(start + BLOCK).min(dim);
            plan.run(path, Part { rows, columns, outputs: combinations, offset: 0 });
        }
        return;
    }
    let mut blocks: Vec<Vec<Borrowed<'_>>> = Vec::new();
    blocks.resize_with(dim.div_ceil(BLOCK), || Vec::with_capacity(combinations.len()));
    for Combination { terms, out } in combinations {
        for (block, out) in blocks.iter_mut().zip(out.chunks_mut(BLOCK)) {
            block.push(Combination { terms: (*terms).as_ref(), out });
        }
    }
    blocks.into_par_iter().enumerate().for_each(|(block, mut combinations)| {
        let offset = block * BLOCK;
        let columns = offset..(offset + BLOCK).min(dim);
        plan.run(path, Part { rows, columns, outputs: &mut combinations, offset });
    });
}

/// Which combinations share a sum, and how the others are found.
#[derive(Debug, Clone, Copy)]
pub(super) struct Plan<'a> {
    /// for each combination the first one with the same terms; empty where nobody looked
    first: &'a [usize],
    is_panel: bool,
}

/// Some columns of many combinations, whose outputs begin at column `offset`.
pub(super) struct Part<'a, 'b, T> {
    pub(super) rows: &'a [&'a [f32]],
    pub(super) columns: Range<usize>,
    pub(super) outputs: &'a mut [Combination<'b, T>],
    pub(super) offset: usize,
}

impl<'a> Plan<'a> {
    /// For so many rows, and so many terms in all combinations that have a sum of their own.
    pub(super) fn new(rows: usize, terms: usize, first: &'a [usize]) -> Self {
        let is_panel = rows <= PANEL_ROWS_MAX && terms >= PANEL_USES_MIN * rows;
        Self { first, is_panel }
    }

    /// The earlier combination that has the sum of combination `index`.
    #[inline(always)]
    fn shared(self, index: usize) -> Option<usize> {
        self.first.get(index).copied().filter(|first| *first < index)
    }

    pub(super) fn run<T: Terms>(self, path: Path, part: Part<'_, '_, T>) {
        let Part { rows, columns, outputs, offset } = part;
        let local = columns.start - offset..columns.end - offset;
        let mut done = 0;
        if self.is_panel {
            done = local.len() / PANEL_COLUMNS * PANEL_COLUMNS;
            let columns = columns.start..columns.start + done;
            let part = Part { rows, columns, outputs: &mut *outputs, offset };
            match rows.len() {
                ..=32 => path.run(Panel::<T, 32> { plan: self, part }),
                _ => path.run(Panel::<T, PANEL_ROWS_MAX> { plan: self, part }),
            }
        }
        for index in 0..outputs.len() {
            let (earlier, later) = outputs.split_at_mut(index);
            let Combination { terms, out } = &mut later[0];
            let out = &mut out[local.clone()];
            if let Some(first) = self.shared(index) {
                out.copy_from_slice(&earlier[first].out[local.clone()]);
            } else if done < out.len() {
                let weights = Weights::Sparse((*terms).as_ref());
                let columns = columns.start + done..columns.end;
                path.run(Block { rows, weights, columns, out: &mut out[done..] });
            }
        }
    }
}

/// Many combinations, a few columns at a time: each row is widened once for all of them, and what
/// they read lies in a first-level cache.
struct Panel<'a, 'b, T, const ROWS: usize> {
    plan: Plan<'a>,
    part: Part<'a, 'b, T>,
}

impl<T: Terms, const ROWS: usize> Kernel for Panel<'_, '_, T, ROWS> {
    #[inline(always)]
    fn run<M: Machine>(self, machine: M) {
        let Self { plan, part: Part { rows, columns, outputs, offset } } = self;
        let mut panel = [[machine.splat(0.0); GROUPS]; ROWS];
        for start in columns.step_by(PANEL_COLUMNS) {
            for (row, wide) in rows.iter().zip(&mut panel) {
                let values = row[start..start + PANEL_COLUMNS].as_chunks::<LANES>().0;
                for line in 0..PANEL_COLUMNS / 16 {
                    machine.prefetch(row.get(start + PANEL_AHEAD + 16 * line));
                }
                wide.iter_mut().zip(values).for_each(|(to, from)| *to = machine.load(from));
            }
            for (index, Combination { terms, out }) in outputs.iter_mut().enumerate() {
                if plan.shared(index).is_some() {
                    continue;
                }
                let out = &mut out[start - offset..][..PANEL_COLUMNS];
                let mut sums = [machine.splat(-0.0); GROUPS];
                for &(row, weight) in terms.as_ref() {
                    if weight != 0.0 {
                        let (weight, values) = (machine.splat(weight), &panel[row]);
                        for group in 0..GROUPS {
                            sums[group] = machine.fma(weight, values[group], sums[group]);
                        }
                    }
                }
                let out = out.as_chunks_mut::<LANES>().0;
                sums.iter().zip(out).for_each(|(sum, out)| machine.store(*sum, out));
            }
        }
    }
}

/// Combinations that are looked through for equal ones.
const FIRST_MAX: usize = 512;

/// For each combination the first one with the same terms: honest vectors that agree about who
/// is near share one sum. Nothing where there are too many to compare.
fn find_equals<'a, T: Terms>(
    combinations: &[Combination<'_, T>],
    first: &'a mut [usize; FIRST_MAX],
) -> &'a [usize] {
    if combinations.len() > FIRST_MAX {
        return &[];
    }
    let same = |a: &[(usize, f64)], b: &[(usize, f64)]| {
        let bits = |(row, weight): &(usize, f64)| (*row, weight.to_bits());
        a.len() == b.len() && a.iter().map(bits).eq(b.iter().map(bits))
    };
    for (index, combination) in combinations.iter().enumerate() {
        let terms = combination.terms.as_ref();
        let mut kinds = (0..index).filter(|&earlier| first[earlier] == earlier);
        let equal = kinds.find(|&earlier| same(combinations[earlier].terms.as_ref(), terms));
        first[index] = equal.unwrap_or(index);
    }
    &first[..combinations.len()]
}

pub(super) fn combine_on(path: Path, rows: &[&[f32]], weights: Weights<'_>, out: &mut [f32]) {
    let fill = |(index, out): (usize, &mut [f32])| {
        let columns = index * BLOCK..index * BLOCK + out.len();
        path.run(Block { rows, weights, columns, out });
    };
    if rows.len() * out.len() < LEAST_PARALLEL {
        out.chunks_mut(BLOCK).enumerate().for_each(fill);
    } else {
        out.par_chunks_mut(BLOCK).enumerate().for_each(fill);
    }
}

#[derive(Debug, Clone, Copy)]
pub(super) enum Weights<'a> {
    Dense(&'a [f64]),
    Sparse(&'a [(usize, f64)]),
}

impl Weights<'_> {
    fn len(self) -> usize {
        match self {
            Self::Dense(weights) => weights.len(),
            Self::Sparse(terms) => terms.len(),
        }
    }

    /// Row and weight of term `index`; a weight of 0 means: leave it out.
    #[inline(always)]
    fn term(self, index: usize) -> (usize, f64) {
        match self {
            Self::Dense(weights) => (index, weights[index]),
            Self::Sparse(terms) => terms[index],
        }
    }
}

/// One output over one block of columns.
struct Block<'a> {
    rows: &'a [&'a [f32]],
    weights: Weights<'a>,
    columns: Range<usize>,
    out: &'a mut [f32],
}

impl Kernel for Block<'_> {
    #[inline(always)]
    fn run<M: Machine>(self, machine: M) {
        let Self { rows, weights, columns, out } = self;
        let mut start = columns.start;
        let mut rest = out;
        if weights.len() > STREAMS {
            let (strips, part) = rest.as_chunks_mut::<{ GROUPS_OF_MANY * LANES }>();
            for strip in strips {
                sum_of_many(machine, (rows, weights), start, strip.as_chunks_mut().0);
                start += GROUPS_OF_MANY * LANES;
            }
            rest = part;
        }
        let (strips, rest) = rest.as_chunks_mut::<{ GROUPS * LANES }>();
        for strip in strips {
            strip_of_groups::<M, GROUPS>(machine, (rows, weights), start, strip.as_chunks_mut().0);
            start += GROUPS * LANES;
        }
        let (groups, rest) = rest.as_chunks_mut::<LANES>();
        for group in groups {
            strip_of_groups::<M, 1>(machine, (rows, weights), start, std::slice::from_mut(group));
            start += LANES;
        }
        let mut sum = machine.splat(-0.0);
        for index in 0..weights.len() {
            let (row, weight) = weights.term(index);
            if weight != 0.0 {
                let value = machine.load_part(&rows[row][start..start + rest.len()]);
                sum = machine.fma(machine.splat(weight), value, sum);
            }
        }
        let mut padded = [0.0; LANES];
        machine.store(sum, &mut padded);
        rest.copy_from_slice(&padded[..rest.len()]);
    }
}

#[inline(always)]
fn strip_of_groups<M: Machine, const G: usize>(
    machine: M,
    (rows, weights): (&[&[f32]], Weights<'_>),
    start: usize,
    out: &mut [[f32; LANES]],
) {
    // −0 is what changes no term: a sum from +0 would lose the sign of −0.
    let mut sums = [machine.splat(-0.0); G];
    for index in 0..weights.len() {
        let (row, weight) = weights.term(index);
        if weight != 0.0 {
            let values = &rows[row][start..start + G * LANES];
            add_rows(machine, [(values.as_chunks().0, weight)], &mut sums);
        }
    }
    for group in 0..G {
        machine.store(sums[group], &mut out[group]);
    }
}

/// A few rows at a time are read along all columns, which prefetching follows; the same sums in
/// the same order as [`strip_of_groups`].
#[inline(always)]
fn sum_of_many<M: Machine>(
    machine: M,
    (rows, weights): (&[&[f32]], Weights<'_>),
    start: usize,
    out: &mut [[f32; LANES]],
) {
    let mut sums = [machine.splat(-0.0); GROUPS_OF_MANY];
    let mut index = 0;
    while index < weights.len() {
        let mut terms = [(&[][..], 0.0); AT_ONCE];
        let mut filled = 0;
        while filled < AT_ONCE && index < weights.len() {
            let (row, weight) = weights.term(index);
            index += 1;
            if weight != 0.0 {
                let values = &rows[row][start..start + GROUPS_OF_MANY * LANES];
                terms[filled] = (values.as_chunks().0, weight);
                filled += 1;
            }
        }
        if filled == AT_ONCE {
            add_rows(machine, terms, &mut sums);
        } else {
            terms[..filled].iter().for_each(|term| add_rows(machine, [*term], &mut sums));
        }
    }
    for (sum, out) in sums.iter().zip(out) {
        machine.store(*sum, out);
    }
}

/// Adds rows, one after the other in each column.
#[inline(always)]
fn add_rows<M: Machine, const R: usize, const G: usize>(
    machine: M,
    rows: [(&[[f32; LANES]], f64); R],
    sums: &mut [M::Lanes; G],
) {
    let weights = rows.map(|(_, weight)| machine.splat(weight));
    let rows = rows.map(|(values, _)| &values[..G]);
    for (group, sum) in sums.iter_mut().enumerate() {
        for row in 0..R {
            *sum = machine.fma(weights[row], machine.load(&rows[row][group]), *sum);
        }
    }
}
