//! The arithmetic mean: the rule that one Byzantine vector defeats.
use crate::geometry::{Geometric, GeometricRule, Geometry, Needs, Pairs};
use crate::population::Bound;
use crate::registry::Entry;
use crate::rule::{AggregateError, Rule};

/// The registry entry.
pub const ENTRY: Entry<Rule> = Entry {
    name: "average",
    summary: "arithmetic mean of all vectors",
    source: "textbook",
    params: &[],
    build: Rule {
        formula: "(1/n) Σ x_i",
        guarantee: "none for f ≥ 1: the result moves linearly with any one vector",
        cost: "O(n d)",
        bound: Bound::ANY,
        is_self_centred: false,
        build: |_, _| Ok(Box::new(Geometric::new(Average))),
    },
};

#[derive(Debug)]
struct Average;

impl GeometricRule for Average {
    fn needs(&self) -> Needs {
        Needs { pairs: Pairs::None, has_norms: false }
    }

    fn weights(
        &mut self,
        geometry: &Geometry,
        _own: Option<usize>,
        weights: &mut [f64],
    ) -> Result<(), AggregateError> {
        weights.fill(1.0 / geometry.count() as f64);
        Ok(())
    }
}
