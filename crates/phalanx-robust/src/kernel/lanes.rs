//! Eight f64 or sixteen f32 lanes in three machine forms that give the same bits: AVX-512, AVX2,
//! portable.
//!
//! Every operation below is correctly rounded lane by lane (fused multiply-add included), so a
//! kernel written against [`Machine`] gives one result on every machine. A token of a machine
//! exists only where its instructions do; that is what makes the methods safe to call.

/// Lanes in one value.
pub(crate) const LANES: usize = 8;
/// Lanes in one value of single precision.
pub(crate) const SINGLES: usize = 16;

/// A set of instructions on eight f64 lanes.
pub(crate) trait Machine: Copy {
    /// Eight f64.
    type Lanes: Copy;
    /// Sixteen f32.
    type Singles: Copy;
    /// Rows on each side of a tile of pairs, so that its sums stay in registers.
    const TILE: usize;
    /// The same number in each lane.
    fn splat(self, value: f64) -> Self::Lanes;
    /// Widens eight f32.
    fn load(self, from: &[f32; LANES]) -> Self::Lanes;
    /// Rounds to eight f32.
    fn store(self, value: Self::Lanes, to: &mut [f32; LANES]);
    /// `a − b`.
    fn sub(self, a: Self::Lanes, b: Self::Lanes) -> Self::Lanes;
    /// `a · b + c`, rounded once.
    fn fma(self, a: Self::Lanes, b: Self::Lanes, c: Self::Lanes) -> Self::Lanes;
    /// The lanes as numbers.
    fn to_array(self, value: Self::Lanes) -> [f64; LANES];

    /// Asks for the cache line of a number that will be loaded soon; nothing where there is none.
    #[inline(always)]
    fn prefetch(self, from: Option<&f32>) {
        let _ = from;
    }

    /// Sixteen zeros.
    fn no_singles(self) -> Self::Singles;
    /// Sixteen f32.
    fn load_singles(self, from: &[f32; SINGLES]) -> Self::Singles;
    /// `a + b`.
    fn add_singles(self, a: Self::Singles, b: Self::Singles) -> Self::Singles;
    /// `(a − b)² + c`: the difference rounded, then all the rest rounded once.
    fn add_squared(self, a: Self::Singles, b: Self::Singles, c: Self::Singles) -> Self::Singles;
    /// Lane k plus lane k + 8, in f64.
    fn widen(self, value: Self::Singles) -> Self::Lanes;

    /// Widens at most eight f32, zero behind them.
    #[inline(always)]
    fn load_part(self, from: &[f32]) -> Self::Lanes {
        let mut padded = [0.0; LANES];
        padded[..from.len()].copy_from_slice(from);
        self.load(&padded)
    }

    /// At most sixteen f32, zero behind them.
    #[inline(always)]
    fn load_singles_part(self, from: &[f32]) -> Self::Singles {
        let mut padded = [0.0; SINGLES];
        padded[..from.len()].copy_from_slice(from);
        self.load_singles(&padded)
    }

    /// The sum of the lanes, always along the same tree.
    #[inline(always)]
    fn sum(self, value: Self::Lanes) -> f64 {
        let [a, b, c, d, e, f, g, h] = self.to_array(value);
        ((a + e) + (c + g)) + ((b + f) + (d + h))
    }
}

/// No more than the language promises. `mul_add` is one instruction on every 64-bit ARM and a
/// library call on an x86 without FMA: slow there, but the same bits.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Portable;

impl Machine for Portable {
    type Lanes = [f64; LANES];
    type Singles = [f32; SINGLES];
    const TILE: usize = 2;

    #[inline(always)]
    fn splat(self, value: f64) -> [f64; LANES] {
        [value; LANES]
    }
    #[inline(always)]
    fn load(self, from: &[f32; LANES]) -> [f64; LANES] {
        from.map(f64::from)
    }
    #[inline(always)]
    fn store(self, value: [f64; LANES], to: &mut [f32; LANES]) {
        *to = value.map(|lane| lane as f32);
    }
    #[inline(always)]
    fn sub(self, a: [f64; LANES], b: [f64; LANES]) -> [f64; LANES] {
        let mut difference = a;
        (0..LANES).for_each(|lane| difference[lane] -= b[lane]);
        difference
    }
    #[inline(always)]
    fn fma(self, a: [f64; LANES], b: [f64; LANES], c: [f64; LANES]) -> [f64; LANES] {
        let mut sum = c;
        (0..LANES).for_each(|lane| sum[lane] = a[lane].mul_add(b[lane], c[lane]));
        sum
    }
    #[inline(always)]
    fn to_array(self, value: [f64; LANES]) -> [f64; LANES] {
        value
    }
    #[inline(always)]
    fn no_singles(self) -> [f32; SINGLES] {
        [0.0; SINGLES]
    }
    #[inline(always)]
    fn load_singles(self, from: &[f32; SINGLES]) -> [f32; SINGLES] {
        *from
    }
    #[inline(always)]
    fn add_singles(self, a: [f32; SINGLES], b: [f32; SINGLES]) -> [f32; SINGLES] {
        std::array::from_fn(|lane| a[lane] + b[lane])
    }
    #[inline(always)]
    fn add_squared(
        self,
        a: [f32; SINGLES],
        b: [f32; SINGLES],
        c: [f32; SINGLES],
    ) -> [f32; SINGLES] {
        std::array::from_fn(|lane| {
            let difference = a[lane] - b[lane];
            difference.mul_add(difference, c[lane])
        })
    }
    #[inline(always)]
    fn widen(self, value: [f32; SINGLES]) -> [f64; LANES] {
        std::array::from_fn(|lane| f64::from(value[lane]) + f64::from(value[lane + LANES]))
    }
}

/// Work that is the same on every machine.
pub(crate) trait Kernel {
    /// Must be `#[inline(always)]`, as must everything it calls per lane: the instructions of a
    /// machine are enabled only in the function that it is inlined into.
    fn run<M: Machine>(self, machine: M);
}

/// Which machine to use. The tokens inside prove that it is here.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Path {
    /// AVX-512
    #[cfg(target_arch = "x86_64")]
    Avx512(x86::Avx512),
    /// AVX2 and FMA
    #[cfg(target_arch = "x86_64")]
    Avx2(x86::Avx2),
    /// any machine
    Portable,
}

impl Path {
    /// Every path of this machine, the fastest first.
    pub(crate) fn all() -> impl Iterator<Item = Self> {
        #[cfg(target_arch = "x86_64")]
        let special =
            [x86::Avx512::detect().map(Self::Avx512), x86::Avx2::detect().map(Self::Avx2)];
        #[cfg(not(target_arch = "x86_64"))]
        let special = [None; 2];
        special.into_iter().flatten().chain([Self::Portable])
    }

    /// The fastest one.
    pub(crate) fn best() -> Self {
        Self::all().next().unwrap_or(Self::Portable)
    }

    /// Rows on each side of a tile of pairs.
    pub(crate) fn tile(self) -> usize {
        match self {
            #[cfg(target_arch = "x86_64")]
            Self::Avx512(_) => x86::Avx512::TILE,
            #[cfg(target_arch = "x86_64")]
            Self::Avx2(_) => x86::Avx2::TILE,
            Self::Portable => Portable::TILE,
        }
    }

    /// Runs the kernel with this machine's instructions enabled.
    pub(crate) fn run(self, kernel: impl Kernel) {
        match self {
            #[cfg(target_arch = "x86_64")]
            Self::Avx512(machine) => machine.run(kernel),
            #[cfg(target_arch = "x86_64")]
            Self::Avx2(machine) => machine.run(kernel),
            Self::Portable => kernel.run(Portable),
        }
    }
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::arch::x86_64::*;

    use super::{Kernel, LANES, Machine, SINGLES};

    /// Calls an instruction of the machine whose token is at hand.
    macro_rules! proven {
        ($call:expr) => {
            // SAFETY: the method's receiver exists only after run-time detection of every feature
            // that the instruction needs; pointers come from references to whole arrays.
            unsafe { $call }
        };
    }

    /// The token of AVX-512.
    #[derive(Debug, Clone, Copy)]
    pub(crate) struct Avx512(());

    impl Avx512 {
        pub(crate) fn detect() -> Option<Self> {
            let is_here = is_x86_feature_detected!("avx512f")
                && is_x86_feature_detected!("avx2")
                && is_x86_feature_detected!("fma");
            is_here.then_some(Self(()))
        }

        pub(super) fn run(self, kernel: impl Kernel) {
            #[target_feature(enable = "avx512f,avx2,fma")]
            fn enabled(machine: Avx512, kernel: impl Kernel) {
                kernel.run(machine);
            }
            proven!(enabled(self, kernel));
        }
    }

    impl Machine for Avx512 {
        type Lanes = __m512d;
        type Singles = __m512;
        const TILE: usize = 4;

        #[inline(always)]
        fn splat(self, value: f64) -> __m512d {
            proven!(_mm512_set1_pd(value))
        }
        #[inline(always)]
        fn load(self, from: &[f32; LANES]) -> __m512d {
            proven!(_mm512_cvtps_pd(_mm256_loadu_ps(from.as_ptr())))
        }
        #[inline(always)]
        fn store(self, value: __m512d, to: &mut [f32; LANES]) {
            proven!(_mm256_storeu_ps(to.as_mut_ptr(), _mm512_cvtpd_ps(value)));
        }
        #[inline(always)]
        fn sub(self, a: __m512d, b: __m512d) -> __m512d {
            proven!(_mm512_sub_pd(a, b))
        }
        #[inline(always)]
        fn fma(self, a: __m512d, b: __m512d, c: __m512d) -> __m512d {
            proven!(_mm512_fmadd_pd(a, b, c))
        }
        #[inline(always)]
        fn to_array(self, value: __m512d) -> [f64; LANES] {
            let mut lanes = [0.0; LANES];
            proven!(_mm512_storeu_pd(lanes.as_mut_ptr(), value));
            lanes
        }
        #[inline(always)]
        fn prefetch(self, from: Option<&f32>) {
            if let Some(from) = from {
                proven!(_mm_prefetch::<_MM_HINT_T0>(std::ptr::from_ref(from).cast()));
            }
        }
        #[inline(always)]
        fn no_singles(self) -> __m512 {
            proven!(_mm512_setzero_ps())
        }
        #[inline(always)]
        fn load_singles(self, from: &[f32; SINGLES]) -> __m512 {
            proven!(_mm512_loadu_ps(from.as_ptr()))
        }
        #[inline(always)]
        fn add_singles(self, a: __m512, b: __m512) -> __m512 {
            proven!(_mm512_add_ps(a, b))
        }
        #[inline(always)]
        fn add_squared(self, a: __m512, b: __m512, c: __m512) -> __m512 {
            let difference = proven!(_mm512_sub_ps(a, b));
            proven!(_mm512_fmadd_ps(difference, difference, c))
        }
        #[inline(always)]
        fn widen(self, value: __m512) -> __m512d {
            proven!({
                let high = _mm512_extractf64x4_pd::<1>(_mm512_castps_pd(value));
                _mm512_add_pd(
                    _mm512_cvtps_pd(_mm512_castps512_ps256(value)),
                    _mm512_cvtps_pd(_mm256_castpd_ps(high)),
                )
            })
        }
        #[inline(always)]
        fn sum(self, value: __m512d) -> f64 {
            proven!({
                let (low, high) =
                    (_mm512_castpd512_pd256(value), _mm512_extractf64x4_pd::<1>(value));
                sum_of_four(_mm256_add_pd(low, high))
            })
        }
    }

    /// `(a + c) + (b + d)`.
    #[inline(always)]
    unsafe fn sum_of_four(value: __m256d) -> f64 {
        // SAFETY: the caller has detected AVX.
        unsafe {
            let (low, high) = (_mm256_castpd256_pd128(value), _mm256_extractf128_pd::<1>(value));
            let pair = _mm_add_pd(low, high);
            _mm_cvtsd_f64(_mm_add_sd(pair, _mm_unpackhi_pd(pair, pair)))
        }
    }

    /// The token of AVX2 with FMA.
    #[derive(Debug, Clone, Copy)]
    pub(crate) struct Avx2(());

    impl Avx2 {
        pub(crate) fn detect() -> Option<Self> {
            let is_here = is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma");
            is_here.then_some(Self(()))
        }

        pub(super) fn run(self, kernel: impl Kernel) {
            #[target_feature(enable = "avx2,fma")]
            fn enabled(machine: Avx2, kernel: impl Kernel) {
                kernel.run(machine);
            }
            proven!(enabled(self, kernel));
        }
    }

    impl Machine for Avx2 {
        type Lanes = (__m256d, __m256d);
        type Singles = (__m256, __m256);
        const TILE: usize = 2;

        #[inline(always)]
        fn splat(self, value: f64) -> Self::Lanes {
            let half = proven!(_mm256_set1_pd(value));
            (half, half)
        }
        #[inline(always)]
        fn load(self, from: &[f32; LANES]) -> Self::Lanes {
            proven!((
                _mm256_cvtps_pd(_mm_loadu_ps(from.as_ptr())),
                _mm256_cvtps_pd(_mm_loadu_ps(from.as_ptr().add(4))),
            ))
        }
        #[inline(always)]
        fn store(self, value: Self::Lanes, to: &mut [f32; LANES]) {
            proven!({
                _mm_storeu_ps(to.as_mut_ptr(), _mm256_cvtpd_ps(value.0));
                _mm_storeu_ps(to.as_mut_ptr().add(4), _mm256_cvtpd_ps(value.1));
            });
        }
        #[inline(always)]
        fn sub(self, a: Self::Lanes, b: Self::Lanes) -> Self::Lanes {
            proven!((_mm256_sub_pd(a.0, b.0), _mm256_sub_pd(a.1, b.1)))
        }
        #[inline(always)]
        fn fma(self, a: Self::Lanes, b: Self::Lanes, c: Self::Lanes) -> Self::Lanes {
            proven!((_mm256_fmadd_pd(a.0, b.0, c.0), _mm256_fmadd_pd(a.1, b.1, c.1)))
        }
        #[inline(always)]
        fn to_array(self, value: Self::Lanes) -> [f64; LANES] {
            let mut lanes = [0.0; LANES];
            proven!({
                _mm256_storeu_pd(lanes.as_mut_ptr(), value.0);
                _mm256_storeu_pd(lanes.as_mut_ptr().add(4), value.1);
            });
            lanes
        }
        #[inline(always)]
        fn prefetch(self, from: Option<&f32>) {
            if let Some(from) = from {
                proven!(_mm_prefetch::<_MM_HINT_T0>(std::ptr::from_ref(from).cast()));
            }
        }
        #[inline(always)]
        fn no_singles(self) -> Self::Singles {
            let half = proven!(_mm256_setzero_ps());
            (half, half)
        }
        #[inline(always)]
        fn load_singles(self, from: &[f32; SINGLES]) -> Self::Singles {
            proven!((_mm256_loadu_ps(from.as_ptr()), _mm256_loadu_ps(from.as_ptr().add(8))))
        }
        #[inline(always)]
        fn add_singles(self, a: Self::Singles, b: Self::Singles) -> Self::Singles {
            proven!((_mm256_add_ps(a.0, b.0), _mm256_add_ps(a.1, b.1)))
        }
        #[inline(always)]
        fn add_squared(
            self,
            a: Self::Singles,
            b: Self::Singles,
            c: Self::Singles,
        ) -> Self::Singles {
            let (low, high) = proven!((_mm256_sub_ps(a.0, b.0), _mm256_sub_ps(a.1, b.1)));
            proven!((_mm256_fmadd_ps(low, low, c.0), _mm256_fmadd_ps(high, high, c.1)))
        }
        #[inline(always)]
        fn widen(self, value: Self::Singles) -> Self::Lanes {
            proven!({
                let ((a, b), (c, d)) = (widen_half(value.0), widen_half(value.1));
                (_mm256_add_pd(a, c), _mm256_add_pd(b, d))
            })
        }
        #[inline(always)]
        fn sum(self, value: Self::Lanes) -> f64 {
            proven!(sum_of_four(_mm256_add_pd(value.0, value.1)))
        }
    }

    /// Eight f32 as twice four f64.
    #[inline(always)]
    unsafe fn widen_half(value: __m256) -> (__m256d, __m256d) {
        // SAFETY: the caller has detected AVX.
        unsafe {
            let high = _mm256_extractf128_ps::<1>(value);
            (_mm256_cvtps_pd(_mm256_castps256_ps128(value)), _mm256_cvtps_pd(high))
        }
    }
}
