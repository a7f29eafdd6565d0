//! Bucketing: means of a few vectors drawn at random.
use crate::args::Param;
use crate::geometry::{Geometry, Pairs};
use crate::kernel::{self, Borrowed, Combination};
use crate::mixing::{GeometricMixing, Mixing, MixingRule, Mixtures, Rows};
use crate::random::Rng;
use crate::recycle::recycle;
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
            Ok(Box::new(Bucketing::new(args.integer("size"), args.integer("seed") as u64)))
        },
    },
};

#[derive(Debug)]
pub(crate) struct Bucketing {
    size: usize,
    rng: Rng,
    order: Vec<usize>,
    /// row and weight, bucket after bucket
    terms: Vec<(usize, f64)>,
    combinations: Vec<Borrowed<'static>>,
}

impl Bucketing {
    pub(crate) fn new(size: usize, seed: u64) -> Self {
        let rng = Rng::stream(seed, u64::MAX, "bucketing");
        let (order, terms, combinations) = Default::default();
        Self { size, rng, order, terms, combinations }
    }

    /// The next permutation, each bucket in ascending order: what a bucket sums to must not
    /// depend on the permutation, only on the set.
    fn draw(&mut self, count: usize) {
        self.order.clear();
        self.order.extend(0..count);
        self.rng.shuffle(&mut self.order);
        self.order.chunks_mut(self.size).for_each(<[usize]>::sort_unstable);
    }
}

impl GeometricMixing for Bucketing {
    fn pairs(&self) -> Pairs {
        Pairs::None
    }

    fn mixtures(
        &mut self,
        geometry: &Geometry,
        _own: Option<usize>,
        out: &mut Mixtures,
    ) -> Result<(), AggregateError> {
        let count = geometry.count();
        self.draw(count);
        out.reset(count.div_ceil(self.size), count);
        for (b, bucket) in self.order.chunks(self.size).enumerate() {
            bucket.iter().for_each(|i| out.row_mut(b)[*i] = 1.0 / bucket.len() as f64);
        }
        Ok(())
    }
}

impl Mixing for Bucketing {
    fn mix(&mut self, vectors: Vectors<'_>, out: &mut Rows) -> Result<(), AggregateError> {
        let n = vectors.count();
        self.draw(n);
        out.resize(n.div_ceil(self.size), vectors.dim());
        self.terms.clear();
        for bucket in self.order.chunks(self.size) {
            let weight = 1.0 / bucket.len() as f64;
            self.terms.extend(bucket.iter().map(|i| (*i, weight)));
        }
        let mut combinations = recycle(std::mem::take(&mut self.combinations));
        let buckets = self.terms.chunks(self.size).zip(out.rows_mut());
        combinations.extend(buckets.map(|(terms, out)| Combination { terms, out }));
        kernel::combine_many(vectors.rows(), &mut combinations);
        self.combinations = recycle(combinations);
        Ok(())
    }

    fn geometric(&mut self) -> Option<&mut dyn GeometricMixing> {
        Some(self)
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
