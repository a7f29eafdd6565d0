//! Adaptive robust clipping: the longest vectors are cut to the length of the next one.
use crate::mixing::static_clipping::{clip, norms};
use crate::mixing::{Mixing, MixingRule, Rows};
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
            Ok(Box::new(Arc { f: population.f(), norms: Vec::new(), sorted: Vec::new() }))
        },
    },
};

#[derive(Debug)]
struct Arc {
    f: usize,
    norms: Vec<f64>,
    sorted: Vec<f64>,
}

impl Mixing for Arc {
    fn mix(&mut self, vectors: Vectors<'_>, out: &mut Rows) -> Result<(), AggregateError> {
        let n = vectors.count();
        Population::new(n, self.f)?.require(Bound::MAJORITY)?;
        norms(vectors, self.f, &mut self.norms)?;
        self.sorted.clone_from(&self.norms);
        self.sorted.sort_unstable_by(f64::total_cmp);
        // n > 2f gives f ≤ k < n: every vector that is not finite is among the clipped.
        let clipped = 2 * self.f * (n - self.f) / n;
        clip(vectors, &self.norms, self.sorted[n - clipped - 1], out);
        Ok(())
    }
}
