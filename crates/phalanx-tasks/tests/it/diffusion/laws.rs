//! What holds whatever the numbers: the posterior's law, sums, Itô's identity, threads, guards.
use phalanx_robust::Rng;
use phalanx_tasks::control::{Matrix, exponential};
use phalanx_tasks::diffusion_control::{
    Diverged, End, Episodes, Feedback, Flight, History, Information, ItoIdentity, Knowledge,
    Method, NoiseModel, Normals, Plant, PlantError, Policy, Posterior, Prior, Proposal, Purpose,
    SeededStreams, Setting, Stepping, Streams, regulate, stationary_cost,
};
use rand_distr::{Distribution, StandardNormal};
use rayon::prelude::*;

use super::goldens::Bench;

fn flight<'a>(bench: &'a Bench, dt: f64, owner: u64) -> Flight<'a> {
    let noise = SeededStreams { seed: 5, owner }.stream(Purpose::Process);
    let stepping = Stepping { seconds: dt, method: Method::EulerMaruyama };
    Flight::new(&bench.plant, &bench.optimum, stepping, noise)
}

/// B3, first half: the draws have the mean and covariance that they should.
#[test]
fn draws_have_the_posteriors_mean_and_covariance_within_four_standard_errors() {
    let bench = Bench::of("x-29a");
    for noise_model in [NoiseModel::Agnostic, NoiseModel::Aware] {
        let mut bench = Bench { plant: bench.plant.clone(), ..Bench::of("x-29a") };
        // Unequal, correlated noise tells R from its transpose.
        bench.plant.noise = Matrix::from_rows(&[
            [0.5, 0.2, 0.0, 0.1],
            [0.2, 0.4, 0.1, 0.0],
            [0.0, 0.1, 0.3, -0.1],
            [0.1, 0.0, -0.1, 0.2],
        ])
        .unwrap();
        bench.optimum = bench.plant.check().unwrap();
        let setting = Setting { noise_model, ..bench.setting(4.0) };
        let streams = SeededStreams { seed: 3, owner: 0 };
        let flight = setting.excite(&streams).map_err(|lost| lost.diverged).unwrap();
        let posterior = setting.posterior(&flight).unwrap();
        let rows = posterior.factor.inverse();
        let columns = match noise_model {
            NoiseModel::Agnostic => Matrix::scalar(4, 1.0),
            NoiseModel::Aware => bench.plant.noise.clone(),
        };
        let count = 100_000;
        let mut normals = streams.stream(Purpose::Policy);
        let (mut sum, mut squares) = ([0.0; 24], vec![0.0; 24 * 24]);
        for _ in 0..count {
            let draw = posterior.sample(&mut *normals).plus(-1.0, &posterior.mean);
            for (i, a) in draw.entries().iter().enumerate() {
                sum[i] += a;
                (0..24).for_each(|j| squares[i * 24 + j] += a * draw.entries()[j]);
            }
        }
        let covariance = |a: usize, b: usize| rows[(a / 4, b / 4)] * columns[(a % 4, b % 4)];
        let count = f64::from(count);
        for a in 0..24 {
            let error = (covariance(a, a) / count).sqrt();
            assert!((sum[a] / count).abs() <= 4.0 * error, "{noise_model:?} mean {a}");
            for b in 0..24 {
                let expected = covariance(a, b);
                let variance = covariance(a, a) * covariance(b, b) + expected * expected;
                let found = squares[a * 24 + b] / count;
                let error = (variance / count).sqrt();
                assert!((found - expected).abs() <= 4.0 * error, "{noise_model:?} {a} {b}");
            }
        }
    }
}

/// B3, second half.
#[test]
fn the_sums_of_a_path_do_not_depend_on_where_it_is_split() {
    let bench = Bench::of("boeing-747");
    let gain = bench.optimum.care.gain.scaled(0.5);
    let feedback = Feedback { gain, offset: vec![0.3, -0.2] };
    let mut whole = flight(&bench, 1e-3, 1);
    whole.fly(&feedback, 5000).unwrap();
    for cuts in [vec![1, 4999], vec![256, 1, 255, 4488], vec![700; 8]] {
        let mut parts = flight(&bench, 1e-3, 1);
        let mut sum = Information::none(4, 2);
        let mut before = parts.totals().information.clone();
        let mut left = 5000;
        for cut in cuts {
            let cut = left.min(cut);
            left -= cut;
            parts.fly(&feedback, cut).unwrap();
            let now = parts.totals().information.clone();
            sum.add(1.0, &now);
            sum.add(-1.0, &before);
            before = now;
        }
        assert_eq!((left, parts.steps()), (0, whole.steps()));
        assert_eq!(parts.state(), whole.state());
        let near = |a: &Matrix, b: &Matrix| a.plus(-1.0, b).norm() <= 1e-12 * b.norm();
        for found in [&sum, &parts.totals().information] {
            assert!(near(&found.precision, &whole.totals().information.precision));
            assert!(near(&found.evidence, &whole.totals().information.evidence));
        }
        assert!((parts.cost() - whole.cost()).abs() <= 1e-12 * whole.cost());
    }
}

/// B10.
#[test]
fn the_regret_of_a_path_satisfies_itos_identity_and_better_with_smaller_steps() {
    let bench = Bench::of("x-29a");
    let gap = |dt: f64, seconds: f64, owner: u64| {
        let mut flight = flight(&bench, dt, owner);
        let feedback = Feedback::of(bench.optimum.care.gain.scaled(1.3));
        flight.fly(&feedback, (seconds / dt).round() as u64).unwrap();
        let ItoIdentity { regret, decomposition } = ItoIdentity::of(&flight);
        println!("dt {dt} T {seconds}: {regret} against {decomposition}");
        (regret, decomposition)
    };
    for seconds in [20.0, 100.0] {
        let mut total = [0.0; 2];
        for owner in 0..4 {
            for (total, dt) in total.iter_mut().zip([1e-3, 1e-4]) {
                let (left, right) = gap(dt, seconds, owner);
                assert!((left - right).abs() <= 0.1 * left.abs() + 1.0, "{left} {right}");
                *total += (left - right).abs();
            }
        }
        assert!(total[1] < 0.5 * total[0], "{total:?}");
    }
}

#[test]
fn the_optimal_gain_has_no_regret_and_a_dither_costs_what_it_should() {
    let bench = Bench::of("x-29a");
    let mut best = flight(&bench, 1e-3, 0);
    best.fly(&Feedback::of(bench.optimum.care.gain.clone()), 20_000).unwrap();
    assert_eq!(best.state(), best.reference_state());
    assert!((best.cost() - best.reference_cost()).abs() <= 1e-9 * best.cost());
    // From rest and with one step there is nothing but the input to pay for.
    let mut push = flight(&bench, 1e-3, 0);
    push.fly(&Feedback { gain: Matrix::zeros(2, 4), offset: vec![2.0, 1.0] }, 1).unwrap();
    assert!((push.cost() - 1e-3 * 0.1 * 5.0).abs() < 1e-15);
}

#[test]
fn exact_steps_of_any_length_have_the_law_of_the_diffusion() {
    let bench = Bench::of("boeing-747");
    let gain = bench.optimum.care.gain.scaled(0.8);
    let expected = stationary_cost(&bench.plant, &gain);
    let cost = |method, dt: f64| {
        let noise = SeededStreams { seed: 8, owner: 0 }.stream(Purpose::Process);
        let stepping = Stepping { seconds: dt, method };
        let mut flight = Flight::new(&bench.plant, &bench.optimum, stepping, noise);
        flight.fly(&Feedback::of(gain.clone()), (40_000.0 / dt) as u64).unwrap();
        (flight.cost() / flight.seconds(), flight.reference_cost() / flight.seconds())
    };
    // A step of 0.25 s would ruin Euler's method; the exact law does not notice it.
    let (found, reference) = cost(Method::Exact, 0.25);
    assert!((found / expected - 1.0).abs() < 0.02, "{found} {expected}");
    assert!((reference / bench.optimum.average_cost - 1.0).abs() < 0.02, "{reference}");
    let (found, _) = cost(Method::EulerMaruyama, 0.25);
    assert!(found > 1.2 * expected, "{found} {expected}");
}

#[test]
fn an_exact_step_without_noise_is_the_exponential() {
    let mut plant = Bench::of("x-29a").plant;
    plant.noise = Matrix::scalar(4, 1e-30);
    let optimum = plant.check().unwrap();
    let noise = SeededStreams { seed: 8, owner: 0 }.stream(Purpose::Process);
    let stepping = Stepping { seconds: 0.5, method: Method::Exact };
    let mut flight = Flight::new(&plant, &optimum, stepping, noise);
    let offset = vec![1.0, -2.0];
    flight.fly(&Feedback { gain: Matrix::zeros(2, 4), offset }, 3).unwrap();
    // ẋ = A x + B w from rest: x = ∫ exp(A s) B w ds.
    let mut whole = Matrix::zeros(5, 5);
    whole.place((0, 0), &plant.a.scaled(1.5));
    let push = plant.b.times(&Matrix::from_entries(2, 1, vec![1.0, -2.0]));
    whole.place((0, 4), &push.scaled(1.5));
    let expected = exponential(&whole).unwrap();
    for (i, found) in flight.state().iter().enumerate() {
        assert!((found - expected[(i, 4)]).abs() < 1e-10, "{found} {}", expected[(i, 4)]);
    }
}

fn histories(bench: &Bench, threads: usize) -> Vec<History> {
    let setting = bench.setting(4.0);
    let policy = bench.policy("thompson-sampling", None);
    let episodes = Episodes { growth: 1.3, horizon: 20.0 };
    let run = |owner| {
        let streams = SeededStreams { seed: 9, owner };
        regulate(&setting, &episodes, &*policy, &streams, &|| true).unwrap()
    };
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
    pool.install(|| (0..12u64).into_par_iter().map(run).collect())
}

/// B12.
#[test]
fn replications_do_not_depend_on_the_number_of_threads() {
    let bench = Bench::of("x-29a");
    let alone = histories(&bench, 1);
    assert_eq!(alone, histories(&bench, 3));
    assert_ne!(alone[0], alone[1], "each replication has noise of its own");
}

#[test]
fn a_plant_of_an_unusual_size_is_learned_like_the_others() {
    // The X-29A with a fifth state that nobody drives and a third input runs the general loop.
    let small = Bench::of("x-29a");
    let wide = |matrix: &Matrix, rows: usize, columns: usize| {
        let mut out = Matrix::zeros(rows, columns);
        out.place((0, 0), matrix);
        out
    };
    let mut plant = Plant {
        a: wide(&small.plant.a, 5, 5),
        b: wide(&small.plant.b, 5, 3),
        noise: Matrix::scalar(5, 0.25),
        state_cost: Matrix::scalar(5, 1.0),
        input_cost: Matrix::scalar(3, 0.1),
        initial_gain: Matrix::zeros(3, 5),
        dither: 5.0,
    };
    plant.a[(4, 4)] = -1.0;
    let optimum = plant.check().unwrap();
    let unreachable = 0.25 * 0.5;
    let expected = small.optimum.average_cost + unreachable;
    assert!((optimum.average_cost - expected).abs() < 1e-9);
    let bench = Bench { optimum, prior: Prior::isotropic(5, 3, 1.0), plant };
    let setting = bench.setting(20.0);
    let policy = bench.policy("thompson-sampling", None);
    let episodes = Episodes { growth: 1.2, horizon: 60.0 };
    let streams = SeededStreams { seed: 2, owner: 0 };
    let history = regulate(&setting, &episodes, &*policy, &streams, &|| true).unwrap();
    assert_eq!(history.end, End::Finished);
    let errors: Vec<f64> = history.updates.iter().map(|update| update.mean_error).collect();
    assert!(errors[errors.len() - 1] < errors[0], "{errors:?}");
}

/// A policy of somebody else, which holds on to one gain, good or bad.
struct Stubborn(Matrix);

impl Policy for Stubborn {
    fn propose(
        &self,
        _knowledge: &Knowledge<'_>,
        _attempt: u32,
        _normals: &mut dyn Normals,
    ) -> Option<Proposal> {
        Some(Proposal::Gain(self.0.clone()))
    }
}

#[test]
fn a_policy_that_destabilises_is_recorded_as_diverged_and_one_without_a_gain_keeps_the_former() {
    let bench = Bench::of("x-29a");
    let setting = bench.setting(4.0);
    let episodes = Episodes { growth: 1.1, horizon: 600.0 };
    let streams = SeededStreams { seed: 4, owner: 0 };
    let fly =
        |policy: &dyn Policy| regulate(&setting, &episodes, policy, &streams, &|| true).unwrap();
    let history = fly(&Stubborn(bench.optimum.care.gain.scaled(-1.0)));
    let End::Diverged { seconds, why: Diverged::State } = history.end else {
        panic!("{:?}", history.end);
    };
    assert!((4.0..600.0).contains(&seconds) && history.peak > 1e9);
    let history = fly(&Stubborn(Matrix::scalar(2, f64::NAN)));
    assert!(history.updates.iter().all(|update| update.is_kept && update.rejected == 20));
    assert!(history.updates.iter().all(|update| !update.is_stable), "the zero gain is kept");
    let last = fly(&Stubborn(bench.optimum.care.gain.clone())).updates;
    assert!(last.iter().all(|update| update.stationary_regret.abs() < 1e-6));
    assert!(last.iter().all(|update| update.is_stable && update.error.is_nan()));
}

#[test]
fn the_oracle_never_loses_and_nobody_flies_when_stopped() {
    let bench = Bench::of("x-29a");
    let setting = bench.setting(4.0);
    let episodes = Episodes { growth: 1.5, horizon: 30.0 };
    let streams = SeededStreams { seed: 4, owner: 1 };
    let oracle = bench.policy("oracle", None);
    let history = regulate(&setting, &episodes, &*oracle, &streams, &|| true).unwrap();
    assert!(history.updates.iter().all(|update| update.stationary_regret.abs() < 1e-9));
    let stopped = regulate(&setting, &episodes, &*oracle, &streams, &|| false).unwrap();
    assert_eq!((stopped.end, stopped.updates.len()), (End::Stopped, 1));
    for (growth, horizon) in [(1.0, 30.0), (f64::NAN, 30.0), (1.1, 1.0), (1.1, f64::NAN)] {
        let episodes = Episodes { growth, horizon };
        assert!(regulate(&setting, &episodes, &*oracle, &streams, &|| true).is_err());
    }
}

#[test]
fn a_posterior_that_overflowed_is_refused() {
    let prior = Prior::isotropic(2, 1, 1.0);
    let mut information = Information::none(2, 1);
    assert!(Posterior::new(&prior, &information, None).is_some());
    information.precision[(0, 0)] = f64::INFINITY;
    assert!(Posterior::new(&prior, &information, None).is_none());
    information.precision[(0, 0)] = -10.0;
    assert!(Posterior::new(&prior, &information, None).is_none());
}

#[test]
fn plants_that_cannot_be_learned_or_regulated_are_refused_by_name() {
    let good = Bench::of("x-29a").plant;
    let refused = |change: &dyn Fn(&mut Plant)| {
        let mut plant = good.clone();
        change(&mut plant);
        let error = plant.check().unwrap_err();
        assert!(!error.hint().is_empty());
        error
    };
    let singular = refused(&|plant| plant.noise[(3, 3)] = 0.0);
    assert!(matches!(singular, PlantError::Indefinite { what: "noise", .. }), "{singular}");
    let costless = refused(&|plant| plant.state_cost[(0, 0)] = 0.0);
    assert_eq!(costless.what(), "state-cost");
    assert_eq!(refused(&|plant| plant.input_cost[(0, 0)] = -1.0).what(), "input-cost");
    assert_eq!(refused(&|plant| plant.a[(0, 0)] = f64::NAN).what(), "a");
    assert_eq!(refused(&|plant| plant.noise[(0, 1)] = 0.1).what(), "noise");
    assert_eq!(refused(&|plant| plant.dither = 0.0).what(), "dither");
    assert_eq!(refused(&|plant| plant.initial_gain = Matrix::zeros(1, 4)).what(), "initial-gain");
    assert_eq!(refused(&|plant| plant.b = Matrix::zeros(3, 2)).what(), "b");
    // Without its surfaces the slowly unstable mode is nobody's to stop.
    let adrift = refused(&|plant| plant.b = Matrix::zeros(4, 2));
    assert!(matches!(adrift, PlantError::NotStabilisable(_)), "{adrift}");
    let mut rng = Rng::stream(1, 0, "large");
    let entries = (0..17 * 17).map(|_| StandardNormal.sample(&mut rng)).collect();
    let large = refused(&|plant| plant.a = Matrix::from_entries(17, 17, Vec::clone(&entries)));
    assert!(matches!(large, PlantError::Size { what: "a", .. }), "{large}");
}
