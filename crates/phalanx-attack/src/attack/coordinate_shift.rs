//! Coordinate shift: the honest mean with all of the deviation in one coordinate.
use phalanx_robust::{Entry, Param};

use crate::attack::{AttackError, AttackRule};
use crate::line::{self, EVALUATIONS, FACTOR, Line, LineAttack};
use crate::moments;

/// The registry entry.
pub const ENTRY: Entry<AttackRule> = Entry {
    name: "coordinate-shift",
    summary: "the mean of the honest vectors, shifted in one coordinate or equally in all",
    source: "after El Mhamdi, Guerraoui, Rouault, The Hidden Vulnerability of Distributed \
             Learning in Byzantium, ICML 2018; called `bulyan` in published simulators",
    params: &[
        FACTOR,
        Param::number("shift", (0.0, 1e30), 1.0).about("c; used when fixed"),
        EVALUATIONS,
        Param::choice("direction", &["one", "all"], "one").about("one coordinate or every one"),
        Param::integer("coordinate", (0, u32::MAX as i64), 0)
            .optional()
            .about("which one; the last when not given"),
    ],
    build: AttackRule {
        formula: "a = x̄ + c e_k, or x̄ + c·(1, …, 1)",
        build: |setup| {
            let factor = line::factor(setup.args, "shift");
            let is_one = setup.args.text("direction") == "one";
            let coordinate = setup.args.integer_if("coordinate");
            LineAttack::boxed(setup, factor, move |honest| {
                let base = moments::mean(honest.rows());
                let mut direction = vec![if is_one { 0.0 } else { 1.0 }; base.len()];
                if is_one {
                    let what = "a vector that has the chosen `coordinate`";
                    let missing = AttackError::Missing { attack: ENTRY.name, what };
                    let at = coordinate.unwrap_or(base.len() - 1);
                    *direction.get_mut(at).ok_or(missing)? = 1.0;
                }
                Ok(Line { base, direction })
            })
        },
    },
};
