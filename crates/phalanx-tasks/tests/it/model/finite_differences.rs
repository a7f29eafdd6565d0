//! The gradient is the derivative of the returned loss, in every model and mode.
use phalanx_tasks::image_classification::model::{Architecture, Mode, Model};

use super::{build, everything, images, initial, labels, unit};

const BATCH: usize = 3;

// The same masks and statistics at every call: nothing but the parameters differs.
fn loss_at(model: &mut dyn Model, params: &[f32], images: &[f32], labels: &[u8]) -> f64 {
    let mut unused = vec![0.0; model.dim()];
    model.probe_gradient(params, images, labels, &mut unused)
}

/// A direction of unit length in which only `range` moves.
fn direction(dim: usize, range: std::ops::Range<usize>, seed: u32) -> Vec<f64> {
    let mut direction = vec![0.0; dim];
    for at in range {
        direction[at] = unit(seed, at) - 0.5;
    }
    let norm = direction.iter().map(|entry| entry * entry).sum::<f64>().sqrt();
    direction.iter_mut().for_each(|entry| *entry /= norm);
    direction
}

/// Central differences, and the derivative that the rounded steps should show.
fn compare(
    model: &mut dyn Model,
    (params, images, labels): (&[f32], &[f32], &[u8]),
    (direction, step): (&[f64], f64),
    grad: &[f32],
) -> (f64, f64) {
    let moved = |sign: f64| -> Vec<f32> {
        let both = params.iter().zip(direction);
        both.map(|(&p, &v)| (f64::from(p) + sign * step * v) as f32).collect()
    };
    let (plus, minus) = (moved(1.0), moved(-1.0));
    let difference = loss_at(model, &plus, images, labels) - loss_at(model, &minus, images, labels);
    // Rounding moves the ends, so the step that was really made is projected on the gradient.
    let ends = plus.iter().zip(&minus).zip(grad);
    let expected: f64 =
        ends.map(|((&p, &m), &g)| (f64::from(p) - f64::from(m)) * f64::from(g)).sum();
    (difference, expected)
}

fn first_layer_of(architecture: Architecture) -> usize {
    match architecture {
        Architecture::Linear => 7840,
        Architecture::Mlp => 78_400,
        Architecture::MnistCnn => 520,
        Architecture::CifarCnn => 1_920,
    }
}

fn check(architecture: Architecture, mode: Mode) {
    let mut model = build(architecture, mode);
    let model = &mut *model;
    let dim = model.dim();
    let params = initial(model, 11);
    let (images, labels) = (images(model, BATCH), labels(BATCH));
    let mut grad = vec![f32::NAN; dim];
    model.probe_gradient(&params, &images, &labels, &mut grad);
    let first = first_layer_of(architecture);
    // Everything, the first layers, the middle, the last layer.
    let ranges = [0..dim, 0..first, first..dim - 500, dim - 500..dim];
    for (index, range) in ranges.into_iter().enumerate().filter(|(_, range)| range.len() > 1) {
        let slopes = &grad[range.clone()];
        let norm = slopes.iter().map(|&g| f64::from(g).powi(2)).sum::<f64>().sqrt();
        assert!(norm > 0.0, "{architecture:?}: a gradient without slope in {range:?}");
        // A random direction, tilted towards the gradient so that it has something to show.
        let mut direction = direction(dim, range.clone(), 40 + index as u32);
        for at in range.clone() {
            direction[at] = 0.5 * direction[at] + 0.5 * f64::from(grad[at]) / norm;
        }
        let data = (&params[..], &images[..], &labels[..]);
        let (found, expected) = compare(model, data, (&direction, 3e-4 / norm), &grad);
        let error = ((found - expected) / expected).abs();
        assert!(
            error < 1e-2,
            "{architecture:?} {mode:?} {range:?}: {found:e} instead of {expected:e}"
        );
    }
}

#[test]
fn gradients_are_derivatives_of_the_loss() {
    for (architecture, mode) in everything() {
        check(architecture, mode);
    }
}
