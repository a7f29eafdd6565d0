//! Specification 02, section 7, check 2: gradient, model and data attack end in the same place.
use phalanx_attack::poisoning::{
    ConversionError, CounterGradient, Form, RegressionPoison, model_of_gradient,
    model_of_population,
};
use phalanx_learn::algorithm::personalised::regularizer::{norm, squared_distance};
use phalanx_learn::algorithm::personalised::{
    Decay, Federation, LocalLoss, Method, Motion, Outsider, Regularizer, Scene, TIES, User,
};
use phalanx_tasks::personalised::LinearRegression;

const RIDGE: f64 = 0.01;
const TARGET: [f64; 2] = [4.0, -3.0];

/// ½ Σ_k h_k (θ_k − c_k)² as a regression with one query per coordinate.
fn quadratic(curvature: [f64; 2], centre: [f64; 2]) -> LinearRegression {
    let (a, b) = (curvature[0].sqrt(), curvature[1].sqrt());
    LinearRegression::new(vec![a, 0.0, 0.0, b], vec![a * centre[0], b * centre[1]], 2)
}

/// Three honest users with diagonal quadratics.
fn honest() -> Vec<User> {
    let all = [([1.0, 2.0], [1.0, 0.5]), ([0.5, 1.5], [-0.5, 1.0]), ([2.0, 0.8], [0.3, -1.2])];
    let user = |(curvature, centre)| {
        User::new(vec![0.0; 2], Box::new(quadratic(curvature, centre))).with_ridge(RIDGE)
    };
    all.map(user).into()
}

fn settled(mut federation: Federation, epochs: usize) -> Federation {
    (0..epochs).for_each(|_| federation.step(None));
    federation
}

fn population(extra: Option<User>, tie: Regularizer) -> Federation {
    let users = honest().into_iter().chain(extra).collect();
    Federation::new(vec![0.0; 2], users, tie, Motion::sgd(0.05))
}

fn after_attack(tie: Regularizer) -> Federation {
    let mut federation = population(None, tie);
    let mut attack = CounterGradient::new(TARGET.to_vec(), Form::Inferred);
    (0..4_000).for_each(|_| federation.step(Some(&mut attack)));
    federation
}

fn distance(a: &[f64], b: &[f64]) -> f64 {
    squared_distance(a, b).sqrt()
}

#[test]
fn the_three_attacks_end_at_the_same_model() {
    let tie = Regularizer::named("l2-squared", 0.7).unwrap();
    let attacked = after_attack(tie);
    assert!(distance(attacked.global(), &TARGET) < 1e-12, "{:?}", attacked.global());
    let models: Vec<&[f64]> = attacked.users().iter().map(User::theta).collect();
    let from_gradient = model_of_gradient(tie, (attacked.global(), attacked.sent()), 1.0).unwrap();
    let from_population = model_of_population(attacked.global(), &models);
    assert!(distance(&from_gradient, &from_population) < 1e-10);

    let held = settled(population(Some(User::fixed(from_gradient.clone())), tie), 4_000);
    assert!(distance(held.global(), attacked.global()) < 1e-8);

    for scale in [1.0, 10.0] {
        let poison =
            RegressionPoison::exact(tie, (attacked.global(), &from_gradient), (RIDGE, scale));
        let ends = ends_of_data(&poison, &from_gradient, tie);
        assert!(distance(&ends, &TARGET) < 1e-12, "c = {scale}: {ends:?}");
        let naive = RegressionPoison::honest(&from_gradient, scale);
        let missed = distance(&ends_of_data(&naive, &from_gradient, tie), &TARGET);
        assert!((if scale > 1.0 { 0.01..0.2 } else { 1.0..4.0 }).contains(&missed), "{missed}");
    }
}

/// Where ρ settles when one user follows the protocol with poison.
fn ends_of_data(poison: &RegressionPoison, start: &[f64], tie: Regularizer) -> Vec<f64> {
    let data = LinearRegression::new(poison.queries.clone(), poison.answers.clone(), 2);
    let user = User::new(start.to_vec(), Box::new(data)).with_ridge(RIDGE);
    let users = honest().into_iter().chain([user]).collect();
    let federation = Federation::new(vec![0.0; 2], users, tie, Motion::sgd(0.01));
    settled(federation, 30_000).global().to_vec()
}

#[test]
fn the_exact_points_make_the_model_a_stationary_point_under_every_regulariser() {
    let (global, model) = ([0.4, -1.0, 2.0], [3.0, 0.2, -0.9]);
    for name in TIES {
        let tie = Regularizer::named(name, 0.7).unwrap();
        for scale in [0.1, 1.0, 10.0] {
            let poison = RegressionPoison::exact(tie, (&global, &model), (RIDGE, scale));
            let mut data = LinearRegression::new(poison.queries, poison.answers, 3);
            let mut slope = vec![0.0; 3];
            data.add_slope(&model, None, &mut slope);
            let pull = tie.pull(&global, &model);
            for k in 0..3 {
                slope[k] += 2.0 * RIDGE * model[k] + pull * (model[k] - global[k]);
            }
            assert!(norm(&slope) < 1e-12, "{name}, c = {scale}: {slope:?}");
        }
    }
}

#[test]
fn a_converted_model_sends_the_gradient_that_it_was_made_from() {
    let (global, direction) = ([0.4, -1.0, 2.0], [2.0 / 3.0, -1.0 / 3.0, 2.0 / 3.0]);
    for (name, lengths) in
        [("l2-squared", [0.1, 3.0, 400.0]), ("l2", [0.7; 3]), ("smooth-l2", [0.01, 0.5, 0.699])]
    {
        let tie = Regularizer::named(name, 0.7).unwrap();
        for (length, far) in lengths.into_iter().zip([1e-3, 1.0, 1e6]) {
            let gradient = direction.map(|entry| entry * length);
            let model = model_of_gradient(tie, (&global, &gradient), far).unwrap();
            let mut sent = [0.0; 3];
            tie.add_slope(&global, &model, &mut sent);
            assert!(distance(&sent, &gradient) < 1e-10 * length.max(1.0), "{name} {length}");
        }
    }
    let tie = Regularizer::named("l2", 0.7).unwrap();
    assert_eq!(model_of_gradient(tie, (&global, &[0.1, 0.2, 0.3]), 1.0).unwrap(), global);
}

#[test]
fn what_no_model_sends_is_refused_with_its_length() {
    for name in ["l2", "smooth-l2"] {
        let tie = Regularizer::named(name, 0.7).unwrap();
        let refused = model_of_gradient(tie, (&[0.0], &[0.8]), 1.0).unwrap_err();
        assert_eq!(refused, ConversionError::Unreachable { length: 0.8, radius: 0.7 });
        assert!(refused.to_string().contains("`0.8`") && refused.to_string().contains("hint: "));
        let refused = model_of_gradient(tie, (&[0.0], &[f64::NAN]), 1.0);
        assert_eq!(refused, Err(ConversionError::NotFinite));
    }
}

// The converse direction: whoever follows the protocol sends reachable gradients.
#[test]
fn every_data_attack_is_a_gradient_attack() {
    for name in ["l2", "smooth-l2"] {
        let tie = Regularizer::named(name, 0.7).unwrap();
        let wild = User::new(vec![1e6, -1e6], Box::new(quadratic([3.0, 3.0], [1e6, 1e6])));
        let mut federation = population(Some(wild), tie);
        for _ in 0..100 {
            let global = federation.global().to_vec();
            let mut sent = [0.0; 2];
            tie.add_slope(&global, federation.users()[3].theta(), &mut sent);
            assert!(norm(&sent) <= 0.7 * (1.0 + 1e-12), "{name}");
            federation.step(None);
        }
    }
}

// The variant that steers the mean of the honest local models, exact for ℓ2²: at stationarity
// ρ − mean θ = G / (2 λ N_h), so that it rests exactly where that mean is the target.
#[test]
fn the_local_form_rests_where_the_mean_of_the_honest_models_is_the_target() {
    let tie = Regularizer::named("l2-squared", 0.7).unwrap();
    let models = [[1.0, 2.0], [4.0, -1.0], [-2.0, 0.5]];
    let mean = [1.0, 0.5];
    for (target, is_at_rest) in [(mean, true), ([1.0, 0.6], false)] {
        let users = models.map(|model| User::fixed(model.to_vec())).into();
        let mut federation = Federation::new(vec![7.0, -3.0], users, tie, Motion::sgd(0.0));
        let mut attack = CounterGradient::new(target.to_vec(), Form::Local { honest: 3 });
        let rate = 0.02;
        let mut asked = [0.0; 2];
        for _ in 0..2 {
            federation.step(None);
            let scene = Scene {
                global: federation.global(),
                rate,
                honest: federation.honest(),
                regularizer: tie,
            };
            attack.speak(&scene, &mut asked);
        }
        let left: Vec<f64> = asked.iter().zip(federation.honest()).map(|(a, g)| a + g).collect();
        assert_eq!(norm(&left) < 1e-9, is_at_rest, "{left:?}");
    }
}

// Under Adam, as published; plain SGD follows the moving target too fast and oscillates.
#[test]
fn the_local_form_brings_honest_models_near_the_target() {
    let tie = Regularizer::named("l2-squared", 0.7).unwrap();
    let decay = Decay { first: 0.02, factor: 0.9999, floor: 1e-5 };
    let motion = Motion { method: Method::Adam, decay };
    let mut federation = Federation::new(vec![0.0; 2], honest(), tie, motion);
    let mut attack = CounterGradient::new(TARGET.to_vec(), Form::Local { honest: 3 });
    (0..80_000).for_each(|_| federation.step(Some(&mut attack)));
    let mean =
        [0, 1].map(|k| federation.users().iter().map(|user| user.theta()[k]).sum::<f64>() / 3.0);
    assert!(distance(&mean, &TARGET) < 0.05, "{mean:?}");
    assert!(distance(federation.global(), &TARGET) > 0.5, "ρ itself is elsewhere");
}
