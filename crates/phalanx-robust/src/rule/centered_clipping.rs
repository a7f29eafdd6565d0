//! Centered clipping: differences from the last result, clipped and averaged.
use crate::args::Param;
use crate::geometry::{Geometry, Needs, Pairs};
use crate::kernel;
use crate::population::{Bound, Population};
use crate::recycle::recycle;
use crate::registry::Entry;
use crate::rule::self_centered_clipping::share;
use crate::rule::{
    AggregateError, Aggregator, Certificate, Effects, Example, Label, Rule, check_output,
};
use crate::state::{StateError, StateReader, StateWriter};
use crate::vectors::Vectors;

/// The registry entry.
pub const ENTRY: Entry<Rule> = Entry {
    name: "centered-clipping",
    summary: "last result plus the mean of the differences from it, each clipped to length τ",
    source: "Karimireddy, He, Jaggi, Learning from History for Byzantine Robust Optimization, \
             ICML 2021 (recalled)",
    params: &[
        Param::number("tau", (1e-30, 1e30), 100.0).about("clipping radius"),
        Param::integer("iterations", (1, 1000), 1).about("iterations in one call"),
    ],
    build: Rule {
        formula: "v ← v + (1/n) Σ (x_i − v) · min(1, τ/‖x_i − v‖); v is kept from call to call \
                  and starts at 0",
        guarantee: "derived: f Byzantine vectors move each iteration by at most τ f/n",
        cost: "O(n d) an iteration",
        certificate: Certificate { kappa: None, label: Label::Derived, breakdown: None },
        example: Example {
            rows: &[&[0.0], &[1.0], &[2.0], &[4.0], &[100.0]],
            f: 1,
            result: &[21.4],
        },
        bound: Bound::MAJORITY,
        is_self_centred: false,
        build: |args, population| {
            Ok(Box::new(CenteredClipping {
                f: population.f(),
                tau: args.number("tau"),
                iterations: args.integer("iterations"),
                ..CenteredClipping::default()
            }))
        },
    },
};

#[derive(Debug, Default)]
struct CenteredClipping {
    f: usize,
    tau: f64,
    iterations: usize,
    /// the last result; empty before the first call, when it is 0
    centre: Vec<f32>,
    next: Vec<f32>,
    geometry: Geometry,
    weights: Vec<f64>,
    /// of the last call: weights of the rows, and how much of each difference was left
    total: Vec<f64>,
    factors: Vec<f64>,
    rows: Vec<&'static [f32]>,
}

impl CenteredClipping {
    /// One iteration from `from` to `to`.
    fn step(
        &mut self,
        vectors: Vectors<'_>,
        from: &[f32],
        to: &mut [f32],
    ) -> Result<(), AggregateError> {
        let count = vectors.count();
        let mut rows = recycle(std::mem::take(&mut self.rows));
        rows.push(from);
        rows.extend_from_slice(vectors.rows());
        let all = Vectors::new(&rows)?.with_own(0);
        self.geometry.compute(all, Needs { pairs: Pairs::Own, has_norms: false });
        let result = self.geometry.finite_count(self.f).map(|_| {
            self.weights.clear();
            self.weights.push(0.0);
            let distances = &self.geometry.squared_distances_of(0)[1..];
            self.weights.extend(distances.iter().map(|d| share(*d, self.tau, count)));
            self.weights[0] = 1.0 - self.weights[1..].iter().sum::<f64>();
            self.factors.clear();
            self.factors.extend(distances.iter().map(|d| share(*d, self.tau, 1)));
            for (total, weight) in self.total.iter_mut().zip(&self.weights[1..]) {
                *total = *total * self.weights[0] + weight;
            }
            kernel::combine(&rows, &self.weights, to);
        });
        self.rows = recycle(rows);
        result
    }
}

impl Aggregator for CenteredClipping {
    fn aggregate(&mut self, vectors: Vectors<'_>, out: &mut [f32]) -> Result<(), AggregateError> {
        check_output(vectors, out)?;
        Population::new(vectors.count(), self.f)?.require(Bound::MAJORITY)?;
        if !self.centre.is_empty() && self.centre.len() != vectors.dim() {
            let (expected, found) = (self.centre.len(), vectors.dim());
            return Err(AggregateError::Remembered { rule: ENTRY.name, expected, found });
        }
        let mut centre = std::mem::take(&mut self.centre);
        let mut next = std::mem::take(&mut self.next);
        let is_new = centre.is_empty();
        centre.resize(vectors.dim(), 0.0);
        next.resize(vectors.dim(), 0.0);
        out.copy_from_slice(&centre);
        self.total.clear();
        self.total.resize(vectors.count(), 0.0);
        let mut result = Ok(());
        for _ in 0..self.iterations {
            result = self.step(vectors, out, &mut next);
            if result.is_err() {
                break;
            }
            out.copy_from_slice(&next);
        }
        // A refused call leaves the state as it was.
        match (&result, is_new) {
            (Ok(()), _) => centre.copy_from_slice(out),
            (Err(_), true) => centre.clear(),
            (Err(_), false) => {}
        }
        (self.centre, self.next) = (centre, next);
        result
    }

    fn effects(&self) -> Option<Effects<'_>> {
        Some(Effects { weights: &self.total, factors: Some(&self.factors) })
    }

    fn save(&self, out: &mut StateWriter) {
        out.f32s(&self.centre);
    }

    fn load(&mut self, input: &mut StateReader<'_>) -> Result<(), StateError> {
        self.centre = input.f32s()?;
        Ok(())
    }
}
