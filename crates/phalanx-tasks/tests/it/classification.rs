//! Image classification: what a batch, a flipped batch, a penalty and a mirrored image are.
use phalanx_learn::{Batch, Task, TaskError};
use phalanx_robust::Value;
use phalanx_tasks::dataset::{Normalisation, NormalisationTable, Shape};
use phalanx_tasks::image_classification::Regularizer;

use crate::population::{Given, build, gradient, init, load, save, word};

const PIXELS: usize = 784;
const CLASSES: usize = 10;

/// One node with a linear model on `samples` generated images.
fn linear(samples: i64, batch: i64, more: Given<'_>) -> Box<dyn Task> {
    let small = [
        ("dataset", word("synthetic-images")),
        ("train-samples", Value::Integer(samples)),
        ("test-samples", Value::Integer(30)),
        ("batch", Value::Integer(batch)),
        ("model", word("linear")),
    ];
    build("image-classification", &[&small, more].concat(), 1, 5).unwrap().remove(0)
}

fn assert_close(one: &[f32], other: &[f32]) {
    let most = one.iter().map(|entry| entry.abs()).fold(0.0, f32::max);
    for (a, b) in one.iter().zip(other) {
        assert!((a - b).abs() <= 1e-5 * most, "{a} {b}");
    }
}

#[test]
fn the_batches_of_an_epoch_weighted_by_size_are_the_whole_shard() {
    let mut task = linear(10, 4, &[]);
    let params = init(&*task);
    let mut mean = vec![0.0; params.len()];
    let mut losses = 0.0;
    for size in [4.0, 4.0, 2.0] {
        let (loss, grad) = gradient(&mut *task, &params, Batch::Fresh);
        losses += size / 10.0 * loss;
        mean.iter_mut().zip(grad).for_each(|(sum, entry)| *sum += size as f32 / 10.0 * entry);
    }
    let (loss, whole) = gradient(&mut *task, &params, Batch::FreshOf(10));
    assert!((loss - losses).abs() < 1e-6);
    assert_close(&whole, &mean);
}

#[test]
fn a_batch_of_many_epochs_is_the_mean_over_the_shard() {
    // 700 samples are computed in parts of 100.
    let mut task = linear(70, 25, &[]);
    let params = init(&*task);
    let (loss, once) = gradient(&mut *task, &params, Batch::FreshOf(70));
    let (ten_loss, ten_times) = gradient(&mut *task, &params, Batch::FreshOf(700));
    assert!((loss - ten_loss).abs() < 1e-6);
    assert_close(&once, &ten_times);
    let (_, partial) = gradient(&mut *task, &params, Batch::FreshOf(690));
    assert_ne!(once, partial);
}

#[test]
fn a_flipped_batch_has_the_same_images_and_mirrored_labels() {
    for batch in [Batch::Fresh, Batch::FreshOf(3), Batch::FreshOf(130)] {
        let mut task = linear(60, 16, &[("flips", word("training"))]);
        // Without weights all classes are equally likely, so that turning the labels around
        // turns the rows of the gradient around and does nothing else.
        let params = vec![0.0; task.dim()];
        let (loss, grad) = gradient(&mut *task, &params, batch);
        let before = save(&*task);
        let (flipped_loss, flipped) = gradient(&mut *task, &params, Batch::LastFlipped);
        assert_eq!(before, save(&*task), "looking at flipped labels leaves no trace");
        assert!((loss - flipped_loss).abs() < 1e-9);
        let (weights, biases) = grad.split_at(PIXELS * CLASSES);
        let turned: Vec<f32> =
            weights.rchunks(PIXELS).flatten().chain(biases.iter().rev()).copied().collect();
        assert_close(&turned, &flipped);
        assert_ne!(grad, flipped);
    }
}

#[test]
fn there_is_no_flipped_batch_before_the_first_and_no_empty_one() {
    let mut task = linear(10, 4, &[]);
    let (params, mut grad) = (init(&*task), vec![0.0; task.dim()]);
    for batch in [Batch::LastFlipped, Batch::FreshOf(0)] {
        let refused = task.gradient(&params, batch, &mut grad);
        assert!(matches!(refused, Err(TaskError::Unsupported { .. })));
    }
}

#[test]
fn evaluation_does_not_change_the_next_batch() {
    let (mut one, mut other) = (linear(50, 8, &[]), linear(50, 8, &[]));
    let params = init(&*one);
    for _ in 0..10 {
        let scores = one.evaluate(&params).unwrap();
        assert_eq!(scores, one.evaluate(&params).unwrap());
        assert_eq!(scores.keys().collect::<Vec<_>>(), ["accuracy", "loss"]);
        assert_eq!(
            gradient(&mut *one, &params, Batch::Fresh),
            gradient(&mut *other, &params, Batch::Fresh)
        );
    }
}

#[test]
fn only_published_evaluation_mirrors_test_images_and_resumes_that_too() {
    let noisy = || linear(50, 8, &[("flips", word("training-and-test"))]);
    let mut task = noisy();
    let params = init(&*task);
    let first = task.evaluate(&params).unwrap();
    let snapshot = save(&*task);
    let second = task.evaluate(&params).unwrap();
    assert_ne!(first["loss"], second["loss"]);
    let mut resumed = noisy();
    load(&mut *resumed, &snapshot);
    assert_eq!(resumed.evaluate(&params).unwrap(), second);
    let mut quiet = linear(50, 8, &[("flips", word("training"))]);
    assert_eq!(quiet.evaluate(&params).unwrap(), quiet.evaluate(&params).unwrap());
}

#[test]
fn automatic_mirroring_depends_on_shape_and_mode() {
    let losses = |dataset, mode, flips| {
        let given = [
            ("dataset", word(dataset)),
            ("model", word("linear")),
            ("mode", word(mode)),
            ("flips", word(flips)),
            ("train-samples", Value::Integer(50)),
            ("test-samples", Value::Integer(30)),
        ];
        let mut task = build("image-classification", &given, 1, 5).unwrap().remove(0);
        let params = init(&*task);
        let loss = gradient(&mut *task, &params, Batch::Fresh).0;
        (loss, task.evaluate(&params).unwrap()["loss"])
    };
    let same = |dataset, mode, flips| {
        assert_eq!(losses(dataset, mode, "auto"), losses(dataset, mode, flips), "{dataset} {mode}");
    };
    same("synthetic-images", "paper", "none");
    same("synthetic-images", "published", "none");
    same("synthetic-cifar", "paper", "training");
    same("synthetic-cifar", "published", "training-and-test");
    let (plain, mirrored) =
        (losses("synthetic-cifar", "paper", "none"), losses("synthetic-cifar", "paper", "auto"));
    assert!(plain.0 != mirrored.0 && plain.1 == mirrored.1);
    assert_ne!(losses("synthetic-cifar", "published", "auto").1, plain.1);
}

#[test]
fn images_are_normalised_per_channel_and_mirrored_per_row() {
    let shape = Shape { channels: 3, height: 2, width: 3 };
    let image: Vec<u8> = (0..18).map(|value| value * 14).collect();
    let table = NormalisationTable::new(Normalisation::CIFAR);
    let (mut plain, mut mirrored) = ([0.0; 18], [0.0; 18]);
    table.apply(shape, &image, false, &mut plain);
    table.apply(shape, &image, true, &mut mirrored);
    for (at, number) in plain.iter().enumerate() {
        let (mean, deviation) = [(0.4914, 0.2023), (0.4822, 0.1994), (0.4465, 0.2010)][at / 6];
        let expected = (f64::from(image[at]) / 255.0 - mean) / deviation;
        assert!((f64::from(*number) - expected).abs() < 1e-6);
        assert_eq!(mirrored[at / 3 * 3 + 2 - at % 3], *number);
    }
}

#[test]
fn penalties_are_what_their_gradients_say() {
    let params = [0.3, -0.4, 1.2f32];
    let penalty = |regularizer: Regularizer, params: &[f32]| {
        let mut grad = [0.5; 3];
        {
            let square = phalanx_robust::kernel::dot(params, params);
            (regularizer.add((params, square), &mut grad), grad)
        }
    };
    assert_eq!(penalty(Regularizer::None, &params), (0.0, [0.5; 3]));
    let (norm, grad) = penalty(Regularizer::Norm(0.1), &params);
    assert!((norm - 0.13).abs() < 1e-7 && (grad[2] - 0.5 - 0.12 / 1.3).abs() < 1e-6);
    let (square, grad) = penalty(Regularizer::Squared(0.1), &params);
    assert!((square - 0.0845).abs() < 1e-7 && (grad[2] - 0.62).abs() < 1e-6);
    assert_eq!(penalty(Regularizer::Norm(0.1), &[0.0; 3]), (0.0, [0.5; 3]));
    for regularizer in [Regularizer::Norm(0.7), Regularizer::Squared(0.7)] {
        for at in 0..3 {
            let moved = |width: f32| {
                let mut params = params;
                params[at] += width;
                penalty(regularizer, &params).0
            };
            let slope = (moved(1e-3) - moved(-1e-3)) / 2e-3;
            let expected = f64::from(penalty(regularizer, &params).1[at]) - 0.5;
            assert!((slope - expected).abs() < 1e-4, "{regularizer:?}: {slope} {expected}");
        }
    }
}

#[test]
fn settings_that_do_not_go_together_are_refused_with_their_names() {
    let refusal = |given: Given<'_>, nodes| {
        let small = [("train-samples", Value::Integer(40)), ("test-samples", Value::Integer(10))];
        match build("image-classification", &[&small, given].concat(), nodes, 1) {
            Err(TaskError::Data(text)) => text,
            Err(other) => panic!("{other}"),
            Ok(_) => panic!("{given:?} was accepted"),
        }
    };
    let alpha = ("alpha", Value::Number(0.5));
    for (given, parts) in [
        (vec![alpha.clone()], ["`alpha`", "split `iid`"]),
        (vec![("split", word("dirichlet-per-worker"))], ["`alpha`", "needs"]),
        (vec![("split", word("gamma-similarity")), alpha], ["`alpha`", "no use"]),
        (vec![("split", word("gamma-similarity-random"))], ["`gamma`", "needs"]),
        (vec![("regularizer", word("norm"))], ["`regularization`", "needs"]),
        (vec![("regularization", Value::Number(0.1))], ["`regularization`", "no use"]),
        (vec![("dataset", word("cifar10"))], ["`cifar10`", "hint:"]),
        (
            vec![("dataset", word("synthetic-cifar")), ("model", word("cnn"))],
            ["`cnn`", "3 x 32 x 32"],
        ),
    ] {
        let text = refusal(&given, 2);
        assert!(parts.iter().all(|part| text.contains(part)), "{text}");
    }
    assert!(refusal(&[], 41).contains("`40` training samples"));
}

#[test]
fn every_split_can_be_chosen() {
    for (split, name, value) in [
        ("dirichlet-per-worker", "alpha", 1.0),
        ("dirichlet-per-class", "alpha", 1e-6),
        ("gamma-similarity", "gamma", 0.3),
        ("gamma-similarity-random", "gamma", 0.3),
    ] {
        let given = [
            ("dataset", word("synthetic-images")),
            ("train-samples", Value::Integer(100)),
            ("split", word(split)),
            (name, Value::Number(value)),
        ];
        assert_eq!(build("image-classification", &given, 12, 1).unwrap().len(), 12);
    }
    let given = [("split", word("label-sorted")), ("train-samples", Value::Integer(100))];
    assert_eq!(build("image-classification", &given, 12, 1).unwrap().len(), 12);
}
