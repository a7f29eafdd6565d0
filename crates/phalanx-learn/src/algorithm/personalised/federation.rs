//! The framework in f64: a global model, a local one per user, and one joint step per epoch.
use phalanx_robust::Rng;
use rayon::prelude::*;

use super::optimizer::{Decay, Method, Optimizer};
use super::regularizer::Regularizer;

/// A user's data behind Σ_x ℓ(θ, x): a SUM over points, not a mean.
pub trait LocalLoss: Send {
    /// Number of parameters, d.
    fn dim(&self) -> usize;

    /// Number of points.
    fn points(&self) -> usize;

    /// Adds the slope of the summed loss over all points, or over those named, and returns
    /// that sum.
    ///
    /// # Shape
    /// `params`, `slope`: d; `rows`: indices below [`LocalLoss::points`].
    fn add_slope(&mut self, params: &[f64], rows: Option<&[u32]>, slope: &mut [f64]) -> f64;
}

/// How a user weighs its points.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Weighting {
    /// as the framework has it: more data pull harder
    Sum,
    /// the common mistake, kept to show what it costs: one point weighs as much as all of them
    Mean,
}

/// One user: a preferred model in the making, and the data that it prefers it for.
pub struct User {
    theta: Vec<f64>,
    /// `None`: the local model is fixed, which is what a model attack is
    loss: Option<Box<dyn LocalLoss>>,
    weighting: Weighting,
    /// ν
    ridge: f64,
    batch: Option<(usize, Rng)>,
    optimizer: Optimizer,
    slope: Vec<f64>,
    drawn: Vec<u32>,
    value: f64,
}

impl User {
    /// A user that learns from its data, all of them in each epoch.
    ///
    /// # Panics
    /// When the model is not as long as the loss says.
    pub fn new(theta: Vec<f64>, loss: Box<dyn LocalLoss>) -> Self {
        assert_eq!(theta.len(), loss.dim(), "a local model is as long as its loss says");
        Self::with(theta, Some(loss))
    }

    /// A user whose local model never moves.
    pub fn fixed(theta: Vec<f64>) -> Self {
        Self::with(theta, None)
    }

    fn with(theta: Vec<f64>, loss: Option<Box<dyn LocalLoss>>) -> Self {
        let slope = vec![0.0; theta.len()];
        let optimizer = Optimizer::new(Method::Sgd);
        let (batch, drawn) = (None, Vec::new());
        let weighting = Weighting::Sum;
        Self { theta, loss, weighting, ridge: 0.0, batch, optimizer, slope, drawn, value: 0.0 }
    }

    /// Weighs the points otherwise than as a sum.
    #[must_use]
    pub fn weighing(self, weighting: Weighting) -> Self {
        Self { weighting, ..self }
    }

    /// Adds ν ‖θ‖² to the local loss.
    #[must_use]
    pub fn with_ridge(self, ridge: f64) -> Self {
        Self { ridge, ..self }
    }

    /// Draws so many points with replacement in each epoch, in place of all; their slope is
    /// scaled so that its expectation is that of all.
    #[must_use]
    pub fn drawing(self, count: usize, rng: Rng) -> Self {
        Self { batch: Some((count.max(1), rng)), ..self }
    }

    /// The local model θ_n.
    pub fn theta(&self) -> &[f64] {
        &self.theta
    }

    /// Slope of ν ‖θ‖² + Σ ℓ(θ, x) + R(ρ, θ) by θ.
    fn look(&mut self, regularizer: Regularizer, global: &[f64]) {
        let Some(loss) = &mut self.loss else { return };
        self.slope.fill(0.0);
        let points = loss.points();
        let mut scale = match self.weighting {
            Weighting::Sum => 1.0,
            Weighting::Mean => 1.0 / points.max(1) as f64,
        };
        let rows = match &mut self.batch {
            Some((count, rng)) if points > 0 => {
                self.drawn.clear();
                self.drawn.extend((0..*count).map(|_| rng.below(points) as u32));
                scale *= points as f64 / *count as f64;
                Some(&self.drawn[..])
            }
            _ => None,
        };
        self.value = scale * loss.add_slope(&self.theta, rows, &mut self.slope);
        let pull = regularizer.pull(global, &self.theta);
        for ((slope, theta), global) in self.slope.iter_mut().zip(&self.theta).zip(global) {
            *slope = scale * *slope + 2.0 * self.ridge * theta + pull * (theta - global);
        }
    }
}

/// What somebody who sends gradients of its own sees in an epoch.
///
/// A user of the protocol sees `global` and `rate` only; `honest` is what the published code
/// reads in addition.
#[derive(Debug, Clone, Copy)]
pub struct Scene<'a> {
    /// ρ^t
    pub global: &'a [f64],
    /// η_t
    pub rate: f64,
    /// G^t, what the users' regularisers ask of ρ in this epoch
    pub honest: &'a [f64],
    /// the regulariser, hence what one user can send
    pub regularizer: Regularizer,
}

/// Somebody who sends whatever it likes in place of a slope of R.
pub trait Outsider {
    /// Writes the gradient g_s^t.
    fn speak(&mut self, scene: &Scene<'_>, out: &mut [f64]);
}

/// Condenses what the users (and the outsider, last) ask of ρ; a sum in the framework.
pub type Condense<'a> = dyn FnMut(&[Vec<f64>], &mut [f64]) + 'a;

/// Global model, users and their joint optimisation.
///
/// # Guarantee
/// Users are computed side by side and summed in their order: the result does not depend on the
/// number of threads.
pub struct Federation {
    global: Vec<f64>,
    users: Vec<User>,
    regularizer: Regularizer,
    optimizer: Optimizer,
    decay: Decay,
    rate: f64,
    honest: Vec<f64>,
    sent: Vec<f64>,
    asked: Vec<Vec<f64>>,
}

/// How the models move.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Motion {
    /// SGD or Adam, for ρ and for every θ
    pub method: Method,
    /// learning rate over epochs
    pub decay: Decay,
}

impl Motion {
    /// Adam with the published decay.
    pub fn published() -> Self {
        Self { method: Method::Adam, decay: Decay::published() }
    }

    /// SGD at a constant rate.
    pub fn sgd(rate: f64) -> Self {
        Self { method: Method::Sgd, decay: Decay::constant(rate) }
    }
}

impl Federation {
    /// A population before its first epoch.
    ///
    /// # Panics
    /// When there is no user, or models differ in length.
    pub fn new(
        global: Vec<f64>,
        users: Vec<User>,
        regularizer: Regularizer,
        motion: Motion,
    ) -> Self {
        assert!(!users.is_empty(), "a federation has users");
        let dim = global.len();
        assert!(users.iter().all(|user| user.theta.len() == dim), "all models have one length");
        let optimizer = Optimizer::new(motion.method);
        let mut users = users;
        users.iter_mut().for_each(|user| user.optimizer = Optimizer::new(motion.method));
        Self {
            global,
            users,
            regularizer,
            optimizer,
            rate: motion.decay.first,
            decay: motion.decay,
            honest: vec![0.0; dim],
            sent: vec![0.0; dim],
            asked: Vec::new(),
        }
    }

    /// ρ.
    pub fn global(&self) -> &[f64] {
        &self.global
    }

    /// All users, in order.
    pub fn users(&self) -> &[User] {
        &self.users
    }

    /// G of the last epoch: what the users asked of ρ.
    pub fn honest(&self) -> &[f64] {
        &self.honest
    }

    /// What the outsider sent in the last epoch; zeros without one.
    pub fn sent(&self) -> &[f64] {
        &self.sent
    }

    /// The learning rate of the next epoch.
    pub fn rate(&self) -> f64 {
        self.rate
    }

    /// Summed local loss of the last epoch, regularisers not counted.
    pub fn local_loss(&self) -> f64 {
        self.users.iter().map(|user| user.value).sum()
    }

    /// One epoch: every slope is taken at ρ^t and θ^t, then all models move.
    pub fn step(&mut self, outsider: Option<&mut dyn Outsider>) {
        self.look(outsider);
        let sum = self.honest.iter().zip(&self.sent).map(|(g, sent)| g + sent);
        let asked: Vec<f64> = sum.collect();
        self.advance(&asked);
    }

    /// One epoch in which a rule of the server's condenses what each user asks of ρ.
    pub fn step_condensed(
        &mut self,
        outsider: Option<&mut dyn Outsider>,
        condense: &mut Condense<'_>,
    ) {
        let has_outsider = outsider.is_some();
        self.look(outsider);
        let (global, regularizer) = (&self.global, self.regularizer);
        self.asked.resize(self.users.len() + usize::from(has_outsider), Vec::new());
        for (asked, user) in self.asked.iter_mut().zip(&self.users) {
            asked.clear();
            asked.resize(global.len(), 0.0);
            regularizer.add_slope(global, &user.theta, asked);
        }
        if has_outsider {
            self.asked.last_mut().expect("the outsider has a row").clone_from(&self.sent);
        }
        let mut out = vec![0.0; self.global.len()];
        condense(&self.asked, &mut out);
        self.advance(&out);
    }

    fn look(&mut self, outsider: Option<&mut dyn Outsider>) {
        let (global, regularizer) = (&self.global, self.regularizer);
        self.users.par_iter_mut().for_each(|user| user.look(regularizer, global));
        self.honest.fill(0.0);
        for user in &self.users {
            regularizer.add_slope(global, &user.theta, &mut self.honest);
        }
        self.sent.fill(0.0);
        if let Some(outsider) = outsider {
            let scene = Scene { global, rate: self.rate, honest: &self.honest, regularizer };
            outsider.speak(&scene, &mut self.sent);
        }
    }

    fn advance(&mut self, asked: &[f64]) {
        let rate = self.rate;
        self.optimizer.step(rate, asked, &mut self.global);
        self.users.par_iter_mut().filter(|user| user.loss.is_some()).for_each(|user| {
            let User { optimizer, slope, theta, .. } = user;
            optimizer.step(rate, slope, theta);
        });
        self.rate = self.decay.next(rate);
    }
}
