//! Users of personalised learning: slopes, sums, shared images, frozen features.
use phalanx_learn::algorithm::personalised::{LocalLoss, Motion};
use phalanx_robust::Rng;
use phalanx_tasks::dataset::synthetic;
use phalanx_tasks::dataset::{Shape, load};
use phalanx_tasks::personalised::target::{linear_init, train_alone};
use phalanx_tasks::personalised::{
    Features, Images, LinearRegression, LinearSoftmax, LogisticRegression, NetworkLoss, shifted,
};

fn images(count: usize) -> Images {
    Images::of(&synthetic::generate(Shape::MNIST, count, 10).unwrap().train)
}

/// Points of 12 numbers with probabilities of 3 classes.
fn soft(count: usize) -> Images {
    let mut rng = Rng::stream(4, 0, "soft");
    let features = (0..12 * count).map(|_| rng.unit() as f32 - 0.5).collect();
    let targets = (0..count).flat_map(|_| {
        let (a, b) = (0.5 * rng.unit(), 0.5 * rng.unit());
        [a, b, 1.0 - a - b]
    });
    Images::soft(features, targets.collect(), (12, 3))
}

fn slope(loss: &mut dyn LocalLoss, params: &[f64], rows: Option<&[u32]>) -> (f64, Vec<f64>) {
    let mut slope = vec![0.0; params.len()];
    let value = loss.add_slope(params, rows, &mut slope);
    (value, slope)
}

fn losses() -> Vec<(&'static str, Box<dyn LocalLoss>, f64)> {
    let mut rng = Rng::stream(9, 0, "losses");
    let truth = [1.0, -0.5, 2.0];
    let pictures = images(60);
    let network = NetworkLoss::new(&[784, 9, 10], pictures.clone(), (0..40).collect()).unwrap();
    vec![
        ("linear", Box::new(LinearRegression::draw(&truth, (20, 0.1), &mut rng)), 1e-7),
        ("logistic", Box::new(LogisticRegression::draw(&truth, 20, &mut rng)), 1e-7),
        ("soft", Box::new(LinearSoftmax::all(soft(25)).boosted(3.0)), 1e-7),
        ("classes", Box::new(LinearSoftmax::new(pictures, vec![3, 5, 5, 59])), 1e-7),
        // f32 inside: the difference quotient is as good as single precision.
        ("network", Box::new(network), 2e-2),
    ]
}

#[test]
fn every_slope_is_that_of_the_summed_loss() {
    for (name, mut loss, room) in losses() {
        let mut rng = Rng::stream(1, 0, "params");
        let params: Vec<f64> = (0..loss.dim()).map(|_| 0.2 * (rng.unit() - 0.5)).collect();
        for rows in [None, Some(&[1u32, 3, 3][..])] {
            let (_, found) = slope(&mut *loss, &params, rows);
            let along: f64 = found.iter().map(|g| g * g).sum::<f64>().sqrt();
            let width = if name == "network" { 1e-2 } else { 1e-5 };
            let mut at = |sign: f64| {
                let step = sign * width / along;
                let moved: Vec<f64> =
                    params.iter().zip(&found).map(|(x, g)| x + step * g).collect();
                slope(&mut *loss, &moved, rows).0
            };
            let expected = (at(1.0) - at(-1.0)) / (2.0 * width);
            assert!((along - expected).abs() < room * along.max(1.0), "{name}: {along} {expected}");
        }
    }
}

#[test]
fn losses_are_sums_over_points() {
    for (name, mut loss, _) in losses() {
        let params: Vec<f64> = (0..loss.dim()).map(|k| 0.01 * (k % 7) as f64).collect();
        let count = loss.points() as u32;
        let (whole, all) = slope(&mut *loss, &params, None);
        let (mut sum, mut slopes) = (0.0, vec![0.0; params.len()]);
        (0..count).for_each(|row| sum += loss.add_slope(&params, Some(&[row]), &mut slopes));
        assert!((whole - sum).abs() < 1e-4 * whole.abs(), "{name}: {whole} {sum}");
        let size = all.iter().fold(0.0f64, |most, g| most.max(g.abs()));
        let gap = all.iter().zip(&slopes).fold(0.0f64, |most, (a, b)| most.max((a - b).abs()));
        assert!(gap < 1e-4 * size, "{name}: {gap} of {size}");
    }
}

#[test]
fn the_number_of_threads_changes_no_bit() {
    let pictures = images(2_500);
    let rows: Vec<u32> = (0..9_000).map(|row| row % 2_500).collect();
    let params = linear_init((10, 784), &mut Rng::stream(2, 0, "init"));
    let pool = |threads| rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
    let run = || slope(&mut LinearSoftmax::new(pictures.clone(), rows.clone()), &params, None);
    assert!(pool(1).install(run) == pool(3).install(run));
    let run = || {
        let mut loss = NetworkLoss::new(&[784, 4, 10], pictures.clone(), rows.clone()).unwrap();
        let params = loss.init(&mut Rng::stream(2, 0, "init"));
        slope(&mut loss, &params, None)
    };
    assert!(pool(1).install(run) == pool(3).install(run));
}

#[test]
fn users_draw_with_replacement_and_noise_changes_its_share_of_labels() {
    let pictures = images(500);
    let shares = pictures.shares((3, 400), &mut Rng::stream(1, 0, "shares"));
    assert_eq!(shares.iter().map(Vec::len).collect::<Vec<_>>(), [400; 3]);
    let mut first = shares[0].clone();
    first.sort_unstable();
    first.dedup();
    assert!(first.len() < 350, "some are drawn twice: {}", first.len());
    let noisy = pictures.with_noise(0.6, &mut Rng::stream(1, 0, "noise"));
    let pairs = pictures.labels().unwrap().iter().zip(noisy.labels().unwrap());
    let changed = pairs.filter(|(clean, noisy)| clean != noisy).count();
    // .6 of them are drawn anew, and a tenth of those meet their own label.
    assert!((240..300).contains(&changed), "{changed}");
    let next = |label: &u8| (label + 1) % 10;
    let labels: Vec<u8> = pictures.labels().unwrap().iter().map(next).collect();
    assert_eq!(shifted(&pictures).labels().unwrap(), labels);
}

#[test]
fn the_last_layer_over_frozen_features_learns_what_the_network_did() {
    let digits = load("digits", std::path::Path::new("."), (Some(1_000), Some(500))).unwrap();
    let (train, test) = (Images::of(&digits.train), Images::of(&digits.test));
    let features = Features::train(&train, (40, 6), 3).unwrap();
    let (train, test) = (features.of(&train), features.of(&test));
    assert_eq!((train.inputs, train.len(), features.hidden()), (40, 1_000, 40));
    assert!(train.features.iter().all(|value| *value >= 0.0), "behind a ReLU");
    let init = linear_init((10, 40), &mut Rng::stream(1, 0, "init"));
    let judge = LinearSoftmax::all(test);
    let before = judge.accuracy(&init).unwrap();
    let params = train_alone(&mut LinearSoftmax::all(train), init, (Motion::published(), 60));
    let after = judge.accuracy(&params).unwrap();
    assert!(before < 0.3 && after > 0.8, "{before} {after}");
}

#[test]
fn more_poisoned_users_than_users_are_refused() {
    let given = [
        ("dataset", crate::population::word("synthetic-images")),
        ("train-samples", phalanx_robust::Value::Integer(50)),
        ("poison", crate::population::word("label-shift")),
        ("poisoned", phalanx_robust::Value::Integer(3)),
    ];
    let Err(refused) = crate::population::build("personalised", &given, 3, 1) else {
        panic!("nobody is left");
    };
    let told = refused.to_string();
    assert!(told.contains("`3` poisoned users of `3`") && told.contains("hint: "), "{told}");
}

#[test]
fn poisoned_users_are_the_last_and_insist_on_what_they_hold() {
    let given = |poison: &str| {
        vec![
            ("dataset", crate::population::word("synthetic-images")),
            ("train-samples", phalanx_robust::Value::Integer(100)),
            ("test-samples", phalanx_robust::Value::Integer(20)),
            ("points", phalanx_robust::Value::Integer(30)),
            ("target-epochs", phalanx_robust::Value::Integer(3)),
            ("poison", crate::population::word(poison)),
        ]
    };
    let slopes = |poison: &str| -> Vec<Vec<f32>> {
        let mut tasks = crate::population::build("personalised", &given(poison), 3, 1).unwrap();
        let params = crate::population::init(&*tasks[0]);
        let fresh = phalanx_learn::Batch::Fresh;
        tasks.iter_mut().map(|t| crate::population::gradient(&mut **t, &params, fresh).1).collect()
    };
    let clean = slopes("none");
    for poison in ["fixed-model", "label-flip", "label-shift"] {
        let found = slopes(poison);
        assert!(found[..2] == clean[..2] && found[2] != clean[2], "{poison}");
    }
    let task = crate::population::build("personalised", &given("fixed-model"), 3, 1).unwrap();
    let mut model = vec![0.0; task[2].dim()];
    task[2].init(&mut Rng::stream(1, 0, "any"), &mut model);
    let mut poisoner = task.into_iter().nth(2).unwrap();
    let at = crate::population::gradient(&mut *poisoner, &model, phalanx_learn::Batch::Fresh).1;
    assert!(at.iter().all(|g| g.abs() < 1e-3), "it starts where it wants to be");
}
