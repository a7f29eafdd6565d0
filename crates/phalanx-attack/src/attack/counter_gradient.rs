//! Counter-gradient: undo what the others are about to ask, and ask for the target instead.
use phalanx_learn::algorithm::personalised::{Regularizer, TIES};
use phalanx_robust::{Entry, Param, Rng, StateError, StateReader, StateWriter};

use crate::attack::{Attack, AttackError, AttackRule, Forgery, Needs, View};

/// The registry entry.
pub const ENTRY: Entry<AttackRule> = Entry {
    name: "counter-gradient",
    summary: "cancels the honest push on a global model and pushes it to a target, within reach",
    source: "Farhadkhani et al., An Equivalence Between Data Poisoning and Byzantine Gradient \
             Attacks, ICML 2022: CGA (recalled; honest push of the last round, as published)",
    params: &[
        Param::choice("target", &["zero", "rotate-classes"], "zero").about(
            "where the global model shall go: the origin, or the model after the warm-up with the \
             rows of its classes moved on by one",
        ),
        Param::integer("classes", (2, 1_000_000), 10)
            .about("classes of a linear classifier: rows of weights, then biases"),
        Param::integer("warm-up", (0, 1_000_000_000), 0)
            .about("rounds with the honest mean before the target is taken"),
        Param::number("learning-rate", (1e-12, 1e12), 0.02)
            .about("η, as the adversary believes it to be"),
        Param::choice("regularizer", &TIES, "l2-squared")
            .about("what limits the gradients that one user can send"),
        Param::number("lambda", (1e-12, 1e12), 1.0).about("λ, the strength of the regulariser"),
        Param::flag("is-bounded", true)
            .about("keep to what a user that follows the protocol could send"),
    ],
    build: AttackRule {
        formula: "a = proj [ (ρ − θ♠)/η − Ĝ ] / b with Ĝ the honest sum of the last round and b \
                  attackers; needs an algorithm that shows its global model",
        build: |setup| {
            let args = setup.args;
            let tie = (args.text("regularizer"), args.number("lambda"));
            Ok(Box::new(CounterGradient {
                byzantine: setup.byzantine,
                is_rotated: args.text("target") == "rotate-classes",
                classes: args.integer("classes"),
                warm_up: args.integer("warm-up"),
                rate: args.number("learning-rate"),
                regularizer: args.flag("is-bounded").then(|| {
                    Regularizer::named(tie.0, tie.1).expect("the parameters were checked")
                }),
                target: Vec::new(),
                honest: Vec::new(),
            }))
        },
    },
};

struct CounterGradient {
    byzantine: usize,
    is_rotated: bool,
    classes: usize,
    warm_up: usize,
    rate: f64,
    regularizer: Option<Regularizer>,
    /// θ♠, as soon as it is taken
    target: Vec<f64>,
    /// the honest sum of the round before
    honest: Vec<f64>,
}

impl CounterGradient {
    /// The rows of the classes moved on by one: what training on labels y + 1 would give.
    fn rotated(&self, global: &[f32]) -> Option<Vec<f64>> {
        if !self.is_rotated {
            return Some(vec![0.0; global.len()]);
        }
        let inputs = (global.len() / self.classes).checked_sub(1)?;
        if inputs == 0 || !global.len().is_multiple_of(self.classes) {
            return None;
        }
        let (weights, biases) = global.split_at(inputs * self.classes);
        let moved = |class: usize| (class + self.classes - 1) % self.classes;
        let row = |class: usize| &weights[moved(class) * inputs..][..inputs];
        let rows = (0..self.classes).flat_map(row).copied();
        let biases = (0..self.classes).map(|class| biases[moved(class)]);
        Some(rows.chain(biases).map(f64::from).collect())
    }
}

impl Attack for CounterGradient {
    fn needs(&self) -> Needs {
        Needs { flipped: false, models: true }
    }

    fn forge(&mut self, view: &View<'_>, _rng: &mut Rng) -> Result<Forgery, AttackError> {
        let missing = |what| AttackError::Missing { attack: ENTRY.name, what };
        let models = view.models.ok_or_else(|| missing("models before the local step"))?;
        let (count, dim) = (view.honest.count(), view.honest.dim());
        let global = models.row(0);
        if global.len() != dim {
            return Err(missing("a model as long as the vectors that are exchanged"));
        }
        let column = |k: usize| view.honest.rows().iter().map(|row| f64::from(row[k])).sum::<f64>();
        let sum: Vec<f64> = (0..dim).map(column).collect();
        if view.turn.round.0 as usize >= self.warm_up && self.target.is_empty() {
            let target = self.rotated(global);
            self.target = target.ok_or_else(|| missing("a linear classifier of `classes`"))?;
        }
        let mut wanted: Vec<f64> = if self.target.is_empty() {
            sum.iter().map(|entry| entry / count as f64 * self.byzantine as f64).collect()
        } else {
            let guess = if self.honest.is_empty() { vec![0.0; dim] } else { self.honest.clone() };
            let parts = global.iter().zip(&self.target).zip(&guess);
            parts.map(|((x, goal), push)| (f64::from(*x) - goal) / self.rate - push).collect()
        };
        wanted.iter_mut().for_each(|entry| *entry /= self.byzantine as f64);
        if let Some(regularizer) = self.regularizer {
            regularizer.project(&mut wanted);
        }
        self.honest = sum;
        let vector = wanted.iter().map(|entry| *entry as f32).collect();
        Ok(Forgery::same(vector, self.byzantine, count))
    }

    fn save(&self, out: &mut StateWriter) {
        out.f64s(&self.target);
        out.f64s(&self.honest);
    }

    fn load(&mut self, input: &mut StateReader<'_>) -> Result<(), StateError> {
        self.target = input.f64s()?;
        self.honest = input.f64s()?;
        Ok(())
    }
}
