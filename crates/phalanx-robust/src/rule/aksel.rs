//! AKSEL: the mean of the vectors closest to the coordinate-wise median.
use crate::args::Param;
use crate::geometry::{Geometry, Needs, Pairs};
use crate::kernel;
use crate::kernel::order::{Columns, Statistic};
use crate::population::{Bound, Population};
use crate::recycle::recycle;
use crate::registry::Entry;
use crate::rule::{
    AggregateError, Aggregator, Certificate, Effects, Example, Label, Rule, check_output,
};
use crate::selection;
use crate::vectors::Vectors;

/// The registry entry.
pub const ENTRY: Entry<Rule> = Entry {
    name: "aksel",
    summary: "mean of the vectors closest to the coordinate-wise median",
    source: "Boussetta et al., AKSEL: Fast Byzantine SGD, OPODIS 2020 (recalled); the numbers \
             kept as in the code of Garfield",
    params: &[Param::choice("keep", &["half", "quorum"], "half")
        .about("how many are averaged: half ⌊(n + 1)/2⌋, quorum n − f")],
    build: Rule {
        formula: "m coordinate-wise median; mean of the ⌊(n + 1)/2⌋ (or n − f) rows of least \
                  ‖x_i − m‖, ties by index",
        guarantee: "derived: no row is kept that is farther from the median than every honest \
                    one; no κ stated",
        cost: "O(n d log n)",
        certificate: Certificate {
            kappa: None,
            label: Label::Derived,
            breakdown: Some(Bound::MAJORITY),
        },
        example: Example {
            rows: &[&[0.0], &[1.0], &[2.0], &[4.0], &[100.0]],
            f: 1,
            result: &[1.0],
        },
        bound: Bound::MAJORITY,
        is_self_centred: false,
        build: |args, population| {
            Ok(Box::new(Aksel {
                f: population.f(),
                keeps_half: args.text("keep") == "half",
                ..Aksel::default()
            }))
        },
    },
};

#[derive(Debug, Default)]
struct Aksel {
    f: usize,
    keeps_half: bool,
    columns: Columns,
    geometry: Geometry,
    median: Vec<f32>,
    order: Vec<usize>,
    weights: Vec<f64>,
    rows: Vec<&'static [f32]>,
}

impl Aggregator for Aksel {
    fn aggregate(&mut self, vectors: Vectors<'_>, out: &mut [f32]) -> Result<(), AggregateError> {
        check_output(vectors, out)?;
        let n = vectors.count();
        let population = Population::new(n, self.f)?;
        population.require(Bound::MAJORITY)?;
        let mut median = std::mem::take(&mut self.median);
        median.resize(vectors.dim(), 0.0);
        self.columns.compute(vectors.rows(), Statistic::Median, &mut median);
        let mut rows = recycle(std::mem::take(&mut self.rows));
        rows.push(&median[..]);
        rows.extend_from_slice(vectors.rows());
        let all = Vectors::new(&rows)?.with_own(0);
        self.geometry.compute(all, Needs { pairs: Pairs::Own, has_norms: false });
        // The median of mostly bad values is bad, too, and no Byzantine row.
        let found = (1..=n).filter(|&i| !kernel::is_finite(rows[i])).count();
        let result = match found > self.f {
            true => Err(AggregateError::TooManyNotFinite { found, tolerated: self.f }),
            false => {
                let distances = &self.geometry.squared_distances_of(0)[1..];
                selection::rank(distances, None, &mut self.order);
                let keep = if self.keeps_half { n.div_ceil(2) } else { population.quorum() };
                self.weights.clear();
                self.weights.resize(n, 0.0);
                selection::mean_of(&self.order[..keep], &mut self.weights);
                kernel::combine(vectors.rows(), &self.weights, out);
                Ok(())
            }
        };
        self.rows = recycle(rows);
        self.median = median;
        result
    }

    fn effects(&self) -> Option<Effects<'_>> {
        Some(Effects { weights: &self.weights, factors: None })
    }
}
