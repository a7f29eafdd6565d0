//! Phocas: the mean around the trimmed mean of each coordinate.
use crate::kernel::order::Statistic;
use crate::population::Bound;
use crate::registry::Entry;
use crate::rule::coordinate_wise::CoordinateWise;
use crate::rule::{Certificate, Example, Label, Rule};

/// The registry entry.
pub const ENTRY: Entry<Rule> = Entry {
    name: "phocas",
    summary: "mean of the n − f values of each coordinate closest to their trimmed mean",
    source: "Xie, Koyejo, Gupta, Phocas: dimensional Byzantine-resilient stochastic gradient \
             descent, 2018",
    params: &[],
    build: Rule {
        formula: "per coordinate the mean of the n − f values of least |s_k − trimmed mean|; the \
                  smaller value first on ties (chosen); NaN counts as +∞",
        guarantee: "derived: every kept value is at most as far from the trimmed mean as some \
                    honest value, so every coordinate is within one honest range of it",
        cost: "O(n log² n · d)",
        certificate: Certificate {
            kappa: None,
            label: Label::Derived,
            breakdown: Some(Bound::MAJORITY),
        },
        example: Example {
            rows: &[&[0.0], &[1.0], &[2.0], &[4.0], &[100.0]],
            f: 1,
            result: &[1.75],
        },
        bound: Bound::MAJORITY,
        is_self_centred: false,
        build: |_, population| {
            CoordinateWise::build(population, Bound::MAJORITY, |_, f| {
                Statistic::MeanAroundTrimmedMean { trim: f }
            })
        },
    },
};
