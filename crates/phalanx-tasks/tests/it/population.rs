//! Builds tasks by name and parameters, as an experiment file does.
use std::collections::BTreeMap;
use std::path::Path;

use phalanx_learn::{Batch, Task, TaskError, TaskSetup};
use phalanx_robust::{Args, Rng, StateReader, StateWriter, Value, registry};
use phalanx_tasks::TASKS;

pub(crate) type Given<'a> = &'a [(&'a str, Value)];

pub(crate) fn word(text: &str) -> Value {
    Value::Text(text.into())
}

pub(crate) fn build(
    name: &str,
    given: Given<'_>,
    nodes: usize,
    seed: u64,
) -> Result<Vec<Box<dyn Task>>, TaskError> {
    let entry = registry::find(TASKS, name).unwrap();
    let given: BTreeMap<_, _> =
        given.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
    let args = Args::check(entry.name, entry.params, &given).unwrap();
    (entry.build.build)(TaskSetup { args: &args, nodes, seed, data: Path::new("nowhere") })
}

pub(crate) fn init(task: &dyn Task) -> Vec<f32> {
    let mut params = vec![0.0; task.dim()];
    task.init(&mut Rng::stream(11, u64::MAX, "init"), &mut params);
    params
}

pub(crate) fn gradient(task: &mut dyn Task, params: &[f32], batch: Batch) -> (f64, Vec<f32>) {
    let mut grad = vec![f32::NAN; task.dim()];
    let loss = task.gradient(params, batch, &mut grad).unwrap();
    (loss, grad)
}

pub(crate) fn save(task: &dyn Task) -> Vec<u8> {
    let mut out = StateWriter::default();
    task.save(&mut out);
    out.finish()
}

pub(crate) fn load(task: &mut dyn Task, snapshot: &[u8]) {
    let mut input = StateReader::new(snapshot);
    task.load(&mut input).unwrap();
    assert!(input.is_at_end(), "everything that was written is read");
}

pub(crate) fn step(params: &mut [f32], grad: &[f32], rate: f32) {
    params.iter_mut().zip(grad).for_each(|(param, slope)| *param -= rate * slope);
}
