//! Winograd's transforms in one dimension, for the points 0, ±1, ±2, ±½ and infinity.
//!
//! With G, Bᵀ and Aᵀ as the method of Cook and Toom gives them, `Aᵀ ((G g) ⊙ (Bᵀ d))` is the
//! correlation of d with g; the three others are the adjoints, for the way back.

/// Side of a tile of output.
pub(super) const OUT: usize = 4;
/// Side of a tile of input, and of its frequencies.
pub(super) const IN: usize = 8;
/// Side of a kernel.
pub(super) const KERNEL: usize = 5;

/// Bᵀ: pixels to frequencies.
#[inline(always)]
pub(super) fn input_to_frequency(d: [f32; IN]) -> [f32; IN] {
    let even_1 = (-4.25f32).mul_add(d[4], d[2] + d[6]);
    let odd_1 = (-4.25f32).mul_add(d[3], d[1] + d[5]);
    let even_2 = 0.25f32.mul_add(d[2], (-1.25f32).mul_add(d[4], d[6]));
    let odd_2 = 0.5f32.mul_add(d[1], (-2.5f32).mul_add(d[3], 2.0 * d[5]));
    let even_3 = 4.0f32.mul_add(d[2], (-5.0f32).mul_add(d[4], d[6]));
    let odd_3 = 2.0f32.mul_add(d[1], (-2.5f32).mul_add(d[3], 0.5 * d[5]));
    [
        5.25f32.mul_add(d[2] - d[4], d[6] - d[0]),
        even_1 + odd_1,
        even_1 - odd_1,
        even_2 + odd_2,
        even_2 - odd_2,
        even_3 + odd_3,
        even_3 - odd_3,
        5.25f32.mul_add(d[3] - d[5], d[7] - d[1]),
    ]
}

/// B, the adjoint of [`input_to_frequency`].
#[inline(always)]
pub(super) fn frequency_to_input(t: [f32; IN]) -> [f32; IN] {
    let (even_1, odd_1) = (t[1] + t[2], t[1] - t[2]);
    let (even_2, odd_2) = (t[3] + t[4], t[3] - t[4]);
    let (even_3, odd_3) = (t[5] + t[6], t[5] - t[6]);
    let two = 5.25f32.mul_add(t[0], 0.25f32.mul_add(even_2, 4.0f32.mul_add(even_3, even_1)));
    let four = (-5.25f32)
        .mul_add(t[0], (-4.25f32).mul_add(even_1, (-1.25f32).mul_add(even_2, -5.0 * even_3)));
    let three = 5.25f32.mul_add(t[7], (-4.25f32).mul_add(odd_1, -2.5 * (odd_2 + odd_3)));
    let five = (-5.25f32).mul_add(t[7], 2.0f32.mul_add(odd_2, 0.5f32.mul_add(odd_3, odd_1)));
    [
        -t[0],
        0.5f32.mul_add(odd_2, 2.0f32.mul_add(odd_3, odd_1)) - t[7],
        two,
        three,
        four,
        five,
        t[0] + even_1 + (even_2 + even_3),
        t[7],
    ]
}

/// Aᵀ: frequencies to pixels.
#[inline(always)]
pub(super) fn frequency_to_output(m: [f32; IN]) -> [f32; OUT] {
    let (even_1, odd_1) = (m[1] + m[2], m[1] - m[2]);
    let (even_2, odd_2) = (m[3] + m[4], m[3] - m[4]);
    let (even_3, odd_3) = (m[5] + m[6], m[5] - m[6]);
    [
        m[0] + even_1 + (even_2 + even_3),
        2.0f32.mul_add(odd_2, 0.5f32.mul_add(odd_3, odd_1)),
        4.0f32.mul_add(even_2, 0.25f32.mul_add(even_3, even_1)),
        8.0f32.mul_add(odd_2, 0.125f32.mul_add(odd_3, odd_1)) + m[7],
    ]
}

/// A, the adjoint of [`frequency_to_output`].
#[inline(always)]
pub(super) fn output_to_frequency(y: [f32; OUT]) -> [f32; IN] {
    let (even_1, odd_1) = (y[0] + y[2], y[1] + y[3]);
    let (even_2, odd_2) = (4.0f32.mul_add(y[2], y[0]), 2.0f32.mul_add(y[1], 8.0 * y[3]));
    let (even_3, odd_3) = (0.25f32.mul_add(y[2], y[0]), 0.5f32.mul_add(y[1], 0.125 * y[3]));
    [
        y[0],
        even_1 + odd_1,
        even_1 - odd_1,
        even_2 + odd_2,
        even_2 - odd_2,
        even_3 + odd_3,
        even_3 - odd_3,
        y[3],
    ]
}

const POINT_1: f32 = -2.0 / 9.0;
const POINT_2: f32 = 1.0 / 90.0;
const POINT_3: f32 = 32.0 / 45.0;

/// G: a kernel to frequencies.
#[inline(always)]
pub(super) fn kernel_to_frequency(g: [f32; KERNEL]) -> [f32; IN] {
    let (even_1, odd_1) = (g[0] + g[2] + g[4], g[1] + g[3]);
    let even_2 = 4.0f32.mul_add(g[2], 16.0f32.mul_add(g[4], g[0]));
    let odd_2 = 2.0f32.mul_add(g[1], 8.0 * g[3]);
    let even_3 = 0.25f32.mul_add(g[2], 0.0625f32.mul_add(g[4], g[0]));
    let odd_3 = 0.5f32.mul_add(g[1], 0.125 * g[3]);
    [
        -g[0],
        POINT_1 * (even_1 + odd_1),
        POINT_1 * (even_1 - odd_1),
        POINT_2 * (even_2 + odd_2),
        POINT_2 * (even_2 - odd_2),
        POINT_3 * (even_3 + odd_3),
        POINT_3 * (even_3 - odd_3),
        g[4],
    ]
}

/// Gᵀ, the adjoint of [`kernel_to_frequency`].
#[inline(always)]
pub(super) fn frequency_to_kernel(u: [f32; IN]) -> [f32; KERNEL] {
    let (even_1, odd_1) = (POINT_1 * (u[1] + u[2]), POINT_1 * (u[1] - u[2]));
    let (even_2, odd_2) = (POINT_2 * (u[3] + u[4]), POINT_2 * (u[3] - u[4]));
    let (even_3, odd_3) = (POINT_3 * (u[5] + u[6]), POINT_3 * (u[5] - u[6]));
    [
        even_1 + even_2 + even_3 - u[0],
        2.0f32.mul_add(odd_2, 0.5f32.mul_add(odd_3, odd_1)),
        4.0f32.mul_add(even_2, 0.25f32.mul_add(even_3, even_1)),
        8.0f32.mul_add(odd_2, 0.125f32.mul_add(odd_3, odd_1)),
        16.0f32.mul_add(even_2, 0.0625f32.mul_add(even_3, even_1)) + u[7],
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(seed: usize, at: usize) -> f32 {
        ((seed * 31 + at * 17) % 13) as f32 - 6.0
    }

    #[test]
    fn four_outputs_are_the_correlation() {
        let d: [f32; IN] = std::array::from_fn(|at| value(1, at));
        let g: [f32; KERNEL] = std::array::from_fn(|at| value(2, at));
        let (input, kernel) = (input_to_frequency(d), kernel_to_frequency(g));
        let found = frequency_to_output(std::array::from_fn(|at| input[at] * kernel[at]));
        for (at, found) in found.into_iter().enumerate() {
            let expected: f32 = (0..KERNEL).map(|tap| g[tap] * d[at + tap]).sum();
            assert!((found - expected).abs() < 1e-3, "{found} instead of {expected}");
        }
    }

    /// ⟨T x, y⟩ = ⟨x, T* y⟩ for every pair of unit vectors.
    fn are_adjoint<const N: usize, const M: usize>(
        transform: impl Fn([f32; N]) -> [f32; M],
        adjoint: impl Fn([f32; M]) -> [f32; N],
    ) {
        for n in 0..N {
            for m in 0..M {
                let unit = transform(std::array::from_fn(|at| f32::from(u8::from(at == n))));
                let back = adjoint(std::array::from_fn(|at| f32::from(u8::from(at == m))));
                assert!((unit[m] - back[n]).abs() < 1e-6, "entry {m}, {n}");
            }
        }
    }

    #[test]
    fn the_way_back_is_the_adjoint() {
        are_adjoint(input_to_frequency, frequency_to_input);
        are_adjoint(frequency_to_output, output_to_frequency);
        are_adjoint(kernel_to_frequency, frequency_to_kernel);
    }
}
