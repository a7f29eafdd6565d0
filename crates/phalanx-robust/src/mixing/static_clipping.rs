//! Static clipping: no vector longer than a fixed radius.
use crate::args::Param;
use crate::geometry::{Geometry, Needs, Pairs};
use crate::kernel;
use crate::mixing::{Mixing, MixingRule, Rows, Scaling};
use crate::registry::Entry;
use crate::rule::AggregateError;
use crate::vectors::Vectors;

/// The registry entry.
pub const ENTRY: Entry<MixingRule> = Entry {
    name: "static-clipping",
    summary: "shortens every vector to at most a fixed norm",
    source: "Clipping of the ByzFL library; the radius is its default",
    params: &[Param::number("radius", (f64::MIN_POSITIVE, f64::MAX), 2.0)
        .about("largest norm that is left alone")],
    build: MixingRule {
        formula: "y_i = x_i · min(1, radius / ‖x_i‖); a vector that is not finite becomes 0 \
                  (chosen)",
        cost: "O(n d)",
        build: |args, population| {
            let (radius, f) = (args.number("radius"), population.f());
            Ok(Box::new(StaticClipping { radius, f, squared_norms: Vec::new() }))
        },
    },
};

#[derive(Debug)]
struct StaticClipping {
    radius: f64,
    f: usize,
    squared_norms: Vec<f64>,
}

impl StaticClipping {
    fn start(&mut self, count: usize) {
        self.squared_norms.clear();
        self.squared_norms.resize(count, 0.0);
    }

    // Squares of f32 cannot overflow in f64, so only a row that is not finite has no norm.
    fn finish(&self) -> Result<(), AggregateError> {
        let found = self.squared_norms.iter().filter(|squared| !squared.is_finite()).count();
        match found > self.f {
            true => Err(AggregateError::TooManyNotFinite { found, tolerated: self.f }),
            false => Ok(()),
        }
    }
}

impl Scaling for StaticClipping {
    fn factors(&mut self, geometry: &Geometry, out: &mut Vec<f64>) -> Result<(), AggregateError> {
        geometry.finite_count(self.f)?;
        let norms = (0..geometry.count()).map(|i| geometry.squared_norm(i).sqrt());
        out.clear();
        out.extend(norms.map(|norm| factor(norm, self.radius)));
        Ok(())
    }
}

impl Mixing for StaticClipping {
    fn mix(&mut self, vectors: Vectors<'_>, out: &mut Rows) -> Result<(), AggregateError> {
        self.start(vectors.count());
        out.resize(vectors.count(), vectors.dim());
        let factor = |squared: f64| factor(squared.sqrt(), self.radius);
        let norms = &mut self.squared_norms;
        kernel::scale_by_norm(vectors.rows(), factor, norms, out.values_mut());
        self.finish()
    }

    fn scaling(&mut self) -> Option<&mut dyn Scaling> {
        Some(self)
    }

    fn mix_in_place(&mut self, rows: &mut Rows) -> Result<bool, AggregateError> {
        self.start(rows.rows().count());
        let factor = |squared: f64| factor(squared.sqrt(), self.radius);
        let norms = &mut self.squared_norms;
        kernel::scale_by_norm_in_place(rows.values_mut(), factor, norms);
        self.finish().map(|()| true)
    }
}

/// A row longer than `radius` is scaled down to it; one without direction becomes 0.
fn factor(norm: f64, radius: f64) -> f64 {
    match norm {
        norm if !norm.is_finite() => 0.0,
        norm if norm > radius => radius / norm,
        _ => 1.0,
    }
}

/// Finds norms and shortens rows.
#[derive(Debug)]
pub(super) struct Clipper {
    f: usize,
    geometry: Geometry,
    norms: Vec<f64>,
    factors: Vec<f64>,
}

impl Clipper {
    pub(super) fn new(f: usize) -> Self {
        Self { f, geometry: Geometry::default(), norms: Vec::new(), factors: Vec::new() }
    }

    /// Norms of all rows; `+∞` for one that is not finite, of which there may be at most `f`.
    pub(super) fn find_norms(&mut self, vectors: Vectors<'_>) -> Result<&[f64], AggregateError> {
        // Squares of f32 cannot overflow in f64, so only a row that is not finite has no norm.
        let mut geometry = std::mem::take(&mut self.geometry);
        geometry.compute(vectors, Needs { pairs: Pairs::None, has_norms: true });
        let result = self.take_norms(&geometry).map(|_| ());
        self.geometry = geometry;
        result.map(|()| &self.norms[..])
    }

    /// A row longer than `radius` is scaled down to it; one without direction becomes 0.
    fn find_factors(&mut self, radius: f64) {
        self.factors.clear();
        self.factors.extend(self.norms.iter().map(|norm| factor(*norm, radius)));
    }

    /// Norms that are known already, as [`Clipper::find_norms`].
    pub(super) fn take_norms(&mut self, geometry: &Geometry) -> Result<&[f64], AggregateError> {
        geometry.finite_count(self.f)?;
        self.norms.clear();
        self.norms.extend((0..geometry.count()).map(|i| geometry.squared_norm(i).sqrt()));
        Ok(&self.norms)
    }

    /// What the rows whose norms were found last are multiplied by.
    pub(super) fn factors(&mut self, radius: f64) -> &[f64] {
        self.find_factors(radius);
        &self.factors
    }

    /// Clips the rows whose norms were found last.
    pub(super) fn clip(&mut self, radius: f64, vectors: Vectors<'_>, out: &mut Rows) {
        self.find_factors(radius);
        out.resize(vectors.count(), vectors.dim());
        kernel::scale(vectors.rows(), &self.factors, out.values_mut());
    }

    /// Clips them where they lie.
    pub(super) fn clip_in_place(&mut self, radius: f64, rows: &mut Rows) {
        self.find_factors(radius);
        kernel::scale_in_place(rows.values_mut(), &self.factors);
    }
}
