//! From a checked run to a simulation: tasks, algorithms, exchanges, adversary.
use std::path::Path;

use phalanx_attack::{ATTACKS, AttackSetup, Defence};
use phalanx_learn::{ALGORITHMS, Plan, Role, Setup, Task, TaskError, TaskSetup, Worker};
use phalanx_protocol::direct::TURNS_AHEAD_MAX;
use phalanx_protocol::{Direct, DirectConfig, DirectMessage, NodeId, Seat};
use phalanx_robust::mixing::MIXINGS;
use phalanx_robust::registry::find;
use phalanx_robust::rule::BuildError;
use phalanx_robust::{Aggregator, Chain, Population, PopulationError, RULES, Rng};
use phalanx_sim::{Adversary, Node, Settings, Simulation, Speaker};
use phalanx_tasks::TASKS;

use crate::experiment::{Choice, Reach, Run, resolve::nanoseconds};

/// Why a checked run still cannot be assembled.
#[derive(Debug, thiserror::Error)]
pub enum AssembleError {
    /// data or model
    #[error("task `{name}`: {source}")]
    Task {
        /// the task
        name: &'static str,
        /// why
        source: TaskError,
    },
    /// rule, mixing, algorithm or attack
    #[error("`{name}`: {source}")]
    Build {
        /// the entry
        name: &'static str,
        /// why
        source: BuildError,
    },
    /// n and f
    #[error(transparent)]
    Population(#[from] PopulationError),
}

/// Builds everything that a run consists of. `data` holds the data sets of this machine.
///
/// # Errors
/// When data are missing or an entry refuses n, f or its parameters.
pub fn assemble(run: &Run, data: &Path) -> Result<Simulation<Direct>, AssembleError> {
    let honest = run.population.n() - run.byzantine;
    let mut nodes = Vec::with_capacity(honest + 1);
    for (index, task) in build_tasks(run, honest, data)?.into_iter().enumerate() {
        nodes.push(node(run, NodeId(index as u16), task)?);
    }
    if run.is_star {
        let task = build_tasks(run, honest, data)?.into_iter().next();
        let task = task.expect("there is at least one honest node");
        nodes.push(node(run, hub(run), task)?);
    }
    let network = phalanx_sim::Network {
        delay: (nanoseconds(run.network.delay_ms.0), nanoseconds(run.network.delay_ms.1)),
        compute: (nanoseconds(run.network.compute_ms.0), nanoseconds(run.network.compute_ms.1)),
        loss: run.network.loss,
    };
    let (n, byzantine) = (run.population.n(), run.byzantine);
    let settings = Settings { n, byzantine, network, seed: run.seed };
    Ok(Simulation::new(settings, nodes, adversary(run)?))
}

/// The trusted server of a star sits behind the last node.
fn hub(run: &Run) -> NodeId {
    NodeId(run.population.n() as u16)
}

fn build_tasks(run: &Run, nodes: usize, data: &Path) -> Result<Vec<Box<dyn Task>>, AssembleError> {
    let Choice { name, args } = &run.task;
    let entry = find(TASKS, name).expect("the task was resolved");
    let setup = TaskSetup { args, nodes, seed: run.seed, data };
    (entry.build.build)(setup).map_err(|source| AssembleError::Task { name, source })
}

fn node(run: &Run, id: NodeId, task: Box<dyn Task>) -> Result<Node<Direct>, AssembleError> {
    let role = match run.is_star {
        false => Role::Peer,
        true if id == hub(run) => Role::Hub,
        true => Role::Leaf,
    };
    let seat = match role {
        Role::Peer => Seat::Peer,
        Role::Hub => Seat::Hub,
        Role::Leaf => Seat::Leaf { hub: hub(run) },
    };
    let mut init = vec![0.0; task.dim()];
    task.init(&mut Rng::stream(run.seed, u64::MAX, "initial parameters"), &mut init);
    let Choice { name, args } = &run.algorithm;
    let entry = find(ALGORITHMS, name).expect("the algorithm was resolved");
    let rule = rule(run, run.collected)?;
    let setup = Setup { args, rule, init, role, collected: run.collected };
    let algorithm =
        (entry.build.build)(setup).map_err(|s| AssembleError::Build { name, source: s })?;
    let config = DirectConfig {
        nodes: run.population.n(),
        quorum: run.collected,
        timeout: nanoseconds(run.exchange.timeout_ms),
        is_finite_required: run.exchange.is_finite_required,
        dim: task.shared().len(),
        turns_ahead_max: TURNS_AHEAD_MAX,
        seat,
    };
    // In a star only the server has the current model.
    let evaluate_every = if role == Role::Leaf { 0 } else { run.plan.evaluate_every };
    Ok(Node {
        id,
        exchange: Direct::new(id, config),
        worker: Worker::new(id, task, algorithm),
        plan: Plan { rounds: run.plan.rounds, evaluate_every },
        is_speaker: role != Role::Hub,
    })
}

/// The run's rule with its mixings, for so many vectors.
fn rule(run: &Run, vectors: usize) -> Result<Box<dyn Aggregator>, AssembleError> {
    let population = Population::new(vectors, run.population.f())?;
    let Choice { name, args } = &run.rule;
    let entry = find(RULES, name).expect("the rule was resolved");
    let built = (entry.build.build)(args, population);
    let rule = built.map_err(|source| AssembleError::Build { name, source })?;
    if run.mixing.is_empty() {
        return Ok(rule);
    }
    let mut mixings = Vec::with_capacity(run.mixing.len());
    for Choice { name, args } in &run.mixing {
        let entry = find(MIXINGS, name).expect("the mixing was resolved");
        let built = (entry.build.build)(args, population);
        mixings.push(built.map_err(|source| AssembleError::Build { name, source })?);
    }
    Ok(Box::new(Chain::new(mixings, rule)))
}

fn adversary(run: &Run) -> Result<Option<Adversary<DirectMessage>>, AssembleError> {
    let Some(Choice { name, args }) = &run.attack else {
        return Ok(None);
    };
    if run.byzantine == 0 {
        return Ok(None);
    }
    let entry = find(ATTACKS, name).expect("the attack was resolved");
    let is_self_centred = find(RULES, run.rule.name).is_some_and(|rule| rule.build.is_self_centred);
    // The adversary searches with all n vectors present, as the published code does.
    let rule = rule(run, run.population.n())?;
    let setup = AttackSetup {
        args,
        population: run.population,
        byzantine: run.byzantine,
        defence: Defence { rule, is_self_centred },
    };
    let attack =
        (entry.build.build)(setup).map_err(|s| AssembleError::Build { name, source: s })?;
    let reach = match run.reach {
        Reach::All => phalanx_sim::Reach::All,
        Reach::Sampled => phalanx_sim::Reach::Sampled,
    };
    let opening = |turn, vector| DirectMessage { turn, vector };
    Ok(Some(Adversary::new(attack, reach, run.seed, move |_| Speaker { opening })))
}
