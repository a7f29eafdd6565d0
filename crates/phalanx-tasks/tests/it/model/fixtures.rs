//! Loss, gradient and scores of fixed inputs agree with PyTorch in double precision.
use phalanx_robust::Rng;
use phalanx_tasks::image_classification::model::{Architecture, CifarCnn, Mode, Model};

use super::{build, images, labels, unit};

struct Fixture {
    dim: usize,
    loss: f64,
    norm: f64,
    entries: Vec<(usize, f64)>,
    scores: Vec<f64>,
}

fn parse(text: &str) -> Fixture {
    let mut fixture =
        Fixture { dim: 0, loss: 0.0, norm: 0.0, entries: Vec::new(), scores: Vec::new() };
    for line in text.lines() {
        let words: Vec<&str> = line.split(' ').collect();
        match words[..] {
            ["dim", value] => fixture.dim = value.parse().expect("a number"),
            ["loss", value] => fixture.loss = value.parse().expect("a number"),
            ["norm", value] => fixture.norm = value.parse().expect("a number"),
            ["entry", at, value] => {
                fixture
                    .entries
                    .push((at.parse().expect("a number"), value.parse().expect("a number")));
            }
            ["score", _, value] => fixture.scores.push(value.parse().expect("a number")),
            _ => panic!("a fixture line reads `{line}`"),
        }
    }
    fixture
}

/// One tensor of the flat parameters.
#[derive(Clone, Copy)]
enum Tensor {
    Layer { count: usize, fan_in: usize },
    Scale(usize),
    Shift(usize),
}

fn layer(outputs: usize, fan_in: usize) -> [Tensor; 2] {
    let bias = Tensor::Layer { count: outputs, fan_in };
    [Tensor::Layer { count: outputs * fan_in, fan_in }, bias]
}

fn tensors(architecture: Architecture) -> Vec<Tensor> {
    match architecture {
        Architecture::Linear => layer(10, 784).to_vec(),
        Architecture::Mlp => [layer(100, 784), layer(10, 100)].concat(),
        Architecture::MnistCnn => {
            [layer(20, 25), layer(50, 500), layer(500, 800), layer(10, 500)].concat()
        }
        Architecture::CifarCnn => {
            let mut all = Vec::new();
            for (input, output) in [(3, 64), (64, 64), (64, 128), (128, 128)] {
                all.extend(layer(output, 9 * input));
                all.extend([Tensor::Scale(output), Tensor::Shift(output)]);
            }
            all.extend(layer(128, 8192));
            all.extend(layer(10, 128));
            all
        }
    }
}

fn params(architecture: Architecture) -> Vec<f32> {
    let mut all = Vec::new();
    for tensor in tensors(architecture) {
        let (count, slope, offset) = match tensor {
            Tensor::Layer { count, fan_in } => (count, 1.0 / (fan_in as f64).sqrt(), 0.0),
            Tensor::Scale(count) => (count, 0.5, 1.0),
            Tensor::Shift(count) => (count, 0.2, 0.0),
        };
        let start = all.len();
        all.extend((0..count).map(|at| {
            let part = 2.0 * unit(1, start + at) - 1.0;
            (offset + slope * part) as f32
        }));
    }
    all
}

fn assert_close(found: f64, expected: f64, scale: f64, what: &str) {
    let error = (found - expected).abs() / scale;
    assert!(error <= 1e-5, "{what}: {found} instead of {expected}, relative error {error:e}");
}

fn compare(architecture: Architecture, model: &mut dyn Model, text: &str) {
    let fixture = parse(text);
    let params = params(architecture);
    assert_eq!((model.dim(), params.len()), (fixture.dim, fixture.dim), "number of parameters");
    let (images, labels) = (images(model, 4), labels(4));
    let mut grad = vec![f32::NAN; model.dim()];
    let loss = model.loss_gradient(&params, &images, &labels, &mut grad);
    assert_close(loss, fixture.loss, fixture.loss, "loss");
    let norm = grad.iter().map(|&g| f64::from(g).powi(2)).sum::<f64>().sqrt();
    assert_close(norm, fixture.norm, fixture.norm, "norm of the gradient");
    assert!(fixture.entries.len() >= 140, "enough entries to see every tensor");
    // Relative to the larger of the entry and the root mean square over all entries.
    let typical = fixture.norm / (fixture.dim as f64).sqrt();
    for &(at, expected) in &fixture.entries {
        let scale = expected.abs().max(typical);
        assert_close(f64::from(grad[at]), expected, scale, &format!("entry {at}"));
    }
    let mut scores = vec![0.0; fixture.scores.len()];
    model.logits(&params, &images, &mut scores);
    let largest = fixture.scores.iter().fold(0.0f64, |max, score| max.max(score.abs()));
    for (at, (&found, &expected)) in scores.iter().zip(&fixture.scores).enumerate() {
        assert_close(f64::from(found), expected, largest, &format!("score {at}"));
    }
}

#[test]
fn linear_agrees_with_the_oracle() {
    let architecture = Architecture::Linear;
    let mut model = build(architecture, Mode::Published);
    compare(architecture, &mut *model, include_str!("../../fixtures/linear.txt"));
}

#[test]
fn mlp_agrees_with_the_oracle() {
    let architecture = Architecture::Mlp;
    let mut model = build(architecture, Mode::Published);
    compare(architecture, &mut *model, include_str!("../../fixtures/mlp.txt"));
}

#[test]
fn mnist_cnn_agrees_with_the_oracle() {
    let architecture = Architecture::MnistCnn;
    let mut model = build(architecture, Mode::Published);
    compare(architecture, &mut *model, include_str!("../../fixtures/mnist_cnn.txt"));
}

#[test]
fn cifar_cnn_as_published_agrees_with_the_oracle() {
    let architecture = Architecture::CifarCnn;
    let mut model = build(architecture, Mode::Published);
    let text = include_str!("../../fixtures/cifar_cnn_published.txt");
    compare(architecture, &mut *model, text);
}

#[test]
fn cifar_cnn_with_batch_statistics_agrees_with_the_oracle() {
    let mut model = CifarCnn::new(Mode::Paper, Rng::stream(5, 0, "dropout")).without_dropout();
    let text = include_str!("../../fixtures/cifar_cnn_batch_statistics.txt");
    compare(Architecture::CifarCnn, &mut model, text);
}
