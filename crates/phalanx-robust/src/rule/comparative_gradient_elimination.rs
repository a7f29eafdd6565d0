//! Comparative gradient elimination: the mean of the vectors of least norm.
use crate::geometry::{Geometric, GeometricRule, Geometry, Needs, Pairs};
use crate::population::{Bound, Population};
use crate::registry::Entry;
use crate::rule::{AggregateError, Certificate, Example, Label, Rule};
use crate::selection;

/// The registry entry.
pub const ENTRY: Entry<Rule> = Entry {
    name: "comparative-gradient-elimination",
    summary: "mean of the n − f vectors of least norm",
    source: "Gupta et al., Byzantine Fault-Tolerant Distributed Machine Learning with Norm-Based \
             Comparative Gradient Elimination, 2021 (recalled)",
    params: &[],
    build: Rule {
        formula: "mean of the n − f rows of least ‖x_i‖, ties by index",
        guarantee: "the result is no longer than the longest honest vector (derived); no κ, since \
                    short Byzantine vectors pass",
        cost: "O(n d)",
        certificate: Certificate { kappa: None, label: Label::Derived, breakdown: None },
        example: Example {
            rows: &[&[0.0], &[1.0], &[2.0], &[4.0], &[100.0]],
            f: 1,
            result: &[1.75],
        },
        bound: Bound::MAJORITY,
        is_self_centred: false,
        build: |_, population| {
            let rule = LeastNorms { f: population.f(), order: Vec::new(), norms: Vec::new() };
            Ok(Box::new(Geometric::new(rule)))
        },
    },
};

#[derive(Debug)]
struct LeastNorms {
    f: usize,
    order: Vec<usize>,
    norms: Vec<f64>,
}

impl GeometricRule for LeastNorms {
    fn needs(&self) -> Needs {
        Needs { pairs: Pairs::None, has_norms: true }
    }

    fn weights(
        &mut self,
        geometry: &Geometry,
        _own: Option<usize>,
        weights: &mut [f64],
    ) -> Result<(), AggregateError> {
        let count = geometry.count();
        let population = Population::new(count, self.f)?;
        population.require(Bound::MAJORITY)?;
        geometry.finite_count(self.f)?;
        self.norms.clear();
        self.norms.extend((0..count).map(|i| geometry.squared_norm(i)));
        selection::rank(&self.norms, None, &mut self.order);
        selection::mean_of(&self.order[..population.quorum()], weights);
        Ok(())
    }
}
