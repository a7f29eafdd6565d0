//! The exponential of numbers that are not positive, in a form that compilers vectorise.

/// Below it the result is that of it: 3.3e-308, which no sum notices.
const LEAST: f64 = -708.0;
/// Adding it rounds to the nearest whole number, which is then in the low bits.
const ROUNDING: f64 = 6_755_399_441_055_744.0;
/// `ln 2` in two parts; the first has so few digits that its products here are exact.
const LN_2: (f64, f64) = (6.931_471_803_691_238e-1, 1.908_214_929_270_587_7e-10);
/// The polynomial of least greatest relative error, 3.1e-18, on ± ln(2) / 2, by Remez' exchange.
const COEFFICIENTS: [f64; 12] = [
    1.0,
    1.0,
    0.500_000_000_000_001_8,
    0.166_666_666_666_661_7,
    0.041_666_666_666_492_63,
    0.008_333_333_333_559_451,
    0.001_388_888_895_126_120_4,
    0.000_198_412_694_324_344_38,
    2.480_148_648_128_35e-5,
    2.755_762_265_202_448_7e-6,
    2.763_230_822_445_254_3e-7,
    2.499_429_334_573_046_3e-8,
];

/// `e^x` for x from −∞ to 0.
///
/// There is no branch, no table and no fused operation in it: compiled for any width of register
/// it gives the same bits.
///
/// # Guarantee
/// Within two units of the last place down to `e^-708`, which stands for all that is smaller; NaN
/// stays NaN. Numbers above 0 are right up to 700.
#[inline(always)]
pub(super) fn exponential(x: f64) -> f64 {
    // Written so that NaN passes.
    let x = if x < LEAST { LEAST } else { x };
    let shifted = x * std::f64::consts::LOG2_E + ROUNDING;
    let whole = shifted - ROUNDING;
    let r = (x - whole * LN_2.0) - whole * LN_2.1;
    let [c0, c1, c2, c3, c4, c5, c6, c7, c8, c9, c10, c11] = COEFFICIENTS;
    let (r2, r4) = (r * r, (r * r) * (r * r));
    let low = (c0 + c1 * r) + (c2 + c3 * r) * r2;
    let middle = (c4 + c5 * r) + (c6 + c7 * r) * r2;
    let high = (c8 + c9 * r) + (c10 + c11 * r) * r2;
    let fraction = low + (middle + high * r4) * r4;
    let scale = f64::from_bits(shifted.to_bits().wrapping_add(1023) << 52);
    fraction * scale
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_within_two_units_of_the_last_place() {
        let mut worst: f64 = 0.0;
        for step in 0..2_000_000u32 {
            let x = -708.0 * (f64::from(step) / 2e6).powi(3);
            let (found, expected) = (exponential(x), x.exp());
            let unit = f64::from_bits(expected.to_bits() + 1) - expected;
            worst = worst.max((found - expected).abs() / unit);
        }
        assert!(worst <= 2.0, "{worst} units of the last place");
    }

    #[test]
    fn ends_are_what_they_should_be() {
        assert_eq!(exponential(0.0), 1.0);
        assert_eq!(exponential(-0.0), 1.0);
        assert!(exponential(f64::NAN).is_nan());
        for x in [-708.0, -1e3, -1e300, f64::NEG_INFINITY] {
            assert!((3e-308..4e-308).contains(&exponential(x)), "{x}");
        }
    }
}
