//! Squared distances and norms by direct differences, tiled so that rows stay in cache.
//!
//! A common offset costs no accuracy, unlike in the Gram matrix, half the work on paper, which
//! loses all digits where models agree. What a pair's sum looks like depends on its two rows
//! alone: lanes over blocks of columns, blocks summed within a span, spans summed in order. Tiles,
//! other pairs and threads have no say in it. There are two precisions:
//!
//! [`Precision::Double`]: a difference of two f32 is exact in f64 unless their exponents lie far
//! apart, squares neither overflow nor vanish, and the relative error is of the order of 1e-16.
//!
//! [`Precision::Single`]: within a block of 896 columns differences, squares and sums are f32.
//! With u = 2⁻²⁴ a term is rounded twice in its difference (squared), at most 8 times in the sum
//! of a run of 8 and at most 6 times in the sum of 7 runs, and no term is negative: the relative
//! error is at most 16u < 1e-6 (about 1e-8 on random data, measured). The sum of a block that
//! overflowed, or is so small that squares may have lost bits below the normal range, is thrown
//! away and found in f64, so that huge, tiny and equal rows are as exact as in f64.
use std::ops::Range;

use rayon::prelude::*;

use crate::geometry::{Geometry, Needs, Pairs};
use crate::kernel::is_finite;
use crate::kernel::lanes::{Kernel, LANES, Machine, Path, SINGLES};
use crate::vectors::Vectors;

/// Groups of lanes summed in one register.
const RUN: usize = 8;
/// Columns whose squares are summed in single precision.
const BLOCK: usize = 7 * RUN * SINGLES;
/// A sum of squares below this may have lost bits: 896 roundings of at most 2⁻¹⁵⁰ each are less
/// than 1e-12 of it.
const LEAST_TRUSTED: f64 = 1e-30;
/// Columns of one pass over all tiles: 100 rows are 700 KiB, within a second-level cache.
const CHUNK: usize = 2 * BLOCK;
/// At most so many spans, which bounds the memory for partial sums.
const SPANS_MAX: usize = 64;
/// Fewer differences than this are not worth a second thread.
const LEAST_PARALLEL: usize = 1 << 20;
/// Rows from which threads share the work of norms row by row.
const LEAST_ROWS: usize = 8;
/// Most rows on one side of a tile.
const SIDE: usize = 4;

mod tiles;

use tiles::{rectangle, triangle};

/// How differences, squares and sums within a block are rounded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Precision {
    /// f32 within a block, relative error below 1e-6: for comparing distances
    #[default]
    Single,
    /// f64, relative error of the order of 1e-16: for differences of distances
    Double,
}

/// Columns of one span, a function of d alone.
fn span_of(dim: usize) -> usize {
    dim.div_ceil(SPANS_MAX).next_multiple_of(CHUNK)
}

fn chunks_of(span: Range<usize>) -> impl Iterator<Item = Range<usize>> {
    span.clone().step_by(CHUNK).map(move |start| start..(start + CHUNK).min(span.end))
}

/// Where pair `(i, j)` lies in the lower triangle, in either order.
fn entry(i: usize, j: usize) -> usize {
    let (high, low) = if i > j { (i, j) } else { (j, i) };
    high * (high - 1) / 2 + low
}

/// Rows whose pairs are computed together: each left one with each right one, or the left ones
/// with each other when there is no right one.
#[derive(Debug, Clone, Copy, Default)]
struct Tile {
    left: [u32; SIDE],
    left_count: usize,
    right: [u32; SIDE],
    right_count: usize,
}

impl Tile {
    fn new(left: &[u32], right: &[u32]) -> Self {
        let mut tile = Self { left_count: left.len(), right_count: right.len(), ..Self::default() };
        tile.left[..left.len()].copy_from_slice(left);
        tile.right[..right.len()].copy_from_slice(right);
        tile
    }

    /// Number of pairs.
    fn pairs(&self) -> usize {
        match self.right_count {
            0 => self.left_count * (self.left_count - 1) / 2,
            right => self.left_count * right,
        }
    }

    fn run(left: Range<usize>, right: Range<usize>) -> Self {
        let mut tile = Self { left_count: left.len(), right_count: right.len(), ..Self::default() };
        left.enumerate().for_each(|(slot, row)| tile.left[slot] = row as u32);
        right.enumerate().for_each(|(slot, row)| tile.right[slot] = row as u32);
        tile
    }
}

/// Tiles and partial sums, kept between calls so that later ones allocate nothing.
#[derive(Debug, Clone, Default)]
pub struct Workspace {
    tiles: Vec<Tile>,
    precision: Precision,
    has_norms: bool,
    partial: Vec<f64>,
    total: Vec<f64>,
}

impl Workspace {
    fn plan_all(&mut self, count: usize, tile: usize) {
        self.tiles.clear();
        for start in (0..count).step_by(tile) {
            let left = start..(start + tile).min(count);
            let others = (0..start).step_by(tile);
            self.tiles.extend(others.map(|j| Tile::run(left.clone(), j..j + tile)));
            if left.len() > 1 {
                self.tiles.push(Tile::run(left, 0..0));
            }
        }
    }

    fn plan_own(&mut self, count: usize, own: usize) {
        self.tiles.clear();
        self.plan_star(own as u32, (0..count).filter(|&i| i != own).map(|i| i as u32));
    }

    /// `centre` with each of the others.
    fn plan_star(&mut self, centre: u32, others: impl Iterator<Item = u32>) {
        let mut right = [0; SIDE];
        let mut filled = 0;
        for other in others {
            right[filled] = other;
            filled += 1;
            if filled == SIDE {
                self.tiles.push(Tile::new(&[centre], &right));
                filled = 0;
            }
        }
        if filled > 0 {
            self.tiles.push(Tile::new(&[centre], &right[..filled]));
        }
    }

    /// Whole tiles where most of their pairs are asked for, stars elsewhere.
    fn plan_pairs(&mut self, count: usize, tile: usize, pairs: &[(usize, usize)]) {
        let mut is_asked = vec![false; count * count];
        for &(i, j) in pairs.iter().filter(|(i, j)| i != j) {
            is_asked[i.max(j) * count + i.min(j)] = true;
        }
        self.plan_all(count, tile);
        for tile in std::mem::take(&mut self.tiles) {
            let left = &tile.left[..tile.left_count];
            let right = if tile.right_count == 0 { left } else { &tile.right[..tile.right_count] };
            let asked = |i: u32, j: u32| is_asked[i as usize * count + j as usize];
            let wanted = |i: u32| right.iter().copied().filter(move |&j| asked(i, j));
            let rows: usize = left.iter().map(|&i| wanted(i).count()).sum();
            if 2 * rows >= tile.pairs() {
                self.tiles.push(tile);
                continue;
            }
            let tall = left.iter().filter(|&&i| wanted(i).next().is_some()).count();
            let wide = right.iter().filter(|&&j| left.iter().any(|&i| asked(i, j))).count();
            if tall <= wide {
                left.iter().for_each(|&i| self.plan_star(i, wanted(i)));
            } else {
                right.iter().for_each(|&j| {
                    self.plan_star(j, left.iter().copied().filter(|&i| asked(i, j)));
                });
            }
        }
    }

    /// Leaves in `total` the planned pairs' squared distances, then the norms where asked for.
    /// Entries that were not planned are 0.
    fn compute(&mut self, path: Path, rows: &[&[f32]]) {
        let (count, dim) = (rows.len(), rows[0].len());
        let entries = count * (count - 1) / 2 + if self.has_norms { count } else { 0 };
        self.total.clear();
        self.total.resize(entries, 0.0);
        if entries == 0 {
            return;
        }
        if self.tiles.is_empty() && count >= LEAST_ROWS {
            norms(path, rows, &mut self.total[entries - count..]);
            return;
        }
        let span = span_of(dim);
        let spans = dim.div_ceil(span);
        self.partial.clear();
        self.partial.resize(spans * entries, 0.0);
        let (tiles, precision, has_norms) = (&self.tiles, self.precision, self.has_norms);
        let fill = |(index, out): (usize, &mut [f64])| {
            for columns in chunks_of(index * span..((index + 1) * span).min(dim)) {
                path.run(ChunkOfTiles { rows, tiles, precision, has_norms, columns, out });
            }
        };
        let norms = if has_norms { count } else { 0 };
        let pairs: usize = tiles.iter().map(Tile::pairs).sum();
        if spans > 1 && (pairs + norms).saturating_mul(dim) >= LEAST_PARALLEL {
            self.partial.par_chunks_mut(entries).enumerate().for_each(fill);
        } else {
            self.partial.chunks_mut(entries).enumerate().for_each(fill);
        }
        for partial in self.partial.chunks(entries) {
            self.total.iter_mut().zip(partial).for_each(|(total, partial)| *total += partial);
        }
    }
}

/// Norms alone: each row from end to end, which prefetching follows, with the bits of any other
/// way.
fn norms(path: Path, rows: &[&[f32]], out: &mut [f64]) {
    let fill = |(row, out): (&&[f32], &mut f64)| {
        *out = sum_over_spans(row.len(), |columns, out| {
            let part = &row[columns];
            path.run(Inner { a: part, b: part, out });
        });
    };
    if rows.len() * rows[0].len() < LEAST_PARALLEL {
        rows.iter().zip(out).for_each(fill);
    } else {
        rows.par_iter().zip(out).for_each(fill);
    }
}

/// Every tile over one chunk of columns, added to `out`.
struct ChunkOfTiles<'a> {
    rows: &'a [&'a [f32]],
    tiles: &'a [Tile],
    precision: Precision,
    has_norms: bool,
    columns: Range<usize>,
    out: &'a mut [f64],
}

impl Kernel for ChunkOfTiles<'_> {
    #[inline(always)]
    fn run<M: Machine>(self, machine: M) {
        let Self { rows, tiles, precision, has_norms, columns, out } = self;
        if has_norms {
            let first = rows.len() * (rows.len() - 1) / 2;
            for (i, row) in rows.iter().enumerate() {
                out[first + i] += inner(machine, &row[columns.clone()], &row[columns.clone()]);
            }
        }
        for tile in tiles {
            let chunk = |i: u32| &rows[i as usize][columns.clone()];
            let (left, right) = (tile.left.map(chunk), tile.right.map(chunk));
            let rows = (left, right, precision);
            match (tile.left_count, tile.right_count) {
                (4, 4) => rectangle::<M, 4, 4>(machine, rows, tile, out),
                (3, 4) => rectangle::<M, 3, 4>(machine, rows, tile, out),
                (2, 4) => rectangle::<M, 2, 4>(machine, rows, tile, out),
                (1, 4) => rectangle::<M, 1, 4>(machine, rows, tile, out),
                (1, 3) => rectangle::<M, 1, 3>(machine, rows, tile, out),
                (2, 2) => rectangle::<M, 2, 2>(machine, rows, tile, out),
                (1, 2) => rectangle::<M, 1, 2>(machine, rows, tile, out),
                (1, 1) => rectangle::<M, 1, 1>(machine, rows, tile, out),
                (4, 0) => triangle::<M, 4>(machine, rows, tile, out),
                (3, 0) => triangle::<M, 3>(machine, rows, tile, out),
                (2, 0) => triangle::<M, 2>(machine, rows, tile, out),
                shape => unreachable!("no plan makes a tile of shape {shape:?}"),
            }
        }
    }
}

/// `Σ a_k b_k` over one chunk, in four independent groups of lanes to hide latency.
#[inline(always)]
fn inner<M: Machine>(machine: M, a: &[f32], b: &[f32]) -> f64 {
    let ((a, a_rest), (b, b_rest)) = (a.as_chunks::<LANES>(), b.as_chunks::<LANES>());
    let b = &b[..a.len()];
    let mut sums = [machine.splat(0.0); 4];
    let whole = a.len() / 4 * 4;
    for k in (0..whole).step_by(4) {
        for slot in 0..4 {
            let (x, y) = (machine.load(&a[k + slot]), machine.load(&b[k + slot]));
            sums[slot] = machine.fma(x, y, sums[slot]);
        }
    }
    for k in whole..a.len() {
        sums[0] = machine.fma(machine.load(&a[k]), machine.load(&b[k]), sums[0]);
    }
    sums[1] = machine.fma(machine.load_part(a_rest), machine.load_part(b_rest), sums[1]);
    (machine.sum(sums[0]) + machine.sum(sums[1])) + (machine.sum(sums[2]) + machine.sum(sums[3]))
}

struct Inner<'a> {
    a: &'a [f32],
    b: &'a [f32],
    out: &'a mut f64,
}

impl Kernel for Inner<'_> {
    #[inline(always)]
    fn run<M: Machine>(self, machine: M) {
        *self.out += inner(machine, self.a, self.b);
    }
}

/// `Σ a_k b_k`.
///
/// # Panics
/// When the lengths differ.
pub fn dot(a: &[f32], b: &[f32]) -> f64 {
    assert_eq!(a.len(), b.len(), "vectors of one family have one length");
    sum_over_spans(a.len(), |columns, out| {
        Path::best().run(Inner { a: &a[columns.clone()], b: &b[columns], out });
    })
}

/// `‖a − b‖²` in f64; `+∞` when the rows cannot be compared. Same bits as in any set of pairs.
///
/// # Panics
/// When the lengths differ.
pub fn squared_distance(a: &[f32], b: &[f32]) -> f64 {
    assert_eq!(a.len(), b.len(), "vectors of one family have one length");
    let tiles = [Tile::new(&[1], &[0])];
    let sum = sum_over_spans(a.len(), |columns, out| {
        let out = std::slice::from_mut(out);
        Path::best().run(ChunkOfTiles {
            rows: &[a, b],
            tiles: &tiles,
            precision: Precision::Double,
            has_norms: false,
            columns,
            out,
        });
    });
    comparable(sum)
}

/// The sum in the order that every function of this file keeps.
fn sum_over_spans(dim: usize, mut add: impl FnMut(Range<usize>, &mut f64)) -> f64 {
    let span = span_of(dim);
    let mut total = 0.0;
    for start in (0..dim).step_by(span) {
        let mut partial = 0.0;
        chunks_of(start..(start + span).min(dim)).for_each(|chunk| add(chunk, &mut partial));
        total += partial;
    }
    total
}

fn comparable(squared: f64) -> f64 {
    if squared.is_nan() { f64::INFINITY } else { squared }
}

/// Squared distances of chosen pairs in f64, each row read from memory once for all of them.
///
/// # Shape
/// `out` has one entry per pair; a pair of a row with itself is 0, or `+∞` if it is not finite.
///
/// # Panics
/// When a pair names no row, or lengths differ.
pub fn squared_distances(rows: &[&[f32]], pairs: &[(usize, usize)], out: &mut [f64]) {
    squared_distances_in(Precision::Double, rows, pairs, out);
}

/// As [`squared_distances`] in the precision asked for.
///
/// # Panics
/// When a pair names no row, or lengths differ.
pub fn squared_distances_in(
    precision: Precision,
    rows: &[&[f32]],
    pairs: &[(usize, usize)],
    out: &mut [f64],
) {
    assert_eq!(pairs.len(), out.len(), "one distance per pair");
    if rows.is_empty() || pairs.is_empty() {
        assert!(pairs.is_empty(), "a pair of no rows");
        return;
    }
    let path = Path::best();
    let mut work = Workspace { precision, ..Workspace::default() };
    work.plan_pairs(rows.len(), path.tile(), pairs);
    work.compute(path, rows);
    for (&(i, j), out) in pairs.iter().zip(out) {
        *out = match i == j {
            true if is_finite(rows[i]) => 0.0,
            true => f64::INFINITY,
            false => comparable(work.total[entry(i, j)]),
        };
    }
}

/// Fills `out` with what `needs` asks for; rows found not to be finite are marked.
pub fn geometry(vectors: Vectors<'_>, needs: Needs, work: &mut Workspace, out: &mut Geometry) {
    geometry_on(Path::best(), vectors, needs, work, out);
}

pub(super) fn geometry_on(
    path: Path,
    vectors: Vectors<'_>,
    needs: Needs,
    work: &mut Workspace,
    out: &mut Geometry,
) {
    let (rows, count) = (vectors.rows(), vectors.count());
    let own = vectors.own_index().unwrap_or(0);
    match needs.pairs {
        Pairs::None => work.tiles.clear(),
        Pairs::Own => work.plan_own(count, own),
        Pairs::All | Pairs::Exact => work.plan_all(count, path.tile()),
    }
    work.precision = needs.precision();
    work.has_norms = needs.has_norms;
    if needs.pairs != Pairs::None || needs.has_norms {
        work.compute(path, rows);
    }
    let is_computed = |i: usize, j: usize| match needs.pairs {
        Pairs::None => false,
        Pairs::Own => i == own || j == own,
        Pairs::All | Pairs::Exact => true,
    };
    for i in 0..count {
        for j in (0..i).filter(|&j| is_computed(i, j)) {
            out.set_squared_distance((i, j), work.total[entry(i, j)]);
        }
        if needs.has_norms {
            out.set_squared_norm(i, work.total[count * (count - 1) / 2 + i]);
        }
    }
    if needs.pairs == Pairs::None && !needs.has_norms {
        return;
    }
    for i in 0..count {
        // A finite distance or norm proves a row finite; only the others are looked at again.
        let is_proven = (needs.has_norms && out.squared_norm(i).is_finite())
            || (0..count).any(|j| i != j && out.squared_distance(i, j).is_finite());
        if is_proven || is_finite(rows[i]) {
            out.mark_finite(i);
        } else {
            out.mark_not_finite(i);
        }
    }
}
