//! Personalised learning: a global model, a local one per user, and a regulariser that ties them.
//!
//! [`federation`] is the framework in f64, one epoch at a time, for exact statements and the
//! published runs; [`ENTRY`] is the same on a star, one user per node, for `phalanx run`.
use phalanx_protocol::{Round, Turn};
use phalanx_robust::{Aggregator, Entry, Param, StateError, StateReader, StateWriter};

use crate::algorithm::{Algorithm, AlgorithmRule, Cargo, Role, Setup};
use crate::task::{Batch, Task, TaskError};

pub mod federation;
pub mod optimizer;
pub mod pac;
pub mod regularizer;

pub use federation::{Condense, Federation, LocalLoss, Motion, Outsider, Scene, User, Weighting};
pub use optimizer::{Decay, Method, Optimizer};
pub use regularizer::{Regularizer, RegularizerError, TIES, Tie};

const PARAMS: [Param; 7] = [
    Param::number("learning-rate", (1e-12, 1e12), 0.02)
        .about("η of the first round, of the server and of every user"),
    Param::number("decay", (1e-6, 1.0), 1.0).about("what every round multiplies η with"),
    Param::number("rate-min", (0.0, 1e12), 0.0).about("below this, η is not multiplied any more"),
    Param::choice("optimizer", &["sgd", "adam"], "sgd")
        .about("how a gradient becomes a step, at the server and at every user"),
    Param::choice("regularizer", &TIES, "l2-squared")
        .about("what ties a local model to the global one"),
    Param::number("lambda", (1e-12, 1e12), 1.0).about("λ, the strength of the regulariser"),
    Param::number("ridge", (0.0, 1e12), 0.0).about("ν: ν ‖θ‖² is added to each local loss"),
];

/// The registry entry.
pub const ENTRY: Entry<AlgorithmRule> = Entry {
    name: "personalised",
    summary: "a global model at a trusted server, and a local model per user that is drawn to it",
    source: "Farhadkhani et al., An Equivalence Between Data Poisoning and Byzantine Gradient \
             Attacks, ICML 2022 (loss recalled, optimiser as in the published code)",
    params: &PARAMS,
    build: AlgorithmRule {
        formula: "user: g ← ∇ρ R(ρ, θ);  θ ← θ − η (∇ℓ(θ) + 2ν θ + ∇θ R(ρ, θ));  \
                  server: ρ ← ρ − η n rule(g_1 … g_n)",
        is_star: true,
        default_rule: "average",
        build: |setup| Ok(Box::new(Personalised::new(setup))),
    },
};

/// Phase 0 brings ρ down to the users, phase 1 the slopes of their regularisers up.
struct Personalised {
    regularizer: Regularizer,
    ridge: f64,
    decay: Decay,
    /// of ρ at the server, of θ at a user
    optimizer: Optimizer,
    is_hub: bool,
    /// how many slopes the rule condenses: the framework sums
    collected: f64,
    rule: Box<dyn Aggregator>,
    /// ρ in the shared part, as it stands or was last heard of
    params: Vec<f32>,
    /// ρ at the server, θ at a user
    own: Vec<f64>,
    gradient: Vec<f32>,
    slope: Vec<f64>,
    /// where the shared part lies; known as soon as the task has been seen
    shared: std::ops::Range<usize>,
}

impl Personalised {
    fn new(setup: Setup<'_>) -> Self {
        let args = setup.args;
        let tie = (args.text("regularizer"), args.number("lambda"));
        let method = if args.text("optimizer") == "adam" { Method::Adam } else { Method::Sgd };
        let is_hub = setup.role == Role::Hub;
        let dim = setup.init.len();
        Self {
            regularizer: Regularizer::named(tie.0, tie.1).expect("the parameters were checked"),
            ridge: args.number("ridge"),
            decay: Decay {
                first: args.number("learning-rate"),
                factor: args.number("decay"),
                floor: args.number("rate-min"),
            },
            optimizer: Optimizer::new(method),
            is_hub,
            collected: setup.collected as f64,
            rule: setup.rule,
            own: setup.init.iter().map(|entry| f64::from(*entry)).collect(),
            params: setup.init,
            gradient: vec![0.0; if is_hub { 0 } else { dim }],
            slope: vec![0.0; dim],
            shared: 0..dim,
        }
    }

    /// η of a round: what `decay` makes of the first rate, in closed form.
    fn rate(&self, round: Round) -> f64 {
        let Decay { first, factor, floor } = self.decay;
        if factor >= 1.0 || first < floor / factor {
            return first;
        }
        let most =
            if floor > 0.0 { ((floor / first).ln() / factor.ln()).floor() } else { f64::MAX };
        first * factor.powf(f64::from(round.0).min(most))
    }

    fn move_local(&mut self, turn: Turn, task: &mut dyn Task, out: &mut [f32]) -> Learned {
        let theta: Vec<f32> = self.own.iter().map(|entry| *entry as f32).collect();
        let loss = task.gradient(&theta, Batch::Fresh, &mut self.gradient)?;
        for ((slope, gradient), theta) in self.slope.iter_mut().zip(&self.gradient).zip(&self.own) {
            *slope = f64::from(*gradient) + 2.0 * self.ridge * theta;
        }
        let shared = self.shared.clone();
        let global = &self.params[shared.clone()];
        let gap = |(global, theta): (&f32, &f64)| f64::from(*global) - theta;
        let gaps: Vec<f64> = global.iter().zip(&self.own[shared.clone()]).map(gap).collect();
        let pull = self.regularizer.pull_at(gaps.iter().map(|gap| gap * gap).sum());
        for ((slope, gap), out) in self.slope[shared].iter_mut().zip(&gaps).zip(out) {
            *out = (pull * gap) as f32;
            *slope -= pull * gap;
        }
        let rate = self.rate(turn.round);
        self.optimizer.step(rate, &self.slope, &mut self.own);
        Ok(Some(loss))
    }
}

type Learned = Result<Option<f64>, TaskError>;

impl Algorithm for Personalised {
    fn phases(&self, _round: Round) -> u16 {
        2
    }

    fn propose(&mut self, turn: Turn, task: &mut dyn Task, out: &mut [f32]) -> Learned {
        self.shared = task.shared();
        if turn.phase.0 == 1 && !self.is_hub {
            return self.move_local(turn, task, out);
        }
        match turn.phase.0 {
            0 => out.copy_from_slice(&self.params[self.shared.clone()]),
            _ => out.fill(0.0),
        }
        Ok(None)
    }

    fn cargo(&self, turn: Turn) -> Cargo {
        if turn.phase.0 == 0 || self.is_hub { Cargo::Quiet } else { Cargo::Gradients }
    }

    fn rule(&mut self, turn: Turn) -> Option<&mut dyn Aggregator> {
        (self.is_hub && turn.phase.0 == 1).then_some(&mut *self.rule)
    }

    fn absorb(&mut self, turn: Turn, aggregate: &mut Vec<f32>) {
        let shared = self.shared.clone();
        match (self.is_hub, turn.phase.0) {
            (true, 1) => {
                let sum: Vec<f64> =
                    aggregate.iter().map(|mean| self.collected * f64::from(*mean)).collect();
                let rate = self.rate(turn.round);
                self.optimizer.step(rate, &sum, &mut self.own[shared.clone()]);
                for (param, own) in self.params[shared.clone()].iter_mut().zip(&self.own[shared]) {
                    *param = *own as f32;
                }
            }
            (false, 0) => self.params[shared].copy_from_slice(aggregate),
            _ => {}
        }
    }

    fn params(&self) -> &[f32] {
        &self.params
    }

    fn save(&self, out: &mut StateWriter) {
        out.f32s(&self.params);
        out.f64s(&self.own);
        self.optimizer.save(out);
        out.u64(self.shared.start as u64);
        out.u64(self.shared.end as u64);
        self.rule.save(out);
    }

    fn load(&mut self, input: &mut StateReader<'_>) -> Result<(), StateError> {
        input.f32s_into(&mut self.params)?;
        let own = input.f64s()?;
        let dim = self.own.len();
        if own.len() != dim {
            return Err(StateError::Mismatch { what: "length of the model" });
        }
        self.own = own;
        self.optimizer.load(input)?;
        let shared = input.usize()?..input.usize()?;
        if shared.start > shared.end || shared.end > dim {
            return Err(StateError::Mismatch { what: "shared part of the model" });
        }
        self.shared = shared;
        self.rule.load(input)
    }
}
