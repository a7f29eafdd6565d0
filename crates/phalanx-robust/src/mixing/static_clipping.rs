//! Static clipping: no vector longer than a fixed radius.
use crate::args::Param;
use crate::kernel;
use crate::mixing::{Mixing, MixingRule, Rows};
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
            Ok(Box::new(StaticClipping { radius, f, norms: Vec::new() }))
        },
    },
};

#[derive(Debug)]
struct StaticClipping {
    radius: f64,
    f: usize,
    norms: Vec<f64>,
}

impl Mixing for StaticClipping {
    fn mix(&mut self, vectors: Vectors<'_>, out: &mut Rows) -> Result<(), AggregateError> {
        norms(vectors, self.f, &mut self.norms)?;
        clip(vectors, &self.norms, self.radius, out);
        Ok(())
    }
}

/// Norms of all rows; `+∞` for one that is not finite, of which there may be at most `f`.
pub(super) fn norms(
    vectors: Vectors<'_>,
    f: usize,
    out: &mut Vec<f64>,
) -> Result<(), AggregateError> {
    // Squares of f32 cannot overflow in f64, so only a row that is not finite fails the test.
    let norm = |row: &&[f32]| Some(kernel::dot(row, row).sqrt()).filter(|norm| norm.is_finite());
    out.clear();
    out.extend(vectors.rows().iter().map(|row| norm(row).unwrap_or(f64::INFINITY)));
    let found = out.iter().filter(|norm| norm.is_infinite()).count();
    if found > f {
        return Err(AggregateError::TooManyNotFinite { found, tolerated: f });
    }
    Ok(())
}

/// Scales each row that is longer than `radius` down to it; a row without direction becomes 0.
pub(super) fn clip(vectors: Vectors<'_>, norms: &[f64], radius: f64, out: &mut Rows) {
    out.resize(vectors.count(), vectors.dim());
    for (i, (row, norm)) in vectors.rows().iter().zip(norms).enumerate() {
        let out = out.row_mut(i);
        if norm.is_infinite() {
            out.fill(0.0);
        } else if *norm > radius {
            let factor = radius / norm;
            let scaled = row.iter().map(|value| (f64::from(*value) * factor) as f32);
            out.iter_mut().zip(scaled).for_each(|(out, value)| *out = value);
        } else {
            out.copy_from_slice(row);
        }
    }
}
