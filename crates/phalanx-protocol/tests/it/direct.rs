//! The direct exchange: who is heard, who is refused, and that nothing from a peer breaks it.
use phalanx_protocol::direct::TURNS_AHEAD_MAX;
use phalanx_protocol::{
    Collected, Direct, DirectConfig, DirectMessage, Discard, Exchange, Input, Machine, NodeId,
    Outbox, Output, Rejection, Seat, Share, Time, To, Turn, Vector,
};
use phalanx_robust::{StateReader, StateWriter};
use proptest::prelude::*;

const DIM: usize = 2;

/// Of seven nodes.
fn config(quorum: usize) -> DirectConfig {
    DirectConfig {
        nodes: 7,
        quorum,
        timeout: 0,
        is_finite_required: true,
        dim: DIM,
        turns_ahead_max: TURNS_AHEAD_MAX,
        seat: Seat::Peer,
    }
}

fn vector(value: f32) -> Vector {
    Vector::new(vec![value; DIM])
}

fn share(machine: &mut Direct, turn: Turn, value: f32) -> Outbox<Direct> {
    let mut out = Vec::new();
    let share = Share { turn, vector: vector(value), halvings: 1 };
    machine.handle(Time(0), Input::Command(share), &mut out);
    out
}

fn deliver(machine: &mut Direct, from: u16, turn: Turn, vector: Vector) -> Outbox<Direct> {
    let mut out = Vec::new();
    let message = DirectMessage { turn, vector };
    machine.handle(Time(0), Input::Message { from: NodeId(from), message }, &mut out);
    out
}

fn collected(out: &Outbox<Direct>) -> Option<&Collected> {
    out.iter().find_map(|output| match output {
        Output::Event(collected) => Some(collected),
        _ => None,
    })
}

fn senders(out: &Outbox<Direct>) -> Option<Vec<u16>> {
    collected(out).map(|collected| collected.vectors.iter().map(|(from, _)| from.0).collect())
}

#[test]
fn acts_on_the_first_quorum_and_no_more() {
    let turn = Turn::new(0, 0);
    let mut machine = Direct::new(NodeId(0), config(3));
    assert!(matches!(share(&mut machine, turn, 0.0)[0], Output::Send { to: To::Others, .. }));
    assert_eq!(senders(&deliver(&mut machine, 4, turn, vector(4.0))), None);
    assert_eq!(senders(&deliver(&mut machine, 2, turn, vector(2.0))), Some(vec![0, 2, 4]));
    let late = deliver(&mut machine, 1, turn, vector(1.0));
    assert_eq!(late, vec![Output::Discard { from: NodeId(1), reason: Discard::Late }]);
}

#[test]
fn vectors_that_come_before_the_own_one_count_in_order_of_arrival() {
    let turn = Turn::new(0, 0);
    let mut machine = Direct::new(NodeId(0), config(3));
    for from in [5, 3] {
        assert!(deliver(&mut machine, from, turn, vector(f32::from(from))).is_empty());
    }
    let third = deliver(&mut machine, 1, turn, vector(1.0));
    assert_eq!(third, vec![Output::Discard { from: NodeId(1), reason: Discard::Late }]);
    assert_eq!(senders(&share(&mut machine, turn, 0.0)), Some(vec![0, 3, 5]));
}

#[test]
fn a_quorum_of_one_needs_nobody() {
    let mut machine = Direct::new(NodeId(0), config(1));
    assert_eq!(senders(&share(&mut machine, Turn::new(0, 0), 0.0)), Some(vec![0]));
}

#[test]
fn two_vectors_for_one_turn_are_proof_of_a_fault_and_the_same_one_twice_is_not() {
    let turn = Turn::new(0, 0);
    let mut machine = Direct::new(NodeId(0), config(4));
    deliver(&mut machine, 1, turn, vector(1.0));
    let again = deliver(&mut machine, 1, turn, vector(1.0));
    assert_eq!(again, vec![Output::Discard { from: NodeId(1), reason: Discard::Duplicate }]);
    let other = deliver(&mut machine, 1, turn, vector(2.0));
    assert_eq!(other, vec![Output::Reject { from: NodeId(1), reason: Rejection::Equivocation }]);
}

#[test]
fn malformed_vectors_are_refused_and_not_waited_for() {
    let turn = Turn::new(0, 0);
    let mut machine = Direct::new(NodeId(0), DirectConfig { nodes: 4, ..config(4) });
    share(&mut machine, turn, 0.0);
    let cases = [
        (1, Vector::new(vec![0.0; DIM + 1]), Rejection::WrongLength),
        (2, vector(f32::NAN), Rejection::NotFinite),
        (3, vector(f32::INFINITY), Rejection::NotFinite),
    ];
    let mut last = Vec::new();
    for (from, vector, reason) in cases {
        last = deliver(&mut machine, from, turn, vector);
        assert!(last.contains(&Output::Reject { from: NodeId(from), reason }));
    }
    assert_eq!(senders(&last), Some(vec![0]), "all others were refused, so nobody is left");
}

#[test]
fn refused_vectors_do_not_shrink_a_quorum_that_others_can_fill() {
    let turn = Turn::new(0, 0);
    let mut machine = Direct::new(NodeId(0), config(5));
    share(&mut machine, turn, 0.0);
    for from in [5, 6] {
        let reason = Rejection::NotFinite;
        let refused = deliver(&mut machine, from, turn, vector(f32::NAN));
        assert_eq!(refused, vec![Output::Reject { from: NodeId(from), reason }]);
    }
    for from in [1, 2, 3] {
        assert_eq!(senders(&deliver(&mut machine, from, turn, vector(1.0))), None);
    }
    assert_eq!(senders(&deliver(&mut machine, 4, turn, vector(1.0))), Some(vec![0, 1, 2, 3, 4]));
    // Three that lie are more than the quorum allows for: nobody is left to wait for.
    let turn = Turn::new(1, 0);
    share(&mut machine, turn, 0.0);
    for from in [4, 5, 6] {
        deliver(&mut machine, from, turn, vector(f32::NAN));
    }
    for from in [1, 2] {
        assert_eq!(senders(&deliver(&mut machine, from, turn, vector(1.0))), None);
    }
    assert_eq!(senders(&deliver(&mut machine, 3, turn, vector(1.0))), Some(vec![0, 1, 2, 3]));
}

#[test]
fn a_peer_far_ahead_is_discarded_without_blame() {
    let mut machine = Direct::new(NodeId(0), config(3));
    let outputs: Vec<_> = (0..200)
        .flat_map(|round| deliver(&mut machine, 1, Turn::new(round, 0), vector(0.0)))
        .collect();
    assert!(!outputs.is_empty(), "memory is bounded");
    let too_early = Output::Discard { from: NodeId(1), reason: Discard::TooEarly };
    assert!(outputs.iter().all(|output| *output == too_early));
    deliver(&mut machine, 2, Turn::new(0, 0), vector(2.0));
    let mine = share(&mut machine, Turn::new(0, 0), 0.0);
    assert_eq!(senders(&mine), Some(vec![0, 1, 2]), "a flood harms nobody else");
}

#[test]
fn a_timeout_acts_on_what_came() {
    let turn = Turn::new(0, 0);
    let mut machine = Direct::new(NodeId(0), DirectConfig { timeout: 10, ..config(5) });
    let wait = share(&mut machine, turn, 0.0);
    assert!(wait.contains(&Output::Wait { until: Time(10) }));
    deliver(&mut machine, 2, turn, vector(2.0));
    let mut out = Vec::new();
    machine.handle(Time(9), Input::Wake, &mut out);
    assert!(out.is_empty(), "too soon");
    machine.handle(Time(10), Input::Wake, &mut out);
    assert_eq!(senders(&out), Some(vec![0, 2]));
}

#[test]
fn a_star_goes_down_in_even_phases_and_up_in_odd_ones() {
    let hub = NodeId(2);
    let mut leaf =
        Direct::new(NodeId(0), DirectConfig { nodes: 2, seat: Seat::Leaf { hub }, ..config(2) });
    let mut server = Direct::new(hub, DirectConfig { nodes: 2, seat: Seat::Hub, ..config(2) });
    let (down, up) = (Turn::new(0, 0), Turn::new(0, 1));
    assert!(share(&mut leaf, down, 0.0).is_empty(), "a leaf says nothing on the way down");
    assert_eq!(senders(&share(&mut server, down, 7.0)), Some(vec![2]));
    let forged = deliver(&mut leaf, 1, down, vector(9.0));
    assert_eq!(forged, vec![Output::Reject { from: NodeId(1), reason: Rejection::OutOfRole }]);
    assert_eq!(senders(&deliver(&mut leaf, 2, down, vector(7.0))), Some(vec![2]));
    let sent = share(&mut leaf, up, 1.0);
    assert!(matches!(sent[0], Output::Send { to: To::Node(NodeId(2)), .. }));
    assert_eq!(senders(&sent), Some(vec![0]));
    assert!(share(&mut server, up, 0.0).is_empty());
    deliver(&mut server, 0, up, vector(1.0));
    assert_eq!(senders(&deliver(&mut server, 1, up, vector(2.0))), Some(vec![0, 1]));
}

#[test]
fn a_turn_that_is_left_open_is_abandoned() {
    let mut machine = Direct::new(NodeId(0), DirectConfig { timeout: 10, ..config(2) });
    share(&mut machine, Turn::new(0, 0), 0.0);
    assert_eq!(senders(&share(&mut machine, Turn::new(2, 0), 0.0)), None);
    for turn in [Turn::new(0, 0), Turn::new(1, 0)] {
        let reason = Discard::Late;
        let expected = match turn.round.0 {
            0 => vec![Output::Discard { from: NodeId(1), reason }],
            _ => Vec::new(),
        };
        assert_eq!(deliver(&mut machine, 1, turn, vector(1.0)), expected);
    }
    assert_eq!(senders(&deliver(&mut machine, 1, Turn::new(2, 0), vector(1.0))), Some(vec![0, 1]));
}

#[derive(Debug, Clone)]
enum Step {
    Deliver { from: u16, round: u32, value: f32, dim: usize },
    Share,
    Wake,
}

fn step() -> impl Strategy<Value = Step> {
    let value = prop_oneof![Just(f32::NAN), Just(f32::INFINITY), -1.0f32..1.0];
    prop_oneof![
        6 => (0u16..9, 0u32..6, value, 1usize..4)
            .prop_map(|(from, round, value, dim)| Step::Deliver { from, round, value, dim }),
        1 => Just(Step::Share),
        1 => Just(Step::Wake),
    ]
}

proptest! {
    #[test]
    fn no_input_from_a_peer_breaks_it_and_a_snapshot_goes_on_alike(
        steps in proptest::collection::vec(step(), 0..120), cut in 0usize..120,
    ) {
        let mut machine = Direct::new(NodeId(0), DirectConfig { timeout: 5, ..config(4) });
        let mut copy = Direct::new(NodeId(0), DirectConfig { timeout: 5, ..config(4) });
        let (mut round, mut is_open) = (0, false);
        for (at, step) in steps.into_iter().enumerate() {
            if at == cut {
                let mut state = StateWriter::default();
                machine.save(&mut state);
                let bytes = state.finish();
                copy.load(&mut StateReader::new(&bytes)).unwrap();
            }
            let input = match step {
                Step::Deliver { from, round, value, dim } => {
                    let message = DirectMessage {
                        turn: Turn::new(round, 0),
                        vector: Vector::new(vec![value; dim]),
                    };
                    Input::Message { from: NodeId(from), message }
                }
                Step::Share if is_open => continue,
                Step::Share => {
                    let turn = Turn::new(round, 0);
                    Input::Command(Share { turn, vector: vector(0.5), halvings: 1 })
                }
                Step::Wake => Input::Wake,
            };
            is_open |= matches!(input, Input::Command(_));
            let (mut out, mut same) = (Vec::new(), Vec::new());
            machine.handle(Time(at as u64), input.clone(), &mut out);
            if at >= cut {
                copy.handle(Time(at as u64), input, &mut same);
                prop_assert_eq!(&out, &same);
            }
            if let Some(collected) = collected(&out) {
                prop_assert!(collected.vectors.len() <= 4 && is_open);
                let is_sound = |v: &Vector| v.is_finite() && v.len() == DIM;
                prop_assert!(collected.vectors.iter().all(|(_, v)| is_sound(v)));
                is_open = false;
                round += 1;
            }
        }
    }
}

// Found by fuzzing: who is no node was held beside the nodes, above what the machine promises.
#[test]
fn strangers_and_echoes_of_oneself_are_out_of_role() {
    let mut machine = Direct::new(NodeId(0), config(7));
    for from in [0, 7, u16::MAX] {
        let out = deliver(&mut machine, from, Turn::new(1, 0), vector(1.0));
        let from = NodeId(from);
        assert_eq!(out, [Output::Reject { from, reason: Rejection::OutOfRole }]);
    }
    assert_eq!(machine.held(), 0);
}
