//! From a checked run to a simulation: tasks, algorithms, exchanges, adversary.
use std::path::Path;

use phalanx_attack::{ATTACKS, Attack, AttackSetup, Defence, Forger, MISBEHAVIOURS, Misbehaviour};
use phalanx_learn::{ALGORITHMS, Plan, Role, Setup, Task, TaskError, TaskSetup, Worker};
use phalanx_protocol::{AgreementError, Exchange, GatherError, NodeId, Yields};
use phalanx_robust::mixing::MIXINGS;
use phalanx_robust::registry::find;
use phalanx_robust::rule::BuildError;
use phalanx_robust::{Aggregator, Args, Chain, Population, PopulationError, RULES, Rng};
use phalanx_sim::{Adversary, Node, Puppet, Settings, Simulation, Speaker};
use phalanx_tasks::TASKS;

use crate::experiment::{Choice, Reach, Run, resolve::nanoseconds};
use crate::run::laboratory::Laboratory;
use crate::run::wiring::{Place, Wiring, hub};

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
    /// n and f, or the quorum
    #[error(transparent)]
    Gather(#[from] GatherError),
    /// n and f, or the quorum
    #[error(transparent)]
    Agreement(#[from] AgreementError),
}

/// Builds everything that a run consists of. `data` holds the data sets of this machine.
///
/// # Errors
/// When data are missing or an entry refuses n, f or its parameters.
pub fn assemble(run: &Run, data: &Path) -> Result<Box<dyn Laboratory>, AssembleError> {
    let wiring = Wiring::new(run);
    match run.exchange.choice.name {
        "direct" => populate(run, data, move |place| Ok(wiring.direct(place)), |_| Ok(Speaker)),
        "reliable-broadcast" => {
            let twin = wiring.clone();
            populate(run, data, move |p| wiring.reliable(p), move |p| twin.reliable(p))
        }
        "signed-echo" => {
            let twin = wiring.clone();
            populate(run, data, move |p| wiring.signed(p), move |p| twin.signed(p))
        }
        "mda-agreement" => {
            populate(run, data, move |p| wiring.minimum_diameter(p), |_| Ok(Speaker))
        }
        // What a Byzantine node shares in a pass is forged, so its machine is that of one pass.
        "rb-tm-agreement" => {
            let twin = wiring.clone();
            populate(run, data, move |p| wiring.trimmed(p), move |p| twin.reliable(p))
        }
        name => unreachable!("exchange `{name}` is listed but not built"),
    }
}

fn populate<E: Exchange + 'static, P: Puppet<E::Message> + 'static>(
    run: &Run,
    data: &Path,
    exchange: impl Fn(Place) -> Result<E, AssembleError>,
    puppet: impl Fn(Place) -> Result<P, AssembleError> + Send + Sync + 'static,
) -> Result<Box<dyn Laboratory>, AssembleError>
where
    E::Message: Forger,
{
    let honest = run.population.n() - run.byzantine;
    let mut nodes = Vec::with_capacity(honest + 1);
    let mut dim = 0;
    let mut add = |id: NodeId, task: Box<dyn Task>| {
        let role = match run.is_star {
            false => Role::Peer,
            true if id == hub(run) => Role::Hub,
            true => Role::Leaf,
        };
        let place = Place { id, role, dim: task.shared().len() };
        dim = place.dim;
        // In a star only the server has the current model.
        let evaluate_every = if role == Role::Leaf { 0 } else { run.plan.evaluate_every };
        nodes.push(Node {
            id,
            exchange: exchange(place)?,
            worker: worker(run, place, task)?,
            plan: Plan { rounds: run.plan.rounds, evaluate_every },
            is_speaker: role != Role::Hub,
        });
        Ok::<(), AssembleError>(())
    };
    for (index, task) in build_tasks(run, honest, data)?.into_iter().enumerate() {
        add(NodeId(index as u16), task)?;
    }
    if run.is_star {
        let task = build_tasks(run, honest, data)?.into_iter().next();
        add(hub(run), task.expect("there is at least one honest node"))?;
    }
    let network = phalanx_sim::Network {
        delay: (nanoseconds(run.network.delay_ms.0), nanoseconds(run.network.delay_ms.1)),
        compute: (nanoseconds(run.network.compute_ms.0), nanoseconds(run.network.compute_ms.1)),
        loss: run.network.loss,
    };
    let (n, byzantine) = (run.population.n(), run.byzantine);
    let settings = Settings { n, byzantine, network, seed: run.seed };
    let puppet = move |id| {
        puppet(Place { id, role: Role::Peer, dim }).expect("its honest twins could be built")
    };
    let adversary = match attack(run)? {
        Some(attack) if byzantine > 0 => {
            let adversary = Adversary::new(attack, reach(run), run.seed, puppet);
            let f = run.population.f();
            Some(match misbehaviours(run) {
                none if none.is_empty() => adversary,
                some => adversary.misbehaving(some, f, run.seed),
            })
        }
        _ => None,
    };
    Ok(Box::new(Simulation::new(settings, nodes, adversary)))
}

fn misbehaviours(run: &Run) -> Vec<Box<dyn Misbehaviour>> {
    let build = |choice: &Choice| {
        let entry = find(MISBEHAVIOURS, choice.name).expect("the misbehaviour was resolved");
        (entry.build.build)(&choice.args)
    };
    run.misbehaviours.iter().map(build).collect()
}

/// The tasks of so many nodes.
///
/// # Errors
/// When data are missing, or do not fit the model.
pub fn build_tasks(
    run: &Run,
    nodes: usize,
    data: &Path,
) -> Result<Vec<Box<dyn Task>>, AssembleError> {
    let Choice { name, args } = &run.task;
    let entry = find(TASKS, name).expect("the task was resolved");
    let setup = TaskSetup { args, nodes, seed: run.seed, data };
    (entry.build.build)(setup).map_err(|source| AssembleError::Task { name, source })
}

fn worker(run: &Run, place: Place, task: Box<dyn Task>) -> Result<Worker, AssembleError> {
    let mut init = vec![0.0; task.dim()];
    task.init(&mut Rng::stream(run.seed, u64::MAX, "initial parameters"), &mut init);
    let Choice { name, args } = &run.algorithm;
    let entry = find(ALGORITHMS, name).expect("the algorithm was resolved");
    let (rule, collected) = match run.exchange.yields {
        Yields::Vectors => (rule(run, run.collected)?, run.collected),
        // What the exchange agreed on is one vector: nothing is left to condense.
        Yields::Agreed { .. } => (bare_average()?, 1),
    };
    let setup = Setup { args, rule, init, role: place.role, collected };
    let algorithm =
        (entry.build.build)(setup).map_err(|s| AssembleError::Build { name, source: s })?;
    Ok(Worker::new(place.id, task, algorithm))
}

/// The average of one vector, which is that vector.
fn bare_average() -> Result<Box<dyn Aggregator>, AssembleError> {
    let entry = find(RULES, "average").expect("the average is a rule");
    let built = (entry.build.build)(&Args::default(), Population::new(1, 0)?);
    built.map_err(|source| AssembleError::Build { name: entry.name, source })
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

fn attack(run: &Run) -> Result<Option<Box<dyn Attack>>, AssembleError> {
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
    Ok(Some(attack))
}

fn reach(run: &Run) -> phalanx_sim::Reach {
    match run.reach {
        Reach::All => phalanx_sim::Reach::All,
        Reach::Sampled => phalanx_sim::Reach::Sampled,
    }
}
