//! FLTrust: vectors count as far as they point where the own, trusted vector points.
use crate::geometry::{Geometric, GeometricRule, Geometry, Needs, Pairs};
use crate::population::{Bound, Population};
use crate::registry::Entry;
use crate::rule::{AggregateError, Certificate, Example, Label, Rule};

/// The registry entry.
pub const ENTRY: Entry<Rule> = Entry {
    name: "fltrust",
    summary: "mean of the others at the own length, weighted by how far they point the own way",
    source: "Cao, Fang, Liu, Gong, FLTrust: Byzantine-robust Federated Learning via Trust \
             Bootstrapping, NDSS 2021, section IV; the own vector is the server's update",
    params: &[],
    build: Rule {
        formula: "t_i = max(0, cos(x_i, x_own)) for i ≠ own; (1/Σ t_i) Σ t_i (‖x_own‖/‖x_i‖) x_i; \
                  x_own where no t_i > 0 (chosen)",
        guarantee: "derived: never longer than the own vector and never against it, for any f",
        cost: "O(n d)",
        certificate: Certificate { kappa: None, label: Label::Derived, breakdown: None },
        example: Example {
            rows: &[&[0.0, 2.0], &[0.0, 5.0], &[1.0, -1.0]],
            f: 1,
            result: &[0.0, 2.0],
        },
        bound: Bound::ANY,
        is_self_centred: true,
        build: |_, population| Ok(Box::new(Geometric::new(FlTrust { f: population.f() }))),
    },
};

#[derive(Debug)]
struct FlTrust {
    f: usize,
}

impl GeometricRule for FlTrust {
    fn needs(&self) -> Needs {
        Needs { pairs: Pairs::Own, has_norms: true }
    }

    fn weights(
        &mut self,
        geometry: &Geometry,
        own: Option<usize>,
        weights: &mut [f64],
    ) -> Result<(), AggregateError> {
        let own = own.ok_or(AggregateError::NoOwn { rule: ENTRY.name })?;
        Population::new(geometry.count(), self.f)?;
        let finite = geometry.finite_count(self.f)?;
        if !geometry.is_finite(own) {
            let found = geometry.count() - finite;
            return Err(AggregateError::TooManyNotFinite { found, tolerated: self.f });
        }
        let own_norm = geometry.squared_norm(own).sqrt();
        let mut sum = 0.0;
        for i in 0..geometry.count() {
            let squared = geometry.squared_norm(i);
            weights[i] = 0.0;
            if i == own || !geometry.is_finite(i) || squared == 0.0 || own_norm == 0.0 {
                continue;
            }
            let norm = squared.sqrt();
            let twice_product = squared + own_norm * own_norm - geometry.squared_distance(i, own);
            let trust = (twice_product / (2.0 * norm * own_norm)).clamp(0.0, 1.0);
            sum += trust;
            weights[i] = trust * own_norm / norm;
        }
        if sum > 0.0 {
            weights.iter_mut().for_each(|weight| *weight /= sum);
        } else {
            weights[own] = 1.0;
        }
        Ok(())
    }
}
