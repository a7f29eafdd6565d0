//! Derivatives against central differences, for every kernel.
use std::sync::Arc;

use phalanx_tasks::safe_control::dynamics::{Dynamics, Linearised};
use phalanx_tasks::safe_control::gp::{
    GaussianProcess, GpDynamics, KERNELS, Kernel, Parameters, Predictor, Standardisation,
    marginal_likelihood,
};

use super::data::DUBINS;

fn kernels() -> impl Iterator<Item = Kernel> {
    KERNELS.iter().map(|entry| entry.build.kernel)
}

fn parameters(kernel: Kernel) -> Parameters {
    let mut parameters = Parameters::start(kernel, 5, 1.0);
    parameters.lengths = vec![2.5, 3.0, 0.9, 1.7, 4.0];
    parameters.signal = 1.4;
    for (d, slope) in parameters.slopes.iter_mut().enumerate() {
        *slope = 0.2 + 0.1 * d as f64;
    }
    parameters
}

fn model(kernel: Kernel) -> Arc<GaussianProcess> {
    let samples = DUBINS.samples(4, 45);
    let scales = Standardisation::of(&samples).unwrap();
    let parameters = vec![parameters(kernel); 3];
    Arc::new(GaussianProcess::with_parameters(&samples, scales, kernel, parameters).unwrap())
}

const AT: [f64; 5] = [0.5, 0.3, 0.7, 1.2, -0.4];

fn moved(at: &[f64], d: usize, width: f64) -> Vec<f64> {
    let mut at = at.to_vec();
    at[d] += width;
    at
}

#[test]
fn the_gradient_of_the_likelihood_is_its_slope() {
    let samples = DUBINS.samples(4, 45);
    let scales = Standardisation::of(&samples).unwrap();
    for kernel in kernels() {
        let at = parameters(kernel).logarithms();
        let value = |logarithms: &[f64]| {
            let parameters = Parameters::from_logarithms(kernel, 5, logarithms);
            marginal_likelihood(&samples, &scales, kernel, (1, &parameters)).unwrap()
        };
        let (_, gradient) = value(&at);
        for (d, slope) in gradient.iter().enumerate() {
            let width = 1e-5;
            let rise = value(&moved(&at, d, width)).0 - value(&moved(&at, d, -width)).0;
            let expected = rise / (2.0 * width);
            let error = (slope - expected).abs() / (1.0 + expected.abs());
            assert!(error < 1e-6, "{} {d}: {slope} is not {expected}", kernel.name());
        }
    }
}

#[test]
fn slopes_of_the_mean_are_its_derivatives() {
    for kernel in kernels() {
        let mut predictor = Predictor::new(model(kernel));
        let (mut mean, mut slope) = ([0.0; 3], [0.0; 15]);
        predictor.mean_and_slope(&AT, &mut mean, &mut slope);
        let mut alone = [0.0; 3];
        predictor.mean(&AT, &mut alone);
        assert_eq!(mean, alone, "with and without slopes");
        for d in 0..5 {
            let (mut above, mut below) = ([0.0; 3], [0.0; 3]);
            predictor.mean(&moved(&AT, d, 1e-5), &mut above);
            predictor.mean(&moved(&AT, d, -1e-5), &mut below);
            for e in 0..3 {
                let expected = (above[e] - below[e]) / 2e-5;
                let error = (slope[e * 5 + d] - expected).abs();
                assert!(error < 1e-6 * (1.0 + expected.abs()), "{} {e} {d}", kernel.name());
            }
        }
    }
}

#[test]
fn curvature_is_the_derivative_of_the_slopes() {
    let weights = [0.7, -1.3, 2.0];
    for kernel in kernels() {
        let mut predictor = Predictor::new(model(kernel));
        let mut hessian = [0.0; 25];
        predictor.curve(&AT, &weights, &mut hessian);
        let mut along = |at: &[f64]| -> Vec<f64> {
            let (mut mean, mut slope) = ([0.0; 3], [0.0; 15]);
            predictor.mean_and_slope(at, &mut mean, &mut slope);
            (0..5).map(|d| (0..3).map(|e| weights[e] * slope[e * 5 + d]).sum()).collect()
        };
        for d in 0..5 {
            let (above, below) = (along(&moved(&AT, d, 1e-5)), along(&moved(&AT, d, -1e-5)));
            for f in 0..5 {
                let expected = (above[f] - below[f]) / 2e-5;
                let error = (hessian[d * 5 + f] - expected).abs();
                assert!(error < 1e-6 * (1.0 + expected.abs()), "{} {d} {f}", kernel.name());
            }
        }
    }
}

#[test]
fn motion_is_the_state_and_the_increment() {
    let model = model(Kernel::SquaredExponential);
    let mut motion = GpDynamics::new(Arc::clone(&model)).unwrap();
    assert_eq!((motion.states(), motion.inputs()), (3, 2));
    let (mut next, mut by_state, mut by_input) = ([0.0; 3], [0.0; 9], [0.0; 6]);
    let into = Linearised { next: &mut next, by_state: &mut by_state, by_input: &mut by_input };
    motion.linearise(&AT[..3], &AT[3..], into).unwrap();
    let mut stepped = [0.0; 3];
    motion.step(&AT[..3], &AT[3..], &mut stepped).unwrap();
    assert_eq!(next, stepped);
    let (mut mean, mut slope) = ([0.0; 3], [0.0; 15]);
    Predictor::new(model).mean_and_slope(&AT, &mut mean, &mut slope);
    for e in 0..3 {
        assert_eq!(next[e], AT[e] + mean[e]);
        for d in 0..3 {
            let expected = slope[e * 5 + d] + f64::from(d == e);
            assert_eq!(by_state[e * 3 + d], expected);
        }
        assert_eq!(by_input[e * 2..e * 2 + 2], slope[e * 5 + 3..e * 5 + 5]);
    }
}
