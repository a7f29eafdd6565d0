//! Adaptive robust clipping: the longest vectors are cut to the length of the next one.
use crate::geometry::Geometry;
use crate::mixing::static_clipping::Clipper;
use crate::mixing::{Mixing, MixingRule, Rows, Scaling, with_own};
use crate::population::{Bound, Population};
use crate::registry::Entry;
use crate::rule::AggregateError;
use crate::vectors::Vectors;

/// The registry entry.
pub const ENTRY: Entry<MixingRule> = Entry {
    name: "arc",
    summary: "clips the ⌊2 (f/n) (n − f)⌋ longest vectors to the norm of the next one",
    source: "Allouah et al., Adaptive Gradient Clipping for Robust Federated Learning, ICLR 2025",
    params: &[],
    build: MixingRule {
        formula: "k = ⌊2 f (n − f) / n⌋ in integers; y_i = x_i · min(1, C / ‖x_i‖) with C the \
                  (n − k)-th smallest norm; a vector that is not finite becomes 0 (chosen)",
        cost: "O(n d + n log n)",
        build: |_, population| {
            population.require(Bound::MAJORITY)?;
            let (clipper, sorted) = (Clipper::new(population.f()), Vec::new());
            Ok(Box::new(Arc { f: population.f(), clipper, sorted }))
        },
    },
};

#[derive(Debug)]
struct Arc {
    f: usize,
    clipper: Clipper,
    sorted: Vec<f64>,
}

impl Arc {
    /// The norm to which the longest of n rows are cut, once the clipper knows all norms.
    fn radius(&mut self) -> f64 {
        let n = self.sorted.len();
        self.sorted.sort_unstable_by(f64::total_cmp);
        // n > 2f gives f ≤ k < n: every vector that is not finite is among the clipped.
        let clipped = 2 * self.f * (n - self.f) / n;
        self.sorted[n - clipped - 1]
    }

    fn radius_of(&mut self, vectors: Vectors<'_>) -> Result<f64, AggregateError> {
        Population::new(vectors.count(), self.f)?.require(Bound::MAJORITY)?;
        self.sorted.clear();
        self.sorted.extend_from_slice(self.clipper.find_norms(vectors)?);
        Ok(self.radius())
    }
}

impl Scaling for Arc {
    fn factors(&mut self, geometry: &Geometry, out: &mut Vec<f64>) -> Result<(), AggregateError> {
        Population::new(geometry.count(), self.f)?.require(Bound::MAJORITY)?;
        self.sorted.clear();
        self.sorted.extend_from_slice(self.clipper.take_norms(geometry)?);
        let radius = self.radius();
        out.clear();
        out.extend_from_slice(self.clipper.factors(radius));
        Ok(())
    }
}

impl Mixing for Arc {
    fn mix(&mut self, vectors: Vectors<'_>, out: &mut Rows) -> Result<(), AggregateError> {
        let radius = self.radius_of(vectors)?;
        self.clipper.clip(radius, vectors, out);
        Ok(())
    }

    fn scaling(&mut self) -> Option<&mut dyn Scaling> {
        Some(self)
    }

    fn mix_in_place(&mut self, rows: &mut Rows) -> Result<bool, AggregateError> {
        let radius = with_own(rows, None, |vectors| self.radius_of(vectors))?;
        self.clipper.clip_in_place(radius, rows);
        Ok(true)
    }
}
