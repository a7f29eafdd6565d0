//! What every entry of `TASKS` has to do, asked of small settings of each.
use phalanx_learn::{Batch, TaskError};
use phalanx_robust::{Args, Rng, StateReader, Value};
use phalanx_tasks::TASKS;

use crate::population::{Given, build, gradient, init, load, save, step, word};

/// Small settings of every entry; an entry without any fails `every_entry_is_covered`.
fn settings() -> Vec<(&'static str, Vec<(&'static str, Value)>)> {
    let images = |model, more: Given<'static>| {
        let small = [
            ("dataset", word("synthetic-images")),
            ("train-samples", Value::Integer(120)),
            ("test-samples", Value::Integer(40)),
            ("batch", Value::Integer(16)),
            ("model", word(model)),
        ];
        ("image-classification", [&small, more].concat())
    };
    let cifar = |mode| {
        let given = [
            ("dataset", word("synthetic-cifar")),
            ("train-samples", Value::Integer(24)),
            ("test-samples", Value::Integer(8)),
            ("batch", Value::Integer(4)),
            ("model", word("cifar-cnn")),
            ("mode", word(mode)),
        ];
        ("image-classification", given.to_vec())
    };
    let penalty = |kind| vec![("regularizer", word(kind)), ("regularization", Value::Number(0.05))];
    vec![
        ("quadratic", vec![("batch", Value::Integer(3))]),
        ("personalised", small_users("sum", 0)),
        ("personalised", small_users("mean", 16)),
        images("linear", penalty("norm").leak()),
        images("linear", penalty("squared").leak()),
        images("mlp", vec![("flips", word("training-and-test"))].leak()),
        images("cnn", &[]),
        cifar("paper"),
        cifar("published"),
        small_fleet("squared-exponential", 0),
        small_fleet("squared-exponential-linear", 8),
    ]
}

/// Without a limit on the gradient's length, so that it is the slope of the loss.
fn small_fleet(kernel: &str, batch: i64) -> (&'static str, Vec<(&'static str, Value)>) {
    let numbers = [("rows", 24), ("batch", batch), ("test-rows", 30)];
    let given = numbers.map(|(name, value)| (name, Value::Integer(value)));
    let more = [("kernel", word(kernel)), ("gradient-length-max", Value::Number(0.0))];
    ("gp-hyper-parameters", given.into_iter().chain(more).collect())
}

fn small_users(loss: &str, batch: i64) -> Vec<(&'static str, Value)> {
    let numbers = [("points", 60), ("batch", batch), ("train-samples", 120), ("test-samples", 40)];
    let numbers = numbers.map(|(name, value)| (name, Value::Integer(value)));
    let words = [("dataset", word("synthetic-images")), ("loss", word(loss))];
    words.into_iter().chain(numbers).collect()
}

#[test]
fn every_entry_is_covered_and_described() {
    for entry in TASKS {
        assert!(settings().iter().any(|(name, _)| *name == entry.name), "{}", entry.name);
        assert!(!entry.summary.is_empty() && !entry.source.is_empty());
        assert!(!entry.build.formula.is_empty());
        assert!(entry.params.iter().all(|param| !param.summary.is_empty()), "{}", entry.name);
        assert!(Args::check(entry.name, entry.params, &Default::default()).is_ok());
    }
}

#[test]
fn every_task_measures_the_scores_that_are_declared() {
    for (name, given) in settings() {
        let task = &mut *build(name, &given, 2, 5).unwrap().remove(0);
        let params = init(task);
        let measured: Vec<String> = task.evaluate(&params).unwrap().into_keys().collect();
        let entry = TASKS.iter().find(|entry| entry.name == name).unwrap();
        assert_eq!(measured, entry.build.scores, "{name}");
    }
}

#[test]
fn the_gradient_is_the_slope_of_the_loss() {
    for (name, given) in settings() {
        let task = &mut *build(name, &given, 2, 5).unwrap().remove(1);
        let params = init(task);
        let snapshot = save(task);
        let (_, grad) = gradient(task, &params, Batch::Fresh);
        let norm = length(&grad);
        let mut rng = Rng::stream(1, 0, "direction");
        let random: Vec<f32> = grad.iter().map(|_| rng.unit() as f32 - 0.5).collect();
        let steep: Vec<f32> = grad
            .iter()
            .zip(&random)
            .map(|(slope, noise)| slope / norm as f32 + 0.02 * noise)
            .collect();
        for direction in [&grad, &steep] {
            let length = length(direction);
            let expected = dot(&grad, direction) / length;
            // Short where the loss is steep: batch normalisation of four samples bends it strongly.
            let width = 5e-3 / norm.max(2.5);
            let mut loss = |sign: f64| {
                let along = params.iter().zip(direction);
                let moved: Vec<f32> = along
                    .map(|(param, entry)| {
                        (f64::from(*param) + sign * width / length * f64::from(*entry)) as f32
                    })
                    .collect();
                // The same batch once more: back to the state before it was drawn.
                load(task, &snapshot);
                gradient(task, &moved, Batch::Fresh).0
            };
            let slope = (loss(1.0) - loss(-1.0)) / (2.0 * width);
            assert!((slope - expected).abs() < 0.01 * norm, "{name} {given:?}: {slope} {expected}");
        }
    }
}

fn dot(one: &[f32], other: &[f32]) -> f64 {
    one.iter().zip(other).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum()
}

fn length(vector: &[f32]) -> f64 {
    dot(vector, vector).sqrt()
}

#[test]
fn the_loss_falls() {
    for (name, given) in settings() {
        let task = &mut *build(name, &given, 1, 5).unwrap().remove(0);
        let mut params = init(task);
        let before = task.evaluate(&params).unwrap()["loss"];
        for _ in 0..30 {
            let (_, grad) = gradient(task, &params, Batch::Fresh);
            step(&mut params, &grad, 0.05);
        }
        let after = task.evaluate(&params).unwrap()["loss"];
        assert!(after < 0.97 * before, "{name} {given:?}: {before} to {after}");
    }
}

#[test]
fn a_resumed_task_goes_on_bit_for_bit() {
    for (name, given) in settings() {
        let fresh = || build(name, &given, 3, 5).unwrap().remove(2);
        let (mut one, mut other) = (fresh(), fresh());
        let params = init(&*one);
        for batch in [Batch::Fresh, Batch::FreshOf(7), Batch::Fresh, Batch::FreshOf(30)] {
            gradient(&mut *one, &params, batch);
        }
        one.evaluate(&params).unwrap();
        let snapshot = save(&*one);
        load(&mut *other, &snapshot);
        assert_eq!(snapshot, save(&*other));
        let mut all = vec![Batch::Fresh, Batch::FreshOf(11), Batch::Fresh, Batch::Fresh];
        if name == "image-classification" {
            all.insert(0, Batch::LastFlipped);
        }
        for batch in all {
            assert_eq!(
                gradient(&mut *one, &params, batch),
                gradient(&mut *other, &params, batch),
                "{name} {given:?} {batch:?}"
            );
            assert_eq!(one.evaluate(&params), other.evaluate(&params));
        }
        for cut in (0..snapshot.len()).step_by(3) {
            let is_refused = other.load(&mut StateReader::new(&snapshot[..cut])).is_err();
            assert!(is_refused, "{name}: cut at {cut}");
        }
    }
}

#[test]
fn looking_at_flipped_labels_leaves_no_trace() {
    for (name, given) in settings() {
        if name != "image-classification" {
            continue;
        }
        let fresh = || build(name, &given, 1, 5).unwrap().remove(0);
        let (mut spied, mut alone) = (fresh(), fresh());
        let params = init(&*alone);
        for _ in 0..2 {
            let spied_on = gradient(&mut *spied, &params, Batch::Fresh);
            assert_eq!(spied_on, gradient(&mut *alone, &params, Batch::Fresh));
            let flipped = gradient(&mut *spied, &params, Batch::LastFlipped);
            assert_ne!(flipped, spied_on);
            assert_eq!(save(&*spied), save(&*alone), "{given:?}");
        }
    }
}

#[test]
fn nodes_agree_on_dimension_and_initial_parameters_but_not_on_samples() {
    for (name, given) in settings() {
        let mut tasks = build(name, &given, 3, 5).unwrap();
        let params = init(&*tasks[0]);
        assert!(params.iter().any(|entry| *entry != 0.0));
        assert!(
            tasks.iter().all(|task| init(&**task) == params && task.shared() == (0..params.len()))
        );
        let grads: Vec<_> =
            tasks.iter_mut().map(|task| gradient(&mut **task, &params, Batch::Fresh).1).collect();
        assert!(grads[0] != grads[1] && grads[1] != grads[2]);
        let again = &mut build(name, &given, 3, 5).unwrap()[0];
        assert_eq!(gradient(&mut **again, &params, Batch::Fresh).1, grads[0]);
        let other = &mut build(name, &given, 3, 6).unwrap()[0];
        assert_ne!(gradient(&mut **other, &params, Batch::Fresh).1, grads[0]);
    }
}

#[test]
fn a_model_that_is_not_finite_is_an_error() {
    for (name, given) in settings() {
        let task = &mut *build(name, &given, 1, 5).unwrap().remove(0);
        for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            let mut params = init(task);
            let middle = params.len() / 2;
            params[middle] = bad;
            let mut grad = vec![0.0; params.len()];
            let refused = task.gradient(&params, Batch::Fresh, &mut grad);
            assert!(matches!(refused, Err(TaskError::NotFinite { .. })), "{name} {bad}");
            assert!(matches!(task.evaluate(&params), Err(TaskError::NotFinite { .. })));
        }
    }
}

#[test]
fn memory_does_not_grow_after_the_first_batch() {
    for (name, given) in settings() {
        let task = &mut *build(name, &given, 1, 5).unwrap().remove(0);
        let params = init(task);
        gradient(task, &params, Batch::Fresh);
        let bytes = task.memory_bytes();
        assert!(bytes > 0);
        for _ in 0..6 {
            gradient(task, &params, Batch::Fresh);
        }
        task.evaluate(&params).unwrap();
        assert_eq!(task.memory_bytes(), bytes, "{name} {given:?}");
    }
}
