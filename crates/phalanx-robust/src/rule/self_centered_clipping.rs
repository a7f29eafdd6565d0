//! Self-centred clipping: differences from the own vector, clipped and averaged.
use crate::args::Param;
use crate::geometry::{Geometric, GeometricRule, Geometry, Gram, Needs, Pairs};
use crate::population::Bound;
use crate::registry::Entry;
use crate::rule::gossip::{clipped, step};
use crate::rule::{AggregateError, Certificate, Example, Label, Rule, trusted_own};

/// The registry entry.
pub const ENTRY: Entry<Rule> = Entry {
    name: "self-centered-clipping",
    summary: "own vector plus the mean of the differences from it, each clipped to length τ",
    source: "He, Karimireddy, Jaggi, Byzantine-Robust Decentralized Learning via \
             ClippedGossip, 2022 (form `original`); the code of Farhadkhani et al., ICML 2023 \
             (form `published`)",
    params: &[
        Param::choice("form", &["published", "original"], "published").about(
            "published: `iterations` from the own vector; original: one step, edge weights instead \
             of 1/n where given",
        ),
        Param::number("tau", (1e-30, 1e30), 2.0).optional().about(
            "clipping radius; when absent 2 in the published form (its setting for MNIST) and \
             the second-largest distance from the own vector in the original one",
        ),
        Param::integer("iterations", (1, 1000), 3).about("iterations of the published form"),
    ],
    build: Rule {
        formula: "v ← v + (1/n) Σ_j (x_j − v) · min(1, τ/‖x_j − v‖), from v = x_own",
        guarantee: "derived: the result is within (iterations · τ) of the own vector; f Byzantine \
                    vectors move each iteration by at most τ f/n. Without tau two far vectors \
                    widen the radius without bound",
        cost: "O(n² d); O(n d) for a single iteration",
        certificate: Certificate { kappa: None, label: Label::Derived, breakdown: None },
        example: Example {
            rows: &[&[0.0], &[1.0], &[2.0], &[4.0], &[100.0]],
            f: 1,
            result: &[2.184],
        },
        bound: Bound::MAJORITY,
        is_self_centred: true,
        build: |args, population| {
            let is_original = args.text("form") == "original";
            let tau = args.number_if("tau");
            Ok(Box::new(Geometric::new(SelfCenteredClipping {
                f: population.f(),
                is_original,
                tau: if is_original { tau } else { tau.or(Some(2.0)) },
                iterations: if is_original { 1 } else { args.integer("iterations") },
                ..SelfCenteredClipping::default()
            })))
        },
    },
};

#[derive(Debug, Default)]
struct SelfCenteredClipping {
    f: usize,
    tau: Option<f64>,
    is_original: bool,
    iterations: usize,
    gram: Gram,
    distances: Vec<f64>,
    factors: Vec<f64>,
    sorted: Vec<f64>,
}

impl SelfCenteredClipping {
    /// Second-largest distance of a finite neighbour; the largest where there is only one.
    fn second_largest(&mut self, own: usize) -> f64 {
        let others = self.distances.iter().enumerate().filter(|(j, _)| *j != own);
        self.sorted.clear();
        self.sorted.extend(others.map(|(_, squared)| *squared).filter(|d| d.is_finite()));
        self.sorted.sort_unstable_by(f64::total_cmp);
        let rank = self.sorted.len().saturating_sub(2);
        self.sorted.get(rank).map_or(0.0, |squared| squared.sqrt())
    }
}

impl GeometricRule for SelfCenteredClipping {
    fn needs(&self) -> Needs {
        let pairs = if self.iterations > 1 { Pairs::Exact } else { Pairs::Own };
        Needs { pairs, has_norms: false }
    }

    fn factors(&self) -> Option<&[f64]> {
        Some(&self.factors)
    }

    fn uses_edge_weights(&self) -> bool {
        self.is_original
    }

    fn weights(
        &mut self,
        geometry: &Geometry,
        own: Option<usize>,
        weights: &mut [f64],
    ) -> Result<(), AggregateError> {
        let own = trusted_own(ENTRY.name, geometry, own, self.f)?;
        self.distances.clear();
        self.distances.extend_from_slice(geometry.squared_distances_of(own));
        let tau = match self.tau {
            Some(tau) => tau,
            None => self.second_largest(own),
        };
        if self.is_original {
            let distances = &self.distances;
            let share = |j: usize| clipped(distances[j], tau * tau);
            step(geometry, own, share, weights, &mut self.factors);
            return Ok(());
        }
        weights.fill(0.0);
        weights[own] = 1.0;
        if self.iterations > 1 {
            self.gram.centre(geometry, own);
        }
        for iteration in 0..self.iterations {
            if iteration > 0 {
                self.gram.squared_distances_to(weights, &mut self.distances);
            }
            add_clipped(&self.distances, tau, weights);
        }
        let factor = |squared: &f64| share(*squared, tau, 1);
        self.factors.clear();
        self.factors.extend(self.distances.iter().map(factor));
        Ok(())
    }
}

/// One iteration: weights of `v + (1/n) Σ (x_j − v) · min(1, τ/‖x_j − v‖)` from those of `v`.
fn add_clipped(squared_distances: &[f64], tau: f64, weights: &mut [f64]) {
    let share = |squared: f64| share(squared, tau, squared_distances.len());
    let taken: f64 = squared_distances.iter().map(|squared| share(*squared)).sum();
    for (weight, squared) in weights.iter_mut().zip(squared_distances) {
        *weight = *weight * (1.0 - taken) + share(*squared);
    }
}

/// `min(1, τ/distance)/n`; 0 for a row that is not finite.
pub(super) fn share(squared_distance: f64, tau: f64, count: usize) -> f64 {
    let distance = squared_distance.sqrt();
    if distance <= tau { 1.0 / count as f64 } else { tau / distance / count as f64 }
}
