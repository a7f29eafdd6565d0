//! Dense passes over vectors: f64 sums in a fixed order, the same bits on every machine.
use crate::geometry::{Geometry, Needs, Pairs};
use crate::vectors::Vectors;

pub mod order;

/// Whether no entry is NaN or infinite.
pub fn is_finite(values: &[f32]) -> bool {
    values.iter().all(|value| value.is_finite())
}

/// `Σ a_k b_k`.
pub fn dot(a: &[f32], b: &[f32]) -> f64 {
    a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum()
}

/// `‖a − b‖²`; `+∞` when the rows cannot be compared.
pub fn squared_distance(a: &[f32], b: &[f32]) -> f64 {
    let sum: f64 = a.iter().zip(b).map(|(a, b)| (f64::from(*a) - f64::from(*b)).powi(2)).sum();
    if sum.is_nan() { f64::INFINITY } else { sum }
}

/// Fills `out` with what `needs` asks for.
pub fn geometry(vectors: Vectors<'_>, needs: Needs, out: &mut Geometry) {
    let rows = vectors.rows();
    let own = vectors.own_index().unwrap_or(0);
    for i in 0..rows.len() {
        for j in 0..i {
            let is_wanted = match needs.pairs {
                Pairs::None => false,
                Pairs::Own => i == own || j == own,
                Pairs::All => true,
            };
            if is_wanted {
                out.set_squared_distance((i, j), squared_distance(rows[i], rows[j]));
            }
        }
        if needs.has_norms {
            out.set_squared_norm(i, dot(rows[i], rows[i]));
        }
    }
}

/// `out = Σ w_i x_i` in f64, rows of weight 0 left out, in row order.
pub fn combine(rows: &[&[f32]], weights: &[f64], out: &mut [f32]) {
    for (k, out) in out.iter_mut().enumerate() {
        let terms = rows.iter().zip(weights).filter(|(_, weight)| **weight != 0.0);
        *out = terms.map(|(row, weight)| weight * f64::from(row[k])).sum::<f64>() as f32;
    }
}

/// One combination among many: `out = Σ w_i x_i` over the listed rows.
#[derive(Debug)]
pub struct Combination<'a> {
    /// row index and weight, ascending by row, weights not 0
    pub terms: Vec<(usize, f64)>,
    /// where it goes; length d
    pub out: &'a mut [f32],
}

/// Many combinations of one family of rows at once, column block by column block, so that each
/// row is read from memory once for all of them. Same bits as [`combine`].
pub fn combine_many(rows: &[&[f32]], combinations: &mut [Combination<'_>]) {
    for Combination { terms, out } in combinations {
        for (k, out) in out.iter_mut().enumerate() {
            let terms = terms.iter().map(|(i, weight)| weight * f64::from(rows[*i][k]));
            *out = terms.sum::<f64>() as f32;
        }
    }
}

/// Squared distances of chosen pairs, each row read once per column block.
pub fn squared_distances(rows: &[&[f32]], pairs: &[(usize, usize)], out: &mut [f64]) {
    for ((i, j), out) in pairs.iter().zip(out) {
        *out = squared_distance(rows[*i], rows[*j]);
    }
}
