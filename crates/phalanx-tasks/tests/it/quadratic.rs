//! The quadratic task: its optimum is what its scores say.
use std::collections::BTreeMap;
use std::path::Path;

use phalanx_learn::{Batch, Task, TaskError, TaskSetup};
use phalanx_robust::{Args, Rng, StateReader, StateWriter, Value};
use phalanx_tasks::toy::{ENTRY, centers};

const NODES: usize = 4;
const DIM: usize = 7;

fn tasks(noise: f64) -> Vec<Box<dyn Task>> {
    let given = [("dim", Value::Integer(DIM as i64)), ("noise", Value::Number(noise))];
    let given: BTreeMap<_, _> =
        given.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    let args = Args::check(ENTRY.name, ENTRY.params, &given).unwrap();
    (ENTRY.build.build)(TaskSetup { args: &args, nodes: NODES, seed: 3, data: Path::new("-") })
        .unwrap()
}

#[test]
fn the_mean_gradient_without_noise_leads_to_the_optimum_in_one_step() {
    let mut tasks = tasks(0.0);
    let mut params = vec![0.0; DIM];
    tasks[0].init(&mut Rng::stream(3, u64::MAX, "init"), &mut params);
    let mut mean = [0.0; DIM];
    for task in &mut tasks {
        let mut grad = vec![0.0; DIM];
        task.gradient(&params, Batch::Fresh, &mut grad).unwrap();
        mean.iter_mut().zip(grad).for_each(|(sum, entry)| *sum += entry / NODES as f32);
    }
    params.iter_mut().zip(mean).for_each(|(param, step)| *param -= step);
    let centers = centers(3, NODES, DIM, 1.0);
    for (coordinate, param) in params.iter().enumerate() {
        let center = centers.iter().map(|center| center[coordinate]).sum::<f32>() / NODES as f32;
        assert!((param - center).abs() < 1e-5);
    }
    let scores = tasks[2].evaluate(&params).unwrap();
    assert!(scores["distance"] < 1e-5 && scores["excess"] < 1e-9, "{scores:?}");
}

#[test]
fn the_loss_score_is_the_mean_over_the_nodes_centers() {
    let params = vec![0.5; DIM];
    let loss: f64 = centers(3, NODES, DIM, 1.0)
        .iter()
        .flatten()
        .map(|entry| 0.5 * (0.5 - f64::from(*entry)).powi(2))
        .sum();
    let scores = tasks(0.1)[0].evaluate(&params).unwrap();
    assert!((scores["loss"] - loss / NODES as f64).abs() < 1e-9, "{scores:?}");
}

#[test]
fn a_larger_batch_has_less_noise() {
    let center = &centers(3, NODES, DIM, 1.0)[0];
    let deviation = |batch| -> f64 {
        let (mut task, mut grad) = (tasks(1.0).remove(0), vec![0.0; DIM]);
        let mut sum = 0.0;
        for _ in 0..50 {
            task.gradient(center, batch, &mut grad).unwrap();
            sum += grad.iter().map(|entry| f64::from(*entry).powi(2)).sum::<f64>();
        }
        (sum / 50.0 / DIM as f64).sqrt()
    };
    let (one, hundred) = (deviation(Batch::Fresh), deviation(Batch::FreshOf(100)));
    assert!((one - 1.0).abs() < 0.1 && (hundred - 0.1).abs() < 0.01, "{one} {hundred}");
}

#[test]
fn there_are_no_labels_to_flip_and_no_empty_batches() {
    let (mut task, mut grad) = (tasks(0.1).remove(0), vec![0.0; DIM]);
    for batch in [Batch::LastFlipped, Batch::FreshOf(0)] {
        let refused = task.gradient(&[0.0; DIM], batch, &mut grad);
        assert!(matches!(refused, Err(TaskError::Unsupported { .. })));
    }
    let huge = task.gradient(&[f32::MAX; DIM], Batch::Fresh, &mut grad);
    assert!(huge.is_ok(), "f32::MAX squared is an f64");
    let infinite = task.gradient(&[f32::INFINITY; DIM], Batch::Fresh, &mut grad);
    assert_eq!(infinite, Err(TaskError::NotFinite { what: "loss" }));
}

#[test]
fn a_resumed_task_goes_on_with_the_same_noise() {
    let params = [0.0; DIM];
    let (mut one, mut other) = (tasks(0.1).remove(1), tasks(0.1).remove(1));
    let (mut first, mut second) = (vec![0.0; DIM], vec![0.0; DIM]);
    for _ in 0..3 {
        one.gradient(&params, Batch::Fresh, &mut first).unwrap();
    }
    let mut snapshot = StateWriter::default();
    one.save(&mut snapshot);
    let bytes = snapshot.finish();
    other.load(&mut StateReader::new(&bytes)).unwrap();
    one.gradient(&params, Batch::FreshOf(3), &mut first).unwrap();
    other.gradient(&params, Batch::FreshOf(3), &mut second).unwrap();
    assert_eq!(first, second);
}
