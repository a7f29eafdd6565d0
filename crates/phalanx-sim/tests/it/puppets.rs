//! Byzantine nodes that answer: over reliable broadcast, with every misbehaviour, and resumed.
use std::collections::BTreeMap;

use phalanx_attack::{MISBEHAVIOURS, Misbehaviour};
use phalanx_learn::Plan;
use phalanx_protocol::{
    Enough, Form, Gather, GatherConfig, NodeId, ReliableBroadcast, ReliableBroadcastConfig,
};
use phalanx_robust::registry::find;
use phalanx_robust::{Args, Population};
use phalanx_sim::{Checked, Checker, NoHonestRejection, Outcome, Reach, Simulation};

use crate::toy::{Record, World};

type Machine = Gather<ReliableBroadcast>;

fn machine(me: NodeId, population: Population, dim: usize) -> Machine {
    let config = ReliableBroadcastConfig {
        population,
        form: Form::Digest,
        dim,
        is_finite_required: true,
        turns_ahead_max: 64,
        turns_served_max: 64,
    };
    let broadcast = ReliableBroadcast::new(me, config).unwrap();
    let enough = Enough::Deliveries(population.quorum());
    Gather::new(me, broadcast, GatherConfig { population, enough, turns_ahead_max: 64 }).unwrap()
}

fn misbehaviour(name: &str) -> Box<dyn Misbehaviour> {
    let entry = find(MISBEHAVIOURS, name).unwrap();
    (entry.build.build)(&Args::check(entry.name, entry.params, &BTreeMap::new()).unwrap())
}

fn build(world: &World, names: &[&str]) -> Simulation<Machine> {
    let (population, dim) = (Population::new(world.n, world.f).unwrap(), world.dim);
    let misbehaviours = names.iter().map(|name| misbehaviour(name)).collect();
    let exchange = move |id, _| machine(id, population, dim);
    world.build_over(exchange, move |id| machine(id, population, dim), misbehaviours)
}

fn run(world: &World, names: &[&str]) -> (Record, u64) {
    let (mut simulation, mut record) = (build(world, names), Record::default());
    let honest = world.n - world.byzantine;
    let mut checkers: Vec<Box<dyn Checker>> =
        vec![Box::new(NoHonestRejection { honest, n: world.n })];
    let mut checked = Checked::new(&mut record, &mut checkers);
    let outcome = simulation.run(&mut checked, &mut |_| true).unwrap();
    assert_eq!((outcome, checked.violation.take()), (Outcome::Finished, None), "{names:?}");
    (record, simulation.traffic().byzantine_messages)
}

fn world(attack: &'static str) -> World {
    let plan = Plan { rounds: 5, evaluate_every: 5 };
    World { plan, attack: Some(attack), ..World::new(7, 2, "monna") }
}

#[test]
fn puppets_answer_and_their_traffic_is_counted() {
    // Per turn a node speaks once, echoes and is ready for all seven; five honest ones listen.
    let (record, messages) = run(&world("sign-flipping"), &[]);
    assert!(messages >= 2 * 5 * 5 * (1 + 5 + 5), "{messages}");
    // Silent ones share nothing, so they echo nothing; READY follows that of others.
    assert_eq!(run(&world("silence"), &[]).1, 2 * 5 * 5 * 5);
    assert!(record.collected().any(|(_, from)| from.iter().any(|id| id.index() >= 5)));
}

#[test]
fn whom_equivocation_shows_two_vectors_delivers_one_or_none() {
    // `apart` shows each receiver its own vector: no quorum echoes any of them.
    let (record, _) = run(&world("equivocation"), &[]);
    assert!(record.collected().all(|(_, from)| from.iter().all(|id| id.index() < 5)));
}

#[test]
fn every_misbehaviour_is_survived_alone_and_beside_another() {
    for (at, entry) in MISBEHAVIOURS.iter().enumerate() {
        let next = MISBEHAVIOURS[(at + 1) % MISBEHAVIOURS.len()].name;
        for reach in [Reach::All, Reach::Sampled] {
            let world = World { reach, ..world("sign-flipping") };
            run(&world, &[entry.name]);
            run(&world, &[entry.name, next]);
        }
    }
}

#[test]
fn puppets_and_their_misbehaviours_are_resumed_bit_for_bit() {
    let names = ["replay", "delay", "equivocate", "crash"];
    for reach in [Reach::All, Reach::Sampled] {
        let world = World { reach, ..world("gaussian") };
        let (expected, _) = run(&world, &names);
        for stop_after in [1, 3, 8] {
            let (mut simulation, mut record) = (build(&world, &names), Record::default());
            let mut batches = 0;
            loop {
                let outcome = simulation.run(&mut record, &mut |_| {
                    batches += 1;
                    batches % stop_after != 0
                });
                if outcome != Ok(Outcome::Interrupted) {
                    break;
                }
                let snapshot = simulation.save();
                simulation = build(&world, &names);
                simulation.load(&snapshot).unwrap();
            }
            assert!(record == expected, "every {stop_after}, {reach:?}");
        }
    }
}
