//! Specification 02, section 7, checks 3 to 5: the counter-gradient attack itself.
use phalanx_attack::poisoning::{CounterGradient, Form, Projected};
use phalanx_learn::algorithm::personalised::regularizer::norm;
use phalanx_learn::algorithm::personalised::{
    Federation, LocalLoss, Motion, Outsider, Regularizer, Scene, TIES, User,
};
use phalanx_robust::Rng;
use phalanx_tasks::personalised::LinearRegression;

/// Frozen honest users around 0, so that the honest push is linear in ρ.
fn frozen(count: usize, rate: f64, start: f64) -> Federation {
    let users = (0..count).map(|_| User::fixed(vec![0.0])).collect();
    let tie = Regularizer::named("l2-squared", 1.0).unwrap();
    Federation::new(vec![start], users, tie, Motion::sgd(rate))
}

/// Distances to a target at 0 after the first two, from e₋₁ = 1.2 and e₀ = 1.
fn errors(c: f64, count: usize) -> Vec<f64> {
    let honest = 4;
    let rate = c / (2.0 * honest as f64);
    let mut federation = frozen(honest, rate, 1.2);
    let mut attack = CounterGradient::new(vec![0.0], Form::Inferred);
    // The first gradient is chosen so that ρ comes to 1, and the attack is told of it.
    let mut opening = Opening { first: Some((1.2, 1.0)), attack: &mut attack };
    (0..=count)
        .map(|_| {
            federation.step(Some(&mut opening));
            federation.global()[0]
        })
        .collect()
}

struct Opening<'a> {
    first: Option<(f64, f64)>,
    attack: &'a mut CounterGradient,
}

impl Outsider for Opening<'_> {
    fn speak(&mut self, scene: &Scene<'_>, out: &mut [f64]) {
        match self.first.take() {
            // Moving the target for one epoch makes the attack itself land on 1.
            Some((from, to)) => {
                let asked = (from - to) / scene.rate - scene.honest[0];
                let goal = from - scene.rate * asked;
                let mut first = CounterGradient::new(vec![goal], Form::Inferred);
                first.speak(scene, out);
                *self.attack = first.aimed_at(vec![0.0]);
            }
            None => self.attack.speak(scene, out),
        }
    }
}

#[test]
fn the_scalar_recursion_is_the_derived_one() {
    let errors = errors(0.4, 20);
    assert!((errors[0] - 1.0).abs() < 1e-12);
    let (mut before, mut now) = (1.2, 1.0);
    for found in &errors[1..] {
        let next = -0.4 * (now - before);
        (before, now) = (now, next);
        assert!((found - next).abs() < 1e-12, "{found} {next}");
    }
    assert!((errors[20].abs() - 0.0153).abs() < 5e-5, "{}", errors[20]);
}

#[test]
fn it_diverges_at_six_tenths_and_the_threshold_is_one_half() {
    let grows = |c: f64| {
        let errors = errors(c, 4_000);
        let size = |range: std::ops::Range<usize>| {
            errors[range].iter().fold(0.0, |most: f64, e| most.max(e.abs()))
        };
        size(3_900..4_000) > size(50..150)
    };
    assert!(errors(0.6, 200)[200].abs() > 1e6);
    assert!(!grows(0.49) && grows(0.51));
}

#[test]
fn the_inferred_push_is_the_honest_sum_of_the_last_epoch() {
    let mut rng = Rng::stream(3, 0, "users");
    let users: Vec<User> = (0..5)
        .map(|_| {
            let truth: Vec<f64> = (0..6).map(|_| 2.0 * rng.unit() - 1.0).collect();
            let data = LinearRegression::draw(&truth, (8, 0.1), &mut rng);
            User::new(vec![0.0; 6], Box::new(data))
        })
        .collect();
    for name in TIES {
        let tie = Regularizer::named(name, 0.8).unwrap();
        let learners = users_again(&users);
        let mut federation = Federation::new(vec![0.5; 6], learners, tie, Motion::sgd(0.01));
        let mut attack = CounterGradient::new(vec![2.0; 6], Form::Inferred);
        for _ in 0..50 {
            let before = federation.honest().to_vec();
            let is_first = federation.sent().iter().all(|sent| *sent == 0.0);
            federation.step(Some(&mut attack));
            for (push, honest) in attack.push().iter().zip(&before) {
                assert!(is_first || (push - honest).abs() < 1e-9, "{name}: {push} {honest}");
            }
        }
    }
}

/// The same users once more, drawn from the same data.
fn users_again(users: &[User]) -> Vec<User> {
    let mut rng = Rng::stream(3, 0, "users");
    let again = users.iter().map(|user| {
        let truth: Vec<f64> = user.theta().iter().map(|_| 2.0 * rng.unit() - 1.0).collect();
        let data = LinearRegression::draw(&truth, (8, 0.1), &mut rng);
        assert_eq!(data.dim(), 6);
        User::new(vec![0.0; 6], Box::new(data))
    });
    again.collect()
}

#[test]
fn under_l2_no_gradient_leaves_the_ball_and_distance_buys_nothing() {
    let tie = Regularizer::named("l2", 0.7).unwrap();
    let ends: Vec<f64> = [50.0, 100.0]
        .map(|distance| {
            let users = (0..10).map(|_| User::fixed(vec![0.0, 0.0])).collect();
            let mut federation = Federation::new(vec![0.1, 0.1], users, tie, Motion::sgd(1e-4));
            let mut attack = CounterGradient::new(vec![distance, 0.0], Form::Inferred);
            for _ in 0..2_000 {
                federation.step(Some(&mut attack));
                assert!(norm(federation.sent()) <= 0.7 * (1.0 + 1e-6));
            }
            federation.global()[0]
        })
        .into();
    assert!((ends[0] - ends[1]).abs() < 1e-3, "{ends:?}");
    assert!(ends[0].abs() < 0.01, "ten agreeing users hold it: {ends:?}");
}

#[test]
fn an_arbitrary_gradient_is_shortened_to_what_one_user_can_send() {
    for name in TIES {
        let tie = Regularizer::named(name, 0.5).unwrap();
        let mut federation =
            Federation::new(vec![0.0; 2], vec![User::fixed(vec![0.0; 2])], tie, Motion::sgd(0.1));
        let mut loud = Projected(|_: &Scene<'_>, out: &mut [f64]| out.copy_from_slice(&[3.0, 4.0]));
        federation.step(Some(&mut loud));
        let expected = tie.reach().unwrap_or(5.0);
        let sent = norm(federation.sent());
        assert!((0.998..1.0 + 1e-12).contains(&(sent / expected)), "{name}: {sent}");
    }
}

// Under plain SGD the two forms know the same; a form that read its own attack would differ.
#[test]
fn the_published_form_sends_what_the_inferred_one_sends_under_plain_sgd() {
    for name in TIES {
        let sent = [Form::Inferred, Form::Published].map(|form| {
            let tie = Regularizer::named(name, 0.8).unwrap();
            let users = (0..4).map(|k| User::fixed(vec![f64::from(k), 1.0])).collect();
            let mut federation = Federation::new(vec![0.5, 0.0], users, tie, Motion::sgd(0.02));
            let mut attack = CounterGradient::new(vec![2.0, -2.0], form);
            let mut sent = Vec::new();
            for _ in 0..30 {
                federation.step(Some(&mut attack));
                sent.extend_from_slice(federation.sent());
            }
            sent
        });
        let gaps = sent[0].iter().zip(&sent[1]).map(|(a, b)| (a - b).abs());
        assert!(gaps.fold(0.0, f64::max) < 1e-9, "{name}");
    }
}
