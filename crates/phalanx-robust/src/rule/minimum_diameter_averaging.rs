//! Minimum-diameter averaging, exact without enumeration: a search among vertex covers.
use crate::geometry::{Geometric, GeometricRule, Geometry, Needs, Pairs};
use crate::population::{Bound, Population};
use crate::registry::Entry;
use crate::rule::vertex_cover::{OutOfSteps, VertexCover};
use crate::rule::{AggregateError, Certificate, Example, Label, Rule};
use crate::selection;

/// The registry entry.
pub const ENTRY: Entry<Rule> = Entry {
    name: "minimum-diameter-averaging",
    summary: "mean of the n − f vectors of least diameter",
    source: "Rousseeuw, Multivariate Estimation with High Breakdown Point, 1985; El-Mhamdi et \
             al., Collaborative Learning in the Jungle, NeurIPS 2021 (recalled)",
    params: &[],
    build: Rule {
        formula: "mean of the n − f rows whose largest mutual distance is least; among equals \
                  the smallest sorted list of indices",
        guarantee: "derived, q = n − f of n received, f dropped: \
                    disagreement × (h + 4f − q)/(q − f)",
        cost: "O(n² d), then at most 5·10⁶ steps of a search (about 1.47^f each threshold)",
        certificate: Certificate {
            kappa: None,
            label: Label::Derived,
            breakdown: Some(Bound::MAJORITY),
        },
        example: Example {
            rows: &[&[0.0], &[1.0], &[2.0], &[4.0], &[100.0]],
            f: 1,
            result: &[1.75],
        },
        bound: Bound::MAJORITY,
        is_self_centred: false,
        build: |_, population| {
            Ok(Box::new(Geometric::new(MinimumDiameterAveraging {
                f: population.f(),
                ..MinimumDiameterAveraging::default()
            })))
        },
    },
};

/// Steps of the search before it gives up: seconds, never a hang.
pub const STEPS: u64 = 5_000_000;

#[derive(Debug, Default)]
struct MinimumDiameterAveraging {
    f: usize,
    rows: Vec<usize>,
    thresholds: Vec<f64>,
    is_open: Vec<bool>,
    chosen: Vec<usize>,
    cover: VertexCover,
}

impl MinimumDiameterAveraging {
    /// Conflicts are pairs farther apart than `threshold`.
    fn set_threshold(&mut self, geometry: &Geometry, threshold: f64) {
        self.cover.clear_conflicts(self.rows.len());
        for a in 0..self.rows.len() {
            for b in 0..a {
                let squared = geometry.squared_distance(self.rows[a], self.rows[b]);
                if squared > threshold {
                    self.cover.add_conflict(a, b);
                }
            }
        }
    }

    /// The least diameter that some subset with at most `spare` rows left out attains.
    fn search(&mut self, geometry: &Geometry, spare: usize) -> Result<f64, OutOfSteps> {
        let count = self.rows.len();
        self.thresholds.clear();
        self.thresholds.push(0.0);
        for a in 0..count {
            let others = (0..a).map(|b| geometry.squared_distance(self.rows[a], self.rows[b]));
            self.thresholds.extend(others);
        }
        self.thresholds.sort_unstable_by(f64::total_cmp);
        self.thresholds.dedup();
        let (mut low, mut high) = (0, self.thresholds.len() - 1);
        while low < high {
            let middle = low + (high - low) / 2;
            self.set_threshold(geometry, self.thresholds[middle]);
            self.cover.set_vertices(count, |_| true);
            if self.cover.exists(spare)? {
                high = middle;
            } else {
                low = middle + 1;
            }
        }
        Ok(self.thresholds[low])
    }

    /// Takes each row, in order, that some subset of the least diameter contains together with
    /// those already taken.
    fn choose(&mut self, keep: usize) -> Result<(), OutOfSteps> {
        let count = self.rows.len();
        let mut spare = count - keep;
        self.is_open.clear();
        self.is_open.resize(count, true);
        self.chosen.clear();
        for candidate in 0..count {
            if self.chosen.len() == keep {
                break;
            }
            if !self.is_open[candidate] {
                continue;
            }
            self.is_open[candidate] = false;
            let (is_open, cover) = (&self.is_open, &mut self.cover);
            let lost = (0..count).filter(|&v| is_open[v] && cover.is_conflict(candidate, v));
            let lost = lost.count();
            // Those in conflict with the candidate are paid for by leaving them out.
            cover.set_vertices(count, |v| is_open[v]);
            cover.remove_conflicting(candidate);
            let is_possible = lost <= spare && cover.exists(spare - lost)?;
            if is_possible {
                self.chosen.push(self.rows[candidate]);
                spare -= lost;
                for v in 0..count {
                    if self.cover.is_conflict(candidate, v) {
                        self.is_open[v] = false;
                    }
                }
            } else {
                spare -= 1;
            }
        }
        Ok(())
    }
}

impl GeometricRule for MinimumDiameterAveraging {
    fn needs(&self) -> Needs {
        Needs { pairs: Pairs::All, has_norms: false }
    }

    fn weights(
        &mut self,
        geometry: &Geometry,
        _own: Option<usize>,
        weights: &mut [f64],
    ) -> Result<(), AggregateError> {
        let count = geometry.count();
        Population::new(count, self.f)?.require(Bound::MAJORITY)?;
        let finite = geometry.finite_count(self.f)?;
        self.rows.clear();
        self.rows.extend((0..count).filter(|&i| geometry.is_finite(i)));
        let keep = count - self.f;
        self.cover.reset(finite, STEPS);
        let limit = |_: OutOfSteps| AggregateError::Limit { rule: ENTRY.name, limit: STEPS };
        let diameter = self.search(geometry, finite - keep).map_err(limit)?;
        self.set_threshold(geometry, diameter);
        self.choose(keep).map_err(limit)?;
        selection::mean_of(&self.chosen, weights);
        Ok(())
    }
}
