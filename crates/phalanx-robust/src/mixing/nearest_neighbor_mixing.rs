//! Nearest-neighbour mixing: each vector becomes the mean of the vectors closest to it.
use crate::geometry::{Geometry, Needs, Pairs};
use crate::kernel::{self, Borrowed, Combination};
use crate::mixing::{GeometricMixing, Mixing, MixingRule, Mixtures, Rows};
use crate::population::{Bound, Population};
use crate::recycle::recycle;
use crate::registry::Entry;
use crate::rule::AggregateError;
use crate::selection;
use crate::vectors::Vectors;

/// The registry entry.
pub const ENTRY: Entry<MixingRule> = Entry {
    name: "nearest-neighbor-mixing",
    summary: "each vector becomes the mean of the n − f vectors closest to it",
    source: "Allouah et al., Fixing by Mixing: A Recipe for Optimal Byzantine ML under \
             Heterogeneity, AISTATS 2023 (recalled)",
    params: &[],
    build: MixingRule {
        formula: "x_i ← mean of its n − f nearest, itself included and first, then by index",
        cost: "O(n² d)",
        build: |_, population| {
            Ok(Box::new(NearestNeighborMixing {
                f: population.f(),
                ..NearestNeighborMixing::default()
            }))
        },
    },
};

#[derive(Debug, Default)]
struct NearestNeighborMixing {
    f: usize,
    geometry: Geometry,
    order: Vec<usize>,
    /// `count × keep`, row-major
    terms: Vec<(usize, f64)>,
    combinations: Vec<Borrowed<'static>>,
}

impl NearestNeighborMixing {
    /// Leaves in `terms` the n − f nearest of each row, and returns n − f.
    ///
    /// A row that is not finite has no nearest neighbours: it becomes the mean of the first
    /// n − f finite ones, so that every mixture is finite.
    fn choose(&mut self, geometry: &Geometry) -> Result<usize, AggregateError> {
        let count = geometry.count();
        let population = Population::new(count, self.f)?;
        population.require(Bound::ANY)?;
        geometry.finite_count(self.f)?;
        let keep = population.quorum();
        self.terms.clear();
        for i in 0..count {
            selection::rank(geometry.squared_distances_of(i), Some(i), &mut self.order);
            if !geometry.is_finite(i) {
                self.order.sort_unstable_by_key(|&j| (!geometry.is_finite(j), j));
            }
            let nearest = &mut self.order[..keep];
            nearest.sort_unstable();
            self.terms.extend(nearest.iter().map(|&j| (j, 1.0 / keep as f64)));
        }
        Ok(keep)
    }
}

impl GeometricMixing for NearestNeighborMixing {
    fn mixtures(
        &mut self,
        geometry: &Geometry,
        _own: Option<usize>,
        out: &mut Mixtures,
    ) -> Result<(), AggregateError> {
        let keep = self.choose(geometry)?;
        out.reset(geometry.count(), geometry.count());
        for (i, terms) in self.terms.chunks_exact(keep).enumerate() {
            terms.iter().for_each(|(j, weight)| out.row_mut(i)[*j] = *weight);
        }
        Ok(())
    }
}

impl Mixing for NearestNeighborMixing {
    fn mix(&mut self, vectors: Vectors<'_>, out: &mut Rows) -> Result<(), AggregateError> {
        let count = vectors.count();
        let mut geometry = std::mem::take(&mut self.geometry);
        geometry.compute(vectors, Needs { pairs: Pairs::All, has_norms: false });
        if count == 1 && !kernel::is_finite(vectors.row(0)) {
            geometry.mark_not_finite(0);
        }
        let keep = self.choose(&geometry);
        self.geometry = geometry;
        let keep = keep?;
        out.resize(count, vectors.dim());
        let mut combinations = recycle(std::mem::take(&mut self.combinations));
        let mixtures = self.terms.chunks_exact(keep).zip(out.rows_mut());
        combinations.extend(mixtures.map(|(terms, out)| Combination { terms, out }));
        kernel::combine_many(vectors.rows(), &mut combinations);
        self.combinations = recycle(combinations);
        Ok(())
    }

    fn geometric(&mut self) -> Option<&mut dyn GeometricMixing> {
        Some(self)
    }
}
