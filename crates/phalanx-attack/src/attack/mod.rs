//! Attacks: one file each, one line each in the list below.
use phalanx_protocol::{Turn, Vector};
use phalanx_robust::rule::BuildError;
use phalanx_robust::{
    AggregateError, Args, Entry, Population, Rng, StateError, StateReader, StateWriter, Vectors,
};

use crate::defence::Defence;

mod a_little_is_enough;
mod anti_comparative_gradient_elimination;
mod coordinate_shift;
mod counter_gradient;
mod equivocation;
mod fall_of_empires;
mod gaussian;
mod infinity;
mod inner_product_manipulation;
mod label_flipping;
mod mimic;
mod mimic_heuristic;
mod nan;
mod scaled_sign_flipping;
mod sign_flipping;
mod silence;
mod small_perturbation;

/// Every attack that an experiment file can name.
pub const ATTACKS: &[Entry<AttackRule>] = &[
    a_little_is_enough::ENTRY,
    anti_comparative_gradient_elimination::ENTRY,
    coordinate_shift::ENTRY,
    counter_gradient::ENTRY,
    equivocation::ENTRY,
    fall_of_empires::ENTRY,
    gaussian::ENTRY,
    infinity::ENTRY,
    inner_product_manipulation::ENTRY,
    label_flipping::ENTRY,
    mimic::ENTRY,
    mimic_heuristic::ENTRY,
    nan::ENTRY,
    scaled_sign_flipping::ENTRY,
    sign_flipping::ENTRY,
    silence::ENTRY,
    small_perturbation::ENTRY,
];

/// Why vectors could not be forged.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum AttackError {
    /// the defence that a line search queries refused
    #[error(transparent)]
    Defence(#[from] AggregateError),
    /// the view lacks what the attack declared that it needs
    #[error("attack `{attack}` needs {what}, which this task or algorithm does not reveal")]
    Missing {
        /// name of the attack
        attack: &'static str,
        /// what is missing
        what: &'static str,
    },
}

/// What an attack needs to see besides the honest vectors.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Needs {
    /// gradients on the same batches with flipped labels
    pub flipped: bool,
    /// honest models before the local step
    pub models: bool,
}

/// Everything that the omniscient adversary sees in one turn.
#[derive(Debug, Clone, Copy)]
pub struct View<'a> {
    /// which turn
    pub turn: Turn,
    /// the vectors that honest nodes share in this turn, by ascending node
    pub honest: Vectors<'a>,
    /// the step size γ when those are models after the local step, 0 when they are models without
    /// one; `None` for gradients, momenta
    pub step: Option<f64>,
    /// honest gradients on flipped labels, same order, when asked for
    pub flipped: Option<Vectors<'a>>,
    /// honest models before the local step, same order, when asked for
    pub models: Option<Vectors<'a>>,
}

/// What the Byzantine nodes say in one turn: who shows which vector to whom.
#[derive(Debug, Clone, Default)]
pub struct Forgery {
    /// the distinct vectors; memory is their number times d
    pub vectors: Vec<Vector>,
    /// `byzantine × receivers`, row-major: index into `vectors`, or silence
    pub shown: Vec<Option<u16>>,
}

impl Forgery {
    /// One vector, shown by every Byzantine node to everybody.
    pub fn same(vector: Vec<f32>, byzantine: usize, receivers: usize) -> Self {
        Self { vectors: vec![Vector::new(vector)], shown: vec![Some(0); byzantine * receivers] }
    }

    /// Nobody says anything.
    pub fn silence(byzantine: usize, receivers: usize) -> Self {
        Self { vectors: Vec::new(), shown: vec![None; byzantine * receivers] }
    }
}

/// What an attack is built from.
pub struct AttackSetup<'a> {
    /// checked parameters
    pub args: &'a Args,
    /// declared n and f: what the honest nodes believe
    pub population: Population,
    /// Byzantine nodes that really attack, `1..n`
    pub byzantine: usize,
    /// the honest nodes' own rule, as the adversary knows it
    pub defence: Defence,
}

/// What is known of an attack besides name and parameters.
#[derive(Debug, Clone, Copy)]
pub struct AttackRule {
    /// the forged vector in plain text
    pub formula: &'static str,
    /// builds it
    pub build: fn(AttackSetup<'_>) -> Result<Box<dyn Attack>, BuildError>,
}

/// What the adversary does. All Byzantine nodes are one mind.
pub trait Attack: Send {
    /// What it needs to see.
    fn needs(&self) -> Needs {
        Needs::default()
    }

    /// Forges the vectors of one turn; called once per turn, in order. Receivers are the honest
    /// nodes in the order of `view.honest`.
    ///
    /// # Errors
    /// When the view lacks what was asked for, or the queried defence refuses.
    fn forge(&mut self, view: &View<'_>, rng: &mut Rng) -> Result<Forgery, AttackError>;

    /// Appends what the next turn depends on.
    fn save(&self, _out: &mut StateWriter) {}

    /// # Errors
    /// When the snapshot does not fit.
    fn load(&mut self, _input: &mut StateReader<'_>) -> Result<(), StateError> {
        Ok(())
    }
}
