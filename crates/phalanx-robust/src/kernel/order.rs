//! Order statistics of every coordinate: comparator networks over columns, at memory speed.
//!
//! Sixteen columns at a time are sorted, as far as the statistic needs it, by Batcher's network;
//! for up to 32 rows they never leave the registers meanwhile. NaN counts as `+∞`, so at most f
//! arbitrary rows can only push at the ends of a column, and every rank from f to n − f − 1
//! stays within the range of the honest values. Entries that are not finite are counted per
//! coordinate; whoever calls decides how many are too many.
//!
//! All paths give the same bits: a path never changes which comparators run, nor the order of a
//! sum. Where a column holds zeros of both signs, which of them is returned is unspecified.
use rayon::prelude::*;

use self::finish::finish;
use self::lanes::{Lanes, Portable};
pub use self::mixed::{Family, Make, MixtureTerms};
use self::network::{Pair, batcher, prune};

mod finish;
mod lanes;
mod mixed;
mod network;
#[cfg(target_arch = "x86_64")]
mod unrolled;

/// Columns per group: one AVX-512 register.
const LANES: usize = 16;

/// Columns per block of parallel work.
const BLOCK: usize = 8192;

/// Most rows that are sorted by a network; above, each column is partitioned by selection.
const NETWORK_MAX: usize = 256;

/// Columns ahead of the present ones that are asked for early.
const AHEAD: usize = 128;

/// What is made of a column `s_0 ≤ … ≤ s_{n−1}`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Statistic {
    /// the middle value, or the midpoint of the middle two
    Median,
    /// mean without the `trim` smallest and the `trim` largest
    TrimmedMean {
        /// values dropped at each end; `2 trim < n`
        trim: usize,
    },
    /// `(s_trim + s_{n − trim − 1}) / 2`
    TrimmedMidpoint {
        /// values dropped at each end; `2 trim < n`
        trim: usize,
    },
    /// mean of the `keep` values closest to the median; the smaller value first on ties
    MeanAroundMedian {
        /// values kept; `1 ≤ keep ≤ n`
        keep: usize,
    },
    /// mean of the `n − trim` values closest to the mean without the `trim` smallest and largest
    MeanAroundTrimmedMean {
        /// values dropped at each end of the centre; `2 trim < n`
        trim: usize,
    },
}

impl Statistic {
    /// Ranks that must be in place: one range, and whether only its two ends matter.
    fn ranks(self, n: usize) -> (usize, usize, bool) {
        match self {
            Self::Median => ((n - 1) / 2, n / 2, true),
            Self::TrimmedMean { trim } => (trim, n - trim - 1, false),
            Self::TrimmedMidpoint { trim } => (trim, n - trim - 1, true),
            Self::MeanAroundMedian { .. } | Self::MeanAroundTrimmedMean { .. } => (0, n - 1, false),
        }
    }

    /// Values of a column of n that may be NaN or infinite: the result is finite all the same.
    pub fn tolerated(self, n: usize) -> usize {
        match self {
            Self::Median => (n - 1) / 2,
            Self::TrimmedMean { trim }
            | Self::TrimmedMidpoint { trim }
            | Self::MeanAroundTrimmedMean { trim } => trim,
            Self::MeanAroundMedian { keep } => n - keep,
        }
    }

    fn assert_fits(self, n: usize) {
        let fits = match self {
            Self::Median => n >= 1,
            Self::TrimmedMean { trim }
            | Self::TrimmedMidpoint { trim }
            | Self::MeanAroundTrimmedMean { trim } => 2 * trim < n,
            Self::MeanAroundMedian { keep } => (1..=n).contains(&keep),
        };
        assert!(fits, "{self:?} of {n} values");
    }
}

/// Which instructions are used; the result does not depend on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Path {
    #[cfg(target_arch = "x86_64")]
    Avx512,
    #[cfg(target_arch = "x86_64")]
    Avx2,
    Portable,
}

impl Path {
    fn available() -> impl Iterator<Item = Self> {
        #[cfg(target_arch = "x86_64")]
        let fast = [
            is_x86_feature_detected!("avx512f").then_some(Self::Avx512),
            (is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma"))
                .then_some(Self::Avx2),
        ];
        #[cfg(not(target_arch = "x86_64"))]
        let fast = [None; 0];
        fast.into_iter().flatten().chain([Self::Portable])
    }
}

/// Sixteen columns of one rank.
#[derive(Debug, Clone, Copy)]
#[repr(align(64))]
struct Line([f32; LANES]);

impl Line {
    const ZERO: Self = Self([0.0; LANES]);

    #[inline(always)]
    fn at(&self, lane: usize) -> *const f32 {
        self.0[lane..].as_ptr()
    }

    #[inline(always)]
    fn at_mut(&mut self, lane: usize) -> *mut f32 {
        self.0[lane..].as_mut_ptr()
    }
}

/// Computes order statistics column by column and owns the workspace for it.
///
/// # Cost
/// `O(n log² n)` vector instructions per sixteen columns up to 256 rows, `O(n log n)` scalar
/// steps per column above.
#[derive(Debug, Default)]
pub struct Columns {
    plan: Option<(Statistic, usize)>,
    pairs: Vec<Pair>,
    lines: Vec<Line>,
    column: Vec<f32>,
}

/// Everything about a block of columns but its place and output.
#[derive(Clone, Copy)]
struct Job<'a> {
    rows: &'a [&'a [f32]],
    statistic: Statistic,
    pairs: &'a [Pair],
}

/// A block of columns: `start`, workspace, output.
struct Block<'a> {
    start: usize,
    lines: &'a mut [Line],
    column: &'a mut [f32],
    out: &'a mut [f32],
}

impl Columns {
    /// Writes the statistic of every coordinate to `out` and returns the largest number of
    /// entries that are not finite in one coordinate. The result is finite where that is at most
    /// [`Statistic::tolerated`].
    ///
    /// # Panics
    /// When the statistic does not exist for so many rows, or lengths differ: bugs of the caller.
    pub fn compute(&mut self, rows: &[&[f32]], statistic: Statistic, out: &mut [f32]) -> usize {
        let path = Path::available().next().unwrap_or(Path::Portable);
        self.compute_on(path, rows, statistic, out)
    }

    fn compute_on(
        &mut self,
        path: Path,
        rows: &[&[f32]],
        statistic: Statistic,
        out: &mut [f32],
    ) -> usize {
        let n = rows.len();
        statistic.assert_fits(n);
        assert!(rows.iter().all(|row| row.len() == out.len()), "rows as long as the output");
        self.prepare(n, statistic, out.len().div_ceil(BLOCK));
        let job = Job { rows, statistic, pairs: &self.pairs };
        let is_single = out.len() <= BLOCK;
        let blocks = out
            .par_chunks_mut(BLOCK)
            .zip(self.lines.par_chunks_mut(n))
            .zip(self.column.par_chunks_mut(n));
        if is_single {
            let block = Block { start: 0, lines: &mut self.lines, column: &mut self.column, out };
            return job.run(path, block);
        }
        blocks
            .enumerate()
            .map(|(at, ((out, lines), column))| {
                job.run(path, Block { start: at * BLOCK, lines, column, out })
            })
            .max()
            .unwrap_or(0)
    }

    fn prepare(&mut self, n: usize, statistic: Statistic, blocks: usize) {
        self.lines.resize(blocks * n, Line::ZERO);
        self.column.resize(blocks * n, 0.0);
        if self.plan == Some((statistic, n)) {
            return;
        }
        self.plan = Some((statistic, n));
        self.pairs.clear();
        if n > NETWORK_MAX {
            return;
        }
        self.pairs.resize(batcher(n, &mut []), (0, 0));
        batcher(n, &mut self.pairs);
        let (low, high, is_ends) = statistic.ranks(n);
        let mut needed: Vec<bool> = (0..n)
            .map(|rank| rank == low || rank == high || (!is_ends && low < rank && rank < high))
            .collect();
        prune(&mut self.pairs, &mut needed);
    }
}

impl Job<'_> {
    fn run(self, path: Path, block: Block<'_>) -> usize {
        match path {
            // SAFETY: `Path::available` offered it, so the processor has AVX-512F.
            #[cfg(target_arch = "x86_64")]
            Path::Avx512 => unsafe { self.run_avx512(block) },
            // SAFETY: `Path::available` offered it, so the processor has AVX2 and FMA.
            #[cfg(target_arch = "x86_64")]
            Path::Avx2 => unsafe { self.run_avx2(block) },
            // SAFETY: the portable lanes need no particular instruction.
            Path::Portable => unsafe { self.run_on::<Portable>(block, None) },
        }
    }

    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx512f")]
    fn run_avx512(self, block: Block<'_>) -> usize {
        let sort = unrolled::avx512(self.rows.len(), self.statistic == Statistic::Median);
        // SAFETY: this function has AVX-512F, which is what the lanes and their sort need.
        unsafe { self.run_on::<std::arch::x86_64::__m512>(block, sort) }
    }

    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx2,fma")]
    fn run_avx2(self, block: Block<'_>) -> usize {
        let sort = unrolled::avx2(self.rows.len(), self.statistic == Statistic::Median);
        // SAFETY: this function has AVX2 and FMA, which is what the lanes and their sort need.
        unsafe { self.run_on::<std::arch::x86_64::__m256>(block, sort) }
    }

    /// # Safety
    /// The processor has the instructions of `L` and of `sort`.
    #[inline(always)]
    unsafe fn run_on<L: Lanes>(self, block: Block<'_>, sort: Option<unrolled::Sort>) -> usize {
        let Block { start, lines, column, out } = block;
        let n = self.rows.len();
        let is_within = |pair: &Pair| pair.0 < pair.1 && usize::from(pair.1) < n;
        assert!(lines.len() == n && self.pairs.iter().all(is_within), "a plan for these rows");
        assert!(self.rows.iter().all(|row| start + out.len() <= row.len()), "a block of the rows");
        let mut worst = 0;
        for (group, out) in out.chunks_mut(LANES).enumerate() {
            let at = start + group * LANES;
            let is_suspect = match sort {
                // SAFETY: the caller vouches for the instructions; the group is whole, so every
                // row has sixteen entries from `at`.
                Some(sort) if out.len() == LANES => unsafe { sort(self.rows, at, lines) },
                // SAFETY: likewise.
                None if self.rows.len() <= NETWORK_MAX && out.len() == LANES => unsafe {
                    self.sort_by_list::<L>(at, lines)
                },
                _ if self.rows.len() <= NETWORK_MAX => {
                    let is_suspect = self.copy(at, out.len(), lines);
                    // SAFETY: the caller vouches for the instructions.
                    unsafe { self.exchange::<L>(lines) };
                    is_suspect
                }
                _ => {
                    let is_suspect = self.copy(at, out.len(), lines);
                    self.select(lines, column);
                    is_suspect
                }
            };
            if is_suspect {
                worst = worst.max(self.count_not_finite(at, out.len()));
            }
            let mut result = Line::ZERO;
            // SAFETY: the caller vouches for the instructions.
            unsafe { finish::<L>(self.statistic, lines, &mut result) };
            out.copy_from_slice(&result.0[..out.len()]);
        }
        worst
    }

    /// Copies columns, NaN as `+∞`, zeros beside them; whether an entry is not finite.
    #[inline(always)]
    fn copy(self, at: usize, width: usize, lines: &mut [Line]) -> bool {
        let mut is_suspect = false;
        for (row, line) in self.rows.iter().zip(lines) {
            if width < LANES {
                *line = Line::ZERO;
            }
            for (to, from) in line.0.iter_mut().zip(&row[at..at + width]) {
                is_suspect |= !from.is_finite();
                *to = if from.is_nan() { f32::INFINITY } else { *from };
            }
        }
        is_suspect
    }

    /// Copies sixteen columns, then runs the list of comparators over them.
    ///
    /// # Safety
    /// As [`Job::exchange`]; every row has sixteen entries from `at`.
    #[inline(always)]
    unsafe fn sort_by_list<L: Lanes>(self, at: usize, lines: &mut [Line]) -> bool {
        // SAFETY: the caller vouches for the instructions and the entries; `lane` is a multiple
        // of the width, which divides sixteen, so a whole register lies at each pointer.
        unsafe {
            let mut taint = L::splat(0.0);
            for (row, line) in self.rows.iter().zip(&mut *lines) {
                let from = row.as_ptr().add(at);
                // More rows than the hardware follows by itself.
                L::prefetch(from.wrapping_add(AHEAD));
                for lane in (0..LANES).step_by(L::WIDTH) {
                    let value = L::load(from.add(lane));
                    taint = taint.taint(value);
                    value.min(L::splat(f32::INFINITY)).store(line.at_mut(lane));
                }
            }
            self.exchange::<L>(lines);
            taint.has_nan()
        }
    }

    /// Runs the list of comparators over the lines.
    ///
    /// # Safety
    /// The processor has the instructions of `L`; there are as many lines as rows, and every
    /// comparator is one of lines that exist.
    #[inline(always)]
    unsafe fn exchange<L: Lanes>(self, lines: &mut [Line]) {
        debug_assert_eq!(lines.len(), self.rows.len());
        let lines = lines.as_mut_ptr();
        for &(low, high) in self.pairs {
            for lane in (0..LANES).step_by(L::WIDTH) {
                // SAFETY: the caller vouches for the instructions; both lines exist, for the
                // larger index is `high`; a whole register lies at each pointer.
                unsafe {
                    let low = (*lines.add(usize::from(low))).at_mut(lane);
                    let high = (*lines.add(usize::from(high))).at_mut(lane);
                    let (a, b) = (L::load(low), L::load(high));
                    a.min(b).store(low);
                    a.max(b).store(high);
                }
            }
        }
    }

    /// Puts the needed ranks of each column in place by selection, for very many rows.
    fn select(self, lines: &mut [Line], column: &mut [f32]) {
        let (low, high, is_ends) = self.statistic.ranks(lines.len());
        for lane in 0..LANES {
            column.iter_mut().zip(&*lines).for_each(|(to, line)| *to = line.0[lane]);
            let (_, _, above) = column.select_nth_unstable_by(low, f32::total_cmp);
            if high > low {
                above.select_nth_unstable_by(high - low - 1, f32::total_cmp);
            }
            if !is_ends {
                column[low..=high].sort_unstable_by(f32::total_cmp);
            }
            for rank in low..=high {
                lines[rank].0[lane] = column[rank];
            }
        }
    }

    #[cold]
    fn count_not_finite(self, at: usize, width: usize) -> usize {
        let count = |k: usize| self.rows.iter().filter(|row| !row[k].is_finite()).count();
        (at..at + width).map(count).max().unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Rng;

    const STATISTICS: fn(usize) -> Vec<Statistic> = |n| {
        let trims = [0, 1, n / 5, (n - 1) / 2];
        let mut all = vec![Statistic::Median];
        for trim in trims.into_iter().filter(|trim| 2 * trim < n) {
            all.push(Statistic::TrimmedMean { trim });
            all.push(Statistic::TrimmedMidpoint { trim });
            all.push(Statistic::MeanAroundTrimmedMean { trim });
            all.push(Statistic::MeanAroundMedian { keep: n - trim });
            all.push(Statistic::MeanAroundMedian { keep: 1 + trim });
        }
        all
    };

    /// Numbers of all sizes; `wild` adds NaN, infinities, denormals and signed zeros.
    fn rows(n: usize, d: usize, wild: bool, seed: u64) -> Vec<Vec<f32>> {
        let mut rng = Rng::stream(seed, n as u64, "order");
        let special =
            [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, -0.0, 0.0, 1e-45, 3e38, -f32::NAN];
        (0..n)
            .map(|_| {
                (0..d)
                    .map(|_| match rng.below(8) {
                        0 if wild => special[rng.below(special.len())],
                        1 => rng.below(3) as f32,
                        scale => (rng.unit() - 0.5) as f32 * 10f32.powi(scale as i32 * 3 - 9),
                    })
                    .collect()
            })
            .collect()
    }

    fn compute(path: Path, rows: &[Vec<f32>], statistic: Statistic) -> (Vec<f32>, usize) {
        let views: Vec<&[f32]> = rows.iter().map(Vec::as_slice).collect();
        let mut out = vec![f32::NAN; rows[0].len()];
        let found = Columns::default().compute_on(path, &views, statistic, &mut out);
        (out, found)
    }

    fn naive(column: &[f32], statistic: Statistic) -> f64 {
        let infinite = |x: &f32| if x.is_nan() { f64::INFINITY } else { f64::from(*x) };
        let mut sorted: Vec<f64> = column.iter().map(infinite).collect();
        sorted.sort_by(f64::total_cmp);
        let n = sorted.len();
        let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
        match statistic {
            Statistic::Median => mean(&[sorted[(n - 1) / 2], sorted[n / 2]]),
            Statistic::TrimmedMean { trim } => mean(&sorted[trim..n - trim]),
            Statistic::TrimmedMidpoint { trim } => mean(&[sorted[trim], sorted[n - trim - 1]]),
            Statistic::MeanAroundMedian { .. } | Statistic::MeanAroundTrimmedMean { .. } => {
                around(&sorted, statistic)
            }
        }
    }

    /// Whole numbers only, so that distances to the centre can be compared without rounding.
    fn around(sorted: &[f64], statistic: Statistic) -> f64 {
        let n = sorted.len();
        let (center, keep) = match statistic {
            Statistic::MeanAroundMedian { keep } => {
                (vec![sorted[(n - 1) / 2], sorted[n / 2]], keep)
            }
            Statistic::MeanAroundTrimmedMean { trim } => {
                (sorted[trim..n - trim].to_vec(), n - trim)
            }
            _ => unreachable!("only means around something"),
        };
        let distance = |value: f64| {
            (value as i64 * center.len() as i64 - center.iter().sum::<f64>() as i64).abs()
        };
        let mut closest = sorted.to_vec();
        closest.sort_by(|a, b| distance(*a).cmp(&distance(*b)).then(a.total_cmp(b)));
        closest[..keep].iter().sum::<f64>() / keep as f64
    }

    #[test]
    fn every_path_gives_the_same_bits() {
        for n in (1..=40).chain([100, 255, 256, 257]) {
            let rows = rows(n, 16 * 3 + 7, true, 1);
            for statistic in STATISTICS(n) {
                let (expected, found) = compute(Path::Portable, &rows, statistic);
                for path in Path::available() {
                    let (out, also_found) = compute(path, &rows, statistic);
                    assert_eq!(found, also_found);
                    for (k, (a, b)) in expected.iter().zip(&out).enumerate() {
                        let is_same = a.to_bits() == b.to_bits() || (a.is_nan() && b.is_nan());
                        assert!(is_same, "{path:?} {statistic:?} n {n} column {k}: {a} {b}");
                    }
                }
            }
        }
    }

    #[test]
    fn statistics_equal_their_definitions() {
        for n in (1..=35).chain([64, 99, 256, 257, 300]) {
            let any = rows(n, 37, false, 2);
            let whole: Vec<Vec<f32>> = (0..n as u64)
                .map(|i| {
                    let mut rng = Rng::stream(2, i, "whole");
                    (0..37).map(|k| rng.below(3 + 50 * k) as f32).collect()
                })
                .collect();
            for statistic in STATISTICS(n) {
                let is_around = matches!(
                    statistic,
                    Statistic::MeanAroundMedian { .. } | Statistic::MeanAroundTrimmedMean { .. }
                );
                let rows = if is_around { &whole } else { &any };
                for path in Path::available() {
                    let (out, found) = compute(path, rows, statistic);
                    assert_eq!(found, 0);
                    for k in 0..37 {
                        let column: Vec<f32> = rows.iter().map(|row| row[k]).collect();
                        let expected = naive(&column, statistic) as f32;
                        assert_eq!(out[k], expected, "{path:?} {statistic:?} n {n} column {k}");
                    }
                }
            }
        }
    }

    #[test]
    fn not_finite_entries_are_counted_per_coordinate() {
        for d in [5, 16, 40] {
            for n in [3, 25, 33, 257] {
                let mut rows = rows(n, d, false, 3);
                for (row, value) in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY].iter().enumerate()
                {
                    rows[row][d - 1] = *value;
                    rows[row][d - 2 - row] = *value;
                }
                for path in Path::available() {
                    let (_, found) = compute(path, &rows, Statistic::Median);
                    assert_eq!(found, 3, "{path:?} n {n} d {d}");
                }
            }
        }
    }

    #[test]
    fn the_number_of_threads_does_not_change_a_bit() {
        let rows = rows(9, 3 * BLOCK + 5, true, 4);
        for statistic in STATISTICS(9) {
            let on = |threads: usize| {
                let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
                let (out, found) = pool.install(|| compute(Path::Portable, &rows, statistic));
                (out.into_iter().map(f32::to_bits).collect::<Vec<u32>>(), found)
            };
            assert_eq!(on(1), on(3));
        }
    }

    #[test]
    fn a_midpoint_does_not_overflow_and_keeps_denormals() {
        for value in [f32::MAX, -f32::MAX, 1e-45, 3e-45, -0.0] {
            let rows = vec![vec![value]; 4];
            let (out, _) = compute(Path::Portable, &rows, Statistic::Median);
            assert_eq!(out[0].to_bits(), value.to_bits());
        }
    }
}
