//! Passes over blocks of rows, compiled for several widths of register with one result.
//!
//! A pass is plain code over arrays of [`BLOCK`] numbers: what is computed row by row has no order
//! to keep, and sums keep [`LANES`] partial sums that are added in one order. No operation is
//! fused, so that every width gives the same bits.

/// Rows that a pass handles at once.
pub(super) const BLOCK: usize = 32;
/// Partial sums of a sum over rows.
pub(super) const LANES: usize = 8;

/// One number for each row of a block.
pub(super) type Block = [f64; BLOCK];
/// Partial sums: lane k holds the rows k, k + 8, ….
pub(super) type Lanes = [f64; LANES];

/// Work over blocks.
pub(super) trait Pass {
    /// What comes out besides what is written.
    type Result;

    /// Must be `#[inline(always)]`, as must all that it calls per row: the wider instructions are
    /// enabled only in the function that it is inlined into.
    fn run(self) -> Self::Result;
}

/// Runs a pass with the widest registers of this machine.
pub(super) fn dispatch<P: Pass>(pass: P) -> P::Result {
    #[cfg(target_arch = "x86_64")]
    {
        if is_x86_feature_detected!("avx512f") {
            // SAFETY: the instructions are there.
            return unsafe { on_avx512(pass) };
        }
        if is_x86_feature_detected!("avx2") {
            // SAFETY: the instructions are there.
            return unsafe { on_avx2(pass) };
        }
    }
    pass.run()
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f")]
fn on_avx512<P: Pass>(pass: P) -> P::Result {
    pass.run()
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn on_avx2<P: Pass>(pass: P) -> P::Result {
    pass.run()
}

/// [`BLOCK`], told at run time: a compiler that knows it unrolls every loop over a block and then
/// gathers across blocks instead, which is twice as slow.
#[inline(always)]
pub(super) fn width() -> usize {
    std::hint::black_box(BLOCK)
}

/// `lanes += a · b` over a block or a part of it of whole lanes.
#[inline(always)]
pub(super) fn add_product(lanes: &mut Lanes, a: &[f64], b: &[f64]) {
    let mut sums = *lanes;
    for (a, b) in a.as_chunks::<LANES>().0.iter().zip(b.as_chunks::<LANES>().0) {
        for lane in 0..LANES {
            sums[lane] += a[lane] * b[lane];
        }
    }
    *lanes = sums;
}

/// `s += Σ_d weight_d · terms_d` over the first `width` rows of a block, in the order of d.
#[inline(always)]
pub(super) fn add_weighted(s: &mut [f64], terms: &[Block], weights: &[f64]) {
    let width = s.len();
    let (fours, rest) = terms.as_chunks::<4>();
    let (weights, last) = weights.as_chunks::<4>();
    for ([a, b, c, d], [p, q, r, t]) in fours.iter().zip(weights) {
        let (a, b, c, d) = (&a[..width], &b[..width], &c[..width], &d[..width]);
        for (i, s) in s.iter_mut().enumerate() {
            *s = (((*s + p * a[i]) + q * b[i]) + r * c[i]) + t * d[i];
        }
    }
    for (term, weight) in rest.iter().zip(last) {
        s.iter_mut().zip(&term[..width]).for_each(|(s, term)| *s += weight * term);
    }
}

/// The sum of the partial sums, always along one tree.
#[inline(always)]
pub(super) fn total([a, b, c, d, e, f, g, h]: Lanes) -> f64 {
    ((a + e) + (c + g)) + ((b + f) + (d + h))
}

/// Numbers in blocks, zeros behind the last.
pub(super) fn blocks(values: &[f64]) -> Vec<Block> {
    let block = |part: &[f64]| {
        let mut block = [0.0; BLOCK];
        block[..part.len()].copy_from_slice(part);
        block
    };
    values.chunks(BLOCK).map(block).collect()
}

/// Runs copies of a pass with every width of register that this machine has, widest first.
#[cfg(test)]
pub(super) fn on_every_width<P: Pass>(mut pass: impl FnMut() -> P) -> Vec<P::Result> {
    let mut results = Vec::new();
    #[cfg(target_arch = "x86_64")]
    {
        if is_x86_feature_detected!("avx512f") {
            // SAFETY: the instructions are there.
            results.push(unsafe { on_avx512(pass()) });
        }
        if is_x86_feature_detected!("avx2") {
            // SAFETY: the instructions are there.
            results.push(unsafe { on_avx2(pass()) });
        }
    }
    results.push(pass().run());
    results
}
