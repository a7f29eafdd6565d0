//! The medoid: the vector with the least sum of distances to the others.
use crate::geometry::{Geometric, GeometricRule, Geometry, Needs, Pairs};
use crate::population::{Bound, Population};
use crate::registry::Entry;
use crate::rule::{AggregateError, Certificate, Example, Label, Rule};
use crate::selection::{self, ExcessSums};

/// The registry entry.
pub const ENTRY: Entry<Rule> = Entry {
    name: "medoid",
    summary: "the one vector with the least sum of distances to the others",
    source: "textbook; the name `geometric median` in parts of the published code",
    params: &[],
    build: Rule {
        formula: "x_i of least Σ_j ‖x_i − x_j‖, ties by index",
        guarantee: "breakdown at f < n/2 (derived); no κ stated",
        cost: "O(n² d)",
        certificate: Certificate {
            kappa: None,
            label: Label::Derived,
            breakdown: Some(Bound::MAJORITY),
        },
        example: Example {
            rows: &[&[0.0], &[1.0], &[2.0], &[4.0], &[100.0]],
            f: 1,
            result: &[2.0],
        },
        bound: Bound::MAJORITY,
        is_self_centred: false,
        build: |_, population| {
            Ok(Box::new(Geometric::new(Medoid { f: population.f(), sums: ExcessSums::default() })))
        },
    },
};

#[derive(Debug)]
struct Medoid {
    f: usize,
    sums: ExcessSums,
}

/// The finite row with the least sum of distances to the finite rows, ties by index.
pub(super) fn medoid(geometry: &Geometry, finite: usize, sums: &mut ExcessSums) -> usize {
    sums.start(finite - 1);
    for i in 0..geometry.count() {
        let distances = geometry.squared_distances_of(i).iter().enumerate();
        let others = distances.filter(|(j, _)| *j != i && geometry.is_finite(*j));
        let distances = others.map(|(_, squared)| squared.sqrt());
        sums.push(geometry.is_finite(i).then_some(distances));
    }
    selection::least(sums.finish(geometry.count())).expect("n − f rows are finite")
}

impl GeometricRule for Medoid {
    fn needs(&self) -> Needs {
        Needs { pairs: Pairs::All, has_norms: false }
    }

    fn weights(
        &mut self,
        geometry: &Geometry,
        _own: Option<usize>,
        weights: &mut [f64],
    ) -> Result<(), AggregateError> {
        Population::new(geometry.count(), self.f)?.require(Bound::MAJORITY)?;
        let finite = geometry.finite_count(self.f)?;
        let best = medoid(geometry, finite, &mut self.sums);
        selection::mean_of(&[best], weights);
        Ok(())
    }
}
