//! The defence as the adversary knows it: what would the rule make of this forgery?
use phalanx_robust::{AggregateError, Aggregator, StateError, StateReader, StateWriter, Vectors};

use crate::line::Line;
use crate::moments;

mod quadratic;

use quadratic::{Combination, Quadratic};

/// The honest nodes' rule, for attacks that search against it.
pub struct Defence {
    /// the rule with its mixings, built for all n vectors
    pub rule: Box<dyn Aggregator>,
    /// whether each honest node centres it at its own vector
    pub is_self_centred: bool,
}

impl Defence {
    /// Prepares evaluations of `J(c) = ‖mean_i rule(honest + byzantine copies of a(c)) − x̄‖²`
    /// along a line, where i runs over the honest nodes, each with its own vector marked, when the
    /// rule is self-centred; otherwise one evaluation serves all.
    ///
    /// A rule of distances and weights never looks at a coordinate again: everything along the
    /// line is a quadratic in c, found from one pass over the vectors. Other rules are run.
    ///
    /// # Cost
    /// Once `O(h² d)` for the distances among the honest vectors and three points, then `O(n²)`
    /// plus the weights for each evaluation (h times when the rule is self-centred). Rules that
    /// look at coordinates: `O(d)` memory once, then the rule itself, once or h times for each
    /// evaluation.
    pub fn along<'a>(
        &'a mut self,
        honest: Vectors<'a>,
        byzantine: usize,
        line: &'a Line,
    ) -> Displacement<'a> {
        assert_eq!(line.base.len(), honest.dim(), "a line in the space of the honest vectors");
        let memory = self.memory();
        let quadratic = match self.rule.geometric() {
            Some(_) if memory.is_empty() => Some(Quadratic::new(honest, byzantine, line)),
            _ => None,
        };
        let is_self_centred = self.is_self_centred;
        let (rule, out, response) = (&mut *self.rule, Vec::new(), Vec::new());
        let direct = Direct { rule, honest, byzantine, is_self_centred, memory, out, response };
        Displacement { direct, quadratic, line, mean: Vec::new(), forged: Vec::new() }
    }

    /// Lets a rule with memory see what the honest nodes will be given in this turn, so that the
    /// next turn is searched against the same memory. The nodes' own memories of a self-centred
    /// rule differ from node to node and are not followed; then nothing happens.
    ///
    /// # Errors
    /// When the rule refuses.
    pub fn advance(
        &mut self,
        honest: Vectors<'_>,
        byzantine: usize,
        forged: &[f32],
    ) -> Result<(), AggregateError> {
        if self.is_self_centred || self.memory().is_empty() {
            return Ok(());
        }
        let rows = with_copies(honest, byzantine, forged);
        self.rule.aggregate(Vectors::new(&rows)?, &mut vec![0.0; honest.dim()])
    }

    fn memory(&self) -> Vec<u8> {
        let mut out = StateWriter::default();
        self.rule.save(&mut out);
        out.finish()
    }

    /// Appends what the next search depends on: the rule's memory.
    pub fn save(&self, out: &mut StateWriter) {
        self.rule.save(out);
    }

    /// # Errors
    /// When the snapshot does not fit.
    pub fn load(&mut self, input: &mut StateReader<'_>) -> Result<(), StateError> {
        self.rule.load(input)
    }
}

/// How far a forgery on a line would move the mean of the honest nodes' results from x̄.
///
/// A factor for which the rule refuses, or for which the displacement is not finite, has
/// displacement `−∞`: a search never picks it over one whose effect is known.
pub struct Displacement<'a> {
    direct: Direct<'a>,
    quadratic: Option<Quadratic>,
    line: &'a Line,
    /// x̄; empty until it is needed
    mean: Vec<f64>,
    forged: Vec<f32>,
}

/// What the honest nodes make of one point of a line, on average.
#[derive(Debug, Clone)]
pub struct Response(Known);

#[derive(Debug, Clone)]
enum Known {
    /// relative to x̄, in terms of what the line and the honest vectors are made of
    Relative(Combination),
    /// coordinate by coordinate
    Absolute(Vec<f64>),
}

impl Displacement<'_> {
    /// What the rule makes of copies of `a(factor)`.
    ///
    /// # Errors
    /// When it refuses.
    pub fn respond(&mut self, factor: f64) -> Result<Response, AggregateError> {
        let is_self_centred = self.direct.is_self_centred;
        let known = match (&mut self.quadratic, self.direct.rule.geometric()) {
            (Some(quadratic), Some(rule)) if quadratic.is_within_range(factor) => {
                Known::Relative(quadratic.respond(rule, is_self_centred, factor)?)
            }
            _ => {
                self.respond_directly(factor)?;
                Known::Absolute(self.direct.response.clone())
            }
        };
        Ok(Response(known))
    }

    fn respond_directly(&mut self, factor: f64) -> Result<(), AggregateError> {
        self.forged.resize(self.line.base.len(), 0.0);
        self.line.write(factor, &mut self.forged);
        self.direct.respond(&self.forged)
    }

    /// Distance between two responses of this line; NaN when it is not known, as between one
    /// that was computed without looking at coordinates and one that overflowed there.
    pub fn distance(&self, a: &Response, b: &Response) -> f64 {
        match (&a.0, &b.0, &self.quadratic) {
            (Known::Relative(a), Known::Relative(b), Some(quadratic)) => {
                quadratic.squared_norm(&a.minus(b)).sqrt()
            }
            (Known::Absolute(a), Known::Absolute(b), _) => squared_distance(a, b).sqrt(),
            _ => f64::NAN,
        }
    }

    /// `J(c)`, the squared distance from x̄.
    pub fn squared(&mut self, factor: f64) -> f64 {
        let is_self_centred = self.direct.is_self_centred;
        let squared = match (&mut self.quadratic, self.direct.rule.geometric()) {
            (Some(quadratic), Some(rule)) if quadratic.is_within_range(factor) => quadratic
                .respond(rule, is_self_centred, factor)
                .map(|combination| quadratic.squared_norm(&combination)),
            _ => {
                if self.mean.is_empty() {
                    self.mean = moments::exact_mean(self.direct.honest.rows());
                }
                self.respond_directly(factor)
                    .map(|()| squared_distance(&self.direct.response, &self.mean))
            }
        };
        squared.ok().filter(|value| value.is_finite()).unwrap_or(f64::NEG_INFINITY)
    }

    /// `√J(c)`, the distance from x̄.
    pub fn norm(&mut self, factor: f64) -> f64 {
        let squared = self.squared(factor);
        if squared == f64::NEG_INFINITY { squared } else { squared.sqrt() }
    }
}

fn squared_distance(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| (a - b).powi(2)).sum()
}

fn with_copies<'a>(honest: Vectors<'a>, byzantine: usize, forged: &'a [f32]) -> Vec<&'a [f32]> {
    let copies = std::iter::repeat_n(forged, byzantine);
    honest.rows().iter().copied().chain(copies).collect()
}

/// Evaluation by running the rule.
struct Direct<'a> {
    rule: &'a mut dyn Aggregator,
    honest: Vectors<'a>,
    byzantine: usize,
    is_self_centred: bool,
    memory: Vec<u8>,
    out: Vec<f32>,
    response: Vec<f64>,
}

impl Direct<'_> {
    /// Leaves in `response` the mean of the honest nodes' results.
    fn respond(&mut self, forged: &[f32]) -> Result<(), AggregateError> {
        let rows = with_copies(self.honest, self.byzantine, forged);
        let vectors = Vectors::new(&rows)?;
        let evaluations = if self.is_self_centred { self.honest.count() } else { 1 };
        self.out.resize(forged.len(), 0.0);
        self.response.clear();
        self.response.resize(forged.len(), 0.0);
        for own in 0..evaluations {
            let vectors = if self.is_self_centred { vectors.with_own(own) } else { vectors };
            let result = self.rule.aggregate(vectors, &mut self.out);
            self.restore();
            result?;
            let pairs = self.response.iter_mut().zip(&self.out);
            pairs.for_each(|(sum, out)| *sum += f64::from(*out));
        }
        self.response.iter_mut().for_each(|sum| *sum /= evaluations as f64);
        Ok(())
    }

    fn restore(&mut self) {
        if !self.memory.is_empty() {
            let memory = self.rule.load(&mut StateReader::new(&self.memory));
            memory.expect("a rule reads back what it wrote");
        }
    }
}
