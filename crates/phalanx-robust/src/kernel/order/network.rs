//! Batcher's odd-even merge sort as a list of comparators, for any count.

/// A comparator: the smaller value goes to the first index, the larger to the second.
pub(super) type Pair = (u16, u16);

/// Writes the comparators that sort `count` values, as far as `pairs` has room; returns how many
/// there are.
///
/// # Source
/// K. E. Batcher, Sorting networks and their applications, AFIPS 1968; in the iterative form of
/// D. E. Knuth, The Art of Computer Programming 3, 5.2.2, Algorithm M.
pub(super) const fn batcher(count: usize, pairs: &mut [Pair]) -> usize {
    let mut found = 0;
    let mut merged = 1;
    while merged < count {
        let mut step = merged;
        while step >= 1 {
            let mut first = step % merged;
            while first + step < count {
                let mut low = first;
                while low < first + step && low + step < count {
                    if low / (2 * merged) == (low + step) / (2 * merged) {
                        if found < pairs.len() {
                            pairs[found] = (low as u16, (low + step) as u16);
                        }
                        found += 1;
                    }
                    low += 1;
                }
                first += 2 * step;
            }
            step /= 2;
        }
        merged *= 2;
    }
    found
}

/// Removes every comparator that no rank within `needed` depends on.
pub(super) fn prune(pairs: &mut Vec<Pair>, needed: &mut [bool]) {
    let mut kept = pairs.len();
    for at in (0..pairs.len()).rev() {
        let (low, high) = (usize::from(pairs[at].0), usize::from(pairs[at].1));
        if needed[low] || needed[high] {
            (needed[low], needed[high]) = (true, true);
            kept -= 1;
            pairs[kept] = pairs[at];
        }
    }
    pairs.drain(..kept);
}

/// Largest count whose network is unrolled at compile time.
pub(super) const UNROLLED_MAX: usize = 32;

/// Comparators of Batcher's network for 32 values.
pub(super) const UNROLLED_PAIRS_MAX: usize = 192;

/// The network for `N ≤ 32` values, known at compile time.
pub(super) struct Network<const N: usize>;

impl<const N: usize> Network<N> {
    const ALL: ([Pair; UNROLLED_PAIRS_MAX], usize) = {
        let mut pairs = [(0, 0); UNROLLED_PAIRS_MAX];
        let found = batcher(N, &mut pairs);
        assert!(N <= UNROLLED_MAX && found <= UNROLLED_PAIRS_MAX);
        (pairs, found)
    };
    pub(super) const PAIRS: [Pair; UNROLLED_PAIRS_MAX] = Self::ALL.0;
    pub(super) const COUNT: usize = Self::ALL.1;
}

#[cfg(test)]
mod tests {
    use super::*;

    fn network(count: usize) -> Vec<Pair> {
        let mut pairs = vec![(0, 0); batcher(count, &mut [])];
        batcher(count, &mut pairs);
        pairs
    }

    fn run(pairs: &[Pair], values: &mut [u32]) {
        for (low, high) in pairs.iter().map(|pair| (usize::from(pair.0), usize::from(pair.1))) {
            let (a, b) = (values[low], values[high]);
            (values[low], values[high]) = (a.min(b), a.max(b));
        }
    }

    /// A network sorts everything when it sorts all sequences of zeros and ones (Knuth 5.3.4).
    /// Each bit of a `u32` is one such sequence, and min, max of bits are and, or.
    #[test]
    fn every_sequence_of_zeros_and_ones_up_to_16_is_sorted() {
        for count in 1..=16 {
            let pairs = network(count);
            for sequence in 0u32..1 << count {
                let mut values: Vec<u32> = (0..count).map(|i| (sequence >> i) & 1).collect();
                run(&pairs, &mut values);
                assert!(values.is_sorted(), "count {count}, sequence {sequence:b}");
            }
        }
    }

    #[test]
    fn large_networks_sort_permutations() {
        for count in [17, 25, 31, 32, 33, 100, 127, 128, 129, 255, 256] {
            let pairs = network(count);
            for stride in (1..40).filter(|stride| gcd(*stride, count) == 1) {
                let mut values: Vec<u32> =
                    (0..count).map(|i| ((i * stride + 3) % count) as u32).collect();
                run(&pairs, &mut values);
                assert!(values.is_sorted(), "count {count}, stride {stride}");
            }
        }
    }

    #[test]
    fn pruning_keeps_the_needed_ranks() {
        for count in 1..=12 {
            for rank in 0..count {
                let mut pairs = network(count);
                let before = pairs.len();
                let mut needed = vec![false; count];
                needed[rank] = true;
                prune(&mut pairs, &mut needed);
                assert!(pairs.len() <= before);
                for sequence in 0u32..1 << count {
                    let mut values: Vec<u32> = (0..count).map(|i| (sequence >> i) & 1).collect();
                    run(&pairs, &mut values);
                    let zeros = count - sequence.count_ones() as usize;
                    assert_eq!(values[rank], u32::from(rank >= zeros));
                }
            }
        }
    }

    #[test]
    fn the_known_number_of_comparators() {
        let known = [(2, 1), (4, 5), (8, 19), (16, 63), (32, 191)];
        for (count, comparators) in known {
            assert_eq!(batcher(count, &mut []), comparators);
        }
        assert_eq!(Network::<32>::COUNT, 191);
    }

    fn gcd(a: usize, b: usize) -> usize {
        if b == 0 { a } else { gcd(b, a % b) }
    }
}
