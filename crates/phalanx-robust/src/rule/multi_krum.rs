//! Multi-Krum: the mean of the vectors with the best Krum scores.
use crate::args::Param;
use crate::geometry::{Geometric, GeometricRule, Geometry, Needs, Pairs};
use crate::population::{Bound, Population};
use crate::registry::Entry;
use crate::rule::krum::{ORIGINAL_BOUND, Score, VARIANT};
use crate::rule::{AggregateError, Certificate, Example, Label, Rule};
use crate::selection;

/// The registry entry.
pub const ENTRY: Entry<Rule> = Entry {
    name: "multi-krum",
    summary: "mean of the m vectors with the best Krum scores",
    source: "Blanchard et al., Machine Learning with Adversaries: Byzantine Tolerant Gradient \
             Descent, NIPS 2017 (recalled)",
    params: &[
        VARIANT,
        Param::integer("m", (1, 1 << 32), 1)
            .optional()
            .about("vectors averaged, at most n − f; n − f when absent"),
    ],
    build: Rule {
        formula: "mean of the m rows of least Krum score, ties by index; m = n − f if not given",
        guarantee: "breakdown at f < n/2 (derived); no κ stated",
        cost: "O(n² d + n² log n)",
        certificate: Certificate {
            kappa: None,
            label: Label::Derived,
            breakdown: Some(ORIGINAL_BOUND),
        },
        example: Example {
            rows: &[&[0.0], &[1.0], &[2.0], &[4.0], &[100.0]],
            f: 1,
            result: &[1.75],
        },
        bound: ORIGINAL_BOUND,
        is_self_centred: false,
        build: |args, population| {
            let (f, m) = (population.f(), args.integer_if("m"));
            let score = Score::new(args, population)?;
            population.require(bound_of(m))?;
            Ok(Box::new(Geometric::new(MultiKrum { f, m, score, order: Vec::new() })))
        },
    },
};

/// `n ≥ f + m`.
fn bound_of(m: Option<usize>) -> Bound {
    Bound { times_f: 1, plus: m.unwrap_or(1) }
}

#[derive(Debug)]
struct MultiKrum {
    f: usize,
    m: Option<usize>,
    score: Score,
    order: Vec<usize>,
}

impl GeometricRule for MultiKrum {
    fn needs(&self) -> Needs {
        Needs { pairs: Pairs::All, has_norms: false }
    }

    fn weights(
        &mut self,
        geometry: &Geometry,
        _own: Option<usize>,
        weights: &mut [f64],
    ) -> Result<(), AggregateError> {
        let population = Population::new(geometry.count(), self.f)?;
        population.require(bound_of(self.m))?;
        self.score.rank(geometry, self.f, &mut self.order)?;
        selection::mean_of(&self.order[..self.m.unwrap_or(population.quorum())], weights);
        Ok(())
    }
}
