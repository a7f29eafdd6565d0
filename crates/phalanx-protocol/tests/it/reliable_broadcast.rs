//! Reliable broadcast: the numbered properties under an adversary, thresholds, refusals, bounds.
use std::collections::{BTreeMap, BTreeSet};

use phalanx_protocol::{
    Broadcast, Content, Delivered, Discard, Form, Input, Instance, Machine, Message, NodeId,
    Outbox, Output, Part, Rejection, ReliableBroadcast, ReliableBroadcastConfig,
    ReliableBroadcastMessage, Share, Time, To, Turn, Vector,
};
use phalanx_robust::{Bound, Population, PopulationError, Rng};

use crate::network::{Flying, Network, Order, Subject};

type Net = Network<ReliableBroadcast>;
type Out = Outbox<ReliableBroadcast>;

pub const DIM: usize = 2;
pub const FORMS: [Form; 2] = [Form::Digest, Form::Naive];
pub const SCHEDULES: u64 = if cfg!(feature = "nightly") { 10_000 } else { 2_000 };

pub fn config(n: usize, f: usize, form: Form) -> ReliableBroadcastConfig {
    ReliableBroadcastConfig {
        population: Population::new(n, f).unwrap(),
        form,
        dim: DIM,
        is_finite_required: true,
        turns_ahead_max: 4,
        turns_served_max: 2,
    }
}

pub fn machine(me: u16, config: ReliableBroadcastConfig) -> ReliableBroadcast {
    ReliableBroadcast::new(NodeId(me), config).unwrap()
}

/// What node `value` shares; Byzantine nodes say 100 and 101.
pub fn vector(value: usize) -> Vector {
    Vector::new(vec![value as f32; DIM])
}

fn content(form: Form, value: usize) -> Content {
    match form {
        Form::Digest => Content::Digest(vector(value).digest()),
        Form::Naive => Content::Vector(vector(value)),
    }
}

fn share(machine: &mut ReliableBroadcast, turn: Turn, value: usize) -> Out {
    let mut out = Vec::new();
    let share = Share { turn, vector: vector(value), halvings: 1 };
    machine.handle(Time(0), Input::Command(share), &mut out);
    out
}

fn deliver(machine: &mut ReliableBroadcast, from: u16, turn: Turn, part: Part) -> Out {
    let mut out = Vec::new();
    let message = ReliableBroadcastMessage { turn, part };
    machine.handle(Time(0), Input::Message { from: NodeId(from), message }, &mut out);
    out
}

fn rejected(from: u16, reason: Rejection) -> Out {
    vec![Output::Reject { from: NodeId(from), reason }]
}

fn discarded(from: u16, reason: Discard) -> Out {
    vec![Output::Discard { from: NodeId(from), reason }]
}

/// What a Byzantine node might say: mostly about its own broadcast, of which it tells two versions.
pub fn lie(n: usize, f: usize, form: Form, rng: &mut Rng) -> Flying<ReliableBroadcast> {
    let honest = n - f;
    let liar = honest + rng.below(f);
    let (sender, value) = match rng.below(4) {
        0 => {
            let sender = rng.below(honest);
            (sender, [sender, 100][rng.below(2)])
        }
        1 => (honest + rng.below(f), 100 + rng.below(2)),
        _ => (liar, 100 + rng.below(2)),
    };
    let sender = NodeId(sender as u16);
    let part = match rng.below(9) {
        0..3 => Part::Send(vector(value)),
        3..5 => Part::Echo { sender, content: content(form, value) },
        5..7 => Part::Ready { sender, content: content(form, value) },
        7 => Part::Fetch { sender, digest: vector(value).digest() },
        _ => Part::Supply { sender, vector: vector(value) },
    };
    let message = ReliableBroadcastMessage { turn: Turn::default(), part };
    Flying::message(liar as u16, rng.below(honest) as u16, message)
}

/// One turn in which every honest node shares and f Byzantine ones lie. With `cut`, every machine
/// is replaced by its restored snapshot after so many steps.
fn schedule(n: usize, f: usize, form: Form, seed: u64, cut: Option<usize>) -> Net {
    let rng = &mut Rng::stream(seed, 0, "schedule");
    let config = config(n, f, form);
    let honest = |node: usize| (node < n - f).then(|| machine(node as u16, config));
    let mut net = Network::new((0..n).map(honest).collect());
    let turn = Turn::default();
    net.flying = (0..n - f).map(|node| Flying::share(node as u16, turn, vector(node))).collect();
    let (mut lies, mut step) = (30 * f, 0);
    let order = Order::draw(n, rng);
    let meddle = &mut |net: &mut Net, rng: &mut Rng| {
        if Some(step) == cut {
            for (node, place) in net.nodes.iter_mut().enumerate().take(n - f) {
                let bytes = place.as_ref().unwrap().snapshot();
                let mut fresh = machine(node as u16, config);
                fresh.restore(&bytes);
                assert!(fresh.snapshot() == bytes, "a snapshot of a snapshot is the same");
                *place = Some(fresh);
            }
        }
        step += 1;
        while lies > 0 && (net.flying.is_empty() || rng.below(3) == 0) {
            lies -= 1;
            net.flying.push(lie(n, f, form, rng));
        }
    };
    net.run(&order, rng, meddle, &mut |_, _| None);
    net.assert_nobody_is_wronged();
    net
}

/// Seed, number of honest nodes, and how it ended.
fn schedules() -> impl Iterator<Item = (u64, usize, Net)> {
    (0..SCHEDULES).map(|seed| {
        let (n, f) = [(4, 1), (4, 1), (4, 1), (7, 2), (6, 1)][seed as usize % 5];
        (seed, n - f, schedule(n, f, FORMS[seed as usize / 5 % 2], seed, None))
    })
}

/// Per sender: the vectors that honest nodes delivered, by node.
fn by_sender(net: &Net) -> BTreeMap<NodeId, Vec<(usize, Vector)>> {
    let mut found: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for node in net.honest() {
        for Delivered { instance, vector } in &net.events[node] {
            found.entry(instance.sender).or_default().push((node, vector.clone()));
        }
    }
    found
}

#[test]
fn validity_everybody_delivers_what_an_honest_sender_shared() {
    for (seed, honest, net) in schedules() {
        let found = by_sender(&net);
        for sender in 0..honest {
            let delivered = found.get(&NodeId(sender as u16)).map_or(0, Vec::len);
            assert_eq!(delivered, honest, "seed {seed}: deliveries of {sender}");
        }
    }
}

#[test]
fn agreement_nobody_delivers_another_vector_than_somebody_else() {
    let mut split = 0;
    for (seed, honest, net) in schedules() {
        for (sender, found) in by_sender(&net) {
            let is_one = found.iter().all(|(_, vector)| *vector == found[0].1);
            assert!(is_one, "seed {seed}: sender {sender}");
            split += usize::from(sender.index() >= honest);
        }
    }
    assert!(split > 100, "Byzantine senders get delivered now and then, or this shows nothing");
}

#[test]
fn integrity_only_what_an_honest_sender_shared_is_delivered_for_it() {
    for (seed, honest, net) in schedules() {
        for (sender, found) in by_sender(&net) {
            let shared = vector(sender.index());
            let is_shared = found.iter().all(|(_, vector)| *vector == shared);
            assert!(sender.index() >= honest || is_shared, "seed {seed}: sender {sender}");
        }
    }
}

#[test]
fn no_duplication_nobody_delivers_twice_for_one_sender() {
    for (seed, _, net) in schedules() {
        for found in by_sender(&net).values() {
            let nodes: BTreeSet<_> = found.iter().map(|(node, _)| node).collect();
            assert_eq!(nodes.len(), found.len(), "seed {seed}");
        }
    }
}

#[test]
fn totality_what_one_honest_node_delivers_every_one_does() {
    for (seed, honest, net) in schedules() {
        let is_total = by_sender(&net).values().all(|found| found.len() == honest);
        assert!(is_total, "seed {seed}");
    }
}

#[test]
fn a_snapshot_in_the_middle_of_a_schedule_goes_on_alike() {
    for seed in 0..200 {
        let form = FORMS[seed as usize % 2];
        let whole = schedule(4, 1, form, seed, None);
        let cut = schedule(4, 1, form, seed, Some(seed as usize));
        assert_eq!(whole.events, cut.events);
        assert_eq!(whole.sent, cut.sent);
        assert_eq!(whole.rejected, cut.rejected);
    }
}

#[test]
fn a_population_outside_the_bound_is_refused_with_its_name() {
    for (n, f, is_sound) in [(4, 1, true), (3, 1, false), (7, 2, true), (6, 2, false)] {
        let built = ReliableBroadcast::new(NodeId(0), config(n, f, Form::Digest));
        assert_eq!(built.is_ok(), is_sound, "n = {n}, f = {f}");
    }
    let refused = ReliableBroadcast::new(NodeId(0), config(6, 2, Form::Digest)).unwrap_err();
    let bound = Bound::TWO_THIRDS;
    assert_eq!(refused, PopulationError::Bound { n: 6, f: 2, bound, largest_f: 1 });
    assert!(refused.to_string().contains("n ≥ 3f + 1"), "{refused}");
}

fn sent(out: &Out) -> impl Iterator<Item = &ReliableBroadcastMessage> {
    out.iter().filter_map(|output| match output {
        Output::Send { message, .. } => Some(message),
        _ => None,
    })
}

/// Whether the outputs hold the own READY, and whether a delivery.
fn consequences(out: &Out) -> (bool, bool) {
    let is_ready = |message: &ReliableBroadcastMessage| matches!(message.part, Part::Ready { .. });
    (sent(out).any(is_ready), out.iter().any(|output| matches!(output, Output::Event(_))))
}

/// (n, f), then how many ECHO make READY: ⌈(n+f+1)/2⌉, worked out by hand.
const QUORUMS: [((usize, usize), usize); 6] =
    [((4, 1), 3), ((5, 1), 4), ((6, 1), 4), ((7, 2), 5), ((10, 3), 7), ((26, 5), 16)];

#[test]
fn one_echo_less_than_the_quorum_does_nothing() {
    for ((n, f), quorum) in QUORUMS {
        for form in FORMS {
            let mut machine = machine(0, config(n, f, form));
            share(&mut machine, Turn::default(), 0);
            let sender = NodeId(1);
            for voter in 1..=quorum as u16 {
                let part = Part::Echo { sender, content: content(form, 1) };
                let out = deliver(&mut machine, voter, Turn::default(), part);
                let expected = (usize::from(voter) == quorum, false);
                assert_eq!(consequences(&out), expected, "n = {n}, f = {f}, echo {voter}");
            }
        }
    }
}

#[test]
fn echoes_for_different_vectors_do_not_add_up() {
    let mut machine = machine(0, config(4, 1, Form::Digest));
    share(&mut machine, Turn::default(), 0);
    let sender = NodeId(1);
    for (voter, value) in [(1, 100), (2, 101), (3, 101)] {
        let part = Part::Echo { sender, content: content(Form::Digest, value) };
        assert!(deliver(&mut machine, voter, Turn::default(), part).is_empty());
    }
}

#[test]
fn one_ready_less_than_f_plus_1_or_2f_plus_1_does_nothing() {
    for ((n, f), _) in QUORUMS {
        for form in FORMS {
            let mut machine = machine(0, config(n, f, form));
            share(&mut machine, Turn::default(), 0);
            let sender = NodeId(1);
            deliver(&mut machine, 1, Turn::default(), Part::Send(vector(1)));
            for voter in 1..=2 * f {
                let part = Part::Ready { sender, content: content(form, 1) };
                let out = deliver(&mut machine, voter as u16, Turn::default(), part);
                // The own READY, sent at f + 1, is one of the 2f + 1.
                let expected = (voter == f + 1, voter == 2 * f);
                assert_eq!(consequences(&out), expected, "n = {n}, f = {f}, ready {voter}");
            }
        }
    }
}

#[test]
fn what_is_missing_is_fetched_from_f_plus_1_who_echoed_it() {
    let (turn, sender) = (Turn::default(), NodeId(1));
    let mut machine = machine(0, config(7, 2, Form::Digest));
    share(&mut machine, turn, 0);
    // The sender shows this node something else than the others.
    deliver(&mut machine, 1, turn, Part::Send(vector(100)));
    let digest = vector(1).digest();
    let vote = Content::Digest(digest);
    deliver(&mut machine, 2, turn, Part::Echo { sender, content: vote.clone() });
    let mut out = Vec::new();
    for voter in 2..6 {
        out.extend(deliver(
            &mut machine,
            voter,
            turn,
            Part::Ready { sender, content: vote.clone() },
        ));
    }
    for voter in 3..7 {
        out.extend(deliver(
            &mut machine,
            voter,
            turn,
            Part::Echo { sender, content: vote.clone() },
        ));
    }
    let asked = |output: &Output<ReliableBroadcastMessage, Delivered>| match output {
        Output::Send { to: To::Node(to), message } => {
            assert_eq!(message.part, Part::Fetch { sender, digest });
            Some(to.0)
        }
        _ => None,
    };
    assert_eq!(out.iter().filter_map(asked).collect::<Vec<_>>(), [2, 3, 4], "f + 1 of them");
    let supply = |value| Part::Supply { sender, vector: vector(value) };
    assert_eq!(deliver(&mut machine, 5, turn, supply(1)), rejected(5, Rejection::OutOfRole));
    assert_eq!(deliver(&mut machine, 2, turn, supply(100)), rejected(2, Rejection::WrongDigest));
    let instance = Instance { turn, sender };
    let delivered = Delivered { instance, vector: vector(1) };
    assert_eq!(deliver(&mut machine, 3, turn, supply(1)), vec![Output::Event(delivered)]);
    assert_eq!(deliver(&mut machine, 4, turn, supply(1)), discarded(4, Discard::Duplicate));
}

#[test]
fn who_echoed_gives_the_vector_once_to_each_who_asks_and_nothing_else() {
    let (turn, sender) = (Turn::default(), NodeId(1));
    let mut machine = machine(0, config(4, 1, Form::Digest));
    let fetch = |value| Part::Fetch { sender, digest: vector(value).digest() };
    assert_eq!(deliver(&mut machine, 2, turn, fetch(1)), rejected(2, Rejection::OutOfRole));
    share(&mut machine, turn, 0);
    deliver(&mut machine, 1, turn, Part::Send(vector(1)));
    let part = Part::Supply { sender, vector: vector(1) };
    let message = ReliableBroadcastMessage { turn, part };
    for from in [2, 3] {
        let supply = Output::Send { to: To::Node(NodeId(from)), message: message.clone() };
        assert_eq!(deliver(&mut machine, from, turn, fetch(1)), vec![supply]);
        let again = deliver(&mut machine, from, turn, fetch(1));
        assert_eq!(again, discarded(from, Discard::Duplicate));
    }
    assert_eq!(deliver(&mut machine, 2, turn, fetch(100)), rejected(2, Rejection::OutOfRole));
}

#[test]
fn every_fault_has_its_name() {
    let (turn, sender) = (Turn::default(), NodeId(1));
    for form in FORMS {
        let other = FORMS[usize::from(form == Form::Digest)];
        let mut machine = machine(0, config(4, 1, form));
        share(&mut machine, turn, 0);
        let echo = |sender, content| Part::Echo { sender, content };
        let ready = |sender, content| Part::Ready { sender, content };
        let long = Vector::new(vec![0.0; DIM + 1]);
        let nan = Vector::new(vec![f32::NAN; DIM]);
        let cases = [
            (1, Part::Send(long.clone()), Rejection::WrongLength),
            (1, Part::Send(nan.clone()), Rejection::NotFinite),
            (2, echo(sender, Content::Vector(long)), Rejection::WrongLength),
            (2, ready(sender, Content::Vector(nan)), Rejection::NotFinite),
            (2, echo(sender, content(other, 1)), Rejection::Malformed),
            (2, ready(sender, content(other, 1)), Rejection::Malformed),
            (2, echo(NodeId(4), content(form, 1)), Rejection::Malformed),
            (2, Part::Supply { sender, vector: vector(1) }, Rejection::OutOfRole),
            (4, Part::Send(vector(4)), Rejection::OutOfRole),
            (0, Part::Send(vector(4)), Rejection::OutOfRole),
        ];
        for (from, part, reason) in cases {
            assert_eq!(deliver(&mut machine, from, turn, part.clone()), rejected(from, reason));
        }
        // What was refused left nothing behind: the same nodes may still say something sound.
        let sound = [
            (1, Part::Send(vector(1)), Part::Send(vector(100))),
            (2, echo(sender, content(form, 1)), echo(sender, content(form, 100))),
            (2, ready(sender, content(form, 1)), ready(sender, content(form, 100))),
        ];
        for (from, first, second) in sound {
            let taken = deliver(&mut machine, from, turn, first.clone());
            assert!(taken.iter().all(|output| matches!(output, Output::Send { .. })), "{taken:?}");
            let again = deliver(&mut machine, from, turn, first);
            assert_eq!(again, discarded(from, Discard::Duplicate));
            let other = deliver(&mut machine, from, turn, second);
            assert_eq!(other, rejected(from, Rejection::Equivocation));
        }
    }
}

#[test]
fn nobody_echoes_in_a_turn_that_it_has_not_reached() {
    let mut machine = machine(0, config(4, 1, Form::Digest));
    let turns: Vec<_> = (0..6).map(|round| Turn::new(round, 0)).collect();
    for turn in &turns[..4] {
        assert!(deliver(&mut machine, 3, *turn, Part::Send(vector(3))).is_empty());
    }
    let early = deliver(&mut machine, 3, turns[4], Part::Send(vector(3)));
    assert_eq!(early, discarded(3, Discard::TooEarly), "a window is for each peer");
    let other = deliver(&mut machine, 2, turns[4], Part::Send(vector(2)));
    assert!(other.is_empty(), "a flood harms nobody else: {other:?}");
    let out = share(&mut machine, turns[1], 0);
    let echoes = sent(&out).filter(|message| matches!(message.part, Part::Echo { .. }));
    assert_eq!(echoes.count(), 2, "the own vector and the one that came early");
    let late = deliver(&mut machine, 3, turns[0], Part::Send(vector(3)));
    assert_eq!(late, discarded(3, Discard::Late));
}

#[test]
fn a_turn_is_served_after_it_was_left_and_then_forgotten() {
    let mut machine = machine(0, config(4, 1, Form::Digest));
    let turns: Vec<_> = (0..4).map(|round| Turn::new(round, 0)).collect();
    share(&mut machine, turns[0], 0);
    for turn in &turns[1..3] {
        share(&mut machine, *turn, 0);
    }
    let served = deliver(&mut machine, 1, turns[0], Part::Send(vector(1)));
    assert!(matches!(&served[..], [Output::Send { to: To::Others, .. }]), "two behind: {served:?}");
    let held = Broadcast::held(&machine);
    machine.advance(turns[3]);
    assert!(Broadcast::held(&machine) < held);
    let late = deliver(&mut machine, 2, turns[0], Part::Send(vector(2)));
    assert_eq!(late, discarded(2, Discard::Late), "three behind");
}

#[test]
fn a_turn_that_was_left_is_voted_on_and_not_delivered() {
    for form in FORMS {
        let mut machine = machine(0, config(4, 1, form));
        let (turn, sender) = (Turn::default(), NodeId(1));
        share(&mut machine, turn, 0);
        deliver(&mut machine, 1, turn, Part::Send(vector(1)));
        machine.advance(turn.next());
        let ready = |from| (from, Part::Ready { sender, content: content(form, 1) });
        let mut seen = (false, false);
        for (from, part) in [ready(1), ready(2), ready(3)] {
            let now = consequences(&deliver(&mut machine, from, turn, part));
            seen = (seen.0 | now.0, seen.1 | now.1);
        }
        assert_eq!(seen, (true, false));
    }
}

#[test]
fn what_became_ready_early_is_delivered_when_the_turn_is_reached() {
    for form in FORMS {
        let mut machine = machine(0, config(4, 1, form));
        let (turn, sender) = (Turn::new(1, 0), NodeId(1));
        deliver(&mut machine, 1, turn, Part::Send(vector(1)));
        for from in 1..4 {
            let part = Part::Ready { sender, content: content(form, 1) };
            assert!(!consequences(&deliver(&mut machine, from, turn, part)).1);
        }
        assert!(consequences(&share(&mut machine, turn, 0)).1);
    }
}

#[test]
fn an_honest_turn_costs_what_its_documentation_says() {
    for (n, f) in [(4, 1), (7, 2)] {
        for form in FORMS {
            let nodes = (0..n).map(|node| Some(machine(node as u16, config(n, f, form))));
            let mut net = Network::new(nodes.collect());
            for node in 0..n {
                net.flying.push(Flying::share(node as u16, Turn::default(), vector(node)));
            }
            let rng = &mut Rng::stream(1, 0, "schedule");
            net.run(&Order::OldestFirst, rng, &mut |_, _| {}, &mut |_, _| None);
            let (sends, votes) = ((n * (n - 1)) as u64, (2 * n * n * (n - 1)) as u64);
            let vector = 4 + 4 * DIM as u64;
            let vote = match form {
                Form::Digest => 43,
                Form::Naive => 11 + vector,
            };
            assert_eq!(net.events.iter().map(Vec::len).sum::<usize>(), n * n);
            let fetches = net.sent.0 - sends - votes;
            assert!(fetches == 0, "oldest first, SEND comes before the votes");
            assert_eq!(net.sent.1, sends * (9 + vector) + votes * vote);
        }
    }
}

#[test]
fn a_flood_stays_within_the_bound_and_is_discarded() {
    for form in FORMS {
        let rng = &mut Rng::stream(3, 0, "flood");
        let mut machine = machine(0, config(4, 1, form));
        let (mut most, mut round) = (0, 0);
        for step in 0..30_000 {
            let flying = lie(4, 3, form, rng);
            let Input::Message { from, mut message } = flying.input else { unreachable!() };
            message.turn = Turn::new(rng.below(60) as u32, rng.below(2) as u16);
            machine.handle(Time(0), Input::Message { from, message }, &mut Vec::new());
            if step % 3_000 == 2_999 {
                share(&mut machine, Turn::new(round, 0), 0);
                round += 1 + rng.below(3) as u32;
            }
            most = most.max(Broadcast::held(&machine));
            assert!(most <= Broadcast::held_max(&machine));
        }
        assert!(most > 100, "the flood is one: {most}");
    }
}

#[test]
fn messages_are_read_as_they_were_written() {
    let rng = &mut Rng::stream(5, 0, "messages");
    for form in FORMS {
        for _ in 0..200 {
            let Input::Message { message, .. } = lie(7, 2, form, rng).input else { unreachable!() };
            let mut state = phalanx_robust::StateWriter::default();
            message.write(&mut state);
            let bytes = state.finish();
            let mut input = phalanx_robust::StateReader::new(&bytes);
            assert_eq!(ReliableBroadcastMessage::read(&mut input).unwrap(), message);
            let is_send = matches!(message.part, Part::Send(_));
            assert_eq!(message.shared().is_some(), is_send);
        }
    }
}
