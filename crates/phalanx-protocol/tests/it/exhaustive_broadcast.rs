//! Every order of everything, n = 4 and f = 1: reliable broadcast and the witness round.
use phalanx_protocol::{
    Content, Delivered, DirectMessage, Enough, Form, Gather, GatherMessage, NodeId, Part, Pass,
    Phase, ReliableBroadcast, ReliableBroadcastMessage, Round, Turn,
};

use crate::exhaustive::{Covered, Local, Violation, World};
use crate::gather::{Ideal, common, config as gather_config, ideal, ids};
use crate::network::Flying;
use crate::reliable_broadcast::{FORMS, config, machine, vector};

const TURN: Turn = Turn { round: Round(0), phase: Phase(0), pass: Pass(0) };
const LIAR: u16 = 3;

fn content(form: Form, value: usize) -> Content {
    match form {
        Form::Digest => Content::Digest(vector(value).digest()),
        Form::Naive => Content::Vector(vector(value)),
    }
}

fn about(message: &ReliableBroadcastMessage, sender: u16) -> bool {
    match message.part {
        // Those of honest nodes are about the sender only where the sender is that node.
        Part::Send(ref vector) => vector[0] == f32::from(sender),
        _ => message.instance(NodeId(LIAR)).sender == NodeId(sender),
    }
}

/// The one instance of a sender: everything that node 3 can say about it to each of the others.
///
/// It may also ask for vectors; that changes nothing but that it is given them, so it is left out.
fn world(form: Form, sender: u16, values: [usize; 2]) -> World<ReliableBroadcast> {
    let of = NodeId(sender);
    let mut offers: Vec<_> =
        (0..3).map(|node| Flying::share(node, TURN, vector(usize::from(node)))).collect();
    for (to, value) in (0..3).flat_map(|to| values.map(|value| (to, value))) {
        let content = content(form, value);
        let mut parts = vec![
            Part::Echo { sender: of, content: content.clone() },
            Part::Ready { sender: of, content },
        ];
        if sender == LIAR {
            parts.push(Part::Send(vector(value)));
        }
        if form == Form::Digest {
            parts.push(Part::Supply { sender: of, vector: vector(value) });
        }
        let message = |part| ReliableBroadcastMessage { turn: TURN, part };
        offers.extend(parts.into_iter().map(|part| Flying::message(LIAR, to, message(part))));
    }
    let is_relevant = if sender == LIAR { |m: &_| about(m, LIAR) } else { |m: &_| about(m, 0) };
    World::new((0..3).map(|node| machine(node, config(4, 1, form))).collect(), offers, is_relevant)
}

fn delivered(local: &Local<ReliableBroadcast>, sender: u16) -> Vec<&Delivered> {
    let is_meant = |event: &&Delivered| event.instance.sender == NodeId(sender);
    local.events.iter().filter(is_meant).collect()
}

fn enumerate(form: Form, sender: u16, values: [usize; 2]) -> Result<Covered, Violation> {
    let mut world = world(form, sender, values);
    let always = |locals: &[&Local<ReliableBroadcast>]| {
        let all: Vec<_> = locals.iter().map(|local| delivered(local, sender)).collect();
        if all.iter().any(|own| own.len() > 1) {
            return Err("delivered twice".to_owned());
        }
        let mut vectors = all.iter().flatten().map(|delivered| &delivered.vector);
        let Some(first) = vectors.next() else { return Ok(()) };
        if !vectors.all(|vector| vector == first) {
            return Err("two vectors delivered".to_owned());
        }
        match sender != LIAR && *first != vector(usize::from(sender)) {
            true => Err("delivered what an honest sender did not share".to_owned()),
            false => Ok(()),
        }
    };
    let quiet = |locals: &[&Local<ReliableBroadcast>]| {
        let count = locals.iter().filter(|local| !delivered(local, sender).is_empty()).count();
        match (count, sender == LIAR) {
            (3, _) | (0, true) => Ok(()),
            _ => Err(format!("{count} of 3 delivered in the end")),
        }
    };
    world.enumerate(&always, &quiet)
}

#[test]
fn an_honest_sender_is_delivered_in_every_order_whatever_the_byzantine_node_votes() {
    for form in FORMS {
        let covered = enumerate(form, 0, [0, 100]).unwrap_or_else(|found| panic!("{found}"));
        println!("honest sender, {form:?}: {covered:?}");
        assert!(covered.states > 1_000_000 && covered.quiet > 0, "{covered:?}");
    }
}

#[test]
fn an_equivocating_sender_splits_nobody_in_any_order() {
    for form in FORMS {
        let covered = enumerate(form, LIAR, [100, 101]).unwrap_or_else(|found| panic!("{found}"));
        println!("Byzantine sender, {form:?}: {covered:?}");
        assert!(covered.states > 5_000_000 && covered.quiet > 0, "{covered:?}");
    }
}

/// A round over an ideal broadcast, which may deliver in any order: node 3's vector may come or not
/// and it may report any set that is large enough, to each node another one.
fn witness_round(enough: Enough) -> Result<Covered, Violation> {
    let mut offers: Vec<_> =
        (0..3).map(|node| Flying::share(node, TURN, vector(usize::from(node)))).collect();
    for to in 0..3 {
        let opening = DirectMessage { turn: TURN, vector: vector(100) };
        let opening = GatherMessage::Broadcast(opening);
        offers.push(Flying::message(LIAR, to, opening));
        for nodes in [&[0, 1, 2][..], &[0, 1, 3], &[0, 2, 3], &[1, 2, 3], &[0, 1, 2, 3]] {
            let report = GatherMessage::Report { turn: TURN, ids: ids(nodes) };
            offers.push(Flying::message(LIAR, to, report));
        }
    }
    let nodes = (0..3).map(|node| ideal(node, gather_config(4, 1, enough))).collect();
    let mut world = World::new(nodes, offers, |_| true);
    let always = |locals: &[&Local<Gather<Ideal>>]| {
        for (j, k) in [(0, 1), (0, 2), (1, 2)] {
            if let ([mine], [theirs]) = (&locals[j].events[..], &locals[k].events[..])
                && common(mine, theirs) < 3
            {
                return Err(format!("{j} and {k}: {mine:?} and {theirs:?}"));
            }
        }
        Ok(())
    };
    let quiet = |locals: &[&Local<Gather<Ideal>>]| {
        let is_done = locals.iter().all(|local| local.events.len() == 1);
        // An ideal broadcast is total: what reached some and not all is still on its way.
        let heard = locals.iter().filter(|local| local.machine.broadcast().has_heard(NodeId(LIAR)));
        let is_end = [0, 3].contains(&heard.count());
        if is_done || !is_end { Ok(()) } else { Err("somebody waits for ever".to_owned()) }
    };
    world.enumerate(&always, &quiet)
}

#[test]
fn any_two_share_n_minus_f_senders_after_a_witness_round_in_every_order() {
    let covered = witness_round(Enough::Witnesses).unwrap_or_else(|found| panic!("{found}"));
    println!("witness round: {covered:?}");
    assert!(covered.states > 1_000_000 && covered.quiet > 0, "{covered:?}");
}

#[test]
fn without_witnesses_some_order_leaves_fewer_in_common() {
    let found = witness_round(Enough::Deliveries(3)).unwrap_err();
    println!("without witnesses: {found}");
}
