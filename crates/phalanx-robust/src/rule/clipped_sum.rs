//! CS+, the clipped sum: at least twice the Byzantine weight is clipped.
use crate::geometry::{Geometric, GeometricRule, Geometry, Needs, Pairs};
use crate::population::Bound;
use crate::registry::Entry;
use crate::rule::gossip::{Neighbours, clipped, step};
use crate::rule::{AggregateError, Certificate, Example, Label, Rule};

/// The registry entry.
pub const ENTRY: Entry<Rule> = Entry {
    name: "clipped-sum",
    summary: "own vector plus weighted differences from the neighbours, clipped so that enough are",
    source: "CS+ of Gaucher, Dieuleveut, Hendrikx, Unified Breakdown Analysis for \
             Byzantine Robust Gossip, 2024 (recalled); the code of the same authors",
    params: &[],
    build: Rule {
        formula: "x + Σ w_j clip_τ(x_j − x), τ the largest ‖x_j − x‖ such that neighbours at \
                  least that far weigh 2b or more; w_j edge weights that sum to 1, equal unless \
                  given; b the weight of the f heaviest neighbours",
        guarantee: "derived: τ is at most some honest neighbour's distance, and f Byzantine \
                    neighbours move the result by at most b τ",
        cost: "O(n d + n log n)",
        certificate: Certificate {
            kappa: None,
            label: Label::Derived,
            breakdown: Some(Bound::MAJORITY),
        },
        example: Example {
            rows: &[&[0.0], &[1.0], &[2.0], &[4.0], &[100.0]],
            f: 1,
            result: &[2.2],
        },
        bound: Bound::MAJORITY,
        is_self_centred: true,
        build: |_, population| {
            let f = population.f();
            Ok(Box::new(Geometric::new(ClippedSum { f, neighbours: Neighbours::default() })))
        },
    },
};

#[derive(Debug)]
struct ClippedSum {
    f: usize,
    neighbours: Neighbours,
}

impl GeometricRule for ClippedSum {
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
        let enough = 2.0 * self.neighbours.byzantine() * (1.0 - 1e-12);
        // Without Byzantine weight nothing is clipped.
        let mut squared_tau = if enough > 0.0 { 0.0 } else { f64::INFINITY };
        let mut weight = 0.0;
        for &j in self.neighbours.order().iter().rev().filter(|_| enough > 0.0) {
            weight += geometry.edge_weight(j);
            if weight >= enough {
                squared_tau = distances[j];
                break;
            }
        }
        let mut factors = std::mem::take(&mut self.neighbours.factors);
        step(geometry, own, |j| clipped(distances[j], squared_tau), weights, &mut factors);
        self.neighbours.factors = factors;
        Ok(())
    }
}
