//! A few columns side by side in one register: AVX-512, AVX2, and plain arrays, equal bit by bit.
//!
//! Minimum and maximum follow the processor's rule, which every implementation repeats:
//! `a < b ? a : b` and `a > b ? a : b`, so zeros of different sign give the second operand.
#[cfg(target_arch = "x86_64")]
use std::arch::x86_64::*;

/// `WIDTH` neighbouring columns.
///
/// # Safety
/// Every method demands that the processor has the instructions of the implementing type;
/// `load` and `store` also that `WIDTH` entries lie at the pointer, which need not be aligned.
pub(super) trait Lanes: Copy {
    /// columns per register
    const WIDTH: usize;
    /// the same columns in f64
    type Wide: Copy;
    unsafe fn load(from: *const f32) -> Self;
    unsafe fn store(self, to: *mut f32);
    unsafe fn splat(value: f32) -> Self;
    unsafe fn min(self, other: Self) -> Self;
    unsafe fn max(self, other: Self) -> Self;
    /// `self + 0 · value`: NaN from then on where a value is not finite.
    unsafe fn taint(self, value: Self) -> Self;
    unsafe fn has_nan(self) -> bool;
    unsafe fn widen(self) -> Self::Wide;
    unsafe fn narrow(wide: Self::Wide) -> Self;
    unsafe fn wide_splat(value: f64) -> Self::Wide;
    unsafe fn wide_add(a: Self::Wide, b: Self::Wide) -> Self::Wide;
    unsafe fn wide_mul(a: Self::Wide, b: Self::Wide) -> Self::Wide;
    unsafe fn wide_div(a: Self::Wide, b: Self::Wide) -> Self::Wide;
    /// `a < b ? c : d`
    unsafe fn wide_choose(pair: [Self::Wide; 2], c: Self::Wide, d: Self::Wide) -> Self::Wide;
    /// Asks for a cache line that will be loaded soon; any address will do.
    unsafe fn prefetch(from: *const f32);
}

/// The portable lanes.
pub(super) type Portable = [f32; 8];

impl Lanes for Portable {
    const WIDTH: usize = 8;
    type Wide = [f64; 8];
    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self {
        // SAFETY: the caller vouches for eight readable entries.
        unsafe { from.cast::<Self>().read_unaligned() }
    }
    #[inline(always)]
    unsafe fn store(self, to: *mut f32) {
        // SAFETY: the caller vouches for eight writable entries.
        unsafe { to.cast::<Self>().write_unaligned(self) }
    }
    #[inline(always)]
    unsafe fn splat(value: f32) -> Self {
        [value; 8]
    }
    #[inline(always)]
    unsafe fn min(self, other: Self) -> Self {
        std::array::from_fn(|i| if self[i] < other[i] { self[i] } else { other[i] })
    }
    #[inline(always)]
    unsafe fn max(self, other: Self) -> Self {
        std::array::from_fn(|i| if self[i] > other[i] { self[i] } else { other[i] })
    }
    #[inline(always)]
    unsafe fn taint(self, value: Self) -> Self {
        std::array::from_fn(|i| self[i] + 0.0 * value[i])
    }
    #[inline(always)]
    unsafe fn has_nan(self) -> bool {
        self.iter().any(|value| value.is_nan())
    }
    #[inline(always)]
    unsafe fn widen(self) -> Self::Wide {
        self.map(f64::from)
    }
    #[inline(always)]
    unsafe fn narrow(wide: Self::Wide) -> Self {
        wide.map(|value| value as f32)
    }
    #[inline(always)]
    unsafe fn wide_splat(value: f64) -> Self::Wide {
        [value; 8]
    }
    #[inline(always)]
    unsafe fn wide_add(a: Self::Wide, b: Self::Wide) -> Self::Wide {
        std::array::from_fn(|i| a[i] + b[i])
    }
    #[inline(always)]
    unsafe fn wide_mul(a: Self::Wide, b: Self::Wide) -> Self::Wide {
        std::array::from_fn(|i| a[i] * b[i])
    }
    #[inline(always)]
    unsafe fn wide_div(a: Self::Wide, b: Self::Wide) -> Self::Wide {
        std::array::from_fn(|i| a[i] / b[i])
    }
    #[inline(always)]
    unsafe fn wide_choose([a, b]: [Self::Wide; 2], c: Self::Wide, d: Self::Wide) -> Self::Wide {
        std::array::from_fn(|i| if a[i] < b[i] { c[i] } else { d[i] })
    }
    #[inline(always)]
    unsafe fn prefetch(_from: *const f32) {}
}

/// One trait method per line: name, arguments, result, expression.
#[cfg(target_arch = "x86_64")]
macro_rules! intrinsics {
    ($($name:ident($($arg:ident: $type:ty),*) $(-> $result:ty)? = $body:expr;)*) => {$(
        #[inline(always)]
        unsafe fn $name($($arg: $type),*) $(-> $result)? {
            // SAFETY: the trait's contract: the instructions exist, and the pointers are valid
            // for a whole register; unaligned loads and stores are used.
            unsafe { $body }
        }
    )*};
}

/// Likewise for methods of a register, which `$x` names.
#[cfg(target_arch = "x86_64")]
macro_rules! intrinsics_of_self {
    ($($name:ident($x:ident $(, $arg:ident: $type:ty)?) $(-> $result:ty)? = $body:expr;)*) => {$(
        #[inline(always)]
        unsafe fn $name(self $(, $arg: $type)?) $(-> $result)? {
            let $x = self;
            // SAFETY: as above.
            unsafe { $body }
        }
    )*};
}

#[cfg(target_arch = "x86_64")]
impl Lanes for __m512 {
    const WIDTH: usize = 16;
    type Wide = [__m512d; 2];
    intrinsics! {
        load(from: *const f32) -> Self = _mm512_loadu_ps(from);
        splat(value: f32) -> Self = _mm512_set1_ps(value);
        narrow(wide: Self::Wide) -> Self = {
            let low = _mm512_castps_pd(_mm512_castps256_ps512(_mm512_cvtpd_ps(wide[0])));
            let high = _mm256_castps_pd(_mm512_cvtpd_ps(wide[1]));
            _mm512_castpd_ps(_mm512_insertf64x4::<1>(low, high))
        };
        wide_splat(value: f64) -> Self::Wide = [_mm512_set1_pd(value); 2];
        wide_add(a: Self::Wide, b: Self::Wide) -> Self::Wide =
            [_mm512_add_pd(a[0], b[0]), _mm512_add_pd(a[1], b[1])];
        wide_mul(a: Self::Wide, b: Self::Wide) -> Self::Wide =
            [_mm512_mul_pd(a[0], b[0]), _mm512_mul_pd(a[1], b[1])];
        wide_div(a: Self::Wide, b: Self::Wide) -> Self::Wide =
            [_mm512_div_pd(a[0], b[0]), _mm512_div_pd(a[1], b[1])];
        wide_choose(pair: [Self::Wide; 2], c: Self::Wide, d: Self::Wide) -> Self::Wide =
            [
                _mm512_mask_blend_pd(
                    _mm512_cmp_pd_mask::<_CMP_LT_OQ>(pair[0][0], pair[1][0]), d[0], c[0]),
                _mm512_mask_blend_pd(
                    _mm512_cmp_pd_mask::<_CMP_LT_OQ>(pair[0][1], pair[1][1]), d[1], c[1]),
            ];
        prefetch(from: *const f32) = _mm_prefetch::<_MM_HINT_T0>(from.cast());
    }
    intrinsics_of_self! {
        store(x, to: *mut f32) = _mm512_storeu_ps(to, x);
        min(x, other: Self) -> Self = _mm512_min_ps(x, other);
        max(x, other: Self) -> Self = _mm512_max_ps(x, other);
        taint(x, value: Self) -> Self = _mm512_fmadd_ps(value, _mm512_setzero_ps(), x);
        has_nan(x) -> bool = _mm512_cmp_ps_mask::<_CMP_UNORD_Q>(x, x) != 0;
        widen(x) -> Self::Wide = {
            let high = _mm512_extractf64x4_pd::<1>(_mm512_castps_pd(x));
            let high = _mm512_cvtps_pd(_mm256_castpd_ps(high));
            [_mm512_cvtps_pd(_mm512_castps512_ps256(x)), high]
        };
    }
}

#[cfg(target_arch = "x86_64")]
impl Lanes for __m256 {
    const WIDTH: usize = 8;
    type Wide = [__m256d; 2];
    intrinsics! {
        load(from: *const f32) -> Self = _mm256_loadu_ps(from);
        splat(value: f32) -> Self = _mm256_set1_ps(value);
        narrow(wide: Self::Wide) -> Self =
            _mm256_set_m128(_mm256_cvtpd_ps(wide[1]), _mm256_cvtpd_ps(wide[0]));
        wide_splat(value: f64) -> Self::Wide = [_mm256_set1_pd(value); 2];
        wide_add(a: Self::Wide, b: Self::Wide) -> Self::Wide =
            [_mm256_add_pd(a[0], b[0]), _mm256_add_pd(a[1], b[1])];
        wide_mul(a: Self::Wide, b: Self::Wide) -> Self::Wide =
            [_mm256_mul_pd(a[0], b[0]), _mm256_mul_pd(a[1], b[1])];
        wide_div(a: Self::Wide, b: Self::Wide) -> Self::Wide =
            [_mm256_div_pd(a[0], b[0]), _mm256_div_pd(a[1], b[1])];
        wide_choose(pair: [Self::Wide; 2], c: Self::Wide, d: Self::Wide) -> Self::Wide =
            [
                _mm256_blendv_pd(d[0], c[0], _mm256_cmp_pd::<_CMP_LT_OQ>(pair[0][0], pair[1][0])),
                _mm256_blendv_pd(d[1], c[1], _mm256_cmp_pd::<_CMP_LT_OQ>(pair[0][1], pair[1][1])),
            ];
        prefetch(from: *const f32) = _mm_prefetch::<_MM_HINT_T0>(from.cast());
    }
    intrinsics_of_self! {
        store(x, to: *mut f32) = _mm256_storeu_ps(to, x);
        min(x, other: Self) -> Self = _mm256_min_ps(x, other);
        max(x, other: Self) -> Self = _mm256_max_ps(x, other);
        taint(x, value: Self) -> Self = _mm256_fmadd_ps(value, _mm256_setzero_ps(), x);
        has_nan(x) -> bool = _mm256_movemask_ps(_mm256_cmp_ps::<_CMP_UNORD_Q>(x, x)) != 0;
        widen(x) -> Self::Wide = {
            let high = _mm256_cvtps_pd(_mm256_extractf128_ps::<1>(x));
            [_mm256_cvtps_pd(_mm256_castps256_ps128(x)), high]
        };
    }
}
