//! Fall of empires: the honest mean, pulled through the origin.
use phalanx_robust::{Entry, Param};

use crate::attack::AttackRule;
use crate::line::{self, EVALUATIONS, FACTOR, Line, LineAttack};
use crate::moments;

/// The registry entry.
pub const ENTRY: Entry<AttackRule> = Entry {
    name: "fall-of-empires",
    summary: "the mean of the honest vectors plus c times its negative; the same line as \
              inner-product-manipulation with tau = c − 1, searched from x̄ on",
    source: "Xie, Koyejo, Gupta, Fall of Empires: Breaking Byzantine-Tolerant SGD by Inner \
             Product Manipulation, UAI 2019, in the form of the published simulator of \
             Farhadkhani et al., ICML 2023; the default shift is chosen",
    params: &[
        FACTOR,
        Param::number("shift", (0.0, 1e6), 1.1)
            .about("c of (1 − c) x̄: 0 hides in the mean, 1 sends zero, 2 flips the sign"),
        EVALUATIONS,
    ],
    build: AttackRule {
        formula: "a = x̄ + c (−x̄) = (1 − c) x̄",
        build: |setup| {
            let factor = line::factor(setup.args, "shift");
            LineAttack::boxed(setup, factor, |honest| {
                let base = moments::mean(honest.rows());
                let direction = base.iter().map(|mean| -mean).collect();
                Ok(Line { base, direction })
            })
        },
    },
};
