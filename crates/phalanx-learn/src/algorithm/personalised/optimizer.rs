//! How a gradient becomes a step: plain SGD, or Adam as the published runs use it.

use phalanx_robust::{StateError, StateReader, StateWriter};

/// First and second moment of Adam, as PyTorch defaults them.
const BETAS: (f64, f64) = (0.9, 0.999);
/// What Adam adds to the root of the second moment.
const EPSILON: f64 = 1e-8;

/// A learning rate over epochs: multiplied by `factor` while it stays at or above `floor`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Decay {
    /// learning rate of the first epoch
    pub first: f64,
    /// what an epoch multiplies it with; 1: constant
    pub factor: f64,
    /// below this it never falls
    pub floor: f64,
}

impl Decay {
    /// The same rate for ever.
    pub fn constant(rate: f64) -> Self {
        Self { first: rate, factor: 1.0, floor: 0.0 }
    }

    /// Learning rate .02, times .99 per epoch down to .005, as the published runs have it.
    pub fn published() -> Self {
        Self { first: 0.02, factor: 0.99, floor: 0.005 }
    }

    /// The rate that follows `rate`.
    pub fn next(self, rate: f64) -> f64 {
        if self.factor < 1.0 && rate >= self.floor / self.factor {
            rate * self.factor
        } else {
            rate
        }
    }
}

/// Which step a gradient becomes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// x ← x − η g
    Sgd,
    /// Kingma and Ba's, with bias correction
    Adam,
}

/// Moves one vector of parameters.
#[derive(Debug, Clone)]
pub struct Optimizer {
    method: Method,
    first: Vec<f64>,
    second: Vec<f64>,
    /// β1ᵗ and β2ᵗ
    powers: (f64, f64),
}

impl Optimizer {
    /// An optimiser that has not moved yet.
    pub fn new(method: Method) -> Self {
        Self { method, first: Vec::new(), second: Vec::new(), powers: (1.0, 1.0) }
    }

    /// Moves `params` against `gradient`.
    ///
    /// # Shape
    /// both: d, the same at every call.
    pub fn step(&mut self, rate: f64, gradient: &[f64], params: &mut [f64]) {
        if self.method == Method::Sgd {
            return params.iter_mut().zip(gradient).for_each(|(x, g)| *x -= rate * g);
        }
        self.first.resize(params.len(), 0.0);
        self.second.resize(params.len(), 0.0);
        self.powers = (self.powers.0 * BETAS.0, self.powers.1 * BETAS.1);
        let (first_bias, second_bias) = (1.0 - self.powers.0, (1.0 - self.powers.1).sqrt());
        let moments = self.first.iter_mut().zip(&mut self.second);
        for ((x, g), (first, second)) in params.iter_mut().zip(gradient).zip(moments) {
            *first = BETAS.0 * *first + (1.0 - BETAS.0) * g;
            *second = BETAS.1 * *second + (1.0 - BETAS.1) * g * g;
            *x -= rate / first_bias * *first / (second.sqrt() / second_bias + EPSILON);
        }
    }

    /// Appends the moments.
    pub fn save(&self, out: &mut StateWriter) {
        out.f64s(&self.first);
        out.f64s(&self.second);
        out.f64s(&[self.powers.0, self.powers.1]);
    }

    /// # Errors
    /// When the snapshot does not fit.
    pub fn load(&mut self, input: &mut StateReader<'_>) -> Result<(), StateError> {
        self.first = input.f64s()?;
        self.second = input.f64s()?;
        match input.f64s()?[..] {
            [first, second] => self.powers = (first, second),
            _ => return Err(StateError::Mismatch { what: "moments of Adam" }),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // Section 6: times .99 per epoch while the rate is at least .005/.99, the last near epoch 138.
    #[test]
    fn the_published_decay_ends_near_epoch_138_and_above_the_floor() {
        let decay = Decay::published();
        let (mut rate, mut last) = (decay.first, 0);
        for epoch in 1..400 {
            let next = decay.next(rate);
            if next < rate {
                last = epoch;
            }
            rate = next;
        }
        assert!((136..=139).contains(&last), "{last}");
        assert!((0.005..0.005 / 0.99).contains(&rate), "{rate}");
        assert_eq!(Decay::constant(0.3).next(0.3), 0.3);
    }

    // Three steps of PyTorch's Adam, lr .1, gradients 1, −2, .5, computed by the formula's
    // unrolled sums rather than its recursion.
    #[test]
    fn adam_follows_the_unrolled_sums() {
        let gradients = [1.0, -2.0, 0.5];
        let mut adam = Optimizer::new(Method::Adam);
        let (mut x, mut expected) = ([0.0], 0.0);
        for t in 1..=3usize {
            adam.step(0.1, &gradients[t - 1..t], &mut x);
            let sum = |beta: f64, power: i32| -> f64 {
                let term =
                    |k: usize| beta.powi((t - 1 - k) as i32) * f64::powi(gradients[k], power);
                (1.0 - beta) * (0..t).map(term).sum::<f64>() / (1.0 - beta.powi(t as i32))
            };
            expected -= 0.1 * sum(0.9, 1) / (sum(0.999, 2).sqrt() + 1e-8);
            assert!((x[0] - expected).abs() < 1e-12, "{t}: {} {expected}", x[0]);
        }
    }

    #[test]
    fn sgd_is_the_textbooks() {
        let mut x = [1.0, 2.0];
        Optimizer::new(Method::Sgd).step(0.5, &[2.0, -2.0], &mut x);
        assert_eq!(x, [0.0, 3.0]);
    }
}
