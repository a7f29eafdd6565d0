//! The reference's tables of fitted models: errors, likelihoods, coverage (A4, A10, A11).
use std::sync::Arc;

use phalanx_tasks::safe_control::gp::{Calibration, GaussianProcess, Samples, Training, Truth};

use super::data::{DUBINS, LINEAR, Source};

fn fitted(samples: &Samples) -> Arc<GaussianProcess> {
    Arc::new(Training::default().fit(samples).unwrap())
}

fn calibrated(source: &Source, seed: u64, rows: usize) -> (Arc<GaussianProcess>, Vec<Calibration>) {
    let model = fitted(&source.samples(seed, rows));
    let calibration = model.calibration(&source.truth(9000 + seed, 1000), Truth::Exact).unwrap();
    (model, calibration)
}

/// Mean over seeds of the errors of the linear plant's outputs.
fn linear_errors(rows: usize, seeds: u64) -> [f64; 2] {
    let mut sums = [0.0; 2];
    for seed in 1..=seeds {
        let (_, calibration) = calibrated(&LINEAR, seed, rows);
        sums.iter_mut().zip(&calibration).for_each(|(sum, output)| *sum += output.rmse);
    }
    sums.map(|sum| sum / seeds as f64)
}

fn check_linear(rows: usize, expected: [f64; 2]) {
    let found = linear_errors(rows, 10);
    println!("linear plant, {rows} rows, 10 seeds: {found:.4?}, the reference {expected:?}");
    for (found, expected) in found.iter().zip(expected) {
        assert!(*found <= 1.5 * expected, "{rows} rows: {found} is more than 1.5 of {expected}");
    }
}

#[test]
fn errors_on_the_linear_plant_are_those_of_the_reference() {
    check_linear(20, [0.032, 0.038]);
    check_linear(40, [0.020, 0.018]);
}

#[test]
#[cfg(feature = "nightly")]
fn errors_on_the_linear_plant_fall_with_more_rows_as_in_the_reference() {
    check_linear(80, [0.0164, 0.0142]);
    check_linear(160, [0.0107, 0.0099]);
}

#[test]
fn the_search_finds_likelihoods_as_good_as_the_reference() {
    let (model, calibration) = calibrated(&DUBINS, 1, 150);
    for (output, expected) in [-304.50, -291.82, -442.03].into_iter().enumerate() {
        let found = model.nlml(output);
        println!("Dubins, 150 rows, output {output}: likelihood {found:.2}, {expected}");
        assert!(found <= expected + 0.5, "output {output}: {found}");
        let noise = model.noise(output);
        assert!((0.0009..0.0011).contains(&noise), "noise {noise}");
    }
    for (output, expected) in [5.11e-4, 7.57e-4, 2.44e-4].into_iter().enumerate() {
        let found = calibration[output].rmse;
        println!("Dubins, 150 rows, output {output}: error {found:.2e}, {expected:.2e}");
        assert!(found <= 1.5 * expected, "output {output}: {found}");
    }
}

/// Mean over seeds and outputs of the share of held-out values within two deviations.
fn coverage(source: &Source, rows: usize, seeds: u64) -> f64 {
    let mut all = Vec::new();
    for seed in 1..=seeds {
        let (_, calibration) = calibrated(source, seed, rows);
        let shares: Vec<f64> = calibration.iter().map(|output| output.coverage).collect();
        println!("{rows} rows, seed {seed}: coverage {shares:.2?}");
        all.extend(shares);
    }
    all.iter().sum::<f64>() / all.len() as f64
}

#[test]
fn doubt_covers_most_of_what_is_wrong() {
    let mean = coverage(&DUBINS, 100, 3);
    assert!(mean >= 0.85, "{mean}");
}

#[test]
fn results_are_the_same_for_any_number_of_threads() {
    let samples = DUBINS.samples(2, 40);
    let with = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| fitted(&samples).to_text())
    };
    let one = with(1);
    assert_eq!(one, with(2));
    assert_eq!(one, with(5));
}

#[cfg(feature = "nightly")]
mod nightly {
    use super::super::data::QUADROTOR;
    use super::*;

    #[test]
    fn coverage_of_the_dubins_vehicle() {
        let mean = coverage(&DUBINS, 150, 10);
        println!("Dubins, 150 rows, 10 seeds: mean coverage {mean:.3}");
        assert!(mean >= 0.85, "{mean}");
    }

    #[test]
    fn errors_and_coverage_of_the_quadrotor() {
        let (mut shares, mut errors) = (Vec::new(), Vec::new());
        for seed in 1..=3 {
            let (_, calibration) = calibrated(&QUADROTOR, seed, 400);
            shares.extend(calibration.iter().map(|output| output.coverage));
            errors.extend(calibration.iter().map(|output| output.relative_rmse));
        }
        let worst = errors.iter().fold(0.0, |worst: f64, error| worst.max(*error));
        let mean = shares.iter().sum::<f64>() / shares.len() as f64;
        println!("quadrotor, 400 rows: coverage {mean:.3}, worst relative error {worst:.4}");
        assert!(mean >= 0.85 && worst < 0.09, "{mean} {worst}");
    }
}
