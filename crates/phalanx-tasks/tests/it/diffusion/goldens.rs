//! B2: single paths of the reference implementation, number by number.
use phalanx_robust::registry::find;
use phalanx_robust::{Args, Entry, Value};
use phalanx_tasks::control::{Matrix, spectral_abscissa};
use phalanx_tasks::diffusion_control::{
    End, Episodes, Method, NoiseModel, Optimum, POLICIES, Plant, Policy, PolicyRule, Prior,
    Setting, Stabilisation, Stepping, named, regulate, stabilise,
};

use super::streams::ReferenceStreams;

pub struct Bench {
    pub plant: Plant,
    pub optimum: Optimum,
    pub prior: Prior,
}

impl Bench {
    pub fn of(name: &str) -> Self {
        let plant = named(name).unwrap().plant();
        let optimum = plant.check().unwrap();
        let prior = Prior::isotropic(plant.states(), plant.inputs(), 1.0);
        Self { plant, optimum, prior }
    }

    pub fn setting(&self, seconds: f64) -> Setting<'_> {
        Setting {
            plant: &self.plant,
            optimum: &self.optimum,
            stepping: Stepping { seconds: 1e-3, method: Method::EulerMaruyama },
            prior: &self.prior,
            noise_model: NoiseModel::Agnostic,
            stabilisation: Stabilisation::of(seconds, self.plant.inputs()),
        }
    }

    pub fn policy(&self, name: &str, scale: Option<f64>) -> Box<dyn Policy> {
        let entry: &Entry<PolicyRule> = find(POLICIES, name).unwrap();
        let given = scale.map(|scale| ("scale".into(), Value::Number(scale))).into_iter().collect();
        let args = Args::check(entry.name, entry.params, &given).unwrap();
        (entry.build.build)(&args, &self.optimum)
    }
}

fn assert_relative(found: f64, expected: f64, tolerance: f64) {
    let bound = tolerance * expected.abs().max(1e-3);
    assert!((found - expected).abs() <= bound, "{found} is not {expected}");
}

fn assert_all_relative(found: &[f64], expected: &[f64], tolerance: f64) {
    assert_eq!(found.len(), expected.len());
    for (found, expected) in found.iter().zip(expected) {
        assert_relative(*found, *expected, tolerance);
    }
}

fn diagonal(matrix: &Matrix) -> Vec<f64> {
    (0..matrix.rows()).map(|i| matrix[(i, i)]).collect()
}

const FIRST: ReferenceStreams = ReferenceStreams { replication: 0 };

#[test]
fn four_seconds_of_the_x_29a_are_those_of_the_reference() {
    let bench = Bench::of("x-29a");
    let setting = bench.setting(4.0);
    assert_eq!(setting.stabilisation.pieces, 8);
    let flight = setting.excite(&FIRST).map_err(|lost| lost.diverged).unwrap();
    let expected = [0.3170572445, 0.0048957229, 0.7731168206, -8.152646676];
    assert_all_relative(flight.state(), &expected, 1e-6);
    assert_relative(flight.cost(), 122.5834240786, 1e-6);
    assert_relative(flight.reference_cost(), 10.1731439954, 1e-6);
    let posterior = setting.posterior(&flight).unwrap();
    let precision = posterior.factor.lower().times_transposed(posterior.factor.lower());
    let expected =
        [1.5972147381, 20.1250249283, 6.2871309, 84.4390160805, 97.6974108229, 45.652963493];
    assert_all_relative(&diagonal(&precision), &expected, 1e-6);
    assert_relative(precision[(0, 1)], -1.6203446827, 1e-6);
    let first: Vec<f64> = (0..6).map(|i| posterior.mean[(i, 0)]).collect();
    let expected =
        [-0.2206402462, 0.0162584378, -0.8342640423, 0.0519793079, 0.0305841924, -0.0239658783];
    assert_all_relative(&first, &expected, 1e-6);
    let policy = bench.policy("thompson-sampling", None);
    let done = stabilise(&setting, &*policy, &FIRST).map_err(|lost| lost.diverged).unwrap();
    let estimate = done.decision.estimate.unwrap();
    let second: Vec<f64> = (0..6).map(|i| estimate[(i, 1)]).collect();
    let expected =
        [-1.7369701429, -0.2183980285, 0.7499524434, -0.4365296249, 0.7285285675, -0.1587603075];
    assert_all_relative(&second, &expected, 1e-6);
    let expected = [
        4.4130661275,
        -4.817037607,
        -1.0514065533,
        -1.1119367404,
        4.0904591805,
        0.4902996573,
        -3.4246801887,
        -1.5062580389,
    ];
    assert_all_relative(done.decision.gain.entries(), &expected, 1e-6);
    let worst = spectral_abscissa(&bench.plant.closed_loop(&done.decision.gain)).unwrap();
    assert!((worst + 0.00988).abs() < 5e-6, "{worst}");
}

#[test]
fn twenty_seconds_of_each_plant_are_those_of_the_reference() {
    let cases: [(&str, &[f64], f64, &[f64]); 3] = [
        (
            "x-29a",
            &[-0.0091272902, -2.8498142464, 1.425799115, -19.1794486621],
            3141.5707036,
            &[-8.1137420036, -2.7965830388, -1.6334115497, -2.6610175509],
        ),
        (
            "boeing-747",
            &[-1.5863317905, 6.2127280338, -4.4123234211, -28.6961299393],
            4871.0376755,
            &[2.5199007452, -2.9176013079, -1.6549010954, -2.3412667452],
        ),
        (
            "blood-glucose",
            &[-240.1715291857, -212.2927569164, -186.0109987572],
            410298.5106674,
            &[15.2705615328, -13.3013109718, 3.2282564671],
        ),
    ];
    for (name, state, cost, gain) in cases {
        let bench = Bench::of(name);
        let setting = bench.setting(20.0);
        assert_eq!(setting.stabilisation.pieces, 89);
        let policy = bench.policy("thompson-sampling", None);
        let done = stabilise(&setting, &*policy, &FIRST).map_err(|lost| lost.diverged).unwrap();
        assert_all_relative(done.flight.state(), state, 1e-6);
        assert_relative(done.flight.cost(), cost, 1e-6);
        assert_all_relative(done.decision.gain.row(0), gain, 1e-6);
        if name == "x-29a" {
            assert_relative(done.flight.reference_cost(), 134.2611919, 1e-6);
            let posterior = setting.posterior(&done.flight).unwrap();
            let lower = posterior.factor.lower();
            let expected =
                [11.0598614, 240.8866029, 71.4200317, 2716.9499162, 504.0792150, 550.4636991];
            assert_all_relative(&diagonal(&lower.times_transposed(lower)), &expected, 1e-6);
            let worst = spectral_abscissa(&bench.plant.closed_loop(&done.decision.gain)).unwrap();
            assert!((worst + 0.290576).abs() < 5e-7, "{worst}");
        }
    }
}

#[test]
fn ten_minutes_of_the_x_29a_are_those_of_the_reference() {
    let bench = Bench::of("x-29a");
    let setting = bench.setting(20.0);
    let policy = bench.policy("thompson-sampling", None);
    let episodes = Episodes { growth: 1.1, horizon: 600.0 };
    let history = regulate(&setting, &episodes, &*policy, &FIRST, &|| true).unwrap();
    assert_eq!(history.end, End::Finished);
    let updates = &history.updates;
    assert_eq!(updates.len(), 37);
    let last: Vec<f64> = updates[34..].iter().map(|update| update.seconds).collect();
    assert_all_relative(&last, &[510.953, 562.049, 600.0], 1e-12);
    let end = updates[36];
    println!("{end:?}");
    assert_relative(end.regret, 4204.969, 1e-3);
    assert_relative(end.regret - updates[0].regret, 1197.660, 1e-3);
    assert_relative(end.stationary_regret, 488.024, 1e-3);
    assert_relative(end.error, 0.957993, 1e-3);
    assert!(updates.iter().all(|update| update.is_stable && !update.is_kept));
}
