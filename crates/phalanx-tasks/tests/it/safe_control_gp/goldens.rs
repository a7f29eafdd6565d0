//! The numbers of section 7.4 of the specification.
use std::sync::Arc;

use phalanx_tasks::safe_control::gp::{
    GaussianProcess, Kernel, Predictor, Standardisation, marginal_likelihood,
};

use super::data::{LINEAR, golden_parameters, quadrotor};

fn close(found: &[f64], expected: &[f64]) {
    assert_eq!(found.len(), expected.len());
    for (found, expected) in found.iter().zip(expected) {
        assert!((found - expected).abs() < 1e-8, "{found} is not {expected}");
    }
}

fn model() -> Arc<GaussianProcess> {
    let samples = LINEAR.samples(1, 20);
    let scales = Standardisation::of(&samples).unwrap();
    let parameters = vec![golden_parameters(); 2];
    let kernel = Kernel::SquaredExponential;
    Arc::new(GaussianProcess::with_parameters(&samples, scales, kernel, parameters).unwrap())
}

#[test]
fn data_of_the_linear_plant_are_those_of_the_reference() {
    let samples = LINEAR.samples(1, 20);
    close(samples.input(0), &[1.0649852028, 3.9325081162, 18.8401101435]);
    close(samples.output(0), &[-18.5419746187, 14.9330643756]);
    close(samples.output(19), &[-42.1792005933, 7.6920020971]);
}

#[test]
fn rates_of_the_quadrotor_are_those_of_the_reference() {
    let at = [0.1, -0.2, 0.3, 0.4, -0.5, 0.6, 1.0, -2.0, 0.5, 3.0, 1.0, -1.0, 0.7, 0.1, -0.2, 0.3];
    let expected = [
        0.2891002199,
        -0.5574021326,
        0.5582128839,
        0.1,
        -0.2,
        0.3,
        0.9989461351,
        0.559843705,
        -0.6435790902,
        1.4826044755,
        -1.6766714934,
        0.4905677044,
    ];
    close(&quadrotor(&at), &expected);
}

#[test]
fn likelihood_and_its_gradient_are_those_of_the_reference() {
    let samples = LINEAR.samples(1, 20);
    let scales = Standardisation::of(&samples).unwrap();
    let kernel = Kernel::SquaredExponential;
    let (value, gradient) =
        marginal_likelihood(&samples, &scales, kernel, (0, &golden_parameters())).unwrap();
    close(&[value], &[2.245985443634911]);
    let expected = [-7.9742140469, -2.5424320349, -5.6884062699, 4.0315128218, 5.4881929585];
    close(&gradient, &expected);
    assert!((model().nlml(0) - value).abs() < 1e-12);
}

#[test]
fn predictions_are_those_of_the_reference() {
    let (mut mean, mut slope, mut variance) = ([0.0; 2], [0.0; 6], [0.0; 2]);
    let mut predictor = Predictor::new(model());
    predictor.mean_and_slope(&[1.0, -2.0, 3.0], &mut mean, &mut slope);
    predictor.variance(&[1.0, -2.0, 3.0], &mut variance);
    close(&[mean[0], variance[0]], &[12.2726546883, 2.2411347811]);
    close(&slope[..3], &[1.0991155619, -5.4027559901, 0.0525965877]);
    predictor.mean(&[3.0, 3.0, -1.0], &mut mean);
    predictor.variance(&[3.0, 3.0, -1.0], &mut variance);
    close(&mean, &[-13.0365611299, -4.515833281]);
    close(&variance, &[2.3008548167, 0.7393389804]);
}

#[test]
fn the_barrier_rate_of_the_posterior_is_that_of_the_reference() {
    // Disc of radius ½ around (2, 1.5), inverse barrier, γ = 1, at (3, 3) with u = −1.
    let (mut mean, mut variance) = ([0.0; 2], [0.0; 2]);
    let mut predictor = Predictor::new(model());
    predictor.mean(&[3.0, 3.0, -1.0], &mut mean);
    predictor.variance(&[3.0, 3.0, -1.0], &mut variance);
    let (h, slope, equilibrium) = (3.0, [2.0, 3.0], 1.0 / 6.0);
    let z: f64 = 1.0 / h - equilibrium;
    let phi = -(z + equilibrium) * (z + equilibrium);
    let rate = phi * (slope[0] * mean[0] + slope[1] * mean[1]);
    let doubt = phi * phi * (4.0 * variance[0] + 9.0 * variance[1]);
    close(&[z, rate, doubt], &[0.1666666667, 4.4022913447, 0.1957712357]);
}
