//! The counter-gradient attack: assume that the others push as they did, and push the rest.
use phalanx_learn::algorithm::personalised::{Outsider, Scene};

/// What the attack takes for the honest users' push.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Form {
    /// as in the paper (recalled): inferred from two global models and its own last gradient,
    /// `Ĝ = (ρ_{t−1} − ρ_t) / η_{t−1} − g_{t−1}`; nothing but the protocol is needed, but the
    /// server has to use plain SGD
    Inferred,
    /// as in the published code: the honest sum of the epoch before, read directly
    Published,
    /// as the published code steers the mean of the honest *local* models: the target is moved by
    /// G / (2 λ N_h), which is exact for the squared regulariser only
    Local {
        /// N_h
        honest: usize,
    },
}

/// Brings the global model to a target.
#[derive(Debug, Clone)]
pub struct CounterGradient {
    target: Vec<f64>,
    form: Form,
    /// ρ and η of the epoch before
    before: Option<(Vec<f64>, f64)>,
    /// what it sent then
    sent: Vec<f64>,
    /// Ĝ
    push: Vec<f64>,
    /// the honest sum of the epoch before, where the form reads it
    honest: Vec<f64>,
}

impl CounterGradient {
    /// An attack that has seen nothing yet: its first guess is Ĝ = 0.
    ///
    /// # Shape
    /// `target`: d.
    pub fn new(target: Vec<f64>, form: Form) -> Self {
        let zeros = vec![0.0; target.len()];
        let (sent, push, honest) = (zeros.clone(), zeros.clone(), zeros);
        Self { target, form, before: None, sent, push, honest }
    }

    /// The same attack, with all that it has seen, at another target.
    ///
    /// # Shape
    /// `target`: d, as before.
    #[must_use]
    pub fn aimed_at(self, target: Vec<f64>) -> Self {
        assert_eq!(target.len(), self.target.len(), "a target is as long as the model");
        Self { target, ..self }
    }

    /// Ĝ, the honest push that the last gradient answers.
    pub fn push(&self) -> &[f64] {
        &self.push
    }

    fn guess(&mut self, scene: &Scene<'_>) {
        match (self.form, &self.before) {
            (_, None) => self.push.fill(0.0),
            (Form::Inferred, Some((before, rate))) => {
                let models = before.iter().zip(scene.global);
                for ((push, (before, now)), sent) in
                    self.push.iter_mut().zip(models).zip(&self.sent)
                {
                    *push = (before - now) / rate - sent;
                }
            }
            (Form::Published | Form::Local { .. }, Some(_)) => self.push.clone_from(&self.honest),
        }
    }
}

impl Outsider for CounterGradient {
    fn speak(&mut self, scene: &Scene<'_>, out: &mut [f64]) {
        self.guess(scene);
        let shift = match self.form {
            Form::Local { honest } => 0.5 / (scene.regularizer.lambda() * honest.max(1) as f64),
            _ => 0.0,
        };
        let goal = self.target.iter().zip(&self.push).map(|(target, push)| target + shift * push);
        for ((out, (global, goal)), push) in
            out.iter_mut().zip(scene.global.iter().zip(goal)).zip(&self.push)
        {
            *out = (global - goal) / scene.rate - push;
        }
        scene.regularizer.project(out);
        // Saved before the attack is added: Ĝ must not contain the attack itself.
        self.honest.clone_from_slice(scene.honest);
        self.sent.clone_from_slice(out);
        self.before = Some((scene.global.to_vec(), scene.rate));
    }
}

/// Any gradient attack, shortened to what one user can send.
pub struct Projected<F>(pub F);

impl<F: FnMut(&Scene<'_>, &mut [f64])> Outsider for Projected<F> {
    fn speak(&mut self, scene: &Scene<'_>, out: &mut [f64]) {
        (self.0)(scene, out);
        scene.regularizer.project(out);
    }
}
