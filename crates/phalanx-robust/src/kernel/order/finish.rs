//! From sorted columns to the statistic: f64 sums in a fixed order, rounded once.
use super::lanes::Lanes;
use super::{LANES, Line, Statistic};

/// Makes the statistic of sorted lines.
///
/// # Safety
/// The processor has the instructions of `L`.
#[inline(always)]
pub(super) unsafe fn finish<L: Lanes>(statistic: Statistic, lines: &[Line], out: &mut Line) {
    let n = lines.len();
    let (low, high, _) = statistic.ranks(n);
    for lane in (0..LANES).step_by(L::WIDTH) {
        // SAFETY: the caller vouches for the instructions; `lane` is a multiple of the width,
        // which divides sixteen, so a whole register lies at each pointer.
        unsafe {
            let result = match statistic {
                Statistic::Median if low == high => L::load(lines[low].at(lane)),
                Statistic::Median | Statistic::TrimmedMidpoint { .. } => {
                    mean::<L>(&[lines[low], lines[high]], lane)
                }
                Statistic::TrimmedMean { .. } => mean::<L>(&lines[low..=high], lane),
                Statistic::MeanAroundMedian { keep } => {
                    let (low, high, _) = Statistic::Median.ranks(n);
                    let center = Center::<L>::of(&[lines[low], lines[high]], lane);
                    center.mean_around(lines, keep, lane)
                }
                Statistic::MeanAroundTrimmedMean { trim } => {
                    let center = Center::<L>::of(&lines[trim..n - trim], lane);
                    center.mean_around(lines, n - trim, lane)
                }
            };
            result.store(out.at_mut(lane));
        }
    }
}

/// Sum over lines in their order.
///
/// # Safety
/// The processor has the instructions of `L`; `lane` is a multiple of its width below sixteen.
#[inline(always)]
unsafe fn sum<L: Lanes>(lines: &[Line], lane: usize) -> L::Wide {
    // SAFETY: the caller vouches for the instructions; a whole register lies at each pointer.
    unsafe {
        // −0 is the neutral element: the sum of −0 alone stays −0.
        let mut sum = L::wide_splat(-0.0);
        for line in lines {
            sum = L::wide_add(sum, L::load(line.at(lane)).widen());
        }
        sum
    }
}

/// # Safety
/// As [`sum`].
#[inline(always)]
unsafe fn mean<L: Lanes>(lines: &[Line], lane: usize) -> L {
    // SAFETY: the caller's promise is passed on.
    unsafe { L::narrow(L::wide_div(sum::<L>(lines, lane), L::wide_splat(lines.len() as f64))) }
}

/// The mean of some lines, without the rounding of a division.
struct Center<L: Lanes> {
    twice_sum: L::Wide,
    count: L::Wide,
}

impl<L: Lanes> Center<L> {
    /// # Safety
    /// As [`sum`].
    #[inline(always)]
    unsafe fn of(lines: &[Line], lane: usize) -> Self {
        // SAFETY: the caller's promise is passed on.
        unsafe {
            let sum = sum::<L>(lines, lane);
            let count = L::wide_splat(lines.len() as f64);
            Self { twice_sum: L::wide_add(sum, sum), count }
        }
    }

    /// `entering − centre < centre − leaving ? c : d`, for one step of a window that slides up.
    ///
    /// # Safety
    /// As [`sum`].
    #[inline(always)]
    unsafe fn choose(&self, step: [L::Wide; 2], c: L::Wide, d: L::Wide) -> L::Wide {
        let [leaving, entering] = step;
        // SAFETY: the caller's promise is passed on.
        unsafe {
            let both = L::wide_mul(L::wide_add(entering, leaving), self.count);
            L::wide_choose([both, self.twice_sum], c, d)
        }
    }

    /// Mean of the `keep` values closest to the centre: a window of the sorted column, which
    /// slides up while the value that enters is strictly closer than the value that leaves.
    ///
    /// That holds up to some step and fails from there on. So a value within the first window is
    /// kept when the step at which it would leave fails, and any other when the step at which it
    /// enters holds.
    ///
    /// # Safety
    /// As [`sum`].
    #[inline(always)]
    unsafe fn mean_around(&self, lines: &[Line], keep: usize, lane: usize) -> L {
        // SAFETY: the caller's promise is passed on; a whole register lies at each pointer.
        unsafe {
            let value = |rank: usize| L::load(lines[rank].at(lane)).widen();
            let nothing = L::wide_splat(-0.0);
            let dropped = lines.len() - keep;
            let mut sum = nothing;
            for rank in 0..lines.len() {
                let mut kept = value(rank);
                if rank < dropped {
                    kept = self.choose([value(rank), value(rank + keep)], nothing, kept);
                }
                if rank >= keep {
                    kept = self.choose([value(rank - keep), value(rank)], kept, nothing);
                }
                sum = L::wide_add(sum, kept);
            }
            L::narrow(L::wide_div(sum, L::wide_splat(keep as f64)))
        }
    }
}
