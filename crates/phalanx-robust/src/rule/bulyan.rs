//! Bulyan: Krum chooses most vectors one by one, then each coordinate is averaged near its median.
use crate::geometry::{Geometry, Needs, Pairs};
use crate::kernel::order::{Columns, Statistic};
use crate::population::{Bound, Population};
use crate::registry::Entry;
use crate::rule::{AggregateError, Aggregator, Certificate, Example, Label, Rule, check_output};
use crate::vectors::Vectors;

/// The registry entry.
pub const ENTRY: Entry<Rule> = Entry {
    name: "bulyan",
    summary: "mean around the median of n − 2f vectors that Krum chooses one by one",
    source: "El Mhamdi, Guerraoui, Rouault, The Hidden Vulnerability of Distributed Learning in \
             Byzantium, ICML 2018, section 4 (recalled)",
    params: &[],
    build: Rule {
        formula: "θ = n − 2f times: of the r vectors left, take the one of least Σ ‖x_i − x_j‖² \
                  over its r − f − 2 nearest (ties by index); then per coordinate the mean of \
                  the θ − 2f chosen values closest to the chosen median",
        guarantee: "derived: every kept value is at most as far from the median as some honest \
                    value, so every coordinate is within one honest range of it",
        cost: "O(n² d + n³ log n)",
        certificate: Certificate { kappa: None, label: Label::Derived, breakdown: Some(BOUND) },
        example: Example {
            rows: &[&[0.0], &[1.0], &[2.0], &[3.0], &[4.0], &[10.0], &[90.0]],
            f: 1,
            result: &[2.0],
        },
        bound: BOUND,
        is_self_centred: false,
        build: |_, population| {
            population.require(BOUND)?;
            Ok(Box::new(Bulyan { f: population.f(), ..Bulyan::default() }))
        },
    },
};

const BOUND: Bound = Bound { times_f: 4, plus: 3 };

#[derive(Debug, Default)]
struct Bulyan {
    f: usize,
    geometry: Geometry,
    columns: Columns,
    left: Vec<usize>,
    neighbours: Vec<f64>,
}

impl Bulyan {
    /// Krum's score of row `i` among the rows that are left.
    fn score(&mut self, i: usize) -> f64 {
        let distances = self.geometry.squared_distances_of(i);
        self.neighbours.clear();
        self.neighbours.extend(self.left.iter().filter(|j| **j != i).map(|j| distances[*j]));
        self.neighbours.sort_unstable_by(f64::total_cmp);
        // At the end fewer than f + 2 are left, and nothing is compared any more.
        let size = self.left.len().saturating_sub(self.f + 2);
        self.neighbours[..size].iter().sum()
    }

    /// The row of least score among those left, the first on ties.
    fn best(&mut self) -> Option<usize> {
        let mut best: Option<(usize, f64)> = None;
        for at in 0..self.left.len() {
            let i = self.left[at];
            if self.geometry.is_finite(i) {
                let score = self.score(i);
                if best.is_none_or(|(_, least)| score < least) {
                    best = Some((at, score));
                }
            }
        }
        best.map(|(at, _)| at)
    }
}

impl Aggregator for Bulyan {
    fn aggregate(&mut self, vectors: Vectors<'_>, out: &mut [f32]) -> Result<(), AggregateError> {
        check_output(vectors, out)?;
        let n = vectors.count();
        Population::new(n, self.f)?.require(BOUND)?;
        self.geometry.compute(vectors, Needs { pairs: Pairs::All, has_norms: false });
        self.geometry.finite_count(self.f)?;
        self.left.clear();
        self.left.extend(0..n);
        let mut chosen = Vec::with_capacity(n - 2 * self.f);
        while chosen.len() < n - 2 * self.f {
            let at = self.best().expect("n − f rows are finite, and n − 2f are chosen");
            chosen.push(vectors.row(self.left.remove(at)));
        }
        let keep = n - 4 * self.f;
        self.columns.compute(&chosen, Statistic::MeanAroundMedian { keep }, out);
        Ok(())
    }
}
