//! A common scale of information: the geometric median of what the members claim, in f64.
use phalanx_robust::registry::find;
use phalanx_robust::{Aggregator, Args, Entry, Geometry, Population, RULES, Rule, Value};

use super::pooling::PoolError;
use crate::control::{Cholesky, Matrix};
use crate::diffusion_control::posterior::Information;

/// Step of the geometric median, relative to the distances, at which it has settled.
const TOLERANCE: f64 = 1e-6;

/// Nobody's information counts for more than so many times the reference: not in trace, so that
/// nobody buys weight, and, ten times that, not in any direction, so that nobody who claims to
/// know one direction perfectly forces everybody's steps to be small.
const CAP: f64 = 3.0;
const DIRECTION_CAP: f64 = 10.0;

/// A rule of the library for so many vectors; the geometric median in its convergent form.
pub(super) fn built(
    entry: &'static Entry<Rule>,
    population: Population,
) -> Result<Box<dyn Aggregator>, PoolError> {
    let given = match entry.name {
        "geometric-median" => [("tolerance".to_owned(), Value::Number(TOLERANCE))].into(),
        _ => Default::default(),
    };
    let args = Args::check(entry.name, entry.params, &given).expect("a declared parameter");
    (entry.build.build)(&args, population)
        .map_err(|why| PoolError::Rule { rule: entry.name, why: why.to_string() })
}

/// Information on one scale, with what is larger scaled down.
#[derive(Debug)]
pub(super) struct Scaled {
    /// the geometric median of the precisions
    pub reference: Matrix,
    /// its Cholesky factor
    pub factor: Cholesky,
    /// capped messages
    pub messages: Vec<Information>,
    /// the greatest information of any message in any direction, relative to the reference
    pub greatest: f64,
}

impl Scaled {
    pub(super) fn new(messages: &[Information], population: Population) -> Result<Self, PoolError> {
        let reference = median(messages, population)?;
        let n = reference.rows();
        let trace = reference.trace();
        let ridge = Matrix::scalar(n, 1e-12 * trace);
        let factor = Cholesky::new(&reference.plus(1.0, &ridge)).ok_or(PoolError::NotDefinite)?;
        let mut greatest: f64 = 0.0;
        let capped = messages.iter().map(|message| {
            let relative = factor.greatest_relative_eigenvalue(&message.precision);
            let by_trace = CAP * trace / message.precision.trace();
            let weight = by_trace.min(DIRECTION_CAP / relative).min(1.0);
            greatest = greatest.max(weight * relative);
            let mut capped = Information::none(message.evidence.columns(), 0);
            capped.precision = message.precision.scaled(weight);
            capped.evidence = message.evidence.scaled(weight);
            capped
        });
        let messages = capped.collect();
        Ok(Self { reference, factor, messages, greatest })
    }
}

/// The geometric median of the precisions, in units in which no direction is larger than another:
/// else the spread of what everybody knows well would hide any claim about what nobody knows.
/// First in units of the median of each diagonal entry, then in those of the result.
fn median(messages: &[Information], population: Population) -> Result<Matrix, PoolError> {
    let n = messages[0].precision.rows();
    let scale = |i: usize| {
        let mut entries: Vec<f64> = messages.iter().map(|m| m.precision[(i, i)]).collect();
        entries.sort_by(f64::total_cmp);
        entries[(entries.len() - 1) / 2].sqrt()
    };
    let scales: Vec<f64> = (0..n).map(scale).collect();
    if scales.iter().any(|scale| *scale <= 0.0) {
        return Err(PoolError::NotDefinite);
    }
    let mut factor = Cholesky::new(&Matrix::diagonal(
        &scales.iter().map(|scale| scale * scale).collect::<Vec<f64>>(),
    ))
    .ok_or(PoolError::NotDefinite)?;
    let mut reference = Matrix::zeros(n, n);
    for _ in 0..UNITS {
        let whitened = |message: &Information| {
            let half = factor.solve_lower(&message.precision).transposed();
            factor.solve_lower(&half).symmetrised()
        };
        let whitened: Vec<Matrix> = messages.iter().map(whitened).collect();
        let centre = geometric_median(&whitened, population)?.symmetrised();
        let lower = factor.lower();
        reference = lower.times(&centre).times_transposed(lower).symmetrised();
        let ridge = Matrix::scalar(n, 1e-12 * reference.trace());
        factor = Cholesky::new(&reference.plus(1.0, &ridge)).ok_or(PoolError::NotDefinite)?;
    }
    Ok(reference)
}

/// Times that the units are chosen.
const UNITS: usize = 2;

/// The geometric median, distances and weights in f64: information spans more orders of magnitude
/// than an f32 has digits.
pub(crate) fn geometric_median(
    matrices: &[Matrix],
    population: Population,
) -> Result<Matrix, PoolError> {
    let entry = find(RULES, "geometric-median").expect("a listed rule");
    let mut rule = built(entry, population)?;
    let rule = rule.geometric().expect("the geometric median looks at distances alone");
    let count = matrices.len();
    let mut geometry = Geometry::unknown(count);
    for i in 0..count {
        geometry.mark_finite(i);
        for j in 0..i {
            let between = matrices[i].plus(-1.0, &matrices[j]).norm();
            geometry.set_squared_distance((i, j), between * between);
        }
    }
    let mut weights = vec![0.0; count];
    rule.weights(&geometry, None, &mut weights)?;
    let mut out = Matrix::zeros(matrices[0].rows(), matrices[0].columns());
    for (matrix, weight) in matrices.iter().zip(&weights) {
        out.add(*weight, matrix);
    }
    Ok(out)
}
