//! The algorithms' numbered promises, on populations small enough to compute by hand.
use phalanx_learn::task::Batch;
use phalanx_learn::{Event, Plan, Task};
use phalanx_protocol::Direct;
use phalanx_robust::{Rng, Value};
use phalanx_sim::{Outcome, Simulation};

use crate::toy::{Quadratic, Record, World};

fn finished(world: &World) -> Simulation<Direct> {
    let mut simulation = world.build();
    let outcome = simulation.run(&mut Record::default(), &mut |_| true);
    assert_eq!(outcome, Ok(Outcome::Finished));
    simulation
}

/// Momentum SGD on the mean of all nodes' gradients: what f = 0 and averaging must equal.
fn centralised(world: &World, (step, beta): (f32, f32)) -> Vec<f32> {
    let mut tasks: Vec<Quadratic> =
        (0..world.n).map(|node| Quadratic::new(node, world.dim, world.noise, world.seed)).collect();
    let mut params = vec![0.0; world.dim];
    tasks[0].init(&mut Rng::stream(world.seed, u64::MAX, "init"), &mut params);
    let (mut momentum, mut grad) = (vec![0.0f32; world.dim], vec![0.0f32; world.dim]);
    for _ in 0..world.plan.rounds {
        let mut mean = vec![0.0f64; world.dim];
        for task in &mut tasks {
            task.gradient(&params, Batch::Fresh, &mut grad).unwrap();
            mean.iter_mut().zip(&grad).for_each(|(m, g)| *m += f64::from(*g) / world.n as f64);
        }
        for ((m, x), g) in momentum.iter_mut().zip(&mut params).zip(&mean) {
            *m = beta * *m + (1.0 - beta) * *g as f32;
            *x -= step * *m;
        }
    }
    params
}

fn honest_world(algorithm: &'static str) -> World {
    let mut world = World { byzantine: 0, attack: None, ..World::new(6, 0, algorithm) };
    world.plan = Plan { rounds: 50, evaluate_every: 0 };
    world
}

fn assert_close(found: &[f32], expected: &[f32], tolerance: f32) {
    for (found, expected) in found.iter().zip(expected) {
        assert!((found - expected).abs() <= tolerance, "{found} is not {expected}");
    }
}

// Spec 01, check 7.
#[test]
fn without_faults_every_averaging_algorithm_is_centralised_momentum_sgd() {
    for (algorithm, beta) in [("monna", 0.99), ("d-sgd", 0.99), ("nna", 0.0)] {
        let world = honest_world(algorithm);
        let expected = centralised(&world, (0.2, beta));
        let simulation = finished(&world);
        for node in 0..world.n {
            assert_eq!(simulation.params(node), simulation.params(0), "all models are identical");
        }
        assert_close(simulation.params(0), &expected, 1e-5);
    }
}

#[test]
fn a_server_with_averaging_is_centralised_momentum_sgd() {
    let world = honest_world("distributed-sgd");
    let expected = centralised(&world, (0.2, 0.9));
    let simulation = finished(&world);
    assert_close(simulation.params(world.n), &expected, 1e-5);
}

#[test]
fn alone_means_alone() {
    let world = honest_world("local-only");
    let simulation = finished(&world);
    let alone = World { n: 1, ..world.clone() };
    assert_close(simulation.params(0), &centralised(&alone, (0.2, 0.99)), 1e-5);
    assert_eq!(simulation.traffic().messages, 0);
}

// Spec 01, Q1: the published opening takes the sum of all first steps.
#[test]
fn the_published_opening_is_h_times_the_mean_first_step() {
    let mut world = World { noise: 0.0, ..honest_world("d-sgd") };
    world.plan.rounds = 1;
    let paper = finished(&world);
    let published = finished(&world.clone().with("mode", Value::Text("published".into())));
    let mut start = vec![0.0; world.dim];
    Quadratic::new(0, world.dim, 0.0, world.seed)
        .init(&mut Rng::stream(world.seed, u64::MAX, "init"), &mut start);
    for ((start, paper), published) in start.iter().zip(paper.params(0)).zip(published.params(0)) {
        let (one, all) = (paper - start, published - start);
        assert!((all - 6.0 * one).abs() <= 2e-6, "{all} is not 6 · {one}");
    }
}

#[test]
fn byzantine_nodes_break_averaging_and_not_nearest_neighbour_averaging() {
    let honest_mean_error = |world: &World| {
        let simulation = finished(world);
        let honest = world.n - world.byzantine;
        let tasks: Vec<_> =
            (0..honest).map(|i| Quadratic::new(i, world.dim, 0.0, world.seed)).collect();
        let mut error = 0.0f64;
        for k in 0..world.dim {
            let optimum = tasks.iter().map(|t| t.center[k]).sum::<f32>() / honest as f32;
            let worst = (0..honest).map(|i| (simulation.params(i)[k] - optimum).abs());
            error += f64::from(worst.fold(0.0, f32::max)).powi(2);
        }
        error.sqrt()
    };
    let mut averaging = World::new(12, 3, "d-sgd");
    averaging.plan = Plan { rounds: 400, evaluate_every: 0 };
    let monna = World { algorithm: ("monna", averaging.algorithm.1.clone()), ..averaging.clone() };
    let clean = World { byzantine: 0, f: 0, attack: None, ..averaging.clone() };
    let (broken, robust, clean) =
        (honest_mean_error(&averaging), honest_mean_error(&monna), honest_mean_error(&clean));
    assert!(broken > 4.0 * robust.max(clean), "{broken} against {robust} and {clean}");
}

#[test]
fn flipped_labels_are_a_step_of_the_last_gradients_in_every_coordination_round() {
    let mut world = World { byzantine: 1, ..World::new(3, 0, "nna") }
        .with("coordination-rounds", Value::Integer(2));
    (world.rule, world.attack, world.waits_for_all) =
        (Some("average"), Some("label-flipping"), true);
    (world.noise, world.plan) = (0.0, Plan { rounds: 1, evaluate_every: 0 });
    let mut start = vec![0.0; world.dim];
    let tasks = [0, 1].map(|node| Quadratic::new(node, world.dim, 0.0, world.seed));
    tasks[0].init(&mut Rng::stream(world.seed, u64::MAX, "init"), &mut start);
    let center = |k: usize| (tasks[0].center[k] + tasks[1].center[k]) / 2.0;
    // With x̄ = θ − γ (θ − c) and g̃ = θ + c: first (2x̄ + x̄ − γ g̃)/3, then γ g̃/3 less again.
    let expected: Vec<f32> = (start.iter().enumerate())
        .map(|(k, x)| x - 0.2 * (x - center(k)) - 2.0 * 0.2 * (x + center(k)) / 3.0)
        .collect();
    let simulation = finished(&world);
    (0..2).for_each(|node| assert_close(simulation.params(node), &expected, 1e-5));
}

#[test]
fn a_node_is_evaluated_before_the_first_round_then_every_so_many_and_at_the_end() {
    let mut world = World::new(7, 1, "monna");
    world.plan = Plan { rounds: 12, evaluate_every: 5 };
    let mut record = Record::default();
    world.build().run(&mut record, &mut |_| true).unwrap();
    let rounds: Vec<u32> = (record.0.iter())
        .filter_map(|(_, node, event)| match event {
            Event::Evaluated { round, .. } if node.0 == 3 => Some(round.0),
            _ => None,
        })
        .collect();
    assert_eq!(rounds, [0, 5, 10, 12]);
}
