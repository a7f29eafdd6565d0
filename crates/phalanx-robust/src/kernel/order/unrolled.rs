//! Networks for up to 32 rows, unrolled at compile time so that the columns stay in registers.
use std::arch::x86_64::{__m256, __m512};

use super::lanes::Lanes;
use super::network::{Network, UNROLLED_MAX};
use super::{LANES, Line};

/// Sorts sixteen columns from `at` on into lines; whether an entry is not finite.
///
/// # Safety
/// The processor has the instructions that the sort was made for; there are as many rows and
/// lines as it was made for, and every row has sixteen entries from `at`.
pub(super) type Sort = unsafe fn(&[&[f32]], usize, &mut [Line]) -> bool;

/// Repeats a step for sixteen numbers known at compile time, from `16 * $chunk` on.
macro_rules! sixteen {
    ($step:ident, $chunk:literal, $($args:tt)*) => {
        sixteen!(@ $step, $chunk, ($($args)*), 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15)
    };
    (@ $step:ident, $chunk:literal, $args:tt, $($k:literal)*) => {
        $($step!((16 * $chunk + $k), $args);)*
    };
}

macro_rules! load {
    ($k:tt, ($n:ident, $v:ident, $rows:ident, $at:expr, $taint:ident)) => {
        if const { $k < $n } {
            let value = Lanes::load($rows[$k].as_ptr().add($at));
            $taint = $taint.taint(value);
            // NaN becomes +∞: the second operand is returned when the first is NaN.
            $v[$k] = value.min($v[$k]);
        }
    };
}

macro_rules! exchange {
    ($k:tt, ($n:ident, $v:ident)) => {
        if const { $k < Network::<$n>::COUNT } {
            let (low, high) = const { Network::<$n>::PAIRS[$k] };
            let (a, b) = ($v[low as usize], $v[high as usize]);
            $v[low as usize] = a.min(b);
            $v[high as usize] = a.max(b);
        }
    };
}

macro_rules! store {
    ($k:tt, ($n:ident, $v:ident, $lines:ident, $lane:ident, $middle:ident)) => {
        if const { $k < $n && (!$middle || $k == ($n - 1) / 2 || $k == $n / 2) } {
            $v[$k].store($lines[$k].at_mut($lane));
        }
    };
}

/// # Safety
/// As [`Sort`], for `N` rows and the instructions of `L`. With `MIDDLE` only the middle ranks are
/// stored, and the compiler drops every comparator that they do not depend on.
#[inline(always)]
unsafe fn sort<L: Lanes, const N: usize, const MIDDLE: bool>(
    rows: &[&[f32]],
    at: usize,
    lines: &mut [Line],
) -> bool {
    let (rows, lines) = (&rows[..N], &mut lines[..N]);
    // SAFETY: the caller vouches for the instructions and for sixteen entries from `at`;
    // `lane` is a multiple of the width, which divides sixteen.
    unsafe {
        let mut taint = L::splat(0.0);
        for lane in (0..LANES).step_by(L::WIDTH) {
            let mut values = [L::splat(f32::INFINITY); N];
            sixteen!(load, 0, N, values, rows, at + lane, taint);
            sixteen!(load, 1, N, values, rows, at + lane, taint);
            sixteen!(exchange, 0, N, values);
            sixteen!(exchange, 1, N, values);
            sixteen!(exchange, 2, N, values);
            sixteen!(exchange, 3, N, values);
            sixteen!(exchange, 4, N, values);
            sixteen!(exchange, 5, N, values);
            sixteen!(exchange, 6, N, values);
            sixteen!(exchange, 7, N, values);
            sixteen!(exchange, 8, N, values);
            sixteen!(exchange, 9, N, values);
            sixteen!(exchange, 10, N, values);
            sixteen!(exchange, 11, N, values);
            sixteen!(store, 0, N, values, lines, lane, MIDDLE);
            sixteen!(store, 1, N, values, lines, lane, MIDDLE);
        }
        taint.has_nan()
    }
}

#[target_feature(enable = "avx512f")]
unsafe fn sort_avx512<const N: usize, const MIDDLE: bool>(
    rows: &[&[f32]],
    at: usize,
    lines: &mut [Line],
) -> bool {
    // SAFETY: the caller's promise is passed on.
    unsafe { sort::<__m512, N, MIDDLE>(rows, at, lines) }
}

#[target_feature(enable = "avx2,fma")]
unsafe fn sort_avx2<const N: usize, const MIDDLE: bool>(
    rows: &[&[f32]],
    at: usize,
    lines: &mut [Line],
) -> bool {
    // SAFETY: the caller's promise is passed on.
    unsafe { sort::<__m256, N, MIDDLE>(rows, at, lines) }
}

/// The sorts of 2 to 32 rows in order.
macro_rules! sorts {
    ($name:ident, $middle:literal) => {
        sorts!(@ $name, $middle, 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25
            26 27 28 29 30 31 32)
    };
    (@ $name:ident, $middle:literal, $($n:literal)*) => { [$($name::<$n, $middle>),*] };
}

const TABLE_LENGTH: usize = UNROLLED_MAX - 1;
const AVX512: [[Sort; TABLE_LENGTH]; 2] = [sorts!(sort_avx512, false), sorts!(sort_avx512, true)];
const AVX2: [[Sort; TABLE_LENGTH]; 2] = [sorts!(sort_avx2, false), sorts!(sort_avx2, true)];

/// The AVX-512F sort for `n` rows, where there is one.
pub(super) fn avx512(n: usize, is_middle: bool) -> Option<Sort> {
    AVX512[usize::from(is_middle)].get(n.checked_sub(2)?).copied()
}

/// The AVX2 and FMA sort for `n` rows, where there is one.
pub(super) fn avx2(n: usize, is_middle: bool) -> Option<Sort> {
    AVX2[usize::from(is_middle)].get(n.checked_sub(2)?).copied()
}
