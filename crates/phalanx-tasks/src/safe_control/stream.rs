//! Streams that any language can repeat: SplitMix64 in counter form, uniform and normal numbers.
use std::f64::consts::TAU;

/// A sequence of numbers that is a function of its seed and of nothing else.
///
/// It is for data and trials that other programs must be able to repeat; everything secret or
/// shared among nodes draws from `phalanx_robust::Rng`.
///
/// # Source
/// G. Steele, D. Lea and C. Flood, Fast Splittable Pseudorandom Number Generators, OOPSLA 2014.
#[derive(Debug, Clone)]
pub struct Stream {
    seed: u64,
    drawn: u64,
}

impl Stream {
    /// The sequence of a seed, from its beginning.
    pub fn new(seed: u64) -> Self {
        Self { seed, drawn: 0 }
    }

    /// The next 64 bits.
    pub fn bits(&mut self) -> u64 {
        self.drawn += 1;
        let mut z = self.seed.wrapping_add(self.drawn.wrapping_mul(0x9E37_79B9_7F4A_7C15));
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// The next number, uniform in 0 to 1 without 1.
    pub fn uniform(&mut self) -> f64 {
        (self.bits() >> 11) as f64 * (-53f64).exp2()
    }

    /// Fills `out` with standard normal numbers, by Box and Muller from consecutive pairs. An odd
    /// number of them leaves the second of the last pair unused.
    pub fn normals(&mut self, out: &mut [f64]) {
        for pair in out.chunks_mut(2) {
            let (first, second) = (self.uniform(), self.uniform());
            let radius = (-2.0 * (-first).ln_1p()).sqrt();
            pair[0] = radius * (TAU * second).cos();
            if let Some(other) = pair.get_mut(1) {
                *other = radius * (TAU * second).sin();
            }
        }
    }

    /// Rows uniform in a box, row by row, as [`Stream::uniform`] draws them.
    pub fn rows(&mut self, count: usize, low: &[f64], high: &[f64]) -> Vec<f64> {
        let sides = || low.iter().zip(high);
        let row = |stream: &mut Self| -> Vec<f64> {
            sides().map(|(low, high)| low + (high - low) * stream.uniform()).collect()
        };
        (0..count).flat_map(|_| row(self)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seed_one_gives_the_published_bits_and_normals() {
        let mut stream = Stream::new(1);
        let bits: Vec<u64> = (0..4).map(|_| stream.bits()).collect();
        let expected =
            [0x910a2dec89025cc1, 0xbeeb8da1658eec67, 0xf893a2eefb32555e, 0x71c18690ee42c90b];
        assert_eq!(bits, expected);
        let mut normals = [0.0; 4];
        Stream::new(1).normals(&mut normals);
        let expected = [-0.0342673218, -1.2926085332, -2.5000674934, 0.9114665864];
        for (found, expected) in normals.iter().zip(expected) {
            assert!((found - expected).abs() < 1e-9, "{found} is not {expected}");
        }
    }

    #[test]
    fn data_of_seed_one_start_with_the_row_of_the_reference() {
        let rows = Stream::new(1).rows(20, &[-8.0, -8.0, -20.0], &[8.0, 8.0, 20.0]);
        let expected = [1.0649852028, 3.9325081162, 18.8401101435];
        for (found, expected) in rows.iter().zip(expected) {
            assert!((found - expected).abs() < 1e-9, "{found} is not {expected}");
        }
    }
}
