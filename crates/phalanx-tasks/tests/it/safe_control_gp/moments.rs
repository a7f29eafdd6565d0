//! Moments at uncertain inputs: against Monte Carlo, and against the straight line when the input
//! is nearly certain.
use std::sync::Arc;

use phalanx_tasks::control::{Cholesky, Matrix};
use phalanx_tasks::safe_control::gp::{
    BeliefPropagation, Feedback, Gaussian, GaussianProcess, GpError, Kernel, MomentMatching,
    Parameters, Predictor, Standardisation,
};
use phalanx_tasks::safe_control::stream::Stream;

use super::data::LINEAR;

fn model(kernel: Kernel) -> Arc<GaussianProcess> {
    let samples = LINEAR.samples(1, 20);
    let scales = Standardisation::of(&samples).unwrap();
    let mut sets = vec![Parameters::start(kernel, 3, 1.0); 2];
    sets[0].lengths = vec![1.1, 0.8, 1.5];
    sets[1].lengths = vec![0.9, 1.3, 0.7];
    sets[1].signal = 1.4;
    Arc::new(GaussianProcess::with_parameters(&samples, scales, kernel, sets).unwrap())
}

fn input(scale: f64) -> Gaussian {
    let factor = Matrix::from_rows(&[[3.0, 0.0, 0.0], [1.0, 2.0, 0.0], [-2.0, 1.0, 6.0]]).unwrap();
    let covariance = factor.times_transposed(&factor).scaled(scale * scale);
    Gaussian { mean: vec![1.0, -2.0, 3.0], covariance }
}

/// Greatest difference relative to the greatest entry.
fn off(one: &Matrix, other: &Matrix) -> f64 {
    one.plus(-1.0, other).greatest() / other.greatest()
}

#[test]
fn exact_moments_are_those_of_many_draws() {
    let (model, input) = (model(Kernel::SquaredExponential), input(1.0));
    let exact = MomentMatching::new(Arc::clone(&model)).unwrap().moments(&input).unwrap();
    let factor = Cholesky::new(&input.covariance).unwrap();
    let (draws, mut stream) = (40_000, Stream::new(5));
    let mut normals = vec![0.0; 4];
    let mut predictor = Predictor::new(model);
    let (mut mean, mut variance) = ([0.0; 2], [0.0; 2]);
    let mut sum = [0.0; 2];
    let (mut square, mut cross) = (Matrix::zeros(2, 2), Matrix::zeros(3, 2));
    for _ in 0..draws {
        stream.normals(&mut normals);
        let step = factor.lower().times(&Matrix::from_entries(3, 1, normals[..3].to_vec()));
        let at: Vec<f64> = input.mean.iter().zip(step.entries()).map(|(m, s)| m + s).collect();
        predictor.mean(&at, &mut mean);
        predictor.variance(&at, &mut variance);
        for a in 0..2 {
            sum[a] += mean[a] / f64::from(draws);
            (0..2).for_each(|b| square[(a, b)] += mean[a] * mean[b] / f64::from(draws));
            square[(a, a)] += variance[a] / f64::from(draws);
            (0..3).for_each(|d| cross[(d, a)] += step.entries()[d] * mean[a] / f64::from(draws));
        }
    }
    for a in 0..2 {
        (0..2).for_each(|b| square[(a, b)] -= sum[a] * sum[b]);
        assert!((exact.mean[a] - sum[a]).abs() < 0.02 * square[(a, a)].sqrt(), "{sum:?}");
    }
    assert!(off(&exact.covariance, &square) < 0.02, "{:?} {square:?}", exact.covariance);
    assert!(off(&exact.cross, &cross) < 0.02, "{:?} {cross:?}", exact.cross);
    // The straight line is no substitute here.
    let line = predictor.linearised_moments(&input).unwrap();
    assert!(off(&line.covariance, &square) > 0.1, "{:?}", line.covariance);
}

#[test]
fn nearly_certain_inputs_give_the_straight_line() {
    let model = model(Kernel::SquaredExponential);
    let exact = MomentMatching::new(Arc::clone(&model)).unwrap();
    let mut predictor = Predictor::new(model);
    let mut before = f64::INFINITY;
    for scale in [1e-1, 1e-2, 1e-3] {
        let input = input(scale);
        let (exact, line) = (exact.moments(&input).unwrap(), predictor.linearised_moments(&input));
        let line = line.unwrap();
        let error = off(&exact.covariance, &line.covariance).max(off(&exact.cross, &line.cross));
        assert!(error < 0.1 * before, "{scale}: {error} after {before}");
        before = error;
    }
    assert!(before < 1e-5, "{before}");
}

#[test]
fn a_certain_input_has_the_model_s_own_doubt() {
    let model = model(Kernel::SquaredExponential);
    let mut predictor = Predictor::new(Arc::clone(&model));
    let (mut mean, mut variance) = ([0.0; 2], [0.0; 2]);
    predictor.mean(&[1.0, -2.0, 3.0], &mut mean);
    predictor.variance(&[1.0, -2.0, 3.0], &mut variance);
    let exact = MomentMatching::new(model).unwrap().moments(&input(0.0)).unwrap();
    for e in 0..2 {
        assert!((exact.mean[e] - mean[e]).abs() < 1e-9);
        assert!((exact.covariance[(e, e)] - variance[e]).abs() < 1e-8 * variance[e].max(1.0));
    }
    assert!(exact.covariance[(0, 1)].abs() < 1e-8 && exact.cross.greatest() == 0.0);
}

#[test]
fn beliefs_go_with_the_feedback() {
    // With u = u₀ + G (x − μ) the step must be that of the joint (x, u) by hand.
    let model = model(Kernel::SquaredExponential);
    let gain = Matrix::from_rows(&[[0.5, -1.0]]).unwrap();
    let covariance = Matrix::from_rows(&[[0.3, 0.1], [0.1, 0.2]]).unwrap();
    let belief = Gaussian { mean: vec![1.0, -2.0], covariance };
    let feedback = Feedback { input: &[3.0], gain: Some(&gain) };
    let noise = Matrix::scalar(2, 1e-3);
    let joint = Matrix::from_rows(&[[1.0, 0.0], [0.0, 1.0], [0.5, -1.0]]).unwrap();
    for mut way in [
        BeliefPropagation::linearised(Arc::clone(&model)),
        BeliefPropagation::exact(Arc::clone(&model)).unwrap(),
    ] {
        let next = way.step(&belief, feedback, &noise).unwrap();
        let covariance = joint.times(&belief.covariance).times_transposed(&joint);
        let moments = way.moments(&Gaussian { mean: vec![1.0, -2.0, 3.0], covariance }).unwrap();
        for a in 0..2 {
            assert!((next.mean[a] - belief.mean[a] - moments.mean[a]).abs() < 1e-12);
            for b in 0..2 {
                let expected = belief.covariance[(a, b)]
                    + moments.covariance[(a, b)]
                    + moments.cross[(a, b)]
                    + moments.cross[(b, a)]
                    + noise[(a, b)];
                assert!((next.covariance[(a, b)] - expected).abs() < 1e-12);
            }
        }
        let misfit = way.step(&belief, Feedback { input: &[1.0, 2.0], gain: None }, &noise);
        assert!(matches!(misfit, Err(GpError::Shape { .. })));
    }
}

#[test]
fn only_the_squared_exponential_has_exact_moments() {
    for kernel in [Kernel::MaternFiveHalves, Kernel::SquaredExponentialLinear] {
        let found = MomentMatching::new(model(kernel)).unwrap_err();
        assert!(matches!(found, GpError::Unsupported { .. }), "{found}");
    }
}
