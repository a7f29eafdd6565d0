//! The geometric median by smoothed Weiszfeld iterations, on distances alone.
use crate::args::Param;
use crate::geometry::{Geometric, GeometricRule, Geometry, Gram, Needs, Pairs};
use crate::population::{Bound, Population};
use crate::registry::Entry;
use crate::rule::medoid::medoid;
use crate::rule::{AggregateError, Certificate, Example, Label, Rule};
use crate::selection::{self, ExcessSums};

/// The registry entry.
pub const ENTRY: Entry<Rule> = Entry {
    name: "geometric-median",
    summary: "point of least sum of distances, by smoothed Weiszfeld iterations",
    source: "Pillutla et al., Robust Aggregation for Federated Learning, IEEE TSP 2022 (recalled); \
             the iterations as in ByzFL",
    params: &[
        Param::number("nu", (1e-30, 1e30), 0.1).about("distances below nu count as nu"),
        Param::integer("iterations", (1, 1000), 3)
            .about("iterations from the origin, when no tolerance is given"),
        Param::number("tolerance", (1e-10, 0.1), 0.0).optional().about(
            "iterate from the medoid until a step is this small against the distances; \
             equivariant under translation, unlike the start from the origin",
        ),
    ],
    build: Rule {
        formula: "z ← Σ w_i x_i / Σ w_i, w_i = 1 / max(‖z − x_i‖, ν), from z = 0",
        guarantee: "recalled: the exact median has the coefficient 4(1 + f/(n − 2f))²; the \
                    fixed-iteration form from the origin only approaches it",
        cost: "O(n² d) for the distances, O(n²) an iteration",
        certificate: Certificate { kappa: None, label: Label::Recalled, breakdown: None },
        example: Example {
            rows: &[&[0.0], &[1.0], &[2.0], &[4.0], &[100.0]],
            f: 1,
            result: &[1.1432135],
        },
        bound: Bound::MAJORITY,
        is_self_centred: false,
        build: |args, population| {
            Ok(Box::new(Geometric::new(GeometricMedian {
                f: population.f(),
                nu: args.number("nu"),
                iterations: args.integer("iterations"),
                tolerance: args.number_if("tolerance"),
                ..GeometricMedian::default()
            })))
        },
    },
};

/// Iterations after which the convergent form gives up.
const ITERATIONS_MAX: u64 = 20_000;

#[derive(Debug, Default)]
pub(super) struct GeometricMedian {
    f: usize,
    nu: f64,
    has_own_scale: bool,
    iterations: usize,
    tolerance: Option<f64>,
    gram: Gram,
    sums: ExcessSums,
    distances: Vec<f64>,
    before: Vec<f64>,
    step: Vec<f64>,
}

impl GeometricMedian {
    /// The form that iterates from the medoid until a step is small, with ν a hundredth of the
    /// median distance from the medoid, so that it scales along.
    pub(super) fn converging(f: usize, tolerance: f64) -> Self {
        Self { f, tolerance: Some(tolerance), has_own_scale: true, ..Self::default() }
    }

    fn set_scale(&mut self, geometry: &Geometry, medoid: usize, finite: usize) {
        self.distances.clear();
        self.distances.extend_from_slice(geometry.squared_distances_of(medoid));
        self.distances.sort_unstable_by(f64::total_cmp);
        // More than half of the rows at one point: that point it is.
        self.nu = (0.01 * self.distances[finite / 2].sqrt()).max(1e-150);
    }

    /// Weights from the squared distances at hand. Returns the harmonic mean of the distances,
    /// which no far row can inflate.
    fn reweight(&self, weights: &mut [f64]) -> f64 {
        for (weight, squared) in weights.iter_mut().zip(&self.distances) {
            *weight = 1.0 / squared.sqrt().max(self.nu);
        }
        let sum: f64 = weights.iter().sum();
        weights.iter_mut().for_each(|weight| *weight /= sum);
        weights.len() as f64 / sum
    }

    fn iterate(&mut self, geometry: &Geometry, weights: &mut [f64]) {
        self.distances.clear();
        self.distances.extend((0..geometry.count()).map(|i| geometry.squared_norm(i)));
        self.reweight(weights);
        for _ in 1..self.iterations {
            self.gram.squared_distances_to(weights, &mut self.distances);
            self.reweight(weights);
        }
    }

    fn converge(&mut self, tolerance: f64, weights: &mut [f64]) -> Result<(), AggregateError> {
        let count = weights.len();
        self.distances.resize(count, 0.0);
        self.before.resize(count, 0.0);
        self.step.resize(count, 0.0);
        for _ in 0..ITERATIONS_MAX {
            self.gram.squared_distances_to(weights, &mut self.distances);
            self.before.copy_from_slice(weights);
            let scale = self.reweight(weights);
            let changes = self.step.iter_mut().zip(weights.iter()).zip(&self.before);
            changes.for_each(|((step, after), before)| *step = after - before);
            if self.gram.squared_norm(&self.step).sqrt() <= tolerance * scale {
                return Ok(());
            }
        }
        Err(AggregateError::Limit { rule: ENTRY.name, limit: ITERATIONS_MAX })
    }
}

impl GeometricRule for GeometricMedian {
    fn needs(&self) -> Needs {
        Needs { pairs: Pairs::Exact, has_norms: self.tolerance.is_none() }
    }

    fn weights(
        &mut self,
        geometry: &Geometry,
        _own: Option<usize>,
        weights: &mut [f64],
    ) -> Result<(), AggregateError> {
        Population::new(geometry.count(), self.f)?.require(Bound::MAJORITY)?;
        let finite = geometry.finite_count(self.f)?;
        // The medoid lies in the honest cluster, where products must be accurate.
        let medoid = medoid(geometry, finite, &mut self.sums);
        self.gram.centre(geometry, medoid);
        if self.has_own_scale {
            self.set_scale(geometry, medoid, finite);
        }
        match self.tolerance {
            None => self.iterate(geometry, weights),
            Some(tolerance) => {
                selection::mean_of(&[medoid], weights);
                self.converge(tolerance, weights)?;
            }
        }
        Ok(())
    }
}
