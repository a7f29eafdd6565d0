//! What tests build attacks from.
use std::collections::BTreeMap;

use phalanx_attack::{Attack, AttackSetup, Defence, Forgery, View};
use phalanx_protocol::Turn;
use phalanx_robust::registry::find;
use phalanx_robust::rule::BuildError;
use phalanx_robust::{
    AggregateError, Aggregator, Args, Population, RULES, Rng, StateError, StateReader, StateWriter,
    Value, Vectors,
};

use crate::guide::attacks;

pub type Row = Vec<f32>;

pub fn rows_of(rows: &[Row]) -> Vec<&[f32]> {
    rows.iter().map(Vec::as_slice).collect()
}

/// The rows of the documentation examples that golden vectors refer to.
pub fn documented() -> Vec<Row> {
    vec![vec![1.0, 2.0, 3.0], vec![4.0, 5.0, 6.0], vec![7.0, 8.0, 9.0]]
}

pub fn random_rows(count: usize, dim: usize, seed: u64) -> Vec<Row> {
    let mut rng = Rng::stream(seed, 0, "rows");
    let centre: Row = (0..dim).map(|_| rng.unit() as f32 * 4.0 - 2.0).collect();
    let near = |rng: &mut Rng| centre.iter().map(|c| c + rng.unit() as f32 - 0.5).collect();
    (0..count).map(|_| near(&mut rng)).collect()
}

pub fn rule(name: &str, n: usize, f: usize) -> Defence {
    let entry = find(RULES, name).unwrap();
    let args = Args::check(entry.name, entry.params, &BTreeMap::new()).unwrap();
    let rule = (entry.build.build)(&args, Population::new(n, f).unwrap()).unwrap();
    Defence { rule, is_self_centred: entry.build.is_self_centred }
}

/// Numbers of a scenario; `n` counts honest and Byzantine nodes.
#[derive(Clone, Copy)]
pub struct Scenario {
    pub n: usize,
    pub f: usize,
    pub byzantine: usize,
}

pub fn build_against(
    name: &str,
    given: &[(&str, Value)],
    scenario: Scenario,
    defence: Defence,
) -> Result<Box<dyn Attack>, BuildError> {
    let entry = attacks().find(|entry| entry.name == name);
    let entry = entry.unwrap_or_else(|| panic!("no attack `{name}`"));
    let given = given.iter().map(|(name, value)| ((*name).to_string(), value.clone())).collect();
    let args = Args::check(entry.name, entry.params, &given)?;
    let population = Population::new(scenario.n, scenario.f).unwrap();
    let byzantine = scenario.byzantine;
    (entry.build.build)(AttackSetup { args: &args, population, byzantine, defence })
}

pub fn build(
    name: &str,
    given: &[(&str, Value)],
    scenario: Scenario,
) -> Result<Box<dyn Attack>, BuildError> {
    build_against(name, given, scenario, rule("average", scenario.n, scenario.f))
}

pub fn view<'a>(honest: Vectors<'a>, round: u32) -> View<'a> {
    View { turn: Turn::new(round, 0), honest, step: None, flipped: None, models: None }
}

/// The one vector of an attack on momenta or gradients in its first turn.
pub fn forged(attack: &mut dyn Attack, honest: &[Row]) -> Row {
    let rows = rows_of(honest);
    let mut rng = Rng::stream(1, 0, "attack");
    let forgery = attack.forge(&view(Vectors::new(&rows).unwrap(), 0), &mut rng).unwrap();
    assert_eq!(forgery.vectors.len(), 1);
    forgery.vectors[0].to_vec()
}

/// What Byzantine node `sender` shows to `receiver`.
pub fn shown(
    forgery: &Forgery,
    receivers: usize,
    sender: usize,
    receiver: usize,
) -> Option<&[f32]> {
    let index = forgery.shown[sender * receivers + receiver]?;
    Some(&forgery.vectors[usize::from(index)])
}

pub fn mean(rows: &[Row]) -> Vec<f64> {
    let columns = 0..rows[0].len();
    let sum = |k: usize| rows.iter().map(|row| f64::from(row[k])).sum::<f64>();
    columns.map(|k| sum(k) / rows.len() as f64).collect()
}

#[track_caller]
pub fn assert_close(found: &[f32], expected: &[f64], tolerance: f64) {
    assert_eq!(found.len(), expected.len());
    for (k, (found, expected)) in found.iter().zip(expected).enumerate() {
        let error = (f64::from(*found) - expected).abs();
        assert!(error <= tolerance * expected.abs().max(1.0), "{k}: {found} is not {expected}");
    }
}

/// Hides that a rule is one of distances and weights, so that it is run directly.
pub struct Opaque(pub Box<dyn Aggregator>);

impl Aggregator for Opaque {
    fn aggregate(&mut self, vectors: Vectors<'_>, out: &mut [f32]) -> Result<(), AggregateError> {
        self.0.aggregate(vectors, out)
    }
}

/// A rule with memory: moves from where it was halfway to the mean, so that results depend on
/// how often it was asked.
#[derive(Default)]
pub struct Remembering(pub Vec<f32>);

impl Aggregator for Remembering {
    fn aggregate(&mut self, vectors: Vectors<'_>, out: &mut [f32]) -> Result<(), AggregateError> {
        self.0.resize(vectors.dim(), 0.0);
        for (k, kept) in self.0.iter_mut().enumerate() {
            let sum: f32 = vectors.rows().iter().map(|row| row[k]).sum();
            *kept = (*kept + sum / vectors.count() as f32) / 2.0;
        }
        out.copy_from_slice(&self.0);
        Ok(())
    }
    fn save(&self, out: &mut StateWriter) {
        out.f32s(&self.0);
    }
    fn load(&mut self, input: &mut StateReader<'_>) -> Result<(), StateError> {
        self.0 = input.f32s()?;
        Ok(())
    }
}
