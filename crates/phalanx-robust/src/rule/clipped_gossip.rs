//! ClippedGossip with the radius that a node can estimate itself.
use crate::geometry::{Geometric, GeometricRule, Geometry, Needs, Pairs};
use crate::population::Bound;
use crate::registry::Entry;
use crate::rule::gossip::{Neighbours, clipped, step};
use crate::rule::{AggregateError, Certificate, Example, Label, Rule};

/// The registry entry.
pub const ENTRY: Entry<Rule> = Entry {
    name: "clipped-gossip",
    summary: "own vector plus weighted differences, clipped at a radius found from the \
              neighbours",
    source: "He, Karimireddy, Jaggi, Byzantine-Robust Decentralized Learning via \
             ClippedGossip, 2022 (recalled); the radius as in the code of Gaucher et al.",
    params: &[],
    build: Rule {
        formula: "x + Σ w_j clip_τ(x_j − x), τ² = (1/b) Σ w_j ‖x_j − x‖² over the nearest \
                  neighbours whose weight leaves out at least b; w_j edge weights that sum to \
                  1, equal unless given; b the weight of the f heaviest neighbours",
        guarantee: "derived: f Byzantine neighbours move the result by at most b τ, and only \
                    honest distances can enlarge τ",
        cost: "O(n d + n log n)",
        certificate: Certificate {
            kappa: None,
            label: Label::Derived,
            breakdown: Some(Bound::MAJORITY),
        },
        example: Example {
            rows: &[&[0.0], &[1.0], &[2.0], &[4.0], &[100.0]],
            f: 1,
            result: &[2.3165152],
        },
        bound: Bound::MAJORITY,
        is_self_centred: true,
        build: |_, population| {
            let f = population.f();
            Ok(Box::new(Geometric::new(ClippedGossip { f, neighbours: Neighbours::default() })))
        },
    },
};

#[derive(Debug)]
struct ClippedGossip {
    f: usize,
    neighbours: Neighbours,
}

impl GeometricRule for ClippedGossip {
    fn needs(&self) -> Needs {
        Needs { pairs: Pairs::Own, has_norms: false }
    }

    fn factors(&self) -> Option<&[f64]> {
        Some(&self.neighbours.factors)
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
        let distances = geometry.squared_distances_of(own);
        let byzantine = self.neighbours.byzantine();
        let total: f64 = self.neighbours.order().iter().map(|j| geometry.edge_weight(*j)).sum();
        let (mut kept, mut spread) = (0.0, 0.0);
        for &j in self.neighbours.order() {
            kept += geometry.edge_weight(j);
            // Sums of equal weights in another order: rounding must not drop a neighbour.
            if kept > (total - byzantine) * (1.0 + 1e-12) {
                break;
            }
            spread += geometry.edge_weight(j) * distances[j];
        }
        let squared_tau = if byzantine > 0.0 { spread / byzantine } else { f64::INFINITY };
        let mut factors = std::mem::take(&mut self.neighbours.factors);
        step(geometry, own, |j| clipped(distances[j], squared_tau), weights, &mut factors);
        self.neighbours.factors = factors;
        Ok(())
    }
}
