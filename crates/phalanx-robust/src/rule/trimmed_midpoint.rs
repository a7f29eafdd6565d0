//! Trimmed midpoint: halves the spread of each coordinate, as approximate agreement asks.
use crate::kernel::order::Statistic;
use crate::population::Bound;
use crate::registry::Entry;
use crate::rule::coordinate_wise::CoordinateWise;
use crate::rule::{Certificate, Example, Label, Rule};

/// The registry entry.
pub const ENTRY: Entry<Rule> = Entry {
    name: "trimmed-midpoint",
    summary: "midpoint of what is left of each coordinate after f values are dropped at each end",
    source: "Dolev et al., Reaching Approximate Agreement in the Presence of Faults, JACM 1986",
    params: &[],
    build: Rule {
        formula: "per coordinate (s_f + s_(n−f−1)) / 2 of the sorted s_0 ≤ … ≤ s_(n−1); NaN \
                  counts as +∞",
        guarantee: "derived: every coordinate within the range of the honest values",
        cost: "O(n log² n · d)",
        certificate: Certificate {
            kappa: None,
            label: Label::Derived,
            breakdown: Some(Bound::MAJORITY),
        },
        example: Example {
            rows: &[&[0.0], &[1.0], &[2.0], &[4.0], &[100.0]],
            f: 1,
            result: &[2.5],
        },
        bound: Bound::MAJORITY,
        is_self_centred: false,
        build: |_, population| {
            CoordinateWise::build(population, Bound::MAJORITY, |_, f| Statistic::TrimmedMidpoint {
                trim: f,
            })
        },
    },
};
