//! Nearest-neighbour averaging: the mean of the vectors closest to the own one.
use crate::args::Param;
use crate::geometry::{Geometric, GeometricRule, Geometry, Gram, Needs, Pairs};
use crate::population::Bound;
use crate::registry::Entry;
use crate::rule::{AggregateError, Certificate, Example, Label, Rule, trusted_own};
use crate::selection;

/// The registry entry.
pub const ENTRY: Entry<Rule> = Entry {
    name: "nearest-neighbor-averaging",
    summary: "mean of the n − f vectors closest to the own vector",
    source: "Farhadkhani et al., Robust Collaborative Learning with Linear Gradient Overhead, \
             ICML 2023",
    params: &[Param::integer("iterations", (1, 100), 1)
        .about("how often: each time the last result is the new centre")],
    build: Rule {
        formula: "mean of the n − f rows x_j of least ‖x_j − x_own‖; own first, then by index; \
                  repeated around the result where asked for",
        guarantee: "derived, one iteration: α + λ ≤ 8f/(n − f) when all n vectors are received, \
                    α + λ ≤ (1 + 2√2)² f(n − f)/(n − 2f)² when n − f of n are",
        cost: "O(n d + n log n); O(n² d) for more than one iteration",
        certificate: Certificate {
            kappa: None,
            label: Label::Derived,
            breakdown: Some(Bound::MAJORITY),
        },
        example: Example {
            rows: &[&[0.0], &[1.0], &[2.0], &[4.0], &[100.0]],
            f: 1,
            result: &[1.75],
        },
        bound: Bound::MAJORITY,
        is_self_centred: true,
        build: |args, population| {
            Ok(Box::new(Geometric::new(NearestNeighborAveraging {
                f: population.f(),
                iterations: args.integer("iterations"),
                order: Vec::new(),
                distances: Vec::new(),
                gram: Gram::default(),
            })))
        },
    },
};

#[derive(Debug)]
struct NearestNeighborAveraging {
    f: usize,
    iterations: usize,
    order: Vec<usize>,
    distances: Vec<f64>,
    gram: Gram,
}

impl GeometricRule for NearestNeighborAveraging {
    fn needs(&self) -> Needs {
        let pairs = if self.iterations > 1 { Pairs::Exact } else { Pairs::Own };
        Needs { pairs, has_norms: false }
    }

    fn weights(
        &mut self,
        geometry: &Geometry,
        own: Option<usize>,
        weights: &mut [f64],
    ) -> Result<(), AggregateError> {
        let own = trusted_own(ENTRY.name, geometry, own, self.f)?;
        let count = geometry.count();
        let keep = count - self.f;
        selection::rank(geometry.squared_distances_of(own), Some(own), &mut self.order);
        selection::mean_of(&self.order[..keep], weights);
        if self.iterations > 1 {
            self.gram.centre(geometry, own);
            self.distances.resize(count, 0.0);
        }
        for _ in 1..self.iterations {
            self.gram.squared_distances_to(weights, &mut self.distances);
            selection::rank(&self.distances, Some(own), &mut self.order);
            selection::mean_of(&self.order[..keep], weights);
        }
        Ok(())
    }
}
