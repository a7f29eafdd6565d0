//! Mimic: repeat one honest node, so that its data count too much.
use phalanx_robust::rule::BuildError;
use phalanx_robust::{Entry, Param, Rng};

use crate::attack::{Attack, AttackError, AttackRule, Forgery, View};

/// The registry entry.
pub const ENTRY: Entry<AttackRule> = Entry {
    name: "mimic",
    summary: "the vector of one honest node, repeated",
    source: "Karimireddy, He, Jaggi, Byzantine-Robust Learning on Heterogeneous Datasets via \
             Bucketing, ICLR 2022, with a fixed node",
    params: &[Param::integer("index", (0, u16::MAX as i64), 0)
        .about("ε, which honest node, counted from 0 by ascending node")],
    build: AttackRule {
        formula: "a = x_ε",
        build: |setup| {
            let (index, byzantine) = (setup.args.integer("index"), setup.byzantine);
            let honest = setup.population.n().saturating_sub(byzantine);
            if index >= honest {
                return Err(BuildError::Other(format!(
                    "`index = {index}` of `{}` is no honest node: there are `{honest}`",
                    ENTRY.name
                )));
            }
            Ok(Box::new(Mimic { index, byzantine }))
        },
    },
};

struct Mimic {
    index: usize,
    byzantine: usize,
}

impl Attack for Mimic {
    fn forge(&mut self, view: &View<'_>, _rng: &mut Rng) -> Result<Forgery, AttackError> {
        let what = "the vector of the honest node `index`";
        let missing = AttackError::Missing { attack: ENTRY.name, what };
        let row = view.honest.rows().get(self.index).ok_or(missing)?;
        Ok(Forgery::same(row.to_vec(), self.byzantine, view.honest.count()))
    }
}
