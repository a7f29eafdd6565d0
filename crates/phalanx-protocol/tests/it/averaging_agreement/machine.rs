//! The machine around the passes: their number, their order, snapshots, and what peers may send.
use phalanx_protocol::{
    AgreementBounds, AgreementRule, AveragingAgreement, Collected, Direct, DirectMessage, Exchange,
    Input, Machine, NodeId, Outbox, Output, Rejection, Share, Time, Turn, Vector,
};
use phalanx_robust::{Population, StateReader, StateWriter};
use proptest::prelude::*;

use crate::averaging_agreement::driver::{Driven, Node, Scripted, View};

fn bounds() -> AgreementBounds {
    AgreementBounds::minimum_diameter(Population::new(7, 1).unwrap(), 2).unwrap()
}

fn vector(value: f32) -> Vector {
    Vector::new(vec![value, -value])
}

fn share(turn: Turn, value: f32, halvings: u16) -> Input<AveragingAgreement<Direct>> {
    Input::Command(Share { turn, vector: vector(value), halvings })
}

fn message(from: u16, turn: Turn, value: f32) -> Input<AveragingAgreement<Direct>> {
    let message = DirectMessage { turn, vector: vector(value) };
    Input::Message { from: NodeId(from), message }
}

type Out = Outbox<AveragingAgreement<Direct>>;

fn handle(
    machine: &mut AveragingAgreement<Direct>,
    input: Input<AveragingAgreement<Direct>>,
) -> Out {
    let mut out = Vec::new();
    machine.handle(Time(0), input, &mut out);
    out
}

fn outcome(out: &Out) -> Option<&Collected> {
    out.iter().find_map(|output| match output {
        Output::Event(collected) => Some(collected),
        _ => None,
    })
}

#[test]
fn without_halvings_nothing_is_sent_and_the_own_vector_comes_back() {
    let mut machine = Direct::agreement(NodeId(3), &bounds());
    let out = handle(&mut machine, share(Turn::new(0, 0), 5.0, 0));
    let expected = Collected { turn: Turn::new(0, 0), vectors: vec![(NodeId(3), vector(5.0))] };
    assert_eq!(out, [Output::Event(expected)]);
    // The next turn finds nothing left over.
    assert!(outcome(&handle(&mut machine, share(Turn::new(0, 1), 5.0, 1))).is_none());
}

#[test]
fn every_number_of_halvings_takes_its_number_of_passes() {
    let bounds = bounds();
    for halvings in 0..=20 {
        let mut node = Node::<Direct>::start(NodeId(0), &bounds, vector(1.0), halvings);
        let mut passes = 0;
        while let Some(turn) = node.pass {
            passes += 1;
            assert_eq!(turn, Turn::new(0, 0).with_pass(passes));
            let view: View = (0..6).map(|id| (NodeId(id), node.vector.clone())).collect();
            node.collect(&view);
        }
        assert_eq!(passes, bounds.passes(halvings), "N = {halvings}");
    }
}

#[test]
fn a_slow_node_catches_up_in_one_step_through_all_passes_that_are_here() {
    let bounds = bounds();
    let passes = bounds.passes(1);
    let mut machine = Direct::agreement(NodeId(0), &bounds);
    for pass in 1..=passes {
        for from in 1..6 {
            let turn = Turn::new(0, 0).with_pass(pass);
            assert!(handle(&mut machine, message(from, turn, 1.0)).is_empty());
        }
    }
    let out = handle(&mut machine, share(Turn::new(0, 0), 1.0, 1));
    assert_eq!(outcome(&out).unwrap().vectors, [(NodeId(0), vector(1.0))]);
    let sent = out.iter().filter(|output| matches!(output, Output::Send { .. })).count();
    assert_eq!(sent, usize::from(passes), "and others hear of every pass");
}

#[test]
fn a_pass_that_no_honest_node_has_is_proof_of_a_fault() {
    let bounds = bounds();
    let mut machine = Direct::agreement(NodeId(0), &bounds);
    for pass in [0, bounds.passes(32) + 1, u16::MAX] {
        let out = handle(&mut machine, message(1, Turn::new(0, 0).with_pass(pass), 1.0));
        assert_eq!(out, [Output::Reject { from: NodeId(1), reason: Rejection::NoSuchTurn }]);
    }
    assert_eq!(machine.held(), 0);
}

#[test]
fn any_number_of_vectors_from_the_quorum_to_all_is_condensed() {
    let population = Population::new(7, 2).unwrap();
    let bounds = AgreementBounds::new(AgreementRule::TrimmedMean, population, 2).unwrap();
    for count in 5..=7 {
        let mut node = Node::<Scripted>::start(NodeId(0), &bounds, vector(9.0), 1);
        let view: View = (0..count).map(|id| (NodeId(id), vector(f32::from(id)))).collect();
        node.collect(&view);
        // Two trimmed at each end of 0, 1, … count − 1.
        assert_eq!(node.vector, vector(f32::from(count - 1) / 2.0), "of {count}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    // Whatever peers send, the machine takes it, and a copy from a snapshot goes on alike.
    #[test]
    fn a_snapshot_at_any_point_changes_nothing(
        steps in prop::collection::vec((1u16..7, 0u16..6, 0u16..2, -3f32..3.0), 0..120),
        cut in 0usize..120,
        halvings in 0u16..3,
    ) {
        let bounds = bounds();
        let mut machine = Direct::agreement(NodeId(0), &bounds);
        let mut copy = Direct::agreement(NodeId(0), &bounds);
        handle(&mut machine, share(Turn::new(0, 0), 0.5, halvings));
        for (at, (from, pass, phase, value)) in steps.into_iter().enumerate() {
            if at == cut {
                let mut state = StateWriter::default();
                machine.save(&mut state);
                let bytes = state.finish();
                let mut reader = StateReader::new(&bytes);
                copy.load(&mut reader).unwrap();
                prop_assert!(reader.is_at_end());
            }
            let input = message(from, Turn::new(0, phase).with_pass(pass), value);
            let out = handle(&mut machine, input.clone());
            if at >= cut {
                prop_assert_eq!(&handle(&mut copy, input), &out);
            }
            prop_assert!(machine.held() <= machine.held_max());
            let is_over = out.iter().any(|output| matches!(output, Output::Event(_)));
            if is_over {
                let next = handle(&mut machine, share(Turn::new(0, 1), value, halvings));
                if at >= cut {
                    let same = handle(&mut copy, share(Turn::new(0, 1), value, halvings));
                    prop_assert_eq!(same, next);
                }
                break;
            }
        }
    }
}
