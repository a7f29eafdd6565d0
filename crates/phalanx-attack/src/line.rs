//! Forgeries along a line: `a(c) = base + c·direction`, and the factor c.
use phalanx_robust::rule::BuildError;
use phalanx_robust::{Args, Param, StateError, StateReader, StateWriter, Vectors};

use crate::attack::{Attack, AttackError, AttackSetup, Forgery, View};
use crate::defence::Defence;
use crate::search::Search;

/// A line in the space of forged vectors.
///
/// # Shape
/// `base`, `direction`: d.
#[derive(Debug, Clone, PartialEq)]
pub struct Line {
    /// `a(0)`
    pub base: Vec<f32>,
    /// what one unit of the factor adds
    pub direction: Vec<f32>,
}

impl Line {
    /// Writes `a(factor)`, rounded once.
    pub fn write(&self, factor: f64, out: &mut [f32]) {
        self.write_part(factor, 0, out);
    }

    /// As [`Line::write`], the coordinates from `start` on that `out` holds.
    pub(crate) fn write_part(&self, factor: f64, start: usize, out: &mut [f32]) {
        let both = self.base[start..].iter().zip(&self.direction[start..]);
        for (out, (base, direction)) in out.iter_mut().zip(both) {
            *out = (f64::from(*base) + factor * f64::from(*direction)) as f32;
        }
    }

    /// `a(factor)`.
    pub fn at(&self, factor: f64) -> Vec<f32> {
        let mut vector = vec![0.0; self.base.len()];
        self.write(factor, &mut vector);
        vector
    }
}

/// How the factor of a line attack is found.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Factor {
    /// known beforehand
    Fixed(f64),
    /// searched for anew in every turn
    Searched(Search),
}

/// Words of the parameter `factor` that every line attack understands.
pub(crate) const FACTORS: &[&str] = &["fixed", "line-search", "expansion-search"];

/// The parameter `factor` of most line attacks.
pub(crate) const FACTOR: Param = Param::choice("factor", FACTORS, "fixed").about(
    "fixed, or the c of largest J(c) = ‖mean over honest i of rule(i) − x̄‖² along the line: \
     line-search (16 evaluations, first step 1) or expansion-search (20, first step 10)",
);

/// The parameter `evaluations` of every searching attack.
pub(crate) const EVALUATIONS: Param = Param::integer("evaluations", (1, 512), 16)
    .optional()
    .about("evaluations of a search; without it 16 for line-search, 20 for expansion-search");

/// Reads `factor` and `evaluations`; `fixed` is the name of the number that a fixed factor has.
pub(crate) fn factor(args: &Args, fixed: &str) -> Factor {
    let evaluations = args.integer_if(EVALUATIONS.name);
    match args.text(FACTOR.name) {
        "line-search" => Factor::Searched(
            evaluations.map_or(Search::LINE, |evaluations| Search::Line { evaluations }),
        ),
        "expansion-search" => Factor::Searched(
            evaluations.map_or(Search::EXPANSION, |evaluations| Search::Expansion { evaluations }),
        ),
        _ => Factor::Fixed(args.number(fixed)),
    }
}

/// An attack that shows one point of a line to everybody.
pub(crate) struct LineAttack<L> {
    line: L,
    factor: Factor,
    defence: Defence,
    byzantine: usize,
}

impl<L: FnMut(Vectors<'_>) -> Result<Line, AttackError> + Send + 'static> LineAttack<L> {
    /// `line` draws the line through the honest vectors of a turn.
    pub(crate) fn boxed(
        setup: AttackSetup<'_>,
        factor: Factor,
        line: L,
    ) -> Result<Box<dyn Attack>, BuildError> {
        let AttackSetup { byzantine, defence, .. } = setup;
        Ok(Box::new(Self { line, factor, defence, byzantine }))
    }
}

impl<L: FnMut(Vectors<'_>) -> Result<Line, AttackError> + Send> Attack for LineAttack<L> {
    fn forge(
        &mut self,
        view: &View<'_>,
        _rng: &mut phalanx_robust::Rng,
    ) -> Result<Forgery, AttackError> {
        let line = (self.line)(view.honest)?;
        let vector = match self.factor {
            Factor::Fixed(factor) => line.at(factor),
            Factor::Searched(search) => {
                let mut displacement = self.defence.along(view.honest, self.byzantine, &line);
                let factor = search.maximize(|factor| match search {
                    Search::Line { .. } => displacement.squared(factor),
                    Search::Expansion { .. } => displacement.norm(factor),
                });
                drop(displacement);
                let vector = line.at(factor);
                self.defence.advance(view.honest, self.byzantine, &vector)?;
                vector
            }
        };
        Ok(Forgery::same(vector, self.byzantine, view.honest.count()))
    }

    fn save(&self, out: &mut StateWriter) {
        self.defence.save(out);
    }

    fn load(&mut self, input: &mut StateReader<'_>) -> Result<(), StateError> {
        self.defence.load(input)
    }
}
