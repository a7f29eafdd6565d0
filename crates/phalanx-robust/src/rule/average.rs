//! The arithmetic mean: the rule that one Byzantine vector defeats.
use crate::geometry::{Geometric, GeometricRule, Geometry, Needs, Pairs};
use crate::population::Bound;
use crate::registry::Entry;
use crate::rule::{AggregateError, Certificate, Example, Label, Rule};

/// The registry entry.
pub const ENTRY: Entry<Rule> = Entry {
    name: "average",
    summary: "arithmetic mean of all vectors",
    source: "textbook",
    params: &[],
    build: Rule {
        formula: "(1/n) Σ x_i, over the finite rows",
        guarantee: "none for f ≥ 1: the result moves linearly with any one vector",
        cost: "O(n d)",
        certificate: Certificate { kappa: None, label: Label::None, breakdown: None },
        example: Example {
            rows: &[&[0.0], &[1.0], &[2.0], &[4.0], &[100.0]],
            f: 1,
            result: &[21.4],
        },
        bound: Bound::ANY,
        is_self_centred: false,
        build: |_, population| Ok(Box::new(Geometric::new(Average { f: population.f() }))),
    },
};

#[derive(Debug)]
struct Average {
    f: usize,
}

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
        let finite = geometry.finite_count(self.f)?;
        for (i, weight) in weights.iter_mut().enumerate() {
            *weight = if geometry.is_finite(i) { 1.0 / finite as f64 } else { 0.0 };
        }
        Ok(())
    }
}
