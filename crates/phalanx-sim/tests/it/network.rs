//! Who hears whom: quorums, reach, silence, loss, divergence.
use phalanx_learn::Event;
use phalanx_protocol::NodeId;
use phalanx_sim::{Checked, Checker, Network, NoHonestRejection, Outcome, Reach, RoundsInOrder};

use crate::toy::{Record, World};

fn run(world: &World) -> (Outcome, Record, phalanx_sim::Traffic) {
    let (mut simulation, mut record) = (world.build(), Record::default());
    let mut checkers: Vec<Box<dyn Checker>> = vec![
        Box::new(NoHonestRejection { honest: world.n - world.byzantine, n: world.n }),
        Box::new(RoundsInOrder::default()),
    ];
    let mut checked = Checked::new(&mut record, &mut checkers);
    let outcome = simulation.run(&mut checked, &mut |_| true).unwrap();
    assert_eq!(checked.violation, None);
    (outcome, record, simulation.traffic())
}

/// How many Byzantine senders each collection held.
fn byzantine_heard(world: &World, record: &Record) -> Vec<usize> {
    let is_byzantine = |id: &&NodeId| id.index() >= world.n - world.byzantine;
    record.collected().map(|(_, from)| from.iter().filter(is_byzantine).count()).collect()
}

#[test]
fn every_node_acts_on_exactly_n_minus_f_vectors_its_own_among_them() {
    let world = World::new(10, 3, "monna");
    let (outcome, record, _) = run(&world);
    assert_eq!(outcome, Outcome::Finished);
    assert_eq!(record.collected().count(), 7 * 30);
    assert!(record.collected().all(|(node, from)| from.len() == 7 && from.contains(&node)));
}

#[test]
fn refused_vectors_cost_nobody_a_vector_that_counts() {
    let world = World { attack: Some("nan"), ..World::new(7, 2, "monna") };
    let (outcome, record, _) = run(&world);
    assert_eq!((outcome, record.failures()), (Outcome::Finished, vec![]));
    assert_eq!(record.collected().count(), 5 * 30);
    assert!(record.collected().all(|(node, from)| from.len() == 5 && from.contains(&node)));
}

#[test]
fn reach_all_brings_every_byzantine_vector_and_sampled_only_some() {
    let all = World::new(10, 3, "monna");
    assert!(byzantine_heard(&all, &run(&all).1).iter().all(|heard| *heard == 3));
    let sampled = World { reach: Reach::Sampled, ..all };
    let heard = byzantine_heard(&sampled, &run(&sampled).1);
    for count in 0..=3 {
        assert!(heard.contains(&count), "{count} of 3 is never heard in {} turns", heard.len());
    }
}

#[test]
fn honest_responders_are_random_under_reach_all() {
    let world = World::new(10, 3, "monna");
    let (_, record, _) = run(&world);
    let heard_of = |from| {
        let is_zero = |(node, _): &(NodeId, _)| node.0 == 0;
        let of_node = record.collected().filter(is_zero);
        of_node.filter(|(_, senders)| senders.contains(&NodeId(from))).count()
    };
    for from in 1..7 {
        // 3 of 6 others in each of 30 turns: 15 expected.
        assert!((5..=25).contains(&heard_of(from)), "node {from}: {}", heard_of(from));
    }
}

#[test]
fn declared_f_is_not_the_number_that_attack() {
    let fewer = World { byzantine: 1, ..World::new(10, 3, "monna") };
    assert!(byzantine_heard(&fewer, &run(&fewer).1).iter().all(|heard| *heard == 1));
    let more = World { byzantine: 4, ..World::new(10, 3, "monna") };
    let (outcome, record, _) = run(&more);
    assert_eq!(outcome, Outcome::Finished);
    assert!(byzantine_heard(&more, &record).iter().all(|heard| *heard == 4));
}

#[test]
fn f_silent_nodes_stop_nobody_and_one_more_stops_everybody() {
    let silent = World { attack: None, ..World::new(10, 3, "monna") };
    assert_eq!(run(&silent).0, Outcome::Finished);
    let too_many = World { byzantine: 4, ..silent.clone() };
    assert_eq!(run(&too_many).0, Outcome::Stalled);
    let patient = World { waits_for_all: true, ..silent };
    assert_eq!(run(&patient).0, Outcome::Stalled);
    let with_timeout = World { timeout: 1000, ..patient };
    assert_eq!(run(&with_timeout).0, Outcome::Finished);
}

#[test]
fn losses_delay_but_stop_nobody() {
    let world = World::new(7, 1, "monna");
    let mut lossy = world.clone();
    lossy.network.loss = 0.3;
    let (outcome, record, traffic) = run(&lossy);
    assert_eq!(outcome, Outcome::Finished);
    let share = traffic.lost as f64 / (traffic.lost + traffic.messages) as f64;
    assert!((0.2..0.4).contains(&share), "{share}");
    let end = |record: &Record| record.0.last().unwrap().0;
    assert!(end(&record) > end(&run(&world).1));
}

#[test]
fn each_loss_costs_twice_the_greatest_delay() {
    let network = Network { delay: (5, 50), compute: (0, 0), loss: 0.5 };
    let rng = &mut phalanx_robust::Rng::stream(1, 0, "network");
    let drawn: Vec<(u64, u64)> = (0..1000).map(|_| network.draw_delay(rng)).collect();
    assert!(drawn.iter().all(|(delay, lost)| (5..=50).contains(&(delay - 100 * lost))));
    let lost: u64 = drawn.iter().map(|(_, lost)| lost).sum();
    assert!((850..1150).contains(&lost), "{lost} losses of 1000 messages, 1000 expected");
}

#[test]
fn nobody_waits_for_a_node_that_has_failed() {
    for reach in [Reach::All, Reach::Sampled] {
        let world = World { byzantine: 1, reach, ..World::new(7, 2, "monna") };
        let (outcome, record, _) = run(&World { breaks_in: Some(5), ..world });
        assert_eq!(outcome, Outcome::Finished);
        let failed = |(_, node, event): &(_, NodeId, Event)| match event {
            Event::Failed { turn, .. } => Some((node.0, turn.round.0)),
            _ => None,
        };
        assert_eq!(record.0.iter().filter_map(failed).collect::<Vec<_>>(), [(0, 5)]);
        let finished = |event: &Event| matches!(event, Event::Finished { round } if round.0 == 30);
        assert_eq!(record.0.iter().filter(|(_, _, event)| finished(event)).count(), 5);
        let after = record.0.iter().skip_while(|entry| failed(entry).is_none());
        assert_eq!(after.filter(|(_, node, _)| node.0 == 0).count(), 1, "it falls silent");
    }
}

#[test]
fn divergence_is_recorded_and_ends_the_run() {
    let mut world = World::new(7, 1, "d-sgd").with("momentum", phalanx_robust::Value::Number(0.0));
    world.algorithm.1[0].1 = phalanx_robust::Value::Number(1e9);
    let (outcome, record, _) = run(&world);
    assert_ne!(outcome, Outcome::Interrupted);
    assert!(!record.failures().is_empty());
    assert!(record.failures().iter().all(|reason| reason.contains("not finite")));
}

#[test]
fn messages_are_counted_per_receiver() {
    let world = World { byzantine: 0, ..World::new(5, 0, "d-sgd") };
    let (_, record, traffic) = run(&world);
    assert_eq!(traffic.messages, 5 * 4 * 30);
    assert_eq!(traffic.bytes, traffic.messages * (12 + 4 * 7));
    let evaluated = |event: &Event| matches!(event, Event::Evaluated { .. });
    assert_eq!(record.0.iter().filter(|(_, _, event)| evaluated(event)).count(), 5 * 4);
}

#[test]
fn a_hub_whom_nobody_answers_in_time_fails_and_says_so() {
    // Slower than the timeout, so that not one vector is there when it passes.
    let network = Network { delay: (5, 50), compute: (100, 120), loss: 0.0 };
    for is_opaque in [false, true] {
        let world = World::new(5, 1, "distributed-sgd");
        let (_, record, _) = run(&World { timeout: 60, network, is_opaque, ..world });
        let failures = record.failures();
        assert!(failures.contains(&"no vectors: at least one is needed"), "{failures:?}");
    }
}
