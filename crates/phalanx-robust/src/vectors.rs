//! The view that every rule takes, and the shared vector that travels between nodes.
use std::ops::Deref;
use std::sync::{Arc, OnceLock};

/// Why rows cannot be viewed as vectors.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ShapeError {
    /// There is no row at all.
    #[error("no vectors: at least one is needed")]
    Empty,
    /// The rows have no coordinates.
    #[error("vectors of length 0: at least one coordinate is needed")]
    NoCoordinates,
    /// Two rows differ in length.
    #[error("vector `{row}` has length `{found}`, but vector `0` has length `{expected}`")]
    Unequal {
        /// index of the offending row
        row: usize,
        /// length of row 0
        expected: usize,
        /// length of the offending row
        found: usize,
    },
    /// There is not one weight per row.
    #[error("`{found}` weights for `{expected}` vectors")]
    WeightCount {
        /// number of rows
        expected: usize,
        /// number of weights
        found: usize,
    },
    /// A weight is negative, infinite or NaN.
    #[error("weight `{row}` is negative or not finite")]
    Weight {
        /// index of the offending weight
        row: usize,
    },
    /// The weights sum to 0, or to more than f64 holds.
    #[error("the weights sum to 0 or to infinity")]
    WeightSum,
}

/// A borrowed family of vectors of equal length, checked once.
///
/// # Shape
/// `count × dim`, `count ≥ 1`, `dim ≥ 1`. One row may be marked as the caller's own.
/// Entries may hold any bit pattern; rules, not this type, deal with NaN and infinities.
#[derive(Debug, Clone, Copy)]
pub struct Vectors<'a> {
    rows: &'a [&'a [f32]],
    own: Option<usize>,
    weights: Option<&'a [f64]>,
}

impl<'a> Vectors<'a> {
    /// Checks shapes once; everything downstream relies on them.
    ///
    /// # Errors
    /// [`ShapeError`] names the row that differs.
    pub fn new(rows: &'a [&'a [f32]]) -> Result<Self, ShapeError> {
        let first = rows.first().ok_or(ShapeError::Empty)?;
        if first.is_empty() {
            return Err(ShapeError::NoCoordinates);
        }
        match rows.iter().position(|row| row.len() != first.len()) {
            Some(row) => {
                Err(ShapeError::Unequal { row, expected: first.len(), found: rows[row].len() })
            }
            None => Ok(Self { rows, own: None, weights: None }),
        }
    }

    /// Marks row `index` as the caller's own: trusted, the pivot of self-centred rules.
    ///
    /// # Panics
    /// When `index` is not a row: a bug of the caller.
    pub fn with_own(self, index: usize) -> Self {
        assert!(index < self.rows.len(), "own row {index} of {}", self.rows.len());
        Self { own: Some(index), ..self }
    }

    /// Gives each row the weight of its edge in a graph; rules that use edge weights take equal
    /// ones where none are given, all others refuse. Multiples of the same weights mean the same.
    ///
    /// # Errors
    /// Unless there is one weight per row, each finite and at least 0, and not all are 0.
    pub fn with_weights(self, weights: &'a [f64]) -> Result<Self, ShapeError> {
        if weights.len() != self.count() {
            return Err(ShapeError::WeightCount { expected: self.count(), found: weights.len() });
        }
        let is_bad = |weight: &f64| !weight.is_finite() || *weight < 0.0;
        if let Some(row) = weights.iter().position(is_bad) {
            return Err(ShapeError::Weight { row });
        }
        let sum: f64 = weights.iter().sum();
        match sum > 0.0 && sum.is_finite() {
            true => Ok(Self { weights: Some(weights), ..self }),
            false => Err(ShapeError::WeightSum),
        }
    }

    /// Weights of the edges, where given.
    pub fn weights(self) -> Option<&'a [f64]> {
        self.weights
    }

    /// Number of rows.
    pub fn count(self) -> usize {
        self.rows.len()
    }

    /// Length of each row.
    pub fn dim(self) -> usize {
        self.rows[0].len()
    }

    /// All rows, in order.
    pub fn rows(self) -> &'a [&'a [f32]] {
        self.rows
    }

    /// Row `index`.
    pub fn row(self, index: usize) -> &'a [f32] {
        self.rows[index]
    }

    /// Index of the own row, when one is marked.
    pub fn own_index(self) -> Option<usize> {
        self.own
    }

    /// The own row, when one is marked.
    pub fn own(self) -> Option<&'a [f32]> {
        self.own.map(|index| self.rows[index])
    }
}

#[derive(Debug)]
struct Payload {
    values: Vec<f32>,
    is_finite: bool,
    digest: OnceLock<[u8; 32]>,
}

/// An immutable vector, shared without copying by everyone who holds it.
///
/// Whether it is finite is found out once, when it is made, so that a receiver need not scan it.
#[derive(Debug, Clone)]
pub struct Vector(Arc<Payload>);

impl Vector {
    /// Takes ownership of the values and scans them once.
    pub fn new(values: Vec<f32>) -> Self {
        let is_finite = crate::kernel::is_finite(&values);
        Self(Arc::new(Payload { values, is_finite, digest: OnceLock::new() }))
    }

    /// The values, if nobody else holds this vector.
    pub fn into_values(self) -> Option<Vec<f32>> {
        Arc::into_inner(self.0).map(|payload| payload.values)
    }

    /// Whether no entry is NaN or infinite.
    pub fn is_finite(&self) -> bool {
        self.0.is_finite
    }

    /// blake3 of the entries as little-endian bytes; worked out once, when first asked for.
    pub fn digest(&self) -> [u8; 32] {
        *self.0.digest.get_or_init(|| {
            if cfg!(target_endian = "little") {
                return *blake3::hash(bytemuck::cast_slice(self)).as_bytes();
            }
            let mut hasher = blake3::Hasher::new();
            for value in self.iter() {
                hasher.update(&value.to_le_bytes());
            }
            *hasher.finalize().as_bytes()
        })
    }

    /// Equal exactly for clones of one vector; says nothing about equal contents.
    pub fn address(&self) -> usize {
        Arc::as_ptr(&self.0) as usize
    }
}

impl Deref for Vector {
    type Target = [f32];
    fn deref(&self) -> &[f32] {
        &self.0.values
    }
}

impl PartialEq for Vector {
    /// Bit equality, so that a vector with NaN equals itself.
    fn eq(&self, other: &Self) -> bool {
        self.address() == other.address()
            || (self.len() == other.len()
                && self.iter().zip(other.iter()).all(|(a, b)| a.to_bits() == b.to_bits()))
    }
}
