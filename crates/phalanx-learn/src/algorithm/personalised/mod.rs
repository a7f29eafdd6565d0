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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::task::Scores;
    use phalanx_robust::registry::find;
    use phalanx_robust::{Args, Population, RULES, Rng, Value, Vectors};
    use std::collections::BTreeMap;
    use std::ops::Range;

    /// ½ Σ h_k (θ_k − c_k)², of which peers see a part.
    #[derive(Clone)]
    struct Bowl {
        curvature: [f64; 2],
        centre: [f64; 2],
        shared: Range<usize>,
    }

    impl LocalLoss for Bowl {
        fn dim(&self) -> usize {
            2
        }
        fn points(&self) -> usize {
            1
        }
        fn add_slope(&mut self, params: &[f64], _: Option<&[u32]>, slope: &mut [f64]) -> f64 {
            let gap = |k: usize| params[k] - self.centre[k];
            (0..2).for_each(|k| slope[k] += self.curvature[k] * gap(k));
            (0..2).map(|k| 0.5 * self.curvature[k] * gap(k) * gap(k)).sum()
        }
    }

    impl Task for Bowl {
        fn dim(&self) -> usize {
            2
        }
        fn shared(&self) -> Range<usize> {
            self.shared.clone()
        }
        fn init(&self, _: &mut Rng, out: &mut [f32]) {
            out.fill(0.0);
        }
        fn gradient(
            &mut self,
            params: &[f32],
            _: Batch,
            grad: &mut [f32],
        ) -> Result<f64, TaskError> {
            let params: Vec<f64> = params.iter().map(|entry| f64::from(*entry)).collect();
            let mut slope = [0.0; 2];
            let loss = self.add_slope(&params, None, &mut slope);
            grad.iter_mut().zip(slope).for_each(|(out, g)| *out = g as f32);
            Ok(loss)
        }
        fn evaluate(&mut self, _: &[f32]) -> Result<Scores, TaskError> {
            Ok(Scores::new())
        }
        fn save(&self, _: &mut StateWriter) {}
        fn load(&mut self, _: &mut StateReader<'_>) -> Result<(), StateError> {
            Ok(())
        }
    }

    fn bowls(shared: Range<usize>) -> Vec<Bowl> {
        let all = [([1.0, 2.0], [1.0, 0.5]), ([0.5, 1.5], [-0.5, 1.0]), ([2.0, 0.8], [3.0, -1.2])];
        let bowl = |(curvature, centre)| Bowl { curvature, centre, shared: shared.clone() };
        all.map(bowl).into()
    }

    fn node(role: Role, given: &[(&str, Value)], users: usize) -> Box<dyn Algorithm> {
        let given: BTreeMap<String, Value> =
            given.iter().map(|(key, value)| (key.to_string(), value.clone())).collect();
        let args = Args::check("personalised", ENTRY.params, &given).unwrap();
        let average = find(RULES, "average").unwrap();
        let rule =
            (average.build.build)(&Args::default(), Population::new(users, 0).unwrap()).unwrap();
        let setup = Setup { args: &args, rule, init: vec![0.0; 2], role, collected: users };
        (ENTRY.build.build)(setup).unwrap()
    }

    /// A star by hand: the hub's parameters after so many rounds.
    fn star(given: &[(&str, Value)], tasks: &mut [Bowl], rounds: u32) -> Vec<f32> {
        let mut hub = node(Role::Hub, given, tasks.len());
        let mut leaves: Vec<_> =
            tasks.iter().map(|_| node(Role::Leaf, given, tasks.len())).collect();
        let mut idle = tasks[0].clone();
        let length = Task::shared(&idle).len();
        for round in 0..rounds {
            let mut down = vec![0.0; length];
            hub.propose(Turn::new(round, 0), &mut idle, &mut down).unwrap();
            let mut up = Vec::new();
            for (leaf, task) in leaves.iter_mut().zip(&mut *tasks) {
                let mut out = vec![0.0; length];
                leaf.propose(Turn::new(round, 0), task, &mut out).unwrap();
                leaf.absorb(Turn::new(round, 0), &mut down.clone());
                leaf.propose(Turn::new(round, 1), task, &mut out).unwrap();
                up.push(out);
            }
            let rows: Vec<&[f32]> = up.iter().map(Vec::as_slice).collect();
            let mut mean = vec![0.0; length];
            let rule = hub.rule(Turn::new(round, 1)).unwrap();
            rule.aggregate(Vectors::new(&rows).unwrap(), &mut mean).unwrap();
            hub.absorb(Turn::new(round, 1), &mut mean);
        }
        hub.params().to_vec()
    }

    #[test]
    fn a_star_follows_the_federation_under_every_regulariser_and_optimiser() {
        for (name, method, word) in
            TIES.iter().flat_map(|t| [(*t, Method::Sgd, "sgd"), (*t, Method::Adam, "adam")])
        {
            let number = |value| Value::Number(value);
            let given = [
                ("regularizer", Value::Text(name.into())),
                ("optimizer", Value::Text(word.into())),
                ("lambda", number(0.7)),
                ("ridge", number(0.01)),
                ("learning-rate", number(0.05)),
                ("decay", number(0.99)),
                ("rate-min", number(0.02)),
            ];
            let found = star(&given, &mut bowls(0..2), 150);
            let user = |bowl: Bowl| User::new(vec![0.0; 2], Box::new(bowl)).with_ridge(0.01);
            let users = bowls(0..2).into_iter().map(user).collect();
            let decay = Decay { first: 0.05, factor: 0.99, floor: 0.02 };
            let tie = Regularizer::named(name, 0.7).unwrap();
            let motion = Motion { method, decay };
            let mut federation = Federation::new(vec![0.0; 2], users, tie, motion);
            (0..150).for_each(|_| federation.step(None));
            for (found, expected) in found.iter().zip(federation.global()) {
                let error = (f64::from(*found) - expected).abs();
                // Near the kink of ℓ2 a rounding of f32 turns the unit vector, and Adam follows it.
                let room = if name == "l2" { 2e-2 } else { 2e-4 };
                assert!(error < room, "{name} {word}: {found} {expected}");
            }
            assert!(found.iter().any(|entry| entry.abs() > 0.1), "it moves");
        }
    }

    #[test]
    fn what_is_not_shared_stays_with_the_user() {
        let number = |value| Value::Number(value);
        let given = [("learning-rate", number(0.05)), ("lambda", number(0.5))];
        let found = star(&given, &mut bowls(1..2), 400);
        assert_eq!(found[0], 0.0, "the hub never hears of the first entry");
        // In one dimension: θ_n = (h c + 2λρ)/(h + 2λ), and ρ is the mean of the θ_n.
        let weights = bowls(1..2);
        let (mut up, mut down) = (0.0, 0.0);
        for bowl in &weights {
            let (h, c) = (bowl.curvature[1], bowl.centre[1]);
            up += h * c / (h + 1.0);
            down += 1.0 - 1.0 / (h + 1.0);
        }
        assert!((f64::from(found[1]) - up / down).abs() < 1e-4, "{} {}", found[1], up / down);
    }

    #[test]
    fn draws_of_a_stochastic_user_are_scaled_to_the_sum() {
        struct Constant;
        impl LocalLoss for Constant {
            fn dim(&self) -> usize {
                1
            }
            fn points(&self) -> usize {
                40
            }
            fn add_slope(&mut self, _: &[f64], rows: Option<&[u32]>, slope: &mut [f64]) -> f64 {
                let count = rows.map_or(40, <[u32]>::len) as f64;
                slope[0] += count;
                count
            }
        }
        let tie = Regularizer::named("l2-squared", 1.0).unwrap();
        for (weighting, expected) in [(Weighting::Sum, 40.0), (Weighting::Mean, 1.0)] {
            let rng = Rng::stream(1, 0, "draws");
            let all = User::new(vec![0.0], Box::new(Constant)).weighing(weighting);
            let some = User::new(vec![0.0], Box::new(Constant)).weighing(weighting);
            let users = vec![all, some.drawing(5, rng)];
            let mut federation = Federation::new(vec![0.0], users, tie, Motion::sgd(1.0));
            federation.step(None);
            for user in federation.users() {
                assert!((user.theta()[0] + expected).abs() < 1e-12, "{weighting:?}");
            }
            assert!((federation.local_loss() - 2.0 * expected).abs() < 1e-12);
        }
    }
}
