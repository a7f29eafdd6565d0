//! Seven nodes, one of them Byzantine, one file: the engine without experiment files or folders.
//!
//! `cargo run --release --example nano` prints how far the worst honest node is from the optimum
//! of all honest losses, round by round: first with averaging, then with MoNNA's rule.
use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;

use phalanx_attack::{ATTACKS, AttackSetup, Defence};
use phalanx_learn::{ALGORITHMS, Event, Plan, Role, Setup, Sink, TaskSetup, Worker};
use phalanx_protocol::direct::TURNS_AHEAD_MAX;
use phalanx_protocol::{Direct, DirectConfig, NodeId, Seat, Time};
use phalanx_robust::registry::find;
use phalanx_robust::{Aggregator, Args, Population, RULES, Rng, Value};
use phalanx_sim::{Adversary, Network, Node, Reach, Settings, Simulation, Speaker};
use phalanx_tasks::TASKS;

type Anything = Box<dyn std::error::Error>;

const N: usize = 7;
const F: usize = 1;
const SEED: u64 = 1;

/// Remembers the worst honest node's distance after each evaluated round.
#[derive(Default)]
struct Worst(BTreeMap<u32, f64>);

impl Sink for Worst {
    fn record(&mut self, _at: Time, _node: NodeId, event: &Event) {
        if let Event::Evaluated { round, scores } = event {
            let worst = self.0.entry(round.0).or_default();
            *worst = worst.max(scores["distance"]);
        }
    }
}

fn rule(name: &str, vectors: usize) -> Result<Box<dyn Aggregator>, Anything> {
    let entry = find(RULES, name).ok_or("no such rule")?;
    let args = Args::check(entry.name, entry.params, &BTreeMap::new())?;
    Ok((entry.build.build)(&args, Population::new(vectors, F)?)?)
}

fn train(rule_name: &str) -> Result<Worst, Anything> {
    // Local data: every honest node's loss is a quadratic with a centre of its own.
    let task = find(TASKS, "quadratic").ok_or("no such task")?;
    let args = Args::check(task.name, task.params, &BTreeMap::new())?;
    let setup = TaskSetup { args: &args, nodes: N - F, seed: SEED, data: Path::new("data") };
    let tasks = (task.build.build)(setup)?;

    // Honest nodes: momentum, a local step, an exchange of models, the rule.
    let monna = find(ALGORITHMS, "monna").ok_or("no such algorithm")?;
    let given = BTreeMap::from([("momentum".to_owned(), Value::Number(0.9))]);
    let args = Args::check(monna.name, monna.params, &given)?;
    let collected = N - F;
    let mut nodes = Vec::new();
    for (index, task) in tasks.into_iter().enumerate() {
        let id = NodeId(index as u16);
        let mut init = vec![0.0; task.dim()];
        task.init(&mut Rng::stream(SEED, u64::MAX, "initial parameters"), &mut init);
        let dim = init.len();
        let rule = rule(rule_name, collected)?;
        let setup = Setup { args: &args, rule, init, role: Role::Peer, collected };
        let algorithm = (monna.build.build)(setup)?;
        let config = DirectConfig {
            nodes: N,
            quorum: collected,
            timeout: 0,
            is_finite_required: true,
            dim,
            turns_ahead_max: TURNS_AHEAD_MAX,
            seat: Seat::Peer,
        };
        nodes.push(Node {
            id,
            exchange: Direct::new(id, config),
            worker: Worker::new(id, task, algorithm),
            plan: Plan { rounds: 100, evaluate_every: 20 },
            is_speaker: true,
        });
    }

    // The adversary sees every honest vector of a turn before it speaks, and is always heard.
    let entry = find(ATTACKS, "inner-product-manipulation").ok_or("no such attack")?;
    let args = Args::check(entry.name, entry.params, &BTreeMap::new())?;
    let attack = (entry.build.build)(AttackSetup {
        args: &args,
        population: Population::new(N, F)?,
        byzantine: F,
        defence: Defence { rule: rule(rule_name, N)?, is_self_centred: true },
    })?;
    let adversary = Adversary::new(attack, Reach::All, SEED, |_| Speaker);

    let network =
        Network { delay: (1_000_000, 9_000_000), compute: (1_000_000, 1_000_000), loss: 0.0 };
    let settings = Settings { n: N, byzantine: F, network, seed: SEED };
    let mut worst = Worst::default();
    Simulation::new(settings, nodes, Some(adversary)).run(&mut worst, &mut |_| true)?;
    Ok(worst)
}

fn main() -> Result<(), Anything> {
    let mut out = std::io::stdout().lock();
    for rule in ["average", "nearest-neighbor-averaging"] {
        writeln!(out, "{rule}")?;
        for (round, distance) in train(rule)?.0 {
            writeln!(out, "  round {round:3}: the worst honest node is {distance:.3} away")?;
        }
    }
    Ok(())
}
