//! Nearest-neighbour averaging: the mean of the vectors closest to the own one.
use crate::geometry::{Geometric, GeometricRule, Geometry, Needs, Pairs};
use crate::population::{Bound, Population};
use crate::registry::Entry;
use crate::rule::{AggregateError, Rule};

/// The registry entry.
pub const ENTRY: Entry<Rule> = Entry {
    name: "nearest-neighbor-averaging",
    summary: "mean of the n − f vectors closest to the own vector",
    source: "Farhadkhani et al., Robust Collaborative Learning with Linear Gradient Overhead, \
             ICML 2023",
    params: &[],
    build: Rule {
        formula: "mean of the n − f rows x_j of least ‖x_j − x_own‖; own first, then by index",
        guarantee: "derived: α + λ ≤ 8f/(n − f) when all n vectors are received",
        cost: "O(n d + n log n)",
        bound: Bound::MAJORITY,
        is_self_centred: true,
        build: |_, population| {
            Ok(Box::new(Geometric::new(NearestNeighborAveraging { f: population.f() })))
        },
    },
};

#[derive(Debug)]
struct NearestNeighborAveraging {
    f: usize,
}

impl GeometricRule for NearestNeighborAveraging {
    fn needs(&self) -> Needs {
        Needs { pairs: Pairs::Own, has_norms: false }
    }

    fn weights(
        &mut self,
        geometry: &Geometry,
        own: Option<usize>,
        weights: &mut [f64],
    ) -> Result<(), AggregateError> {
        let own = own.ok_or(AggregateError::NoOwn { rule: ENTRY.name })?;
        Population::new(geometry.count(), self.f)?.require(Bound::MAJORITY)?;
        let distances = geometry.squared_distances_of(own);
        let mut order: Vec<usize> = (0..distances.len()).collect();
        order.sort_by(|&a, &b| {
            (distances[a].total_cmp(&distances[b])).then((a != own).cmp(&(b != own)))
        });
        let keep = geometry.count() - self.f;
        let finite = order[..keep].iter().filter(|&&i| distances[i].is_finite()).count();
        if finite < keep {
            let found = distances.iter().filter(|distance| !distance.is_finite()).count();
            return Err(AggregateError::TooManyNotFinite { found, tolerated: self.f });
        }
        weights.fill(0.0);
        order[..keep].iter().for_each(|&i| weights[i] = 1.0 / keep as f64);
        Ok(())
    }
}
