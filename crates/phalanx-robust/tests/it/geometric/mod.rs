//! Rules that are distances in, weights out: worked examples, published bounds, exactness.
mod breakdown;
mod chain;
mod clipping;
mod columns;
mod examples;
mod gossip;
mod median;
mod reduction;
mod subsets;

use std::collections::BTreeMap;

use phalanx_robust::mixing::MIXINGS;
use phalanx_robust::registry::find;
use phalanx_robust::rule::BuildError;
use phalanx_robust::{
    AggregateError, Aggregator, Args, Population, RULES, Rng, Rows, Value, Vectors,
};

pub type Rule = Box<dyn Aggregator>;

pub fn whole(number: i64) -> Value {
    Value::Integer(number)
}

pub fn word(text: &str) -> Value {
    Value::Text(text.into())
}

pub fn try_build(
    name: &str,
    (n, f): (usize, usize),
    given: &[(&str, Value)],
) -> Result<Rule, BuildError> {
    let entry = find(RULES, name).unwrap_or_else(|| panic!("no rule `{name}`"));
    let given: BTreeMap<String, Value> =
        given.iter().map(|(name, value)| (name.to_string(), value.clone())).collect();
    let args = Args::check(entry.name, entry.params, &given)?;
    (entry.build.build)(&args, Population::new(n, f)?)
}

pub fn build(name: &str, population: (usize, usize), given: &[(&str, Value)]) -> Rule {
    try_build(name, population, given).unwrap()
}

/// Aggregates with row `own` marked.
pub fn aggregate(
    rule: &mut Rule,
    rows: &[Vec<f32>],
    own: usize,
) -> Result<Vec<f32>, AggregateError> {
    let views: Vec<&[f32]> = rows.iter().map(|row| &row[..]).collect();
    let mut out = vec![f32::NAN; rows[0].len()];
    rule.aggregate(Vectors::new(&views).unwrap().with_own(own), &mut out)?;
    Ok(out)
}

pub fn mix(name: &str, f: usize, rows: &[Vec<f32>]) -> Vec<Vec<f32>> {
    let entry = find(MIXINGS, name).unwrap();
    let args = Args::check(entry.name, entry.params, &BTreeMap::new()).unwrap();
    let mut mixing = (entry.build.build)(&args, Population::new(rows.len(), f).unwrap()).unwrap();
    let views: Vec<&[f32]> = rows.iter().map(|row| &row[..]).collect();
    let mut out = Rows::default();
    mixing.mix(Vectors::new(&views).unwrap(), &mut out).unwrap();
    out.rows().map(<[f32]>::to_vec).collect()
}

/// Uniform in `[-1, 1)` in each coordinate.
pub fn cloud(rng: &mut Rng, count: usize, dim: usize) -> Vec<Vec<f32>> {
    let row = |rng: &mut Rng| (0..dim).map(|_| (2.0 * rng.unit() - 1.0) as f32).collect();
    (0..count).map(|_| row(rng)).collect()
}

pub fn mean<'a>(rows: impl IntoIterator<Item = &'a Vec<f32>>) -> Vec<f64> {
    let mut sum: Vec<f64> = Vec::new();
    let mut count = 0.0;
    for row in rows {
        sum.resize(row.len(), 0.0);
        sum.iter_mut().zip(row).for_each(|(sum, x)| *sum += f64::from(*x));
        count += 1.0;
    }
    sum.iter().map(|sum| sum / count).collect()
}

pub fn widen(row: &[f32]) -> Vec<f64> {
    row.iter().map(|x| f64::from(*x)).collect()
}

pub fn squared(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| (a - b).powi(2)).sum()
}

/// `(1/h) Σ ‖x_i − x̄‖²`.
pub fn variance(rows: &[Vec<f32>]) -> f64 {
    let centre = mean(rows);
    rows.iter().map(|row| squared(&widen(row), &centre)).sum::<f64>() / rows.len() as f64
}

/// All subsets of `0..n` of size `k`, in lexicographic order.
pub fn subsets(n: usize, k: usize) -> Vec<Vec<usize>> {
    let mut found = Vec::new();
    let mut chosen: Vec<usize> = (0..k).collect();
    loop {
        found.push(chosen.clone());
        let Some(slot) = (0..k).rev().find(|&slot| chosen[slot] < n - k + slot) else {
            return found;
        };
        chosen[slot] += 1;
        (slot + 1..k).for_each(|later| chosen[later] = chosen[later - 1] + 1);
    }
}
