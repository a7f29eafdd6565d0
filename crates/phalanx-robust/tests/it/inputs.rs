//! Families of vectors with some arbitrary rows, and rules built from their registry entries.
use std::collections::BTreeMap;

use phalanx_robust::mixing::{MIXINGS, MixingRule};
use phalanx_robust::{
    AggregateError, Aggregator, Args, Chain, Entry, Param, ParamKind, Population, RULES, Rng, Rule,
    Value, Vectors,
};
use proptest::prelude::*;

use crate::guide::rules;

/// What the arbitrary rows hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Byzantine {
    NotANumber,
    OneNotANumber,
    PlusInfinity,
    MinusInfinity,
    MixedInfinities,
    Huge,
    Alternating,
    CommonOffset,
    Duplicate,
    Denormal,
    HonestLooking,
}

/// What the honest rows hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Honest {
    Spread,
    LargeCommonPart,
    Identical,
    Tiny,
    Wide,
}

/// A family to be generated: small numbers, so that a failure shrinks.
#[derive(Debug, Clone, Copy)]
pub struct Case {
    pub n: usize,
    pub f_share: usize,
    pub d: usize,
    pub honest: Honest,
    pub byzantine: Byzantine,
    pub seed: u64,
}

pub fn case() -> impl Strategy<Value = Case> {
    let honest = prop_oneof![
        3 => Just(Honest::Spread),
        1 => Just(Honest::LargeCommonPart),
        1 => Just(Honest::Identical),
        1 => Just(Honest::Tiny),
        1 => Just(Honest::Wide),
    ];
    let byzantine = prop::sample::select(vec![
        Byzantine::NotANumber,
        Byzantine::OneNotANumber,
        Byzantine::PlusInfinity,
        Byzantine::MinusInfinity,
        Byzantine::MixedInfinities,
        Byzantine::Huge,
        Byzantine::Alternating,
        Byzantine::CommonOffset,
        Byzantine::Duplicate,
        Byzantine::Denormal,
        Byzantine::HonestLooking,
    ]);
    (3usize..=24, 0usize..=4, 1usize..=40, honest, byzantine, any::<u64>()).prop_map(
        |(n, f_share, d, honest, byzantine, seed)| Case { n, f_share, d, honest, byzantine, seed },
    )
}

/// Rows, which of them are honest, and the own row, an honest one.
#[derive(Debug, Clone)]
pub struct Family {
    pub rows: Vec<Vec<f32>>,
    pub is_honest: Vec<bool>,
    pub own: usize,
}

impl Case {
    /// The share of `f_max` that this case asks for: four quarters are all of it.
    pub fn f(&self, f_max: usize) -> usize {
        (f_max * self.f_share).div_ceil(4)
    }

    pub fn family(&self, f: usize) -> Family {
        let mut rng = Rng::stream(self.seed, 0, "family");
        let base: Vec<f32> = (0..self.d).map(|_| gaussian(&mut rng) * 3e4).collect();
        let honest: Vec<Vec<f32>> = (0..self.n - f)
            .map(|_| (0..self.d).map(|k| self.honest.entry(base[k], &mut rng)).collect())
            .collect();
        let mut rows = honest.clone();
        for b in 0..f {
            let like = &honest[b % honest.len()];
            rows.push(self.byzantine.row(like, &mut rng));
        }
        let mut order: Vec<usize> = (0..self.n).collect();
        rng.shuffle(&mut order);
        let rows = order.iter().map(|i| rows[*i].clone()).collect();
        let is_honest: Vec<bool> = order.iter().map(|i| *i < self.n - f).collect();
        let own = order.iter().position(|i| *i == 0).unwrap();
        Family { rows, is_honest, own }
    }
}

impl Honest {
    fn entry(self, base: f32, rng: &mut Rng) -> f32 {
        match self {
            Self::Spread => gaussian(rng),
            Self::LargeCommonPart => base + 0.01 * gaussian(rng),
            Self::Identical => base,
            Self::Tiny => f32::from_bits(rng.below(1000) as u32),
            Self::Wide => gaussian(rng) * 10f32.powi(rng.below(37) as i32 - 18),
        }
    }
}

impl Byzantine {
    fn row(self, like: &[f32], rng: &mut Rng) -> Vec<f32> {
        let d = like.len();
        let odd = rng.below(d);
        (0..d)
            .map(|k| match self {
                Self::NotANumber => f32::NAN,
                Self::OneNotANumber if k == odd => -f32::NAN,
                Self::OneNotANumber => like[k],
                Self::PlusInfinity => f32::INFINITY,
                Self::MinusInfinity => f32::NEG_INFINITY,
                Self::MixedInfinities => [f32::INFINITY, f32::NEG_INFINITY][rng.below(2)],
                Self::Huge => 1e38,
                Self::Alternating => [1e30, -1e30][k % 2],
                Self::CommonOffset => like[k] + 1e6,
                Self::Duplicate => like[k],
                Self::Denormal => f32::from_bits(1 + rng.below(3) as u32),
                Self::HonestLooking => gaussian(rng),
            })
            .collect()
    }
}

/// Close enough to a normal variable for tests: a sum of twelve uniforms.
pub fn gaussian(rng: &mut Rng) -> f32 {
    ((0..12).map(|_| rng.unit()).sum::<f64>() - 6.0) as f32
}

impl Family {
    pub fn honest(&self) -> Vec<&[f32]> {
        let rows = self.rows.iter().zip(&self.is_honest);
        rows.filter(|(_, is_honest)| **is_honest).map(|(row, _)| row.as_slice()).collect()
    }

    pub fn map(&self, change: impl Fn(f32) -> f32) -> Self {
        let row = |row: &Vec<f32>| row.iter().map(|value| change(*value)).collect();
        Self { rows: self.rows.iter().map(row).collect(), ..self.clone() }
    }

    pub fn permuted(&self, order: &[usize]) -> Self {
        Self {
            rows: order.iter().map(|i| self.rows[*i].clone()).collect(),
            is_honest: order.iter().map(|i| self.is_honest[*i]).collect(),
            own: order.iter().position(|i| *i == self.own).unwrap(),
        }
    }

    /// Aggregates, and proves that the inputs are untouched.
    pub fn aggregate(&self, rule: &mut dyn Aggregator) -> Result<Vec<f32>, AggregateError> {
        let views: Vec<&[f32]> = self.rows.iter().map(Vec::as_slice).collect();
        let before: Vec<Vec<u32>> = self.rows.iter().map(|row| bits(row)).collect();
        let mut out = vec![f32::NAN; self.rows[0].len()];
        let result = rule.aggregate(Vectors::new(&views)?.with_own(self.own), &mut out);
        let after: Vec<Vec<u32>> = self.rows.iter().map(|row| bits(row)).collect();
        assert_eq!(before, after, "inputs are never modified");
        result.map(|()| out)
    }
}

pub fn bits(values: &[f32]) -> Vec<u32> {
    values.iter().map(|value| value.to_bits()).collect()
}

/// A family of plain rows, for worked examples.
pub fn family(rows: &[&[f32]]) -> Family {
    let rows: Vec<Vec<f32>> = rows.iter().map(|row| row.to_vec()).collect();
    Family { is_honest: vec![true; rows.len()], rows, own: 0 }
}

/// A rule, alone or behind a mixing: what the contracts are checked on.
#[derive(Clone, Copy)]
pub struct Subject {
    pub mixing: Option<&'static Entry<MixingRule>>,
    pub rule: &'static Entry<Rule>,
}

impl std::fmt::Display for Subject {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.mixing {
            Some(mixing) => write!(out, "{}+{}", mixing.name, self.rule.name),
            None => write!(out, "{}", self.rule.name),
        }
    }
}

impl Subject {
    /// Every rule, and every mixing before the trimmed mean.
    pub fn all() -> Vec<Self> {
        let rules = rules().map(|rule| Self { mixing: None, rule });
        let rule = rule("trimmed-mean");
        rules.chain(MIXINGS.iter().map(|mixing| Self { mixing: Some(mixing), rule })).collect()
    }

    /// Number of rows that reach the rule when `n` reach the mixing.
    fn count_after(self, n: usize) -> usize {
        let Some(mixing) = self.mixing else { return n };
        let mut rows = phalanx_robust::Rows::default();
        let row: &[f32] = &[1.0];
        let mut mixing = build_mixing(mixing, n, 0, &[]);
        mixing.mix(Vectors::new(&vec![row; n]).unwrap(), &mut rows).unwrap();
        rows.rows().count()
    }

    /// Largest admissible f for `n` rows, unless not even 0 is.
    pub fn f_max(self, n: usize) -> Option<usize> {
        let count = self.count_after(n);
        let fits = |f: &usize| {
            Population::new(count, *f).is_ok_and(|p| p.require(self.rule.build.bound).is_ok())
        };
        (0..count).take_while(fits).last()
    }

    pub fn build(self, n: usize, f: usize) -> Box<dyn Aggregator> {
        let rule = build_rule(self.rule, self.count_after(n), f, &[]);
        match self.mixing {
            Some(mixing) => Box::new(Chain::new(vec![build_mixing(mixing, n, f, &[])], rule)),
            None => rule,
        }
    }
}

pub fn rule(name: &str) -> &'static Entry<Rule> {
    phalanx_robust::registry::find(RULES, name).unwrap_or_else(|| panic!("no rule `{name}`"))
}

pub fn mixing(name: &str) -> &'static Entry<MixingRule> {
    phalanx_robust::registry::find(MIXINGS, name).unwrap_or_else(|| panic!("no mixing `{name}`"))
}

/// Given values and, for parameters that must be given, something in the middle.
pub fn args(name: &str, params: &'static [Param], given: &[(&str, Value)]) -> Args {
    let mut values: BTreeMap<String, Value> =
        given.iter().map(|(name, value)| (name.to_string(), value.clone())).collect();
    for param in params.iter().filter(|param| !param.is_optional) {
        let value = match param.kind {
            ParamKind::Integer { min, default: None, .. } => Value::Integer(min.max(1)),
            ParamKind::Number { min, max, default: None } => Value::Number(1f64.clamp(min, max)),
            _ => continue,
        };
        values.entry(param.name.to_string()).or_insert(value);
    }
    Args::check(name, params, &values).unwrap()
}

pub fn build_rule(
    entry: &'static Entry<Rule>,
    n: usize,
    f: usize,
    given: &[(&str, Value)],
) -> Box<dyn Aggregator> {
    let args = args(entry.name, entry.params, given);
    let population = Population::new(n, f).unwrap();
    (entry.build.build)(&args, population).unwrap_or_else(|error| panic!("{}: {error}", entry.name))
}

pub fn build_mixing(
    entry: &'static Entry<MixingRule>,
    n: usize,
    f: usize,
    given: &[(&str, Value)],
) -> Box<dyn phalanx_robust::Mixing> {
    let args = args(entry.name, entry.params, given);
    let population = Population::new(n, f).unwrap();
    (entry.build.build)(&args, population).unwrap_or_else(|error| panic!("{}: {error}", entry.name))
}
