//! Coordinate-wise median: the middle value of each coordinate.
use crate::kernel::order::Statistic;
use crate::population::Bound;
use crate::registry::Entry;
use crate::rule::coordinate_wise::CoordinateWise;
use crate::rule::{Certificate, Example, Label, Rule};

/// The registry entry.
pub const ENTRY: Entry<Rule> = Entry {
    name: "coordinate-wise-median",
    summary: "median of each coordinate; the midpoint of the middle two for even n",
    source: "Yin et al., Byzantine-Robust Distributed Learning: Towards Optimal Statistical \
             Rates, ICML 2018, Definition 1",
    params: &[],
    build: Rule {
        formula: "per coordinate s_((n−1)/2) for odd n, (s_(n/2−1) + s_(n/2)) / 2 for even n, of \
                  the sorted s_0 ≤ … ≤ s_(n−1); NaN counts as +∞",
        guarantee: "recalled: κ = 4 (1 + f/(n − 2f))²; every coordinate within the range of the \
                    honest values",
        cost: "O(n log² n · d)",
        certificate: Certificate {
            kappa: Some(|n, f| 4.0 * (1.0 + f / (n - 2.0 * f)).powi(2)),
            label: Label::Recalled,
            breakdown: Some(Bound::MAJORITY),
        },
        example: Example {
            rows: &[&[0.0], &[1.0], &[2.0], &[4.0], &[100.0]],
            f: 1,
            result: &[2.0],
        },
        bound: Bound::MAJORITY,
        is_self_centred: false,
        build: |_, population| {
            CoordinateWise::build(population, Bound::MAJORITY, |_, _| Statistic::Median)
        },
    },
};
