//! GTS, the geometrically trimmed sum: nearest-neighbour averaging on weighted graphs.
use crate::geometry::{Geometric, GeometricRule, Geometry, Needs, Pairs};
use crate::population::Bound;
use crate::registry::Entry;
use crate::rule::gossip::Neighbours;
use crate::rule::{AggregateError, Certificate, Example, Label, Rule};

/// The registry entry.
pub const ENTRY: Entry<Rule> = Entry {
    name: "trimmed-sum",
    summary: "own vector plus weighted differences from the neighbours, the farthest left out",
    source: "GTS of Gaucher, Dieuleveut, Hendrikx, Unified Breakdown Analysis for \
             Byzantine Robust Gossip, 2024 (recalled); the code of the same authors",
    params: &[],
    build: Rule {
        formula: "x + Σ w_j s_j (x_j − x), s_j = 0 for the farthest neighbours of weight b, \
                  where the last may count in part, and 1 for the others; w_j edge weights that \
                  sum to 1, equal unless given; b the weight of the f heaviest neighbours",
        guarantee: "derived: no neighbour counts that is farther than every honest one; with equal \
                    weights nearest-neighbour averaging with f/n of the own vector added",
        cost: "O(n d + n log n)",
        certificate: Certificate {
            kappa: None,
            label: Label::Derived,
            breakdown: Some(Bound::MAJORITY),
        },
        example: Example {
            rows: &[&[0.0], &[1.0], &[2.0], &[4.0], &[100.0]],
            f: 1,
            result: &[1.4],
        },
        bound: Bound::MAJORITY,
        is_self_centred: true,
        build: |_, population| {
            let f = population.f();
            Ok(Box::new(Geometric::new(TrimmedSum { f, neighbours: Neighbours::default() })))
        },
    },
};

#[derive(Debug)]
struct TrimmedSum {
    f: usize,
    neighbours: Neighbours,
}

impl GeometricRule for TrimmedSum {
    fn needs(&self) -> Needs {
        Needs { pairs: Pairs::Own, has_norms: false }
    }

    fn uses_edge_weights(&self) -> bool {
        true
    }

    fn weights(
        &mut self,
        geometry: &Geometry,
        own: Option<usize>,
        weights: &mut [f64],
    ) -> Result<(), AggregateError> {
        let own = self.neighbours.start(ENTRY.name, geometry, own, self.f)?;
        weights.fill(0.0);
        let mut left = self.neighbours.byzantine();
        let mut moved = 0.0;
        for &j in self.neighbours.order().iter().rev() {
            let trimmed = geometry.edge_weight(j).min(left);
            left -= trimmed;
            if geometry.is_finite(j) {
                weights[j] = geometry.edge_weight(j) - trimmed;
                // What rounding leaves of an edge that is trimmed whole.
                if weights[j] <= 1e-12 * geometry.edge_weight(j) {
                    weights[j] = 0.0;
                }
                moved += weights[j];
            }
        }
        weights[own] = 1.0 - moved;
        Ok(())
    }
}
