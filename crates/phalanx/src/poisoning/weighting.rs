//! Sum against mean: what a user with many points is worth to users with few.
use phalanx_learn::algorithm::personalised::{
    Decay, Federation, Method, Motion, Regularizer, User, Weighting,
};
use phalanx_robust::Rng;
use phalanx_tasks::personalised::{Images, NetworkLoss};

/// A population of many idle users and one active one, on noisy labels.
#[derive(Debug, Clone, Copy)]
pub struct Inequality {
    /// users with few points
    pub idle: usize,
    /// points of each of them
    pub idle_points: usize,
    /// points of the active user
    pub active_points: usize,
    /// share of the training labels that are random
    pub noise: f64,
    /// hidden units of the two-layer ReLU network
    pub hidden: usize,
    /// R, squared in the published run
    pub regularizer: Regularizer,
    /// epochs of Adam, from rate .04 down to .02
    pub epochs: usize,
    /// everything random
    pub seed: u64,
}

impl Inequality {
    /// The published instance: 10 users with 10 points, one with 60,000, λ = 100, 200 epochs.
    ///
    /// # Panics
    /// Never: λ is a constant.
    pub fn published() -> Self {
        let regularizer = Regularizer::named("l2-squared", 100.0).expect("100 is positive");
        Self {
            idle: 10,
            idle_points: 10,
            active_points: 60_000,
            noise: 0.6,
            hidden: 784,
            regularizer,
            epochs: 200,
            seed: 999,
        }
    }
}

/// Shares of the test images that are classified rightly.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Accuracies {
    /// by the global model
    pub global: f64,
    /// by the idle users' own models, on average
    pub idle: f64,
    /// by the active user's
    pub active: f64,
}

/// Trains the population; `watch` is told of each epoch that is done.
///
/// # Errors
/// `None` when the images have soft labels.
pub fn train(
    setting: Inequality,
    (images, test): (&Images, &Images),
    weighting: Weighting,
    watch: &mut dyn FnMut(usize),
) -> Option<Accuracies> {
    let Inequality { idle, idle_points, active_points, seed, .. } = setting;
    let noisy = images.with_noise(setting.noise, &mut Rng::stream(seed, u64::MAX, "noise"));
    let widths = [images.inputs, setting.hidden, images.classes];
    let mut rng = Rng::stream(seed, u64::MAX, "shares");
    let mut shares = noisy.shares((idle, idle_points), &mut rng);
    shares.extend(noisy.shares((1, active_points), &mut rng));
    let mut users = Vec::new();
    for (index, rows) in shares.into_iter().enumerate() {
        let loss = NetworkLoss::new(&widths, noisy.clone(), rows)?;
        let init = loss.init(&mut Rng::stream(seed, index as u64, "initial parameters"));
        users.push(User::new(init, Box::new(loss)).weighing(weighting));
    }
    let all = (0..test.len() as u32).collect();
    let judge = NetworkLoss::new(&widths, test.clone(), all)?;
    let global = judge.init(&mut Rng::stream(seed, u64::MAX, "initial parameters"));
    let decay = Decay { first: 0.04, factor: 0.99, floor: 0.02 };
    let motion = Motion { method: Method::Adam, decay };
    let mut federation = Federation::new(global, users, setting.regularizer, motion);
    for epoch in 1..=setting.epochs {
        federation.step(None);
        watch(epoch);
    }
    let own: Vec<f64> =
        federation.users().iter().map(|user| judge.accuracy(user.theta())).collect();
    Some(Accuracies {
        global: judge.accuracy(federation.global()),
        idle: own[..idle].iter().sum::<f64>() / idle.max(1) as f64,
        active: own[idle],
    })
}
