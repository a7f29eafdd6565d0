//! Learning and agreement are each other: LEARN over minimum-diameter agreement, and back.
//!
//! Node j has the loss ½‖θ − c_j‖², so its gradients differ from its peers' by what the centres
//! differ, K = Δ₂(c), and the optimum of the honest nodes is the mean of their centres.
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use phalanx_attack::{ATTACKS, AttackSetup, Defence};
use phalanx_learn::{ALGORITHMS, Batch, Plan, Role, Scores, Setup, Task, TaskError, Worker};
use phalanx_protocol::{AgreementBounds, AveragingAgreement, Direct, NodeId};
use phalanx_robust::registry::find;
use phalanx_robust::{Args, Population, RULES, Rng, StateError, StateReader, StateWriter, Value};
use phalanx_sim::{Adversary, Network, Node, Outcome, Reach, Settings, Simulation, Speaker};

use crate::toy::{Quadratic, Record};

type Models = Arc<Mutex<BTreeMap<u16, Vec<Vec<f32>>>>>;

/// A quadratic that keeps every model it is asked to evaluate.
struct Watched {
    quadratic: Quadratic,
    node: u16,
    models: Models,
}

impl Task for Watched {
    fn dim(&self) -> usize {
        self.quadratic.dim()
    }

    fn init(&self, rng: &mut Rng, out: &mut [f32]) {
        self.quadratic.init(rng, out);
    }

    fn gradient(
        &mut self,
        params: &[f32],
        batch: Batch,
        grad: &mut [f32],
    ) -> Result<f64, TaskError> {
        self.quadratic.gradient(params, batch, grad)
    }

    fn evaluate(&mut self, params: &[f32]) -> Result<Scores, TaskError> {
        self.models.lock().unwrap().entry(self.node).or_default().push(params.to_vec());
        Ok(Scores::new())
    }

    fn save(&self, _: &mut StateWriter) {}

    fn load(&mut self, _: &mut StateReader<'_>) -> Result<(), StateError> {
        Ok(())
    }
}

/// What a learner ends with.
struct Learned {
    /// by honest node, one model before each round and one at the end
    models: Vec<Vec<Vec<f32>>>,
    bounds: AgreementBounds,
    centers: Vec<Vec<f32>>,
}

/// LEARN with ⌈log2 t⌉ halvings of exact gradients, against members that forge in every pass.
fn learn((n, f): (usize, usize), rounds: u32, attack: &'static str, seed: u64) -> Learned {
    let (dim, population) = (3, Population::new(n, f).unwrap());
    let bounds = AgreementBounds::minimum_diameter(population, dim).unwrap();
    let models = Models::default();
    let learn = find(ALGORITHMS, "learn").unwrap();
    let given = BTreeMap::from([
        ("gradient-rounds".into(), Value::Text("agreement".into())),
        ("batch-growth".into(), Value::Text("none".into())),
        ("learning-rate".into(), Value::Number(0.1)),
    ]);
    let args = Args::check("learn", learn.params, &given).unwrap();
    let average = find(RULES, "average").unwrap();
    let mut centers = Vec::new();
    let mut nodes = Vec::new();
    for index in 0..n - f {
        let mut quadratic = Quadratic::new(index, dim, 0.0, seed);
        // Far from one another, so that there is something to disagree about.
        quadratic.center.iter_mut().for_each(|entry| *entry = 10.0 * (*entry - 2.1));
        centers.push(quadratic.center.clone());
        let (id, models) = (NodeId(index as u16), models.clone());
        let task = Watched { quadratic, node: id.0, models };
        let one = Population::new(1, 0).unwrap();
        let rule = (average.build.build)(&Args::default(), one).unwrap();
        let init = vec![0.0; dim];
        let setup = Setup { args: &args, rule, init, role: Role::Peer, collected: 1 };
        nodes.push(Node {
            id,
            exchange: AveragingAgreement::<Direct>::over_direct(id, bounds, 4096),
            worker: Worker::new(id, Box::new(task), (learn.build.build)(setup).unwrap()),
            plan: Plan { rounds, evaluate_every: 1 },
            is_speaker: true,
        });
    }
    let entry = find(ATTACKS, attack).unwrap();
    let rule = find(RULES, "minimum-diameter-averaging").unwrap();
    let rule = (rule.build.build)(&Args::default(), population).unwrap();
    let attack = (entry.build.build)(AttackSetup {
        args: &Args::check(entry.name, entry.params, &BTreeMap::new()).unwrap(),
        population,
        byzantine: f,
        defence: Defence { rule, is_self_centred: false },
    });
    let adversary = Adversary::new(attack.unwrap(), Reach::Sampled, seed, |_| Speaker);
    let network = Network { delay: (5, 50), compute: (100, 120), loss: 0.0 };
    let settings = Settings { n, byzantine: f, network, seed };
    let mut simulation = Simulation::new(settings, nodes, Some(adversary));
    let outcome = simulation.run(&mut Record::default(), &mut |_| true);
    assert_eq!(outcome, Ok(Outcome::Finished));
    let models = models.lock().unwrap().values().cloned().collect();
    Learned { models, bounds, centers }
}

fn distance(a: &[f32], b: &[f32]) -> f64 {
    a.iter().zip(b).map(|(a, b)| f64::from(a - b).powi(2)).sum::<f64>().sqrt()
}

fn diameter<V: AsRef<[f32]>>(vectors: &[V]) -> f64 {
    let pairs = (0..vectors.len()).flat_map(|a| (0..a).map(move |b| (a, b)));
    let distances = pairs.map(|(a, b)| distance(vectors[a].as_ref(), vectors[b].as_ref()));
    distances.fold(0.0, f64::max)
}

fn mean<V: AsRef<[f32]>>(vectors: &[V]) -> Vec<f32> {
    let dim = vectors[0].as_ref().len();
    let sum = |k| vectors.iter().map(|v| f64::from(v.as_ref()[k])).sum::<f64>();
    (0..dim).map(|k| (sum(k) / vectors.len() as f64) as f32).collect()
}

impl Learned {
    /// Δ₂ of the honest models before round t = 1, 2, …
    fn disagreement(&self, t: usize) -> f64 {
        diameter(&self.models.iter().map(|models| &models[t - 1][..]).collect::<Vec<_>>())
    }

    fn last(&self) -> Vec<&[f32]> {
        self.models.iter().map(|models| models.last().unwrap().as_slice()).collect()
    }
}

const ATTACK_NAMES: &[&str] = &["equivocation", "fall-of-empires", "a-little-is-enough", "mimic"];

// Spec 03, check 9, and section 3.2: who learns on ‖θ − x_j‖² agrees on the mean of the x_j.
#[test]
fn a_learner_is_an_averaging_agreement() {
    let delta = 0.01;
    for (n, f) in [(7, 1), (16, 2)] {
        for (seed, attack) in ATTACK_NAMES.iter().enumerate() {
            let learned = learn((n, f), 200, attack, seed as u64);
            let width = diameter(&learned.centers);
            let error = distance(&mean(&learned.last()), &mean(&learned.centers));
            let most = (1.0 + delta) * learned.bounds.constant() * width;
            assert!(error <= most, "{attack}: {error} > {most}");
            let apart = diameter(&learned.last());
            assert!(apart <= delta * width, "{attack}: {apart} of {width}");
        }
    }
}

/// Least-squares slope of `log value` over `log t`.
fn slope(points: &[(f64, f64)]) -> f64 {
    let logs: Vec<(f64, f64)> = points.iter().map(|(t, value)| (t.ln(), value.ln())).collect();
    let count = logs.len() as f64;
    let (x, y) = logs.iter().fold((0.0, 0.0), |(x, y), log| (x + log.0, y + log.1));
    let (x, y) = (x / count, y / count);
    let (top, bottom) = logs.iter().fold((0.0, 0.0), |(top, bottom), log| {
        (top + (log.0 - x) * (log.1 - y), bottom + (log.0 - x).powi(2))
    });
    top / bottom
}

// Spec 03, section 3.1: Δ(θ_(t+1)) ≤ ½ (Δ(θ_t) + η Δ(g_t)/t), and here Δ(g_t) ≤ K + Δ(θ_t).
#[test]
fn disagreement_follows_the_recursion_of_the_proof() {
    for attack in ATTACK_NAMES {
        let learned = learn((7, 1), 100, attack, 1);
        let width = diameter(&learned.centers);
        for t in 1..100 {
            let before = learned.disagreement(t);
            let gradients = (width + before) / t as f64;
            let most = 0.5 * (before + 0.1 * gradients) + 1e-5 * width;
            let after = learned.disagreement(t + 1);
            assert!(after <= most, "{attack}, t = {t}: {after} > {most}");
        }
    }
}

// Spec 03, check 9. One pass leaves at most a sixth here, so a round has few of them: with n = 7
// the same adversary leaves nothing that an `f32` could show after ten rounds.
#[test]
fn disagreement_decays_like_one_over_t() {
    let learned = learn((26, 1), 1000, "equivocation", 1);
    let points: Vec<(f64, f64)> =
        (10..=1000).map(|t| (t as f64, learned.disagreement(t))).collect();
    assert!(points.iter().all(|(_, apart)| *apart > 0.0), "a fit needs something to fit");
    let slope = slope(&points);
    assert!(slope <= -0.9, "{slope}");
}
