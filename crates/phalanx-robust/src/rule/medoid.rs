//! The medoid: the vector with the least sum of distances to the others.
use crate::geometry::{Geometric, GeometricRule, Geometry, Needs, Pairs};
use crate::population::{Bound, Population};
use crate::registry::Entry;
use crate::rule::{AggregateError, Rule};
use crate::selection;

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
        bound: Bound::MAJORITY,
        is_self_centred: false,
        build: |_, population| {
            Ok(Box::new(Geometric::new(Medoid { f: population.f(), sums: Vec::new() })))
        },
    },
};

#[derive(Debug)]
struct Medoid {
    f: usize,
    sums: Vec<f64>,
}

/// Sums of distances to the finite rows; `+∞` for rows that are not finite.
pub(super) fn sums_of_distances(geometry: &Geometry, sums: &mut Vec<f64>) {
    sums.clear();
    sums.extend((0..geometry.count()).map(|i| {
        let distances = geometry.squared_distances_of(i).iter().enumerate();
        match geometry.is_finite(i) {
            true => (distances.filter(|(j, _)| geometry.is_finite(*j)))
                .map(|(_, squared)| squared.sqrt())
                .sum(),
            false => f64::INFINITY,
        }
    }));
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
        geometry.finite_count(self.f)?;
        sums_of_distances(geometry, &mut self.sums);
        let best = selection::least(&self.sums).expect("n − f rows are finite");
        selection::mean_of(&[best], weights);
        Ok(())
    }
}
