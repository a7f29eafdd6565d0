//! Least-radius averaging: the mean of the vectors that have n − f vectors nearest around them.
use phalanx_robust::geometry::{Geometric, GeometricRule, Geometry, Needs, Pairs};
use phalanx_robust::population::{Bound, Population};
use phalanx_robust::registry::Entry;
use phalanx_robust::rule::{AggregateError, Certificate, Example, Label, Rule};

/// The registry entry.
pub const ENTRY: Entry<Rule> = Entry {
    name: "least-radius-averaging",
    summary: "mean of the vectors with n − f vectors in the smallest ball around them",
    source: "the guide to rules of one's own; not from a paper",
    params: &[],
    build: Rule {
        formula: "r_i the distance to the (n − f)-th nearest row, the own one included; mean of \
                  the rows of r_i ≤ the (n − f)-th least r",
        guarantee: "derived: every kept row is within one honest diameter of an honest row",
        cost: "O(n² d)",
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
        is_self_centred: false,
        build: |_, population| {
            Ok(Box::new(Geometric::new(LeastRadiusAveraging { f: population.f() })))
        },
    },
};

struct LeastRadiusAveraging {
    f: usize,
}

impl GeometricRule for LeastRadiusAveraging {
    fn needs(&self) -> Needs {
        Needs { pairs: Pairs::All, has_norms: false }
    }

    fn weights(
        &mut self,
        geometry: &Geometry,
        _own: Option<usize>,
        weights: &mut [f64],
    ) -> Result<(), AggregateError> {
        let n = geometry.count();
        Population::new(n, self.f)?.require(Bound::MAJORITY)?;
        geometry.finite_count(self.f)?;
        let quorum_th = |mut values: Vec<f64>| {
            values.sort_by(f64::total_cmp);
            values[n - self.f - 1]
        };
        let radii: Vec<f64> =
            (0..n).map(|i| quorum_th(geometry.squared_distances_of(i).to_vec())).collect();
        let largest = quorum_th(radii.clone());
        let kept = radii.iter().filter(|radius| **radius <= largest).count();
        for (weight, radius) in weights.iter_mut().zip(&radii) {
            *weight = if *radius <= largest { 1.0 / kept as f64 } else { 0.0 };
        }
        Ok(())
    }
}
