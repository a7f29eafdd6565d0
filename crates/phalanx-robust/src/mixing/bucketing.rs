//! Bucketing: means of a few vectors drawn at random.
use crate::args::Param;
use crate::mixing::{Mixing, MixingRule, Rows};
use crate::random::Rng;
use crate::registry::Entry;
use crate::rule::AggregateError;
use crate::state::{StateError, StateReader, StateWriter};
use crate::vectors::Vectors;

/// The registry entry.
pub const ENTRY: Entry<MixingRule> = Entry {
    name: "bucketing",
    summary: "means of buckets of vectors, put together at random in every call",
    source: "Karimireddy, He, Jaggi, Byzantine-Robust Learning on Heterogeneous Datasets via \
             Bucketing, ICLR 2022, Algorithm 1",
    params: &[
        Param::integer("size", (1, 1 << 16), 2)
            .about("vectors per bucket; the last may hold fewer"),
        Param::integer("seed", (0, i64::MAX), 0).about("seed of the permutations"),
    ],
    build: MixingRule {
        formula: "permutation π; y_b = mean of x_π(k) over k = b s … min(b s + s, n) − 1; ⌈n/s⌉ \
                  vectors, of which at most f are not honest",
        cost: "O(n d)",
        build: |args, _| {
            Ok(Box::new(Bucketing {
                size: args.integer("size"),
                rng: Rng::stream(args.integer("seed") as u64, u64::MAX, "bucketing"),
                order: Vec::new(),
            }))
        },
    },
};

#[derive(Debug)]
struct Bucketing {
    size: usize,
    rng: Rng,
    order: Vec<usize>,
}

impl Mixing for Bucketing {
    fn mix(&mut self, vectors: Vectors<'_>, out: &mut Rows) -> Result<(), AggregateError> {
        let n = vectors.count();
        self.order.clear();
        self.order.extend(0..n);
        self.rng.shuffle(&mut self.order);
        out.resize(n.div_ceil(self.size), vectors.dim());
        for (b, bucket) in self.order.chunks_mut(self.size).enumerate() {
            // The order of a sum must not depend on the permutation, only on the set.
            bucket.sort_unstable();
            for (k, out) in out.row_mut(b).iter_mut().enumerate() {
                let sum = bucket.iter().map(|i| f64::from(vectors.row(*i)[k])).sum::<f64>();
                *out = (sum / bucket.len() as f64) as f32;
            }
        }
        Ok(())
    }

    /// A bucket mixes the own row with others, which nobody vouches for.
    fn keeps_own(&self) -> bool {
        false
    }

    fn save(&self, out: &mut StateWriter) {
        self.rng.save(out);
    }

    fn load(&mut self, input: &mut StateReader<'_>) -> Result<(), StateError> {
        self.rng.load(input)
    }
}
