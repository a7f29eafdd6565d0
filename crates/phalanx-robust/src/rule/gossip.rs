//! Steps along the edges of a weighted graph: what the rules for sparse graphs share.
use crate::geometry::Geometry;
use crate::rule::{AggregateError, trusted_own};

/// The neighbours of a node by ascending distance, ties by index, those not finite last.
#[derive(Debug, Default)]
pub(super) struct Neighbours {
    order: Vec<usize>,
    sorted: Vec<f64>,
    /// the most that f neighbours can weigh together
    byzantine: f64,
    /// how much of each difference was left by the last step
    pub(super) factors: Vec<f64>,
}

impl Neighbours {
    /// # Errors
    /// Without a finite own row, or when n and f do not go together.
    pub(super) fn start(
        &mut self,
        rule: &'static str,
        geometry: &Geometry,
        own: Option<usize>,
        f: usize,
    ) -> Result<usize, AggregateError> {
        let own = trusted_own(rule, geometry, own, f)?;
        let count = geometry.count();
        let distances = geometry.squared_distances_of(own);
        self.order.clear();
        self.order.extend((0..count).filter(|j| *j != own));
        self.order.sort_unstable_by(|&a, &b| distances[a].total_cmp(&distances[b]).then(a.cmp(&b)));
        self.sorted.clear();
        self.sorted.extend(self.order.iter().map(|j| geometry.edge_weight(*j)));
        self.sorted.sort_unstable_by(f64::total_cmp);
        self.byzantine = self.sorted.iter().rev().take(f).sum();
        Ok(own)
    }

    /// Nearest first.
    pub(super) fn order(&self) -> &[usize] {
        &self.order
    }

    /// The weight of the f heaviest edges.
    pub(super) fn byzantine(&self) -> f64 {
        self.byzantine
    }
}

/// Weights of `x_own + Σ w_j s_j (x_j − x_own)`; leaves the `s_j` in `factors`.
pub(super) fn step(
    geometry: &Geometry,
    own: usize,
    share: impl Fn(usize) -> f64,
    weights: &mut [f64],
    factors: &mut Vec<f64>,
) {
    factors.clear();
    factors.resize(geometry.count(), 0.0);
    factors[own] = 1.0;
    let mut moved = 0.0;
    for j in (0..geometry.count()).filter(|j| *j != own) {
        if geometry.is_finite(j) {
            factors[j] = share(j);
        }
        weights[j] = geometry.edge_weight(j) * factors[j];
        moved += weights[j];
    }
    weights[own] = 1.0 - moved;
}

/// `min(1, τ/distance)`.
pub(super) fn clipped(squared_distance: f64, squared_tau: f64) -> f64 {
    if squared_distance <= squared_tau { 1.0 } else { (squared_tau / squared_distance).sqrt() }
}
