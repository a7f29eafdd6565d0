//! Krum: the vector whose nearest neighbours are nearest. Its score serves Multi-Krum, too.
use crate::args::{Args, Param};
use crate::geometry::{Geometric, GeometricRule, Geometry, Needs, Pairs};
use crate::population::{Bound, Population, PopulationError};
use crate::registry::Entry;
use crate::rule::{AggregateError, Certificate, Example, Label, Rule};
use crate::selection::{self, ExcessSums};

/// The registry entry.
pub const ENTRY: Entry<Rule> = Entry {
    name: "krum",
    summary: "the one vector whose nearest neighbours are nearest",
    source: "Blanchard et al., Machine Learning with Adversaries: Byzantine Tolerant Gradient \
             Descent, NIPS 2017 (recalled)",
    params: &[VARIANT],
    build: Rule {
        formula: "x_i of least score; score = Σ ‖x_i − x_j‖² over the n − f − 2 nearest others \
                  (byzfl: n − f − 1; krum-library: n − f − 1, not squared); ties by index",
        guarantee: "recalled: κ = 6(1 + f/(n − 2f))",
        cost: "O(n² d + n² log n)",
        certificate: Certificate {
            kappa: Some(|n, f| 6.0 * (1.0 + f / (n - 2.0 * f))),
            label: Label::Recalled,
            breakdown: Some(ORIGINAL_BOUND),
        },
        example: Example {
            rows: &[&[0.0], &[1.0], &[2.0], &[4.0], &[100.0]],
            f: 1,
            result: &[1.0],
        },
        bound: ORIGINAL_BOUND,
        is_self_centred: false,
        build: |args, population| {
            let score = Score::new(args, population)?;
            Ok(Box::new(Geometric::new(Krum { f: population.f(), score, order: Vec::new() })))
        },
    },
};

/// Which of the published scores; Krum is not one rule.
pub(super) const VARIANT: Param =
    Param::choice("variant", &["original", "byzfl", "krum-library"], "original").about(
        "neighbours in the score: original n − f − 2 (needs n ≥ 2f + 3), byzfl n − f − 1, \
         krum-library n − f − 1 by plain distance (both need n ≥ 2f + 1)",
    );

pub(super) const ORIGINAL_BOUND: Bound = Bound { times_f: 2, plus: 3 };

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Variant {
    Original,
    Byzfl,
    KrumLibrary,
}

/// Krum's score of every row.
#[derive(Debug)]
pub(super) struct Score {
    variant: Variant,
    scores: ExcessSums,
}

impl Score {
    pub(super) fn new(args: &Args, population: Population) -> Result<Self, PopulationError> {
        let variant = match args.text("variant") {
            "byzfl" => Variant::Byzfl,
            "krum-library" => Variant::KrumLibrary,
            _ => Variant::Original,
        };
        let score = Self { variant, scores: ExcessSums::default() };
        population.require(score.bound())?;
        Ok(score)
    }

    fn bound(&self) -> Bound {
        match self.variant {
            Variant::Original => ORIGINAL_BOUND,
            Variant::Byzfl | Variant::KrumLibrary => Bound::MAJORITY,
        }
    }

    /// Puts the rows in ascending order of score, ties by index, rows that are not finite last.
    pub(super) fn rank(
        &mut self,
        geometry: &Geometry,
        f: usize,
        order: &mut Vec<usize>,
    ) -> Result<(), AggregateError> {
        let count = geometry.count();
        Population::new(count, f)?.require(self.bound())?;
        geometry.finite_count(f)?;
        let size = match self.variant {
            Variant::Original => count - f - 2,
            Variant::Byzfl | Variant::KrumLibrary => count - f - 1,
        };
        self.scores.start(size);
        let is_squared = self.variant != Variant::KrumLibrary;
        for i in 0..count {
            let others = geometry.squared_distances_of(i).iter().enumerate();
            let others = others.filter(|(j, _)| *j != i).map(|(_, squared)| *squared);
            let distances = others.map(|d| if is_squared { d } else { d.sqrt() });
            self.scores.push(geometry.is_finite(i).then_some(distances));
        }
        selection::rank(self.scores.finish(count), None, order);
        Ok(())
    }
}

#[derive(Debug)]
struct Krum {
    f: usize,
    score: Score,
    order: Vec<usize>,
}

impl GeometricRule for Krum {
    fn needs(&self) -> Needs {
        Needs { pairs: Pairs::All, has_norms: false }
    }

    fn weights(
        &mut self,
        geometry: &Geometry,
        _own: Option<usize>,
        weights: &mut [f64],
    ) -> Result<(), AggregateError> {
        self.score.rank(geometry, self.f, &mut self.order)?;
        selection::mean_of(&self.order[..1], weights);
        Ok(())
    }
}
