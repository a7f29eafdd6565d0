//! Steering an honest user's own model through the global one.
use phalanx_attack::poisoning::{CounterGradient, Form};
use phalanx_learn::algorithm::personalised::regularizer::squared_distance;
use phalanx_learn::algorithm::personalised::{Federation, Motion, Outsider, Regularizer, User};
use phalanx_robust::Rng;
use phalanx_tasks::personalised::target::{linear_init, train_alone};
use phalanx_tasks::personalised::{Images, LinearSoftmax, shifted};

/// What was seen of the honest user's own model.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Look {
    /// epochs done
    pub epoch: usize,
    /// share of the test images that it classifies as the attacker wants, y + 1
    pub shifted: f64,
    /// share that it classifies rightly
    pub truly: f64,
    /// its distance to the target
    pub distance: f64,
}

/// One honest user with so many points and an attacker that steers its model; `watch` sees it
/// every `look_every` epochs.
pub fn steer(
    (train, test): (&Images, &Images),
    (points, target_epochs): (usize, usize),
    (epochs, look_every): (usize, usize),
    (regularizer, seed): (Regularizer, u64),
    watch: &mut dyn FnMut(Look),
) {
    let shape = (train.classes, train.inputs);
    let init = |purpose| linear_init(shape, &mut Rng::stream(seed, u64::MAX, purpose));
    let mut wanted = LinearSoftmax::all(shifted(train));
    let target = train_alone(&mut wanted, init("target"), (Motion::published(), target_epochs));
    let mut rng = Rng::stream(seed, u64::MAX, "shares");
    let rows = train.shares((1, points), &mut rng).remove(0);
    let user = User::new(init("user"), Box::new(LinearSoftmax::new(train.clone(), rows)));
    let global = init("initial parameters");
    let mut federation = Federation::new(global, vec![user], regularizer, Motion::published());
    let mut attack = CounterGradient::new(target.clone(), Form::Local { honest: 1 });
    let (truth, lie) = (LinearSoftmax::all(test.clone()), LinearSoftmax::all(shifted(test)));
    for epoch in 1..=epochs {
        federation.step(Some(&mut attack as &mut dyn Outsider));
        if epoch % look_every.max(1) == 0 || epoch == epochs {
            let own = federation.users()[0].theta();
            watch(Look {
                epoch,
                shifted: lie.accuracy(own).unwrap_or(f64::NAN),
                truly: truth.accuracy(own).unwrap_or(f64::NAN),
                distance: squared_distance(own, &target).sqrt(),
            });
        }
    }
}
