//! Pseudo-Krum: Krum's idea on random candidates and random neighbours.
use crate::args::Param;
use crate::geometry::{Geometric, GeometricRule, Geometry, Needs, Pairs};
use crate::population::{Bound, Population};
use crate::random::Rng;
use crate::registry::Entry;
use crate::rule::{AggregateError, Certificate, Example, Label, Rule};
use crate::state::{StateError, StateReader, StateWriter};

/// The registry entry.
pub const ENTRY: Entry<Rule> = Entry {
    name: "pseudo-krum",
    summary: "best of f + 1 random vectors, each scored against n − f random ones",
    source: "the code of Farhadkhani et al., Robust Collaborative Learning with Linear Gradient \
             Overhead, ICML 2023",
    params: &[
        Param::integer("repetitions", (1, 1 << 16), 1)
            .about("results averaged: 1 is pseudo-Krum, n − f pseudo-Multi-Krum"),
        Param::integer("seed", (0, i64::MAX), 0).about("seed of the draws"),
    ],
    build: Rule {
        formula: "of f + 1 rows drawn without repetition the x_i of least Σ ‖x_i − x_j‖² over \
                  n − f rows j drawn anew for each i, ties by the order of drawing; the mean of \
                  as many results as asked for",
        guarantee: "none: an honest vector's score may include f far vectors, a Byzantine one's \
                    may not",
        cost: "O(n² d), then O(r f n) for r repetitions",
        certificate: Certificate { kappa: None, label: Label::None, breakdown: None },
        example: Example {
            rows: &[&[0.0], &[1.0], &[2.0], &[4.0], &[100.0]],
            f: 1,
            result: &[2.0],
        },
        bound: Bound::MAJORITY,
        is_self_centred: false,
        build: |args, population| {
            Ok(Box::new(Geometric::new(PseudoKrum {
                f: population.f(),
                repetitions: args.integer("repetitions"),
                rng: Rng::stream(args.integer("seed") as u64, u64::MAX, "pseudo-krum"),
                rows: Vec::new(),
                drawn: Vec::new(),
            })))
        },
    },
};

#[derive(Debug)]
struct PseudoKrum {
    f: usize,
    repetitions: usize,
    rng: Rng,
    rows: Vec<usize>,
    drawn: Vec<usize>,
}

impl PseudoKrum {
    fn draw(&mut self, geometry: &Geometry) -> usize {
        let keep = geometry.count() - self.f;
        self.rng.shuffle(&mut self.rows);
        let mut best = (f64::INFINITY, self.rows[0]);
        for &candidate in &self.rows[..=self.f] {
            self.drawn.clear();
            self.drawn.extend(&self.rows);
            self.drawn.sort_unstable();
            self.rng.shuffle(&mut self.drawn);
            let distances = geometry.squared_distances_of(candidate);
            let score: f64 = self.drawn[..keep].iter().map(|j| distances[*j]).sum();
            if score < best.0 {
                best = (score, candidate);
            }
        }
        best.1
    }
}

impl GeometricRule for PseudoKrum {
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
        geometry.finite_count(self.f)?;
        weights.fill(0.0);
        for _ in 0..self.repetitions {
            // A row that is not finite is known to be Byzantine: nothing is drawn from those.
            self.rows.clear();
            self.rows.extend((0..count).filter(|&i| geometry.is_finite(i)));
            weights[self.draw(geometry)] += 1.0 / self.repetitions as f64;
        }
        Ok(())
    }

    fn save(&self, out: &mut StateWriter) {
        self.rng.save(out);
    }

    fn load(&mut self, input: &mut StateReader<'_>) -> Result<(), StateError> {
        self.rng.load(input)
    }
}
