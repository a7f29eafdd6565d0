//! One seed, one record: on any number of threads, batched or alone, interrupted or not.
use phalanx_learn::{ALGORITHMS, Plan};
use phalanx_robust::Value;
use phalanx_sim::{Outcome, Reach};

use crate::toy::{Record, World};

fn run_on(threads: usize, world: &World) -> (Record, Vec<Vec<u32>>) {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
    pool.install(|| {
        let (mut simulation, mut record) = (world.build(), Record::default());
        let outcome = simulation.run(&mut record, &mut |_| true).unwrap();
        assert_eq!(outcome, Outcome::Finished);
        (record, bits(world, &simulation))
    })
}

fn bits(
    world: &World,
    simulation: &phalanx_sim::Simulation<phalanx_protocol::Direct>,
) -> Vec<Vec<u32>> {
    let honest = world.n - world.byzantine;
    (0..honest).map(|i| simulation.params(i).iter().map(|x| x.to_bits()).collect()).collect()
}

fn worlds() -> Vec<World> {
    let mut worlds = Vec::new();
    for (at, entry) in ALGORITHMS.iter().enumerate() {
        let mut world = World::new(7, 1, entry.name);
        world.reach = if at % 2 == 0 { Reach::All } else { Reach::Sampled };
        world.network.loss = if at % 3 == 0 { 0.2 } else { 0.0 };
        world.plan = Plan { rounds: 12, evaluate_every: 5 };
        worlds.push(world);
    }
    worlds.push(World::new(7, 1, "monna").with("coordination-rounds", Value::Integer(3)));
    worlds.push(World::new(7, 1, "monna").with("mode", Value::Text("published".into())));
    worlds
}

/// Rules and attacks that remember, and a node that fails.
fn remembering() -> Vec<World> {
    let mut worlds = Vec::new();
    for (rule, attack) in [
        ("centered-clipping", "mimic-heuristic"),
        ("dnc", "label-flipping"),
        ("average", "small-perturbation"),
        ("trimmed-mean", "gaussian"),
    ] {
        let mut world = World::new(7, 1, "nna").with("coordination-rounds", Value::Integer(2));
        (world.rule, world.attack) = (Some(rule), Some(attack));
        world.plan = Plan { rounds: 12, evaluate_every: 5 };
        worlds.push(world);
    }
    worlds.push(World { breaks_in: Some(5), ..World::new(7, 2, "monna") });
    worlds
}

#[test]
fn threads_do_not_matter() {
    for world in worlds().into_iter().chain(remembering()) {
        assert_eq!(run_on(1, &world), run_on(3, &world), "{}", world.algorithm.0);
    }
}

#[test]
fn another_seed_is_another_run() {
    let world = World::new(7, 1, "monna");
    let other = World { seed: 6, ..world.clone() };
    assert_ne!(run_on(1, &world), run_on(1, &other));
}

#[test]
fn condensing_for_all_nodes_at_once_changes_no_bit() {
    for world in worlds().into_iter().chain(remembering()) {
        let alone = World { is_opaque: true, ..world.clone() };
        assert_eq!(run_on(2, &world), run_on(2, &alone), "{}", world.algorithm.0);
    }
}

#[test]
fn interrupted_and_resumed_equals_uninterrupted() {
    for world in worlds().into_iter().chain(remembering()) {
        let (expected, expected_bits) = run_on(2, &world);
        for stop_after in [1, 2, 3, 5, 8, 13, 21, 34] {
            let (mut simulation, mut record) = (world.build(), Record::default());
            let mut batches = 0;
            let mut outcome = simulation.run(&mut record, &mut |_| {
                batches += 1;
                batches % stop_after != 0
            });
            while outcome == Ok(Outcome::Interrupted) {
                let snapshot = simulation.save();
                simulation = world.build();
                simulation.load(&snapshot).unwrap();
                outcome = simulation.run(&mut record, &mut |_| {
                    batches += 1;
                    batches % stop_after != 0
                });
            }
            assert_eq!(outcome, Ok(Outcome::Finished));
            assert!(record == expected, "{} every {stop_after}", world.algorithm.0);
            assert_eq!(bits(&world, &simulation), expected_bits, "{}", world.algorithm.0);
        }
    }
}

#[test]
fn a_snapshot_of_something_else_is_refused() {
    let world = World::new(7, 1, "monna");
    let mut simulation = world.build();
    simulation.run(&mut Record::default(), &mut |_| false).unwrap();
    let snapshot = simulation.save();
    assert!(World::new(8, 1, "monna").build().load(&snapshot).is_err());
    assert!(World { dim: 8, ..world.clone() }.build().load(&snapshot).is_err());
    for cut in [0, 1, 8, snapshot.len() / 2, snapshot.len() - 1] {
        assert!(world.build().load(&snapshot[..cut]).is_err(), "cut at {cut}");
    }
}
