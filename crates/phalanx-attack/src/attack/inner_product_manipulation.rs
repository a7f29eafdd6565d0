//! Inner product manipulation: the honest mean, negated and scaled.
use phalanx_robust::{Entry, Param};

use crate::attack::AttackRule;
use crate::line::{self, EVALUATIONS, FACTOR, Line, LineAttack};
use crate::moments;

/// The registry entry.
pub const ENTRY: Entry<AttackRule> = Entry {
    name: "inner-product-manipulation",
    summary: "the mean of the honest vectors, negated and scaled; the same line as \
              fall-of-empires with shift = 1 + tau, searched from 0 on",
    source: "Xie, Koyejo, Gupta, Fall of Empires: Breaking Byzantine-Tolerant SGD by Inner \
             Product Manipulation, UAI 2019; the default tau is that of the ByzFL library",
    params: &[
        FACTOR,
        Param::number("tau", (0.0, 1e6), 2.0).about("τ of −τ x̄; used when fixed"),
        EVALUATIONS,
    ],
    build: AttackRule {
        formula: "a = −τ x̄",
        build: |setup| {
            let factor = line::factor(setup.args, "tau");
            LineAttack::boxed(setup, factor, |honest| {
                let mut direction = moments::mean(honest.rows());
                direction.iter_mut().for_each(|mean| *mean = -*mean);
                Ok(Line { base: vec![0.0; direction.len()], direction })
            })
        },
    },
};
