//! The tables of the specification: B4 to B9. Short ones always, long ones with `nightly`.
use phalanx_tasks::control::spectral_abscissa;
use phalanx_tasks::diffusion_control::{
    End, Episodes, History, Knowledge, NoiseModel, Policy, Purpose, SeededStreams, Setting,
    Streams, decide, regulate,
};
use rayon::prelude::*;

use super::goldens::Bench;
use super::streams::ReferenceStreams;

/// How many of `count` replications a policy stabilises after `seconds`.
fn successes(
    bench: &Bench,
    seconds: f64,
    (noise_model, policy): (NoiseModel, &dyn Policy),
    count: u64,
) -> usize {
    let setting = Setting { noise_model, ..bench.setting(seconds) };
    let is_success = |replication: &u64| {
        let streams = ReferenceStreams { replication: *replication };
        let Ok(flight) = setting.excite(&streams) else { return false };
        let Ok(posterior) = setting.posterior(&flight) else { return false };
        let gain = &bench.plant.initial_gain;
        let knowledge = Knowledge { seconds, posterior: &posterior, gain };
        let mut normals = streams.stream(Purpose::Policy);
        let decision = decide(policy, &knowledge, &bench.plant, &mut *normals);
        spectral_abscissa(&bench.plant.closed_loop(&decision.gain)).is_ok_and(|worst| worst < 0.0)
    };
    (0..count).into_par_iter().filter(is_success).count()
}

/// Table 6.2 to within two replications, for some of its rows.
fn assert_row(name: &str, (noise_model, policy): (NoiseModel, &str), row: &[(f64, usize)]) {
    let bench = Bench::of(name);
    let thompson = bench.policy(policy, None);
    for (seconds, expected) in row {
        let found = successes(&bench, *seconds, (noise_model, &*thompson), 1000);
        println!("{name} {noise_model:?} {policy} {seconds} s: {found} against {expected}");
        assert!(found.abs_diff(*expected) <= 2, "{name} {seconds}: {found} {expected}");
    }
}

/// B4 and B5 at the short end, with the same draws as the specification.
#[test]
fn stabilisation_after_four_and_eight_seconds_succeeds_as_often_as_in_the_specification() {
    let thompson = "thompson-sampling";
    assert_row("x-29a", (NoiseModel::Agnostic, thompson), &[(4.0, 733), (8.0, 957)]);
    assert_row("x-29a", (NoiseModel::Aware, thompson), &[(4.0, 892)]);
    assert_row("x-29a", (NoiseModel::Agnostic, "certainty-equivalence"), &[(4.0, 950)]);
    assert_row("boeing-747", (NoiseModel::Agnostic, thompson), &[(4.0, 684)]);
    assert_row("blood-glucose", (NoiseModel::Agnostic, thompson), &[(4.0, 630)]);
}

/// B4 at the short end, with this project's own streams. At 4 s the specification's thousand draws
/// are on the low side: twenty thousand succeed in 0.750 of the cases with its streams and in 0.745
/// with ours.
#[test]
fn stabilisation_with_other_noise_succeeds_as_often_within_its_spread() {
    let bench = Bench::of("x-29a");
    let policy = bench.policy("thompson-sampling", None);
    for (seconds, expected, slack) in [(4.0, 0.748, 0.04), (8.0, 0.957, 0.02)] {
        let setting = bench.setting(seconds);
        let stable = (0..1000u64).into_par_iter().filter(|owner| {
            let streams = SeededStreams { seed: 7, owner: *owner };
            let done = phalanx_tasks::diffusion_control::stabilise(&setting, &*policy, &streams);
            done.is_ok_and(|done| {
                let closed = bench.plant.closed_loop(&done.decision.gain);
                spectral_abscissa(&closed).is_ok_and(|worst| worst < 0.0)
            })
        });
        let share = stable.count() as f64 / 1000.0;
        println!("{seconds} s: {share}");
        assert!((share - expected).abs() <= slack, "{seconds}: {share}");
    }
}

pub fn histories(
    bench: &Bench,
    (policy, scale): (&str, Option<f64>),
    horizon: f64,
    count: u64,
) -> Vec<History> {
    let setting = bench.setting(20.0);
    let policy = bench.policy(policy, scale);
    let episodes = Episodes { growth: 1.1, horizon };
    let fly = |replication| {
        let streams = ReferenceStreams { replication };
        regulate(&setting, &episodes, &*policy, &streams, &|| true).unwrap()
    };
    (0..count).into_par_iter().map(fly).collect()
}

/// B9 in small: an estimate with too much noise loses planes, and the program says which.
#[test]
fn a_randomised_estimate_with_too_much_noise_loses_planes() {
    let bench = Bench::of("x-29a");
    let all = histories(&bench, ("randomised-estimate", Some(1.0)), 120.0, 12);
    let lost = all.iter().filter(|history| matches!(history.end, End::Diverged { .. })).count();
    println!("{lost} of 12 diverged");
    assert!((2..=11).contains(&lost), "{lost}");
    let kept = all.iter().filter(|history| history.end == End::Finished);
    assert!(kept.clone().count() > 0 && kept.clone().all(|history| history.peak < 1e9));
}

#[cfg(feature = "nightly")]
mod nightly {
    use super::*;

    const TIMES: [f64; 9] = [4.0, 6.0, 8.0, 10.0, 12.0, 14.0, 16.0, 18.0, 20.0];

    fn row(per_mille: [usize; 9]) -> Vec<(f64, usize)> {
        TIMES.into_iter().zip(per_mille).collect()
    }

    /// B4 and B5: every row of table 6.2.
    #[test]
    fn the_whole_table_of_stabilisation_is_reproduced() {
        let thompson = "thompson-sampling";
        let agnostic = [733, 881, 957, 983, 992, 995, 999, 999, 999];
        let aware = [892, 978, 996, 1000, 999, 1000, 1000, 1000, 1000];
        assert_row("x-29a", (NoiseModel::Agnostic, thompson), &row(agnostic));
        assert_row("x-29a", (NoiseModel::Aware, thompson), &row(aware));
        let mean = [950, 993, 999, 1000, 1000, 1000, 1000, 1000, 1000];
        assert_row("x-29a", (NoiseModel::Agnostic, "certainty-equivalence"), &row(mean));
        let boeing = [684, 903, 952, 987, 996, 999, 996, 999, 999];
        assert_row("boeing-747", (NoiseModel::Agnostic, thompson), &row(boeing));
        let glucose = [630, 781, 902, 947, 975, 989, 993, 996, 999];
        assert_row("blood-glucose", (NoiseModel::Agnostic, thompson), &row(glucose));
        let glucose = [871, 951, 992, 998, 1000, 1000, 1000, 1000, 1000];
        assert_row("blood-glucose", (NoiseModel::Aware, thompson), &row(glucose));
        assert!(agnostic.iter().zip(aware).take(4).all(|(agnostic, aware)| aware > *agnostic));
    }

    fn mean(values: impl Iterator<Item = f64>) -> f64 {
        let values: Vec<f64> = values.collect();
        values.iter().sum::<f64>() / values.len() as f64
    }

    /// Mean over replications of what a function makes of the update at each decision.
    fn curve(all: &[History], value: impl Fn(&History, usize) -> f64) -> Vec<(f64, f64)> {
        (0..all[0].updates.len())
            .map(|at| (all[0].updates[at].seconds, mean(all.iter().map(|h| value(h, at)))))
            .collect()
    }

    fn post(history: &History, at: usize) -> f64 {
        history.updates[at].regret - history.updates[0].regret
    }

    fn stationary(history: &History, at: usize) -> f64 {
        history.updates[at].stationary_regret
    }

    /// Slope of a least-squares line through the logarithms, from a time on.
    fn slope(curve: &[(f64, f64)], from: f64) -> f64 {
        let late = curve.iter().filter(|(seconds, _)| *seconds >= from);
        let logs: Vec<(f64, f64)> = late.map(|(t, value)| (t.ln(), value.ln())).collect();
        let (x, y) = (mean(logs.iter().map(|p| p.0)), mean(logs.iter().map(|p| p.1)));
        let cross: f64 = logs.iter().map(|p| (p.0 - x) * (p.1 - y)).sum();
        cross / logs.iter().map(|p| (p.0 - x).powi(2)).sum::<f64>()
    }

    fn last(curve: &[(f64, f64)]) -> f64 {
        curve[curve.len() - 1].1
    }

    /// B6 and B8.
    #[test]
    fn regret_over_ten_minutes_is_that_of_the_specification_and_thompson_keeps_learning() {
        let bench = Bench::of("x-29a");
        let thompson = histories(&bench, ("thompson-sampling", None), 600.0, 100);
        let certain = histories(&bench, ("certainty-equivalence", None), 600.0, 100);
        let is_stable = |history: &History| history.updates.iter().all(|update| update.is_stable);
        assert!(thompson.iter().all(is_stable));
        let (path, steady) = (curve(&thompson, post), curve(&thompson, stationary));
        let worst = thompson.iter().map(|h| post(h, h.updates.len() - 1)).fold(0.0, f64::max);
        println!("post {} worst {worst} stationary {}", last(&path), last(&steady));
        assert!((last(&path) / 814.0 - 1.0).abs() <= 0.15, "{}", last(&path));
        assert!((last(&steady) / 687.0 - 1.0).abs() <= 0.15, "{}", last(&steady));
        let errors = curve(&thompson, |history, at| history.updates[at].error);
        let (ours, theirs) = (slope(&steady, 60.0), slope(&curve(&certain, stationary), 60.0));
        println!("slopes {ours} {theirs}, post {}", slope(&path, 60.0));
        println!("error {} slope {}", last(&errors), slope(&errors, 60.0));
        assert!(theirs > ours + 0.1, "{ours} {theirs}");
    }

    /// B7: the square root of time.
    #[test]
    fn regret_grows_with_the_square_root_of_time() {
        let bench = Bench::of("x-29a");
        let all = histories(&bench, ("thompson-sampling", None), 20_000.0, 20);
        assert!(all.iter().all(|history| history.end == End::Finished));
        let path = curve(&all, post);
        let found = slope(&path, 2000.0);
        let steady = slope(&curve(&all, stationary), 2000.0);
        let errors = curve(&all, |history, at| history.updates[at].error);
        println!("slope {found}, stationary {steady}, error {}", slope(&errors, 2000.0));
        println!("post {} error {}", last(&path), last(&errors));
        assert!((0.42..=0.62).contains(&found), "{found}");
        let scaled = |(seconds, regret): &(f64, f64)| regret / (seconds.sqrt() * seconds.ln());
        let late: Vec<f64> = path.iter().filter(|p| p.0 >= 618.0).map(scaled).collect();
        println!("{late:?}");
        assert!(late.windows(2).all(|pair| pair[1] <= 1.1 * pair[0]), "{late:?}");
        assert!(late[late.len() - 1] < late[0]);
    }

    /// B9.
    #[test]
    fn a_randomised_estimate_of_scale_one_loses_most_planes_in_ten_minutes() {
        let bench = Bench::of("x-29a");
        let all = histories(&bench, ("randomised-estimate", Some(1.0)), 600.0, 100);
        let lost = all.iter().filter(|history| matches!(history.end, End::Diverged { .. })).count();
        println!("{lost} of 100 diverged");
        assert!((49..=79).contains(&lost), "{lost}");
    }
}
