//! Sizes, batches of any length, determinism, state, and parameters that are not finite.
use phalanx_robust::{Rng, StateReader, StateWriter};
use phalanx_tasks::image_classification::model::{Architecture, CifarCnn, Mode, Model, Perceptron};

use rayon::prelude::*;

use super::{build, everything, images, initial, labels, unit};

fn gradient(model: &mut dyn Model, params: &[f32], batch: usize) -> (f64, Vec<f32>) {
    let (images, labels) = (images(model, batch), labels(batch));
    let mut grad = vec![f32::NAN; model.dim()];
    let loss = model.loss_gradient(params, &images, &labels, &mut grad);
    (loss, grad)
}

fn saved(model: &dyn Model) -> Vec<u8> {
    let mut out = StateWriter::default();
    model.save(&mut out);
    out.finish()
}

fn largest_difference(a: &[f32], b: &[f32]) -> f64 {
    let scale = a.iter().fold(0.0f32, |max, entry| max.max(entry.abs()));
    let differences = a.iter().zip(b).map(|(a, b)| (a - b).abs());
    f64::from(differences.fold(0.0, f32::max)) / f64::from(scale)
}

#[test]
fn parameter_counts_are_those_of_the_published_models() {
    let counts = [
        (Architecture::Linear, 7_850),
        (Architecture::Mlp, 79_510),
        (Architecture::MnistCnn, 431_080),
        (Architecture::CifarCnn, 1_310_922),
    ];
    for (architecture, count) in counts {
        assert_eq!(build(architecture, Mode::Published).dim(), count, "{architecture:?}");
    }
}

#[test]
fn initial_parameters_fill_their_bounds_and_follow_the_stream() {
    for (architecture, mode) in everything() {
        let model = build(architecture, mode);
        let params = initial(&*model, 1);
        assert_eq!(params, initial(&*model, 1), "{architecture:?}: one stream, one model");
        assert_ne!(params, initial(&*model, 2), "{architecture:?}: another stream");
    }
    // The last layer of the MLP reads 100 numbers: uniform in ±0.1, weights and bias.
    let params = initial(&*build(Architecture::Mlp, Mode::Published), 1);
    let last = &params[78_500..];
    let largest = last.iter().fold(0.0f32, |max, entry| max.max(entry.abs()));
    assert!((0.099..=0.1).contains(&largest), "largest of 1010 draws: {largest}");
    let mean = last.iter().sum::<f32>() / last.len() as f32;
    assert!(mean.abs() < 0.01, "mean {mean}");
    // The first normalisation of the CIFAR CNN lies behind 3 → 64 weights and bias.
    let params = initial(&*build(Architecture::CifarCnn, Mode::Published), 1);
    assert!(params[1_792..1_856].iter().all(|&entry| entry == 1.0));
    assert!(params[1_856..1_920].iter().all(|&entry| entry == 0.0));
}

#[test]
fn a_large_batch_is_the_mean_of_its_parts() {
    // Sizes that do not divide a block, and one sample.
    let cases = [
        (Architecture::Linear, 300, 129),
        (Architecture::Mlp, 300, 129),
        (Architecture::MnistCnn, 71, 1),
        (Architecture::CifarCnn, 13, 4),
    ];
    for (architecture, batch, part) in cases {
        let mut model = build(architecture, Mode::Published);
        let params = initial(&*model, 3);
        let (loss, whole) = gradient(&mut *model, &params, batch);
        let (all_images, all_labels) = (images(&*model, batch), labels(batch));
        let mut sum = vec![0.0f64; model.dim()];
        let (mut loss_sum, input) = (0.0, model.input_len());
        let parts = all_images.chunks(part * input).zip(all_labels.chunks(part));
        for (images, labels) in parts {
            let mut grad = vec![f32::NAN; model.dim()];
            let weight = labels.len() as f64 / batch as f64;
            loss_sum += weight * model.loss_gradient(&params, images, labels, &mut grad);
            for (sum, entry) in sum.iter_mut().zip(grad) {
                *sum += weight * f64::from(entry);
            }
        }
        assert!((loss - loss_sum).abs() < 1e-6 * loss, "{architecture:?}: {loss}, {loss_sum}");
        let sum: Vec<f32> = sum.into_iter().map(|entry| entry as f32).collect();
        let difference = largest_difference(&whole, &sum);
        assert!(difference < 1e-5, "{architecture:?}: {difference:e}");
    }
}

#[test]
fn evaluation_agrees_with_logits_and_training_loss() {
    for architecture in [Architecture::Linear, Architecture::Mlp, Architecture::MnistCnn] {
        let mut model = build(architecture, Mode::Published);
        let params = initial(&*model, 4);
        let batch = 103;
        let (images, labels) = (images(&*model, batch), labels(batch));
        let (loss, _) = gradient(&mut *model, &params, batch);
        let found = model.evaluate(&params, &images, &labels);
        assert!((found.loss_sum / batch as f64 - loss).abs() < 1e-6, "{architecture:?}");
        let mut guesses = vec![0; batch];
        model.predict(&params, &images, &mut guesses);
        let correct = guesses.iter().zip(&labels).filter(|(a, b)| a == b).count();
        assert_eq!(found.correct, correct, "{architecture:?}");
    }
}

#[test]
fn a_buffers_past_never_reaches_a_result() {
    for (architecture, mode) in everything() {
        let model = build(architecture, mode);
        let params = initial(&*model, 5);
        let mut fresh = build(architecture, mode);
        let expected = gradient(&mut *fresh, &params, 2);
        // Siblings share buffers: this one finds those of a larger batch full of NaN.
        let mut spoiler = model.sibling(Rng::stream(5, 0, "dropout"));
        let _ = gradient(&mut *spoiler, &vec![f32::NAN; params.len()], 6);
        let mut sibling = model.sibling(Rng::stream(5, 0, "dropout"));
        let found = gradient(&mut *sibling, &params, 2);
        assert_eq!(found.0.to_bits(), expected.0.to_bits(), "{architecture:?} {mode:?}");
        assert_eq!(found.1, expected.1, "{architecture:?} {mode:?}");
        assert!(sibling.workspace_bytes() > 0);
        assert_eq!(sibling.workspace_bytes(), model.workspace_bytes(), "shared, counted once");
    }
}

#[test]
fn siblings_that_compute_at_once_equal_siblings_one_after_the_other() {
    let first = build(Architecture::MnistCnn, Mode::Published);
    let siblings = || (0..6).map(|node| first.sibling(Rng::stream(5, node, "dropout")));
    let of_node = |(node, mut model): (usize, Box<dyn Model>)| {
        let params = initial(&*model, node as u64);
        gradient(&mut *model, &params, 3 + node)
    };
    let expected: Vec<_> = siblings().enumerate().map(of_node).collect();
    let pool = rayon::ThreadPoolBuilder::new().num_threads(3).build().unwrap();
    let models: Vec<_> = siblings().enumerate().collect();
    let found: Vec<_> = pool.install(|| models.into_par_iter().map(of_node).collect());
    assert_eq!(found, expected);
}

#[test]
fn buffers_stop_growing_after_the_largest_batch() {
    let mut model = build(Architecture::MnistCnn, Mode::Published);
    let params = initial(&*model, 5);
    gradient(&mut *model, &params, 25);
    let bytes = model.workspace_bytes();
    for batch in [1, 25, 7] {
        gradient(&mut *model, &params, batch);
    }
    assert_eq!(model.workspace_bytes(), bytes);
    gradient(&mut *model, &params, 500);
    assert!(model.workspace_bytes() < 6_000_000, "500 images go through in blocks");
}

#[test]
fn parameters_that_are_not_finite_show_in_the_loss() {
    for (architecture, mode) in everything() {
        let mut model = build(architecture, mode);
        let params = initial(&*model, 6);
        // Any one NaN of the first layer; ReLU lets NaN through.
        for at in [0, 3] {
            let mut bad = params.clone();
            bad[at] = f32::NAN;
            let (loss, _) = gradient(&mut *model, &bad, 2);
            assert!(loss.is_nan(), "{architecture:?} {mode:?} NaN at {at}: {loss}");
        }
        for value in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            let bad = vec![value; params.len()];
            let (loss, _) = gradient(&mut *model, &bad, 2);
            assert!(!loss.is_finite(), "{architecture:?} {mode:?} {value}: {loss}");
            let mut out = vec![0; 2];
            let images = images(&*model, 2);
            model.predict(&bad, &images, &mut out);
        }
        let huge: Vec<f32> = (0..model.dim()).map(|at| 1e38 * (unit(9, at) as f32)).collect();
        let (loss, _) = gradient(&mut *model, &huge, 2);
        assert!(!loss.is_finite(), "{architecture:?} {mode:?} huge: {loss}");
    }
}

#[test]
fn published_mode_neither_draws_nor_remembers() {
    let mut model = build(Architecture::CifarCnn, Mode::Published);
    let params = initial(&*model, 7);
    let before = saved(&*model);
    let first = gradient(&mut *model, &params, 2);
    assert_eq!(saved(&*model), before);
    assert_eq!(gradient(&mut *model, &params, 2), first);
}

#[test]
fn a_probe_leaves_no_trace_and_a_training_pass_does() {
    let mut model = build(Architecture::CifarCnn, Mode::Paper);
    let params = initial(&*model, 7);
    let (images, labels) = (images(&*model, 2), labels(2));
    let before = saved(&*model);
    let mut probe = vec![0.0; model.dim()];
    let loss = model.probe_gradient(&params, &images, &labels, &mut probe);
    assert_eq!(saved(&*model), before);
    // The masks of a probe are those of the next training pass.
    let next = gradient(&mut *model, &params, 2);
    assert_eq!((loss, probe), next);
    assert_ne!(saved(&*model), before);
    assert_ne!(gradient(&mut *model, &params, 2), next, "new masks");
}

#[test]
fn saved_state_continues_bit_for_bit() {
    let mut model = build(Architecture::CifarCnn, Mode::Paper);
    let params = initial(&*model, 8);
    gradient(&mut *model, &params, 2);
    let snapshot = saved(&*model);
    let mut resumed = model.sibling(Rng::stream(99, 3, "another stream"));
    resumed.load(&mut StateReader::new(&snapshot)).unwrap();
    assert_eq!(gradient(&mut *model, &params, 2), gradient(&mut *resumed, &params, 2));
    assert_eq!(saved(&*model), saved(&*resumed));
    let (images, labels) = (images(&*model, 2), labels(2));
    let found = model.evaluate(&params, &images, &labels);
    assert_eq!(found, resumed.evaluate(&params, &images, &labels));

    let before = saved(&*resumed);
    let cut = &snapshot[..snapshot.len() / 3];
    assert!(resumed.load(&mut StateReader::new(cut)).is_err());
    assert_eq!(saved(&*resumed), before, "a snapshot that does not fit changes nothing");
}

#[test]
fn dropout_drops_a_quarter_and_keeps_the_expectation() {
    // Over many masks the mean gradient of the last bias must approach the one without dropout
    // more closely than any single mask does.
    let params = initial(&*build(Architecture::CifarCnn, Mode::Paper), 9);
    let mut without = CifarCnn::new(Mode::Paper, Rng::stream(1, 0, "d")).without_dropout();
    let (_, expected) = gradient(&mut without, &params, 2);
    let mut with = CifarCnn::new(Mode::Paper, Rng::stream(1, 0, "d"));
    let tail = expected.len() - 10;
    let distance = |bias: &[f64]| -> f64 {
        let pairs = bias.iter().zip(&expected[tail..]);
        pairs.map(|(a, &b)| (a - f64::from(b)).powi(2)).sum::<f64>().sqrt()
    };
    let (mut mean, mut single) = (vec![0.0; 10], 0.0);
    let draws = 40;
    for _ in 0..draws {
        let (_, grad) = gradient(&mut with, &params, 2);
        let bias: Vec<f64> = grad[tail..].iter().map(|&g| f64::from(g)).collect();
        single += distance(&bias) / f64::from(draws);
        mean.iter_mut().zip(&bias).for_each(|(m, b)| *m += b / f64::from(draws));
    }
    assert!(single > 1e-3, "masks change the gradient: {single}");
    assert!(distance(&mean) < 0.5 * single, "{} against {single}", distance(&mean));
}

#[test]
#[should_panic(expected = "labels are below the number of classes")]
fn a_label_beyond_the_classes_is_the_callers_bug() {
    let mut model = Perceptron::new(&[4, 3]);
    let params = vec![0.0; model.dim()];
    let mut grad = vec![0.0; model.dim()];
    model.loss_gradient(&params, &[0.0; 4], &[3], &mut grad);
}
