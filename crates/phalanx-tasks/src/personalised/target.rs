//! Models that are trained alone: what users prefer, and where an attacker wants to go.
use phalanx_learn::algorithm::personalised::{LocalLoss, Method, Motion, Optimizer};
use phalanx_robust::Rng;

/// Initial parameters of a linear classifier as PyTorch draws them: uniform within 1/√p.
pub fn linear_init((classes, inputs): (usize, usize), rng: &mut Rng) -> Vec<f64> {
    let bound = 1.0 / (inputs as f64).sqrt();
    (0..classes * (inputs + 1)).map(|_| (2.0 * rng.unit() - 1.0) * bound).collect()
}

/// Trains a model on all points of a loss, full batch, one step per epoch.
pub fn train_alone(
    loss: &mut dyn LocalLoss,
    mut params: Vec<f64>,
    (motion, epochs): (Motion, usize),
) -> Vec<f64> {
    let mut optimizer = Optimizer::new(motion.method);
    let mut rate = motion.decay.first;
    let mut slope = vec![0.0; params.len()];
    // Adam does not care about the scale of the loss; SGD gets the mean, or no rate would fit.
    let scale = match motion.method {
        Method::Adam => 1.0,
        Method::Sgd => 1.0 / loss.points().max(1) as f64,
    };
    for _ in 0..epochs {
        slope.fill(0.0);
        loss.add_slope(&params, None, &mut slope);
        slope.iter_mut().for_each(|entry| *entry *= scale);
        optimizer.step(rate, &slope, &mut params);
        rate = motion.decay.next(rate);
    }
    params
}
