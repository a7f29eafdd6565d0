//! Median of means: the geometric median of the means of random buckets.
use crate::args::Param;
use crate::geometry::{Geometric, GeometricRule, Geometry, Needs, Pairs};
use crate::mixing::Chain;
use crate::mixing::bucketing::Bucketing;
use crate::population::{Bound, Population};
use crate::registry::Entry;
use crate::rule::geometric_median::GeometricMedian;
use crate::rule::{AggregateError, Aggregator, BuildError, Certificate, Example, Label, Rule};
use crate::state::{StateError, StateReader, StateWriter};

/// The registry entry.
pub const ENTRY: Entry<Rule> = Entry {
    name: "median-of-means",
    summary: "geometric median of the means of buckets drawn at random",
    source: "Chen, Su, Xu, Distributed Statistical Machine Learning in Adversarial Settings: \
             Byzantine Gradient Descent, POMACS 2017 (recalled)",
    params: &[
        Param::integer("size", (1, 1 << 16), 2).about("vectors per bucket, ⌈n/size⌉ > 2f"),
        Param::integer("seed", (0, i64::MAX), 0).about("seed of the permutations"),
    ],
    build: Rule {
        formula: "smoothed geometric median, to a tolerance of 1e-6, of the means of ⌈n/s⌉ \
                  buckets of s vectors from a permutation drawn in every call",
        guarantee: "derived: at most f of the ⌈n/s⌉ > 2f means are not honest, and less than \
                    half of the points cannot move the exact median without bound",
        cost: "O(n² d), then O(n²) an iteration",
        certificate: Certificate {
            kappa: None,
            label: Label::Derived,
            breakdown: Some(Bound { times_f: 4, plus: 1 }),
        },
        example: Example {
            rows: &[&[0.0], &[1.0], &[2.0], &[4.0], &[100.0]],
            f: 1,
            result: &[1.0],
        },
        bound: Bound { times_f: 4, plus: 1 },
        is_self_centred: false,
        build: |args, population| {
            let (size, f) = (args.integer("size"), population.f());
            if size == 2 {
                population.require(ENTRY.build.bound)?;
            }
            let buckets = population.n().div_ceil(size);
            Population::new(buckets, f)?.require(Bound::MAJORITY)?;
            let mixing = Bucketing::new(size, args.integer("seed") as u64);
            let median = Geometric::new(GeometricMedian::converging(f, 1e-6));
            let chain = Chain::new(vec![Box::new(mixing)], Box::new(median));
            Ok::<_, BuildError>(Box::new(Geometric::new(MedianOfMeans { f, size, chain })))
        },
    },
};

struct MedianOfMeans {
    f: usize,
    size: usize,
    chain: Chain,
}

impl GeometricRule for MedianOfMeans {
    fn needs(&self) -> Needs {
        Needs { pairs: Pairs::Exact, has_norms: false }
    }

    fn weights(
        &mut self,
        geometry: &Geometry,
        _own: Option<usize>,
        weights: &mut [f64],
    ) -> Result<(), AggregateError> {
        let buckets = geometry.count().div_ceil(self.size);
        Population::new(buckets, self.f)?.require(Bound::MAJORITY)?;
        geometry.finite_count(self.f)?;
        self.chain.weights(geometry, None, weights)
    }

    fn save(&self, out: &mut StateWriter) {
        Aggregator::save(&self.chain, out);
    }

    fn load(&mut self, input: &mut StateReader<'_>) -> Result<(), StateError> {
        Aggregator::load(&mut self.chain, input)
    }
}
