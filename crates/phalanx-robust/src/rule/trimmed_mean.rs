//! Coordinate-wise trimmed mean: f values dropped at each end of each coordinate.
use crate::kernel::order::Statistic;
use crate::population::Bound;
use crate::registry::Entry;
use crate::rule::coordinate_wise::CoordinateWise;
use crate::rule::{Certificate, Example, Label, Rule};

/// The registry entry.
pub const ENTRY: Entry<Rule> = Entry {
    name: "trimmed-mean",
    summary: "mean of each coordinate without its f smallest and f largest values",
    source: "Yin et al., Byzantine-Robust Distributed Learning: Towards Optimal Statistical \
             Rates, ICML 2018, Definition 2",
    params: &[],
    build: Rule {
        formula: "per coordinate (1/(n − 2f)) Σ s_k over k = f … n − f − 1 of the sorted s_0 ≤ … \
                  ≤ s_(n−1); NaN counts as +∞",
        guarantee: "recalled: κ = (6f/(n − 2f)) (1 + f/(n − 2f)); every coordinate within the \
                    range of the honest values",
        cost: "O(n log² n · d)",
        certificate: Certificate {
            kappa: Some(|n, f| 6.0 * f / (n - 2.0 * f) * (1.0 + f / (n - 2.0 * f))),
            label: Label::Recalled,
            breakdown: Some(Bound::MAJORITY),
        },
        example: Example {
            rows: &[&[0.0], &[1.0], &[2.0], &[4.0], &[100.0]],
            f: 1,
            result: &[2.3333333],
        },
        bound: Bound::MAJORITY,
        is_self_centred: false,
        build: |_, population| {
            CoordinateWise::build(population, Bound::MAJORITY, |_, f| Statistic::TrimmedMean {
                trim: f,
            })
        },
    },
};
