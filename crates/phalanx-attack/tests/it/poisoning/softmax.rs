//! Specification 02, section 7, check 6: points that pin a linear softmax classifier.
use phalanx_attack::poisoning::{PoisonError, SoftmaxPoison, SoftmaxSettings};
use phalanx_learn::algorithm::personalised::LocalLoss;
use phalanx_learn::algorithm::personalised::regularizer::norm;
use phalanx_robust::Rng;
use phalanx_tasks::personalised::{Images, LinearSoftmax};

const CLASSES: usize = 10;
const INPUTS: usize = 30;

fn model(seed: u64) -> Vec<f64> {
    let mut rng = Rng::stream(seed, 0, "model");
    (0..CLASSES * (INPUTS + 1)).map(|_| 2.0 * rng.unit() - 1.0).collect()
}

fn settings(points: usize) -> SoftmaxSettings {
    SoftmaxSettings::published(points)
}

fn loss(poison: &SoftmaxPoison) -> LinearSoftmax {
    let shape = (poison.inputs, CLASSES);
    LinearSoftmax::all(Images::soft(poison.features.clone(), poison.targets.clone(), shape))
}

#[test]
fn before_the_noise_all_classes_are_equally_likely() {
    let model = model(1);
    let still = SoftmaxSettings { spread: 0.0, ..settings(200) };
    let poison = SoftmaxPoison::new(&model, still, 7).unwrap();
    assert_eq!(poison.points(), 200);
    // Scores are as large as tens; those of f32 points agree to 1e-4 of the range.
    for target in poison.targets.chunks_exact(CLASSES) {
        target.iter().for_each(|p| assert!((p - 0.1).abs() < 1e-4, "{target:?}"));
    }
    let range = poison.features.iter().fold(0.0f32, |most, x| most.max(x.abs()));
    assert!(range > 40.0 && range < 200.0, "{range}");
}

#[test]
fn soft_labels_are_probabilities_and_the_target_is_stationary() {
    let model = model(2);
    for settings in [settings(500), SoftmaxSettings { is_clipped: true, ..settings(500) }] {
        let poison = SoftmaxPoison::new(&model, settings, 7).unwrap();
        for target in poison.targets.chunks_exact(CLASSES) {
            assert!((target.iter().sum::<f64>() - 1.0).abs() < 1e-12);
            assert!(target.iter().all(|p| (0.0..=1.0).contains(p)));
        }
        let mut slope = vec![0.0; model.len()];
        loss(&poison).add_slope(&model, None, &mut slope);
        // 500 points of length about 160: rounding of f64 alone.
        assert!(norm(&slope) < 1e-8, "{}", norm(&slope));
        let mut away = model.clone();
        away[3] += 0.01;
        let mut pull = vec![0.0; model.len()];
        loss(&poison).add_slope(&away, None, &mut pull);
        assert!(norm(&pull) > 1e3 * norm(&slope), "{}", norm(&pull));
    }
}

#[test]
fn clipped_points_are_valid_grey_pixels() {
    let settings = SoftmaxSettings { is_clipped: true, spread: 0.1, ..settings(50) };
    let poison = SoftmaxPoison::new(&model(3), settings, 7).unwrap();
    for pixel in &poison.features {
        let grey = f64::from(*pixel) * 255.0;
        assert!((0.0..=255.0).contains(&grey) && (grey - grey.round()).abs() < 1e-4, "{pixel}");
    }
}

/// Least curvature over the directions of weights that no common shift of all classes undoes,
/// by power iteration on `most − H` from finite differences of the slope.
fn least_curvature(poison: &SoftmaxPoison, model: &[f64]) -> f64 {
    let mut loss = loss(poison);
    let mut rng = Rng::stream(5, 0, "power");
    let mut times = |v: &[f64]| -> Vec<f64> {
        let width = 1e-5;
        let mut side = |sign: f64| {
            let at: Vec<f64> = model.iter().zip(v).map(|(x, v)| x + sign * width * v).collect();
            let mut slope = vec![0.0; at.len()];
            loss.add_slope(&at, None, &mut slope);
            slope
        };
        let (up, down) = (side(1.0), side(-1.0));
        up.iter().zip(down).map(|(a, b)| (a - b) / (2.0 * width)).collect()
    };
    let mut iterate = |shift: f64| {
        let mut v: Vec<f64> = model.iter().map(|_| rng.unit() - 0.5).collect();
        let mut value = 0.0;
        for _ in 0..120 {
            without_gauge(&mut v);
            let length = norm(&v);
            v.iter_mut().for_each(|entry| *entry /= length);
            let image = times(&v);
            value = v.iter().zip(&image).map(|(v, h)| v * h).sum();
            v.iter_mut()
                .zip(image)
                .for_each(|(v, h)| *v = if shift > 0.0 { shift * *v - h } else { h });
        }
        value
    };
    let most = iterate(0.0);
    iterate(1.01 * most)
}

/// Takes out what all classes share: it changes no probability.
fn without_gauge(v: &mut [f64]) {
    let (weights, biases) = v.split_at_mut(CLASSES * INPUTS);
    for k in 0..INPUTS {
        let mean = (0..CLASSES).map(|c| weights[c * INPUTS + k]).sum::<f64>() / CLASSES as f64;
        (0..CLASSES).for_each(|c| weights[c * INPUTS + k] -= mean);
    }
    // A bias bends no more than a pixel of 1; it is held by the weights' points alone.
    biases.fill(0.0);
}

#[test]
fn the_least_curvature_grows_linearly_with_the_number_of_points() {
    let model = model(4);
    // Noise in the nine informative directions as large as the rest, so that few points suffice.
    let settings = |points| SoftmaxSettings { spread: 1.0, ..settings(points) };
    let curvature = |points| {
        let poison = SoftmaxPoison::new(&model, settings(points), 7).unwrap();
        least_curvature(&poison, &model)
    };
    let (few, many) = (curvature(2_000), curvature(8_000));
    assert!(few > 0.0);
    assert!((many / few - 4.0).abs() < 0.5, "{few} {many}");
}

#[test]
fn models_that_are_no_classifier_are_refused_with_a_hint() {
    let refused = |model: &[f64]| SoftmaxPoison::new(model, settings(3), 1).unwrap_err();
    assert_eq!(refused(&[0.0; 25]), PoisonError::Length { found: 25, classes: 10 });
    assert!(refused(&[0.0; 25]).to_string().contains("hint: "));
    let mut bad = model(1);
    bad[17] = f64::NAN;
    assert!(matches!(refused(&bad), PoisonError::NotFinite { at: 17, .. }));
    let mut twins = model(1);
    let (first, second) = twins.split_at_mut(4 * INPUTS);
    second[..INPUTS].copy_from_slice(&first[..INPUTS]);
    assert_eq!(refused(&twins), PoisonError::Dependent { class: 4 });
}
