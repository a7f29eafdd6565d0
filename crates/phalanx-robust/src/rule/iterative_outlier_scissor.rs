//! IOS, the iterative outlier scissor: the farthest from the weighted mean goes, f times.
use crate::geometry::{Geometric, GeometricRule, Geometry, Gram, Needs, Pairs};
use crate::population::Bound;
use crate::registry::Entry;
use crate::rule::gossip::Neighbours;
use crate::rule::{AggregateError, Certificate, Example, Label, Rule};

/// The registry entry.
pub const ENTRY: Entry<Rule> = Entry {
    name: "iterative-outlier-scissor",
    summary: "weighted mean, after f times the vector farthest from it was dropped",
    source: "Wu, Chen, Ling, Byzantine-Resilient Decentralized Stochastic Optimization with \
             Robust Aggregation Rules, IEEE TSP 2023 (recalled); the code of Gaucher et al.",
    params: &[],
    build: Rule {
        formula: "f times: m = Σ_T w_j x_j / Σ_T w_j over the trusted set T, all at first; drop \
                  the row farthest from m, never the own one, ties by index; then m; w_j edge \
                  weights, equal unless given",
        guarantee: "none stated here",
        cost: "O(n² d), then O(f n²)",
        certificate: Certificate { kappa: None, label: Label::None, breakdown: None },
        example: Example {
            rows: &[&[0.0], &[1.0], &[2.0], &[4.0], &[100.0]],
            f: 1,
            result: &[1.75],
        },
        bound: Bound { times_f: 3, plus: 1 },
        is_self_centred: true,
        build: |_, population| {
            let f = population.f();
            population.require(ENTRY.build.bound)?;
            Ok(Box::new(Geometric::new(IterativeOutlierScissor {
                f,
                ..IterativeOutlierScissor::default()
            })))
        },
    },
};

#[derive(Debug, Default)]
struct IterativeOutlierScissor {
    f: usize,
    neighbours: Neighbours,
    gram: Gram,
    distances: Vec<f64>,
}

impl GeometricRule for IterativeOutlierScissor {
    fn needs(&self) -> Needs {
        Needs { pairs: Pairs::Exact, has_norms: false }
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
        let count = geometry.count();
        crate::population::Population::new(count, self.f)?.require(ENTRY.build.bound)?;
        self.gram.centre(geometry, own);
        self.distances.resize(count, 0.0);
        // Rows that are not finite are the first to go.
        let is_finite = |i: &usize| geometry.is_finite(*i);
        let mut left = self.f - (0..count).filter(|i| !is_finite(i)).count();
        weights.fill(0.0);
        (0..count).filter(is_finite).for_each(|i| weights[i] = geometry.edge_weight(i));
        loop {
            let sum: f64 = weights.iter().sum();
            if sum == 0.0 {
                weights[own] = 1.0;
                return Ok(());
            }
            weights.iter_mut().for_each(|weight| *weight /= sum);
            if left == 0 {
                return Ok(());
            }
            left -= 1;
            self.gram.squared_distances_to(weights, &mut self.distances);
            let trusted = (0..count).filter(|&i| i != own && weights[i] > 0.0);
            let distance = |i: usize| self.distances[i];
            let farthest =
                trusted.max_by(|&a, &b| distance(a).total_cmp(&distance(b)).then(b.cmp(&a)));
            match farthest {
                Some(farthest) => weights[farthest] = 0.0,
                None => return Ok(()),
            }
        }
    }
}
